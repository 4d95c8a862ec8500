"""Few labels: gene finders from a few curated genes, pretrained here, elsewhere or not, each for the same CPU time."""

if STUDY.few_labels:

    # Fine-tuning is that of the section annotate, or of its defaults where the study has none.
    FEW_ANNOTATE = {**(ANNOTATE or Annotate().model_dump(mode="json")), "budget_minutes": FEW_LABELS["budget_minutes"]}
    FEW_PRETRAIN = {**PRETRAIN, "budget_minutes": FEW_LABELS["budget_minutes"] * FEW_LABELS["pretrain_share"]}
    FEW_CODE = code_digest("tasks/few_labels.py", "annotation/curated.py")

    wildcard_constraints:
        origin="pretrained|pretrained_elsewhere",
        genes=r"\d+|all",
        seed=r"\d+",

    rule few_labels_elsewhere:
        input:
            [
                f"results/genomes/{name}/{file}"
                for name in FEW_LABELS["elsewhere"]
                for file in ("codes.npy", "contigs.parquet", "features.parquet")
            ],
            cards=[f"results/genomes/{name}/genome.json" for name in FEW_LABELS["elsewhere"]],
        output:
            card=f"{RESULTS}/few_labels/elsewhere/genome.json",
            codes=f"{RESULTS}/few_labels/elsewhere/codes.npy",
            contigs=f"{RESULTS}/few_labels/elsewhere/contigs.parquet",
            features=f"{RESULTS}/few_labels/elsewhere/features.parquet",
        log:
            log_of("few_labels_elsewhere"),
        benchmark:
            benchmark_of("few_labels_elsewhere")
        params:
            name="elsewhere",
            code=code_digest("genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/study_genome.py"

    rule few_labels_pretrain:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
        output:
            config=f"{RESULTS}/few_labels/models/pretrained/seed{{seed}}/config.json",
            model=f"{RESULTS}/few_labels/models/pretrained/seed{{seed}}/model.safetensors",
            facts=f"{RESULTS}/few_labels/models/pretrained/seed{{seed}}/facts.json",
        log:
            log_of("few_labels_pretrain/pretrained.{seed}"),
        benchmark:
            benchmark_of("few_labels_pretrain/pretrained.{seed}")
        params:
            settings=FEW_PRETRAIN,
            code=FEW_CODE,
        threads: PRETRAIN["threads"]
        priority: 50
        resources:
            mem_mb=4000,
            runtime=60,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/few_labels_pretrain.py"

    use rule few_labels_pretrain as few_labels_pretrain_elsewhere with:
        input:
            rules.few_labels_elsewhere.output,
        output:
            config=f"{RESULTS}/few_labels/models/pretrained_elsewhere/seed{{seed}}/config.json",
            model=f"{RESULTS}/few_labels/models/pretrained_elsewhere/seed{{seed}}/model.safetensors",
            facts=f"{RESULTS}/few_labels/models/pretrained_elsewhere/seed{{seed}}/facts.json",
        log:
            log_of("few_labels_pretrain/pretrained_elsewhere.{seed}"),
        benchmark:
            benchmark_of("few_labels_pretrain/pretrained_elsewhere.{seed}")

    rule curated_genes:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
        output:
            f"{RESULTS}/few_labels/labels/{{genes}}.seed{{seed}}.tsv",
        log:
            log_of("curated_genes/{genes}.{seed}"),
        benchmark:
            benchmark_of("curated_genes/{genes}.{seed}")
        params:
            neighbours=FEW_LABELS["neighbours"],
            decoder_every=FEW_LABELS["decoder_every"],
            code=code_digest("annotation/curated.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/curated_genes.py"

    rule few_labels_network:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            curated=f"{RESULTS}/few_labels/labels/{{genes}}.seed{{seed}}.tsv",
            model=f"{RESULTS}/few_labels/models/{{origin}}/seed{{seed}}/model.safetensors",
            spent=f"{RESULTS}/few_labels/models/{{origin}}/seed{{seed}}/facts.json",
        output:
            calls=f"{RESULTS}/few_labels/arms/{{origin}}/{{genes}}/seed{{seed}}/calls.parquet",
            facts=f"{RESULTS}/few_labels/arms/{{origin}}/{{genes}}/seed{{seed}}/facts.json",
        log:
            log_of("few_labels_network/{origin}.{genes}.{seed}"),
        benchmark:
            benchmark_of("few_labels_network/{origin}.{genes}.{seed}")
        params:
            pretrain=FEW_PRETRAIN,
            annotate=FEW_ANNOTATE,
            code=FEW_CODE,
        threads: FEW_ANNOTATE["threads"]
        resources:
            mem_mb=4000,
            runtime=60,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/few_labels_network.py"

    use rule few_labels_network as few_labels_scratch with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            curated=f"{RESULTS}/few_labels/labels/{{genes}}.seed{{seed}}.tsv",
        output:
            calls=f"{RESULTS}/few_labels/arms/dnalm_random_init_equal_compute/{{genes}}/seed{{seed}}/calls.parquet",
            facts=f"{RESULTS}/few_labels/arms/dnalm_random_init_equal_compute/{{genes}}/seed{{seed}}/facts.json",
        log:
            log_of("few_labels_network/scratch.{genes}.{seed}"),
        benchmark:
            benchmark_of("few_labels_network/scratch.{genes}.{seed}")

    rule few_labels_counts:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            curated=f"{RESULTS}/few_labels/labels/{{genes}}.seed{{seed}}.tsv",
        output:
            calls=f"{RESULTS}/few_labels/arms/closed_form/{{genes}}/seed{{seed}}/calls.parquet",
            facts=f"{RESULTS}/few_labels/arms/closed_form/{{genes}}/seed{{seed}}/facts.json",
        log:
            log_of("few_labels_counts/{genes}.{seed}"),
        benchmark:
            benchmark_of("few_labels_counts/{genes}.{seed}")
        params:
            min_length=FEW_ANNOTATE["min_length"],
            code=FEW_CODE,
        threads: 1
        resources:
            mem_mb=2000,
            runtime=20,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/few_labels_counts.py"

    rule few_labels_pyrodigal:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
        output:
            f"{RESULTS}/few_labels/pyrodigal_{{mode}}.parquet",
        log:
            log_of("few_labels_pyrodigal_{mode}"),
        benchmark:
            benchmark_of("few_labels_pyrodigal_{mode}")
        params:
            code=code_digest("baselines/finders.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=30,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/pyrodigal_genes.py"

    rule evaluate_few_labels:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            calls=[f"{folder}/calls.parquet" for folder in few_labels_folders()],
            facts=[f"{folder}/facts.json" for folder in few_labels_folders()],
            unlabelled=f"{RESULTS}/few_labels/pyrodigal_single.parquet",
        output:
            metrics=f"{RESULTS}/few_labels/metrics.tsv",
            comparisons=f"{RESULTS}/few_labels/comparisons.tsv",
            arms=f"{RESULTS}/few_labels/arms.tsv",
        log:
            log_of("evaluate_few_labels"),
        benchmark:
            benchmark_of("evaluate_few_labels")
        params:
            study=STUDY.study,
            settings=EVALUATE,
            seed=STUDY.seed,
            code=code_digest("evaluate/few_labels.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=20,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/evaluate_few_labels.py"

    rule figure_few_labels:
        input:
            metrics=f"{RESULTS}/few_labels/metrics.tsv",
            arms=f"{RESULTS}/few_labels/arms.tsv",
        output:
            report(
                f"{RESULTS}/figures/few_labels.svg",
                caption="../report/few_labels.rst",
                category="Figures",
            ),
            multiext(f"{RESULTS}/figures/few_labels", ".png", ".pdf", ".tsv"),
        log:
            log_of("figure_few_labels"),
        benchmark:
            benchmark_of("figure_few_labels")
        params:
            code=code_digest("figures/few_labels.py", "evaluate/datasets.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/figures.yaml"
        script:
            "../scripts/figure_few_labels.py"
