"""Report: the whole study as one HTML file that needs nothing else."""

# What the report reads of a study with a model of its own, beside the stages.
LEARNED = ["all_metrics.tsv", "splits.tsv", "leakage.tsv", "windows.parquet"]
LEARNED += [f"{stage}/model/README.md" for stage in stages()[:1]]


rule report:
    input:
        [
            f"results/genomes/{name}/{file}"
            for name in [*GENOMES, *TARGETS]
            for file in ("genome.json", "provenance.json")
        ],
        [f"{RESULTS}/{stage}/{name}" for stage in stages() for name in ("metrics.tsv", "comparisons.tsv")],
        [f"{RESULTS}/{stage}/run.json" for stage in stages() if stage not in ("compare", "few_labels", "variants")],
        [f"{RESULTS}/compare/arms.tsv"] if STUDY.compare else [],
        [f"{RESULTS}/few_labels/arms.tsv"] if STUDY.few_labels else [],
        [f"{RESULTS}/{name}" for name in LEARNED] if STUDY.pretrain else [],
        annotations(),
        [f"{RESULTS}/variants/{name}.summary.tsv" for name in (VARIANTS["sets"] if VARIANTS else [])],
        labelled_outputs("metrics.tsv", "comparisons.tsv", "left_out.tsv", "facts.tsv", "run.json"),
        [f"{RESULTS}/variants/samples/{name}.summary.tsv" for name in SAMPLES],
        variant_tables("metrics"),
        variant_tables("comparisons"),
        each_target(*TARGET_FILES, "run.json"),
        figures=[f"{RESULTS}/figures/{name}.{kind}" for name in figures() for kind in ("svg", "png", "tsv")],
        captions=[f"{workflow.basedir}/workflow/report/{caption_of(name)}.rst" for name in figures()],
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
