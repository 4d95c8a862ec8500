"""Pretraining: the language model, its scores on held-out bases, and the models that it is compared with."""


rule pretrain:
    input:
        genome_files("genome.json", "codes.npy", "contigs.parquet"),
        splits=f"{RESULTS}/splits.tsv",
        tokenizer=f"{RESULTS}/tokens/tokenizer.json",
    output:
        config=f"{RESULTS}/pretrain/model/config.json",
        weights=f"{RESULTS}/pretrain/model/model.safetensors",
        tokenizer=f"{RESULTS}/pretrain/model/tokenizer.json",
        card=f"{RESULTS}/pretrain/model/README.md",
        log=f"{RESULTS}/pretrain/log.csv",
        facts=f"{RESULTS}/pretrain/run.json",
    log:
        log_of("pretrain"),
    benchmark:
        benchmark_of("pretrain")
    params:
        settings=PRETRAIN,
        seed=STUDY.seed,
        state=f"{STATE}/pretrain",
        code=code_digest("tasks/pretrain.py"),
    threads: PRETRAIN["threads"]
    priority: 100
    resources:
        mem_mb=3000,
        runtime=240,
    conda:
        "../../envs/torch.yaml"
    script:
        "../scripts/pretrain.py"


rule score_language_model:
    input:
        genome_files("genome.json", "codes.npy", "contigs.parquet"),
        splits=f"{RESULTS}/splits.tsv",
        model=f"{RESULTS}/pretrain/model/model.safetensors",
    output:
        f"{RESULTS}/pretrain/scores/dnalm.npz",
    log:
        log_of("score_language_model"),
    benchmark:
        benchmark_of("score_language_model")
    params:
        window=PRETRAIN["window"],
        threads=PRETRAIN["threads"],
        code=code_digest("tasks/pretrain.py"),
    threads: PRETRAIN["threads"]
    resources:
        mem_mb=2000,
        runtime=60,
    conda:
        "../../envs/torch.yaml"
    script:
        "../scripts/score_language_model.py"


rule language_baselines:
    input:
        genome_files("genome.json", "codes.npy", "contigs.parquet"),
        splits=f"{RESULTS}/splits.tsv",
    output:
        orders=f"{RESULTS}/pretrain/scores/markov_orders.npz",
        mixture=f"{RESULTS}/pretrain/scores/markov_mixture.npz",
        flanks=f"{RESULTS}/pretrain/scores/flank_counts.npz",
        choices=f"{RESULTS}/pretrain/baselines.json",
    log:
        log_of("language_baselines"),
    benchmark:
        benchmark_of("language_baselines")
    params:
        seed=STUDY.seed,
        code=code_digest("baselines/language.py", "io/fasta.py"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    conda:
        "../../envs/torch.yaml"
    script:
        "../scripts/language_baselines.py"
