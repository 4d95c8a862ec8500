"""Report: the whole study as one HTML file that needs nothing else."""


rule report:
    input:
        each_genome("results/genomes/{genome}/genome.json"),
        each_genome("results/genomes/{genome}/provenance.json"),
        [f"{RESULTS}/{stage}/{name}" for stage in stages() for name in ("metrics.tsv", "comparisons.tsv")],
        [f"{RESULTS}/{stage}/run.json" for stage in stages() if stage != "compare"],
        [f"{RESULTS}/compare/arms.tsv"] if STUDY.compare else [],
        f"{RESULTS}/all_metrics.tsv",
        f"{RESULTS}/pretrain/model/README.md",
        f"{RESULTS}/splits.tsv",
        f"{RESULTS}/leakage.tsv",
        f"{RESULTS}/windows.parquet",
        genes_of("genes.gff3.gz", "proteins.faa") if STUDY.annotate else [],
        figures=[f"{RESULTS}/figures/{name}.{kind}" for name in figures() for kind in ("svg", "png", "tsv")],
        captions=[f"{workflow.basedir}/workflow/report/{name}.rst" for name in figures()],
        page=[str(LIBRARY / "report" / name) for name in ("template.html", "report.css", "report.js")],
    output:
        f"{RESULTS}/report.html",
    log:
        log_of("report"),
    benchmark:
        benchmark_of("report")
    params:
        study=STUDY.model_dump(mode="json"),
        figures=figures(),
        code=code_digest("report/report.py"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/figures.yaml"
    script:
        "../scripts/report.py"
