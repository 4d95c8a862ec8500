"""Results: the main numbers as a Markdown table, for a README."""


rule results_table:
    input:
        f"{RESULTS}/all_metrics.tsv",
    output:
        f"{RESULTS}/results-table.md",
    log:
        log_of("results_table"),
    benchmark:
        benchmark_of("results_table")
    params:
        code=code_digest("report/results_table.py"),
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    conda:
        "../../envs/figures.yaml"
    script:
        "../scripts/results_table.py"
