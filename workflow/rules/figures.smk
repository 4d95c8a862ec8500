"""Figures: each in vector and pixel formats, with the table that it was drawn from."""


rule figure_learning_curve:
    input:
        log=f"{RESULTS}/pretrain/log.csv",
        metrics=f"{RESULTS}/pretrain/metrics.tsv",
    output:
        report(
            f"{RESULTS}/figures/learning_curve.svg",
            caption="../report/learning_curve.rst",
            category="Figures",
        ),
        multiext(f"{RESULTS}/figures/learning_curve", ".png", ".pdf", ".tsv"),
    log:
        log_of("figure_learning_curve"),
    benchmark:
        benchmark_of("figure_learning_curve")
    params:
        code=code_digest("figures/learning_curve.py", "evaluate/datasets.py"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/figures.yaml"
    script:
        "../scripts/figure_learning_curve.py"


rule figure_bits_by_region:
    input:
        metrics=f"{RESULTS}/pretrain/metrics.tsv",
    output:
        report(
            f"{RESULTS}/figures/bits_by_region.svg",
            caption="../report/bits_by_region.rst",
            category="Figures",
        ),
        multiext(f"{RESULTS}/figures/bits_by_region", ".png", ".pdf", ".tsv"),
    log:
        log_of("figure_bits_by_region"),
    benchmark:
        benchmark_of("figure_bits_by_region")
    params:
        code=code_digest("figures/bits_by_region.py", "evaluate/datasets.py"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/figures.yaml"
    script:
        "../scripts/figure_bits_by_region.py"


rule figure_splits_and_leakage:
    input:
        genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
        splits=f"{RESULTS}/splits.tsv",
        leakage=f"{RESULTS}/leakage.tsv",
    output:
        report(
            f"{RESULTS}/figures/splits_and_leakage.svg",
            caption="../report/splits_and_leakage.rst",
            category="Figures",
        ),
        multiext(f"{RESULTS}/figures/splits_and_leakage", ".png", ".pdf", ".tsv"),
    log:
        log_of("figure_splits_and_leakage"),
    benchmark:
        benchmark_of("figure_splits_and_leakage")
    params:
        code=code_digest("figures/splits_and_leakage.py", "sequence/leakage.py", "io/fasta.py"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/figures.yaml"
    script:
        "../scripts/figure_splits_and_leakage.py"


if FIND_GENES:

    rule figure_gene_precision_recall:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            finders=finder_files(),
            metrics=f"{RESULTS}/annotate/metrics.tsv",
        output:
            report(
                f"{RESULTS}/figures/gene_precision_recall.svg",
                caption="../report/gene_precision_recall.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/gene_precision_recall", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_gene_precision_recall"),
        benchmark:
            benchmark_of("figure_gene_precision_recall")
        params:
            code=code_digest("figures/gene_precision_recall.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_gene_precision_recall.py"

    rule figure_browser:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            finders=finder_files(),
            probabilities=genes_of("probabilities/dnalm.npz"),
            scores=f"{RESULTS}/pretrain/scores/dnalm.npz",
            metrics=f"{RESULTS}/pretrain/metrics.tsv",
        output:
            report(
                f"{RESULTS}/figures/browser.svg",
                caption="../report/browser.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/browser", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_browser"),
        benchmark:
            benchmark_of("figure_browser")
        params:
            code=code_digest("figures/browser.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_browser.py"

    rule figure_calibration:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            finders=finder_files(),
            probabilities=probability_files(),
            metrics=f"{RESULTS}/annotate/metrics.tsv",
        output:
            report(
                f"{RESULTS}/figures/calibration.svg",
                caption="../report/calibration.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/calibration", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_calibration"),
        benchmark:
            benchmark_of("figure_calibration")
        params:
            code=code_digest("figures/calibration.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_calibration.py"


if STUDY.universal:

    rule figure_finders_by_genome:
        input:
            metrics=f"{RESULTS}/annotate/metrics.tsv",
            comparisons=f"{RESULTS}/annotate/comparisons.tsv",
        output:
            report(
                f"{RESULTS}/figures/finders_by_genome.svg",
                caption="../report/finders_by_genome.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/finders_by_genome", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_finders_by_genome"),
        benchmark:
            benchmark_of("figure_finders_by_genome")
        params:
            code=code_digest("figures/finders_by_genome.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_finders_by_genome.py"


if STUDY.compare:

    rule figure_architectures:
        input:
            metrics=f"{RESULTS}/compare/metrics.tsv",
            arms=f"{RESULTS}/compare/arms.tsv",
            logs=[f"{folder}/log.csv" for folder in arm_folders()],
        output:
            report(
                f"{RESULTS}/figures/architectures.svg",
                caption="../report/architectures.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/architectures", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_architectures"),
        benchmark:
            benchmark_of("figure_architectures")
        params:
            code=code_digest("figures/architectures.py", "evaluate/datasets.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_architectures.py"

    rule figure_context_cost:
        input:
            costs=f"{RESULTS}/compare/context.tsv",
        output:
            report(
                f"{RESULTS}/figures/context_cost.svg",
                caption="../report/context_cost.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/context_cost", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_context_cost"),
        benchmark:
            benchmark_of("figure_context_cost")
        params:
            code=code_digest("figures/context_cost.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_context_cost.py"


if VARIANTS and VARIANTS["maps"]:

    rule figure_substitution_map:
        input:
            multiext(f"results/genomes/{map_genome()}/", "codes.npy", "contigs.parquet", "features.parquet"),
            map=f"{RESULTS}/variants/maps/{first_map()}.parquet",
        output:
            report(
                f"{RESULTS}/figures/substitution_map.svg",
                caption="../report/substitution_map.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/substitution_map", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_substitution_map"),
        benchmark:
            benchmark_of("figure_substitution_map")
        params:
            name=first_map(),
            genome=f"results/genomes/{map_genome()}",
            code=code_digest("figures/substitution_map.py", "variants/coding.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_substitution_map.py"


if ZERO_SHOT:

    rule figure_zero_shot_variants:
        input:
            metrics=f"{RESULTS}/variants/zero_shot/metrics.tsv",
        output:
            report(
                f"{RESULTS}/figures/zero_shot_variants.svg",
                caption="../report/zero_shot_variants.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/zero_shot_variants", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_zero_shot_variants"),
        benchmark:
            benchmark_of("figure_zero_shot_variants")
        params:
            code=code_digest("figures/zero_shot_variants.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_zero_shot_variants.py"
