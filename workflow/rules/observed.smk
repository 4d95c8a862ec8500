"""Variants observed between related genomes, told from simulated ones; and the tables of the stage of variants."""

if OBSERVED:

    rule align_observed:
        input:
            reference=lambda w: observed_reference(w, "genome.fa.gz"),
            query="results/genomes/{observed}/genome.fa.gz",
        output:
            f"{RESULTS}/variants/observed/{{observed}}.paf",
        log:
            log_of("align_observed/{observed}"),
        benchmark:
            benchmark_of("align_observed/{observed}")
        params:
            preset=lambda w: VARIANTS["observed"][w.observed]["preset"],
            code=code_digest("variants/observed.py"),
        threads: 1
        resources:
            mem_mb=4000,
            runtime=120,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/align_observed.py"

    rule call_observed:
        input:
            reference=lambda w: observed_reference(w, "genome.json", "codes.npy", "contigs.parquet"),
            paf=f"{RESULTS}/variants/observed/{{observed}}.paf",
        output:
            vcf=f"{RESULTS}/variants/observed/{{observed}}.vcf.gz",
            differences=f"{RESULTS}/variants/observed/{{observed}}.differences.parquet",
            callable=f"{RESULTS}/variants/observed/{{observed}}.callable.bed",
            summary=f"{RESULTS}/variants/observed/{{observed}}.summary.tsv",
        log:
            log_of("call_observed/{observed}"),
        benchmark:
            benchmark_of("call_observed/{observed}")
        params:
            genome=lambda w: observed_reference(w),
            settings=lambda w: VARIANTS["observed"][w.observed],
            code=code_digest("variants/observed.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/call_observed.py"

    rule score_observed:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            own=lambda w: observed_reference(w, "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            model=f"{RESULTS}/pretrain/model/model.safetensors",
            differences=f"{RESULTS}/variants/observed/{{observed}}.differences.parquet",
            callable=f"{RESULTS}/variants/observed/{{observed}}.callable.bed",
        output:
            f"{RESULTS}/variants/observed/{{observed}}.features.parquet",
        log:
            log_of("score_observed/{observed}"),
        benchmark:
            benchmark_of("score_observed/{observed}")
        params:
            genome=lambda w: observed_reference(w),
            settings=lambda w: VARIANTS["observed"][w.observed],
            window=PRETRAIN["window"],
            final=PRETRAIN["final"],
            seed=STUDY.seed,
            code=code_digest("tasks/observed.py", "variants/observed.py", "models/build.py"),
        threads: PRETRAIN["threads"]
        resources:
            mem_mb=3000,
            runtime=240,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/score_observed.py"

    rule fit_tolerance:
        input:
            f"{RESULTS}/variants/observed/{{observed}}.features.parquet",
            contigs=lambda w: observed_reference(w, "contigs.parquet"),
        output:
            scorer=f"{RESULTS}/variants/observed/{{observed}}.scorer.npz",
            scores=f"{RESULTS}/variants/observed/{{observed}}.parquet",
        log:
            log_of("fit_tolerance/{observed}"),
        benchmark:
            benchmark_of("fit_tolerance/{observed}")
        params:
            seed=STUDY.seed,
            code=code_digest("tasks/tolerance.py", "variants/simulated.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=60,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/fit_tolerance.py"

    rule evaluate_tolerance:
        input:
            scores=f"{RESULTS}/variants/observed/{{observed}}.parquet",
            splits=f"{RESULTS}/splits.tsv",
        output:
            metrics=f"{RESULTS}/variants/observed/{{observed}}.metrics.tsv",
            comparisons=f"{RESULTS}/variants/observed/{{observed}}.comparisons.tsv",
        log:
            log_of("evaluate_tolerance/{observed}"),
        benchmark:
            benchmark_of("evaluate_tolerance/{observed}")
        params:
            study=STUDY.study,
            dataset=lambda w: VARIANTS["observed"][w.observed]["reference"] or GENOMES[0],
            draws=EVALUATE["bootstrap"],
            block=lambda w: VARIANTS["observed"][w.observed]["block"],
            seed=STUDY.seed,
            code=code_digest("evaluate/tolerance.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/evaluate_tolerance.py"


if variant_tables("metrics"):

    rule variant_metrics:
        input:
            metrics=variant_tables("metrics"),
            comparisons=variant_tables("comparisons"),
        output:
            metrics=f"{RESULTS}/variants/metrics.tsv",
            comparisons=f"{RESULTS}/variants/comparisons.tsv",
        log:
            log_of("variant_metrics"),
        benchmark:
            benchmark_of("variant_metrics")
        params:
            code=code_digest("io/tables.py"),
        threads: 1
        resources:
            mem_mb=500,
            runtime=5,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/variant_metrics.py"
