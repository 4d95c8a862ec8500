"""Variants: files of them scored, maps of all substitutions, and what scores know without any label."""

if VARIANTS:

    rule download_variants:
        output:
            directory(f"{RESULTS}/variants/downloads/{{set}}"),
        log:
            log_of("download_variants/{set}"),
        params:
            source=lambda w: {"url": VARIANTS["sets"][w.set]["vcf"], "of": "variants"},
        threads: 1
        resources:
            mem_mb=500,
            runtime=720,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/download.py"

    rule score_variants:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            own=lambda w: variant_genome("sets", w, "codes.npy", "contigs.parquet", "features.parquet"),
            vcf=lambda w: existing(VARIANTS["sets"][w.set]["vcf"], VARIANTS["sets"][w.set]["aliases"]),
            fetched=fetched_variants,
            splits=f"{RESULTS}/splits.tsv",
            model=f"{RESULTS}/pretrain/model/model.safetensors",
            tolerance=tolerance_files,
        output:
            vcf=f"{RESULTS}/variants/{{set}}.vcf.gz",
            parquet=f"{RESULTS}/variants/{{set}}.parquet",
            summary=f"{RESULTS}/variants/{{set}}.summary.tsv",
            rejects=f"{RESULTS}/variants/{{set}}.rejects.tsv",
        log:
            log_of("score_variants/{set}"),
        benchmark:
            benchmark_of("score_variants/{set}")
        params:
            genome=lambda w: variant_genome("sets", w),
            window=PRETRAIN["window"],
            settings=lambda w: VARIANTS["sets"][w.set],
            relative=relative_of,
            final=PRETRAIN["final"],
            code=code_digest("tasks/variants.py", "tasks/observed.py", "models/build.py"),
        threads: PRETRAIN["threads"]
        resources:
            mem_mb=2000,
            runtime=240,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/score_variants.py"

    rule map_variants:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            own=lambda w: variant_genome("maps", w, "codes.npy", "contigs.parquet", "features.parquet"),
            model=f"{RESULTS}/pretrain/model/model.safetensors",
        output:
            parquet=f"{RESULTS}/variants/maps/{{map}}.parquet",
            constraint=f"{RESULTS}/variants/maps/{{map}}.constraint.bw",
            entropy=f"{RESULTS}/variants/maps/{{map}}.entropy.bw",
        log:
            log_of("map_variants/{map}"),
        benchmark:
            benchmark_of("map_variants/{map}")
        params:
            genome=lambda w: variant_genome("maps", w),
            window=PRETRAIN["window"],
            settings=lambda w: VARIANTS["maps"][w.map],
            code=code_digest("tasks/variant_maps.py", "models/build.py"),
        threads: PRETRAIN["threads"]
        resources:
            mem_mb=2000,
            runtime=240,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/map_variants.py"


if ZERO_SHOT:

    rule predict_frames:
        input:
            multiext("results/genomes/{genome}/", "genome.json", "codes.npy", "contigs.parquet"),
        output:
            f"{RESULTS}/variants/{{genome}}/frames/unlabelled.parquet",
        log:
            log_of("predict_frames/{genome}"),
        benchmark:
            benchmark_of("predict_frames/{genome}")
        params:
            code=code_digest("genefinder/finder.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=60,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/predict_frames.py"

    rule score_substitutions:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            model=f"{RESULTS}/pretrain/model/model.safetensors",
        output:
            ratios=f"{RESULTS}/variants/zero_shot/dnalm.npz",
            changes=f"{RESULTS}/variants/zero_shot/changes.parquet",
        log:
            log_of("score_substitutions"),
        benchmark:
            benchmark_of("score_substitutions")
        params:
            window=PRETRAIN["window"],
            seed=STUDY.seed,
            code=code_digest("tasks/zero_shot.py", "evaluate/variants.py", "models/build.py"),
        threads: PRETRAIN["threads"]
        resources:
            mem_mb=2000,
            runtime=120,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/score_substitutions.py"

    rule count_substitutions:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            choices=f"{RESULTS}/pretrain/baselines.json",
        output:
            changes=f"{RESULTS}/variants/zero_shot/counted_changes.parquet",
            markov_mixture=f"{RESULTS}/variants/zero_shot/markov_mixture.npz",
            flank_counts=f"{RESULTS}/variants/zero_shot/flank_counts.npz",
        log:
            log_of("count_substitutions"),
        benchmark:
            benchmark_of("count_substitutions")
        params:
            final=PRETRAIN["final"],
            seed=STUDY.seed,
            code=code_digest("baselines/substitutions.py", "tasks/zero_shot.py", "evaluate/variants.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=60,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/count_substitutions.py"

    rule evaluate_variants:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            frames=each_genome(f"{RESULTS}/variants/{{genome}}/frames/unlabelled.parquet"),
            ratios=[f"{RESULTS}/variants/zero_shot/{method}.npz" for method in RATIOS],
            changes=f"{RESULTS}/variants/zero_shot/changes.parquet",
            counted=f"{RESULTS}/variants/zero_shot/counted_changes.parquet",
        output:
            metrics=f"{RESULTS}/variants/zero_shot/metrics.tsv",
            comparisons=f"{RESULTS}/variants/zero_shot/comparisons.tsv",
        log:
            log_of("evaluate_variants"),
        benchmark:
            benchmark_of("evaluate_variants")
        params:
            study=STUDY.study,
            settings=EVALUATE,
            seed=STUDY.seed,
            final=PRETRAIN["final"],
            code=code_digest("evaluate/variants.py", "tasks/zero_shot.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=3000,
            runtime=30,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/evaluate_variants.py"
