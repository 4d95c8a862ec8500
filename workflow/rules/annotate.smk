"""Annotation: fine-tune the language model to find genes; its twins and the other finders, for comparison."""

if FIND_GENES or FIND_STRUCTURES:

    rule finetune:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            tokenizer=f"{RESULTS}/tokens/tokenizer.json",
            model=f"{RESULTS}/pretrain/model/model.safetensors",
        output:
            config=f"{RESULTS}/annotate/model/config.json",
            weights=f"{RESULTS}/annotate/model/model.safetensors",
            log=f"{RESULTS}/annotate/log.csv",
            facts=f"{RESULTS}/annotate/run.json",
        log:
            log_of("finetune"),
        benchmark:
            benchmark_of("finetune")
        params:
            method="dnalm",
            settings=ANNOTATE,
            backbone=PRETRAIN,
            seed=STUDY.seed,
            state=f"{STATE}/annotate",
            code=code_digest("tasks/annotate.py"),
        threads: ANNOTATE["threads"]
        priority: 90
        resources:
            mem_mb=3000,
            runtime=240,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/finetune.py"

    use rule finetune as finetune_twin with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            tokenizer=f"{RESULTS}/tokens/tokenizer.json",
        output:
            config=f"{RESULTS}/annotate/twins/{{twin}}/model/config.json",
            weights=f"{RESULTS}/annotate/twins/{{twin}}/model/model.safetensors",
            log=f"{RESULTS}/annotate/twins/{{twin}}/log.csv",
            facts=f"{RESULTS}/annotate/twins/{{twin}}/run.json",
        log:
            log_of("finetune_{twin}"),
        benchmark:
            benchmark_of("finetune_{twin}")
        params:
            method="{twin}",
            settings=ANNOTATE,
            backbone=PRETRAIN,
            seed=STUDY.seed,
            state=f"{STATE}/{{twin}}",
            code=code_digest("tasks/annotate.py"),
        priority: 10


if FIND_GENES:

    rule predict_genes:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            model=f"{RESULTS}/annotate/model/model.safetensors",
        output:
            calls=genes_of("finders/dnalm.parquet"),
            probabilities=genes_of("probabilities/dnalm.npz"),
            decoder=f"{RESULTS}/annotate/model/decoder.json",
        log:
            log_of("predict_genes"),
        benchmark:
            benchmark_of("predict_genes")
        params:
            held_out_only=False,
            threads=ANNOTATE["threads"],
            min_length=ANNOTATE["min_length"],
            code=code_digest("tasks/predict.py"),
        threads: ANNOTATE["threads"]
        priority: 80
        resources:
            mem_mb=4000,
            runtime=120,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/predict_genes.py"

    use rule predict_genes as predict_genes_twin with:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            model=f"{RESULTS}/annotate/twins/{{twin}}/model/model.safetensors",
        output:
            calls=genes_of("finders/{twin}.parquet"),
            probabilities=genes_of("probabilities/{twin}.npz"),
            decoder=f"{RESULTS}/annotate/twins/{{twin}}/model/decoder.json",
        log:
            log_of("predict_genes_{twin}"),
        benchmark:
            benchmark_of("predict_genes_{twin}")
        params:
            held_out_only=True,
            threads=ANNOTATE["threads"],
            min_length=ANNOTATE["min_length"],
            code=code_digest("tasks/predict.py"),
        priority: 10

    rule write_genes:
        input:
            multiext("results/genomes/{genome}/", "genome.json", "codes.npy", "contigs.parquet"),
            splits=f"{RESULTS}/splits.tsv",
            calls=f"{RESULTS}/annotate/{{genome}}/finders/dnalm.parquet",
        output:
            gff=f"{RESULTS}/annotate/{{genome}}/genes.gff3.gz",
            proteins=f"{RESULTS}/annotate/{{genome}}/proteins.faa",
            genes=f"{RESULTS}/annotate/{{genome}}/genes.ffn",
        log:
            log_of("write_genes/{genome}"),
        benchmark:
            benchmark_of("write_genes/{genome}")
        params:
            code=code_digest("annotation/called_genes.py"),
        threads: 1
        resources:
            mem_mb=1000,
            runtime=10,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/write_genes.py"

    rule counting_finders:
        input:
            genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
            splits=f"{RESULTS}/splits.tsv",
        output:
            closed_form=genes_of("finders/closed_form.parquet"),
            longest_orf=genes_of("finders/longest_orf.parquet"),
        log:
            log_of("counting_finders"),
        benchmark:
            benchmark_of("counting_finders")
        params:
            min_length=ANNOTATE["min_length"],
            code=code_digest("tasks/finders.py"),
        threads: 1
        resources:
            mem_mb=1500,
            runtime=30,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/counting_finders.py"

    rule pyrodigal:
        input:
            multiext("results/genomes/{genome}/", "genome.json", "codes.npy", "contigs.parquet"),
        output:
            f"{RESULTS}/annotate/{{genome}}/finders/pyrodigal_{{mode}}.parquet",
        log:
            log_of("pyrodigal_{mode}/{genome}"),
        benchmark:
            benchmark_of("pyrodigal_{mode}/{genome}")
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
