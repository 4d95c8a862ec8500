"""Variants with labels: scorers that learn from them, judged on groups that were held out."""


rule labelled_variants:
    input:
        own=lambda w: variant_genome("labelled", w, "codes.npy", "contigs.parquet", "features.parquet"),
        files=labelled_files,
        model=language_model_of,
        whole=lambda w: genome_files("codes.npy", "contigs.parquet") if language_model_of(w) else [],
        splits=lambda w: [f"{RESULTS}/splits.tsv"] if language_model_of(w) else [],
        choices=lambda w: [f"{RESULTS}/pretrain/baselines.json"] if language_model_of(w) else [],
    output:
        parquet=f"{RESULTS}/variants/labelled/{{labelled}}.parquet",
        metrics=f"{RESULTS}/variants/labelled/{{labelled}}.metrics.tsv",
        comparisons=f"{RESULTS}/variants/labelled/{{labelled}}.comparisons.tsv",
        left_out=f"{RESULTS}/variants/labelled/{{labelled}}.left_out.tsv",
        facts=f"{RESULTS}/variants/labelled/{{labelled}}.facts.tsv",
        model=f"{RESULTS}/variants/labelled/{{labelled}}.model.json",
        unlabelled=f"{RESULTS}/variants/labelled/{{labelled}}.unlabelled.parquet",
        unlabelled_tsv=f"{RESULTS}/variants/labelled/{{labelled}}.unlabelled.tsv.gz",
        run=f"{RESULTS}/variants/labelled/{{labelled}}.run.json",
    log:
        log_of("labelled_variants/{labelled}"),
    benchmark:
        benchmark_of("labelled_variants/{labelled}")
    params:
        study=STUDY.study,
        genome=lambda w: variant_genome("labelled", w),
        whole=GENOME_DIR,
        settings=lambda w: VARIANTS["labelled"][w.labelled],
        window=PRETRAIN["window"] if PRETRAIN else None,
        final=PRETRAIN["final"] if PRETRAIN else None,
        state=f"{STATE}/labelled/{{labelled}}",
        bootstrap=EVALUATE["bootstrap"],
        seed=STUDY.seed,
        code=code_digest(
            "tasks/labelled_unlabelled.py",
            "tasks/labelled_finetune.py",
            "tasks/labelled_language.py",
            "evaluate/labelled.py",
        ),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=120,
    conda:
        "../../envs/torch.yaml"
    script:
        "../scripts/labelled_variants.py"


rule figure_labelled:
    input:
        parquet=f"{RESULTS}/variants/labelled/{{labelled}}.parquet",
        metrics=f"{RESULTS}/variants/labelled/{{labelled}}.metrics.tsv",
    output:
        report(
            f"{RESULTS}/figures/labelled_{{labelled}}.svg",
            caption="../report/labelled.rst",
            category="Figures",
        ),
        multiext(f"{RESULTS}/figures/labelled_{{labelled}}", ".png", ".pdf", ".tsv"),
    log:
        log_of("figure_labelled/{labelled}"),
    benchmark:
        benchmark_of("figure_labelled/{labelled}")
    params:
        code=code_digest("figures/labelled_variants.py"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/figures.yaml"
    script:
        "../scripts/figure_labelled.py"
