"""The gene finder for genomes without labels: every group of genomes is held out once, then all teach the final one."""

if STUDY.universal:

    ruleorder: fold_blocks > splits > windows
    ruleorder: gene_finder > finetune
    ruleorder: held_out_genes > predict_genes

    rule gene_lessons:
        input:
            multiext("results/genomes/{genome}/", "genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
        output:
            f"{RESULTS}/annotate/lessons/{{genome}}.npz",
        log:
            log_of("gene_lessons/{genome}"),
        benchmark:
            benchmark_of("gene_lessons/{genome}")
        params:
            seed=STUDY.seed,
            code=code_digest("genefinder/universal.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=3000,
            runtime=30,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/gene_lessons.py"

    rule gene_finder:
        input:
            [path for paths in lessons().values() for path in paths],
        output:
            config=f"{RESULTS}/annotate/model/config.json",
            weights=f"{RESULTS}/annotate/model/model.safetensors",
            facts=f"{RESULTS}/annotate/run.json",
        log:
            log_of("gene_finder"),
        benchmark:
            benchmark_of("gene_finder")
        params:
            lessons=lessons(),
            seed=STUDY.seed,
            code=code_digest("genefinder/universal.py"),
        threads: 1
        priority: 50
        resources:
            mem_mb=8000,
            runtime=120,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/gene_finder.py"

    use rule gene_finder as fold_gene_finder with:
        input:
            lambda wildcards: [path for paths in lessons(wildcards.group).values() for path in paths],
        output:
            config=f"{RESULTS}/folds/{{group}}/annotate/model/config.json",
            weights=f"{RESULTS}/folds/{{group}}/annotate/model/model.safetensors",
            facts=f"{RESULTS}/folds/{{group}}/annotate/run.json",
        log:
            log_of("gene_finder/{group}"),
        benchmark:
            benchmark_of("gene_finder/{group}")
        params:
            lessons=lambda wildcards: lessons(wildcards.group),
            seed=STUDY.seed,
            code=code_digest("genefinder/universal.py"),

    rule held_out_genes:
        input:
            multiext("results/genomes/{genome}/", "genome.json", "codes.npy", "contigs.parquet"),
            model=lambda wildcards: f"{fold_of(wildcards)}/annotate/model/model.safetensors",
        output:
            dnalm=f"{RESULTS}/annotate/{{genome}}/finders/dnalm.parquet",
            dnalm_self=f"{RESULTS}/annotate/{{genome}}/finders/dnalm_self.parquet",
        log:
            log_of("held_out_genes/{genome}"),
        benchmark:
            benchmark_of("held_out_genes/{genome}")
        params:
            code=code_digest("genefinder/finder.py", "io/fasta.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/held_out_genes.py"

    rule gene_finder_card:
        input:
            config=f"{RESULTS}/annotate/model/config.json",
            metrics=f"{RESULTS}/annotate/metrics.tsv",
            comparisons=f"{RESULTS}/annotate/comparisons.tsv",
            provenance=each_genome("results/genomes/{genome}/provenance.json"),
        output:
            f"{RESULTS}/annotate/model/README.md",
        log:
            log_of("gene_finder_card"),
        benchmark:
            benchmark_of("gene_finder_card")
        params:
            code=code_digest("genefinder/card.py"),
        threads: 1
        resources:
            mem_mb=500,
            runtime=5,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/gene_finder_card.py"

    use rule splits as fold_splits with:
        output:
            f"{RESULTS}/folds/{{group}}/splits.tsv",
        log:
            log_of("splits/{group}"),
        benchmark:
            benchmark_of("splits/{group}")
        params:
            # The smallest other group validates, so that most is left to learn from.
            settings={"by": "genome", "test": 0, "validation": 0},
            seed=STUDY.seed,
            groups=STUDY.groups,
            fixed=lambda wildcards: {wildcards.group: "test"},
            window=None,
            final=None,
            code=code_digest("sequence/splits.py", "io/fasta.py"),

    use rule windows as fold_windows with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/folds/{{group}}/splits.tsv",
        output:
            windows=f"{RESULTS}/folds/{{group}}/windows.parquet",
            leakage=f"{RESULTS}/folds/{{group}}/leakage.tsv",
        log:
            log_of("windows/{group}"),
        benchmark:
            benchmark_of("windows/{group}")
        params:
            window=PRETRAIN["window"],
            final=True,  # networks learn from the genomes that validate as well
            find=SPLITS["leakage_by"],
            code=code_digest("sequence/windows.py", "io/fasta.py", "annotation/features.py", *LEAKAGE_CODE),

    rule fold_blocks:
        input:
            splits=expand(f"{RESULTS}/folds/{{group}}/splits.tsv", group=GROUPS),
            windows=expand(f"{RESULTS}/folds/{{group}}/windows.parquet", group=GROUPS),
            leakage=expand(f"{RESULTS}/folds/{{group}}/leakage.tsv", group=GROUPS),
        output:
            splits=f"{RESULTS}/splits.tsv",
            windows=f"{RESULTS}/windows.parquet",
            leakage=f"{RESULTS}/leakage.tsv",
        log:
            log_of("fold_blocks"),
        benchmark:
            benchmark_of("fold_blocks")
        params:
            code=code_digest("sequence/folds.py", "io/tables.py"),
        threads: 1
        resources:
            mem_mb=500,
            runtime=5,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/fold_blocks.py"


if STUDY.universal and STUDY.annotate.transfer:

    use rule tokenizer as fold_tokenizer with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/folds/{{group}}/splits.tsv",
        output:
            f"{RESULTS}/folds/{{group}}/tokens/tokenizer.json",
        log:
            log_of("tokenizer/{group}"),
        benchmark:
            benchmark_of("tokenizer/{group}")

    use rule pretrain as fold_pretrain with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/folds/{{group}}/splits.tsv",
            tokenizer=f"{RESULTS}/folds/{{group}}/tokens/tokenizer.json",
        output:
            config=f"{RESULTS}/folds/{{group}}/pretrain/model/config.json",
            weights=f"{RESULTS}/folds/{{group}}/pretrain/model/model.safetensors",
            tokenizer=f"{RESULTS}/folds/{{group}}/pretrain/model/tokenizer.json",
            card=f"{RESULTS}/folds/{{group}}/pretrain/model/README.md",
            log=f"{RESULTS}/folds/{{group}}/pretrain/log.csv",
            facts=f"{RESULTS}/folds/{{group}}/pretrain/run.json",
        log:
            log_of("pretrain/{group}"),
        benchmark:
            benchmark_of("pretrain/{group}")

    use rule finetune as fold_finetune with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/folds/{{group}}/splits.tsv",
            tokenizer=f"{RESULTS}/folds/{{group}}/tokens/tokenizer.json",
            model=f"{RESULTS}/folds/{{group}}/pretrain/model/model.safetensors",
        output:
            config=f"{RESULTS}/folds/{{group}}/transfer/model/config.json",
            weights=f"{RESULTS}/folds/{{group}}/transfer/model/model.safetensors",
            log=f"{RESULTS}/folds/{{group}}/transfer/log.csv",
            facts=f"{RESULTS}/folds/{{group}}/transfer/run.json",
        log:
            log_of("finetune/{group}"),
        benchmark:
            benchmark_of("finetune/{group}")

    use rule predict_genes as fold_predict_genes with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/folds/{{group}}/splits.tsv",
            model=f"{RESULTS}/folds/{{group}}/transfer/model/model.safetensors",
        output:
            calls=each_genome(f"{RESULTS}/folds/{{group}}/transfer/{{genome}}/finders/dnalm_transfer.parquet"),
            probabilities=each_genome(f"{RESULTS}/folds/{{group}}/transfer/{{genome}}/probabilities/dnalm_transfer.npz"),
            decoder=f"{RESULTS}/folds/{{group}}/transfer/model/decoder.json",
        log:
            log_of("predict_genes/{group}"),
        benchmark:
            benchmark_of("predict_genes/{group}")
        params:
            held_out_only=True,
            threads=ANNOTATE["threads"],
            min_length=ANNOTATE["min_length"],
            code=code_digest("tasks/predict.py"),
