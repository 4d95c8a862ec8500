"""Samples scanned for positions that look wrong; planted changes say how many of them come up."""

if SAMPLES:

    rule plant_sample:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            own=lambda w: sample_source(w, "genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            real=real_differences,
        output:
            multiext(f"{RESULTS}/variants/samples/{{planted}}/", "codes.npy", "contigs.parquet", "read.npy"),
            card=f"{RESULTS}/variants/samples/{{planted}}/genome.json",
            planted=f"{RESULTS}/variants/samples/{{planted}}/planted.parquet",
        log:
            log_of("plant_sample/{planted}"),
        benchmark:
            benchmark_of("plant_sample/{planted}")
        params:
            genome=lambda w: sample_source(w),
            settings=lambda w: SAMPLES[w.planted]["plant"],
            final=PRETRAIN["final"],
            seed=STUDY.seed,
            code=code_digest("tasks/planted.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/plant_sample.py"

    rule align_sample:
        input:
            reference=lambda w: sample_reference(w, "genome.fa.gz"),
            query=lambda w: sample_source(w, "genome.fa.gz"),
        output:
            f"{RESULTS}/variants/samples/{{compared}}.paf",
        log:
            log_of("align_sample/{compared}"),
        benchmark:
            benchmark_of("align_sample/{compared}")
        params:
            preset=lambda w: SAMPLES[w.compared]["preset"],
            code=code_digest("variants/observed.py"),
        threads: 1
        resources:
            mem_mb=4000,
            runtime=120,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/align_observed.py"

    rule scan_sample:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            sample=scanned_genome,
            planted=planted_changes,
            model=f"{RESULTS}/pretrain/model/model.safetensors",
        output:
            vcf=f"{RESULTS}/variants/samples/{{sample}}.vcf.gz",
            flagged=f"{RESULTS}/variants/samples/{{sample}}.parquet",
            summary=f"{RESULTS}/variants/samples/{{sample}}.summary.tsv",
            scores=f"{RESULTS}/variants/samples/{{sample}}.scores.parquet",
        log:
            log_of("scan_sample/{sample}"),
        benchmark:
            benchmark_of("scan_sample/{sample}")
        params:
            budget=lambda w: SAMPLES[w.sample]["budget"],
            window=PRETRAIN["window"],
            code=code_digest("tasks/scan.py", "variants/flagged.py", "models/build.py"),
        threads: PRETRAIN["threads"]
        resources:
            mem_mb=2000,
            runtime=480,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/scan_sample.py"

    rule rank_differences:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            reference=lambda w: sample_reference(w, "genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            sample=lambda w: sample_source(w, "genome.json", "codes.npy", "contigs.parquet"),
            paf=f"{RESULTS}/variants/samples/{{compared}}.paf",
            model=f"{RESULTS}/pretrain/model/model.safetensors",
        output:
            vcf=f"{RESULTS}/variants/samples/{{compared}}.differences.vcf.gz",
            differences=f"{RESULTS}/variants/samples/{{compared}}.differences.parquet",
        log:
            log_of("rank_differences/{compared}"),
        benchmark:
            benchmark_of("rank_differences/{compared}")
        params:
            reference=lambda w: sample_reference(w),
            sample=lambda w: sample_source(w),
            window=PRETRAIN["window"],
            code=code_digest(
                "tasks/differences.py", "variants/flagged.py", "variants/sample_differences.py", "models/build.py"
            ),
        threads: PRETRAIN["threads"]
        resources:
            mem_mb=2000,
            runtime=240,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/rank_differences.py"

    rule count_sample:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            sample=multiext(f"{RESULTS}/variants/samples/{{planted}}/", "genome.json", "codes.npy", "contigs.parquet"),
            planted=f"{RESULTS}/variants/samples/{{planted}}/planted.parquet",
            splits=f"{RESULTS}/splits.tsv",
            choices=f"{RESULTS}/pretrain/baselines.json",
        output:
            f"{RESULTS}/variants/samples/{{planted}}.baselines.parquet",
        log:
            log_of("count_sample/{planted}"),
        benchmark:
            benchmark_of("count_sample/{planted}")
        params:
            budget=lambda w: SAMPLES[w.planted]["budget"],
            final=PRETRAIN["final"],
            seed=STUDY.seed,
            code=code_digest("baselines/scan.py", "tasks/scan.py", "tasks/planted.py"),
        threads: 1
        resources:
            mem_mb=3000,
            runtime=120,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/count_sample.py"

    rule score_planted:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            own=lambda w: sample_source(w, "genome.json", "codes.npy", "contigs.parquet"),
            features=lambda w: sample_source(w, "features.parquet"),
            sample=multiext(f"{RESULTS}/variants/samples/{{planted}}/", "genome.json", "codes.npy", "contigs.parquet"),
            planted=f"{RESULTS}/variants/samples/{{planted}}/planted.parquet",
            splits=f"{RESULTS}/splits.tsv",
            choices=f"{RESULTS}/pretrain/baselines.json",
            model=f"{RESULTS}/pretrain/model/model.safetensors",
        output:
            f"{RESULTS}/variants/samples/{{planted}}.ranked.parquet",
        log:
            log_of("score_planted/{planted}"),
        benchmark:
            benchmark_of("score_planted/{planted}")
        params:
            window=PRETRAIN["window"],
            final=PRETRAIN["final"],
            code=code_digest("tasks/planted_scores.py", "models/build.py"),
        threads: PRETRAIN["threads"]
        resources:
            mem_mb=3000,
            runtime=120,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/score_planted.py"

    rule evaluate_scan:
        input:
            planted=f"{RESULTS}/variants/samples/{{planted}}/planted.parquet",
            scores=f"{RESULTS}/variants/samples/{{planted}}.scores.parquet",
            baselines=f"{RESULTS}/variants/samples/{{planted}}.baselines.parquet",
            ranked=f"{RESULTS}/variants/samples/{{planted}}.ranked.parquet",
            splits=f"{RESULTS}/splits.tsv",
        output:
            metrics=f"{RESULTS}/variants/samples/{{planted}}.metrics.tsv",
            comparisons=f"{RESULTS}/variants/samples/{{planted}}.comparisons.tsv",
        log:
            log_of("evaluate_scan/{planted}"),
        benchmark:
            benchmark_of("evaluate_scan/{planted}")
        params:
            study=STUDY.study,
            dataset=lambda w: SAMPLES[w.planted]["use"] or w.planted,
            settings=EVALUATE,
            budget=lambda w: SAMPLES[w.planted]["budget"],
            seed=STUDY.seed,
            code=code_digest("evaluate/scan.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/evaluate_scan.py"

    rule figure_scanned:
        input:
            sample=scanned_genome,
            flagged=f"{RESULTS}/variants/samples/{{sample}}.parquet",
            planted=planted_changes,
            scores=lambda w: planted_files(w, "scores.parquet"),
            baselines=lambda w: planted_files(w, "baselines.parquet"),
        output:
            report(
                f"{RESULTS}/figures/scanned_{{sample}}.svg",
                caption="../report/scanned.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/scanned_{{sample}}", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_scanned/{sample}"),
        benchmark:
            benchmark_of("figure_scanned/{sample}")
        params:
            budget=lambda w: SAMPLES[w.sample]["budget"],
            code=code_digest("figures/scanned_sample.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_scanned.py"
