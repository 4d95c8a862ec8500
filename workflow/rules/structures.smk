"""Genes with introns: read with the fine-tuned model, found by others, written, judged and drawn."""

if FIND_STRUCTURES:

    rule predict_structures:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            model=f"{RESULTS}/annotate/model/model.safetensors",
        output:
            calls=genes_of("finders/dnalm.parquet"),
            alone=genes_of("finders/dnalm_alone.parquet"),
            decoder=f"{RESULTS}/annotate/model/decoder.json",
            decoder_alone=f"{RESULTS}/annotate/model/decoder_alone.json",
        log:
            log_of("predict_structures"),
        benchmark:
            benchmark_of("predict_structures")
        params:
            held_out_only=False,
            settings=ANNOTATE,
            code=code_digest("tasks/structure_finders.py"),
        threads: ANNOTATE["threads"]
        priority: 80
        resources:
            mem_mb=4000,
            runtime=120,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/predict_structures.py"

    use rule predict_structures as predict_structures_twin with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            model=f"{RESULTS}/annotate/twins/{{twin}}/model/model.safetensors",
        output:
            calls=genes_of("finders/{twin}.parquet"),
            decoder=f"{RESULTS}/annotate/twins/{{twin}}/model/decoder.json",
        log:
            log_of("predict_structures_{twin}"),
        benchmark:
            benchmark_of("predict_structures_{twin}")
        params:
            held_out_only=True,
            settings=ANNOTATE,
            code=code_digest("tasks/structure_finders.py"),
        priority: 10

    rule counted_structures:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
        output:
            genes_of("finders/closed_form.parquet"),
        log:
            log_of("counted_structures"),
        benchmark:
            benchmark_of("counted_structures")
        params:
            settings=ANNOTATE,
            code=code_digest("tasks/structure_finders.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/counted_structures.py"

    rule augustus:
        input:
            multiext("results/genomes/{genome}/", "genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
        output:
            f"{RESULTS}/annotate/{{genome}}/finders/augustus.parquet",
        log:
            log_of("augustus/{genome}"),
        benchmark:
            benchmark_of("augustus/{genome}")
        params:
            species=ANNOTATE["augustus"],
            code=code_digest("baselines/augustus.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=240,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/augustus_genes.py"

    rule write_structures:
        input:
            multiext("results/genomes/{genome}/", "genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            calls=f"{RESULTS}/annotate/{{genome}}/finders/dnalm.parquet",
        output:
            gff=f"{RESULTS}/annotate/{{genome}}/genes.gff3.gz",
            proteins=f"{RESULTS}/annotate/{{genome}}/proteins.faa",
        log:
            log_of("write_structures/{genome}"),
        benchmark:
            benchmark_of("write_structures/{genome}")
        params:
            code=code_digest("annotation/called_structures.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/write_structures.py"

    rule evaluate_structures:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            finders=finder_files(),
        output:
            metrics=f"{RESULTS}/annotate/metrics.tsv",
            comparisons=f"{RESULTS}/annotate/comparisons.tsv",
        log:
            log_of("evaluate_structures"),
        benchmark:
            benchmark_of("evaluate_structures")
        params:
            study=STUDY.study,
            settings=EVALUATE,
            min_intron=ANNOTATE["min_intron"],
            seed=STUDY.seed,
            code=code_digest("evaluate/structures.py", "genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=20,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/evaluate_structures.py"

    rule figure_gene_structures:
        input:
            metrics=f"{RESULTS}/annotate/metrics.tsv",
        output:
            report(
                f"{RESULTS}/figures/gene_structures.svg",
                caption="../report/gene_structures.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/gene_structures", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_gene_structures"),
        benchmark:
            benchmark_of("figure_gene_structures")
        params:
            code=code_digest("figures/gene_structures.py", "evaluate/datasets.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_gene_structures.py"
