"""Evaluation: metrics with intervals and paired comparisons of every stage; the whole study in one table."""


rule evaluate_pretrain:
    input:
        genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
        **language_scores(),
        splits=f"{RESULTS}/splits.tsv",
        leakage=f"{RESULTS}/leakage.tsv",
        seeds=other_seeds(),
    output:
        metrics=f"{RESULTS}/pretrain/metrics.tsv",
        comparisons=f"{RESULTS}/pretrain/comparisons.tsv",
    log:
        log_of("evaluate_pretrain"),
    benchmark:
        benchmark_of("evaluate_pretrain")
    params:
        study=STUDY.study,
        settings=EVALUATE,
        seeds=SEEDS,
        code=code_digest("evaluate/language.py", "io/fasta.py"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    conda:
        "../../envs/genomics.yaml"
    script:
        "../scripts/evaluate_pretrain.py"


if FIND_GENES:

    rule evaluate_annotate:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            finders=finder_files(),
            probabilities=probability_files(),
        output:
            metrics=f"{RESULTS}/annotate/metrics.tsv",
            comparisons=f"{RESULTS}/annotate/comparisons.tsv",
        log:
            log_of("evaluate_annotate"),
        benchmark:
            benchmark_of("evaluate_annotate")
        params:
            study=STUDY.study,
            settings=EVALUATE,
            seed=STUDY.seed,
            code=code_digest("evaluate/genes.py", "evaluate/bases.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=20,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/evaluate_annotate.py"


rule all_metrics:
    input:
        [f"{RESULTS}/{stage}/metrics.tsv" for stage in stages()],
        labelled_outputs("metrics.tsv"),
    output:
        f"{RESULTS}/all_metrics.tsv",
    log:
        log_of("all_metrics"),
    benchmark:
        benchmark_of("all_metrics")
    params:
        code=code_digest("io/tables.py"),
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    conda:
        "../../envs/genomics.yaml"
    script:
        "../scripts/all_metrics.py"
