"""Pretraining: the language model, its scores on held-out bases, and the models that it is compared with."""

if STUDY.pretrain.model:

    rule adopt_model:
        output:
            config=f"{RESULTS}/pretrain/model/config.json",
            weights=f"{RESULTS}/pretrain/model/model.safetensors",
            card=f"{RESULTS}/pretrain/model/README.md",
            facts=f"{RESULTS}/pretrain/run.json",
        log:
            log_of("adopt_model"),
        benchmark:
            benchmark_of("adopt_model")
        params:
            source=PRETRAIN["model"],
            code=code_digest("models/hub.py"),
        threads: 1
        resources:
            mem_mb=8000,
            runtime=60,
        conda:
            "../../envs/torch.yaml"
        script:
            "../scripts/adopt_model.py"

else:

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
        splits=SCORED,
        recount=False,
        code=code_digest("tasks/scoring.py", "models/build.py"),
    threads: PRETRAIN["threads"]
    resources:
        mem_mb=2000,
        runtime=60,
    conda:
        "../../envs/torch.yaml"
    script:
        "../scripts/score_language_model.py"


use rule score_language_model as score_recounted_model with:
    output:
        f"{RESULTS}/pretrain/scores/dnalm_recounted.npz",
    log:
        log_of("score_recounted_model"),
    benchmark:
        benchmark_of("score_recounted_model")
    params:
        window=PRETRAIN["window"],
        splits=SCORED,
        recount=True,
        code=code_digest("tasks/scoring.py", "models/build.py"),


rule pretrain_again:
    input:
        genome_files("genome.json", "codes.npy", "contigs.parquet"),
        splits=f"{RESULTS}/splits.tsv",
        tokenizer=f"{RESULTS}/tokens/tokenizer.json",
    output:
        scores=f"{RESULTS}/pretrain/seeds/{{seed}}/scores.npz",
        log=f"{RESULTS}/pretrain/seeds/{{seed}}/log.csv",
        facts=f"{RESULTS}/pretrain/seeds/{{seed}}/run.json",
    log:
        log_of("pretrain_again/{seed}"),
    benchmark:
        benchmark_of("pretrain_again/{seed}")
    params:
        settings=PRETRAIN,
        splits=SCORED,
        state=f"{STATE}/pretrain",
        code=code_digest("tasks/pretrain.py"),
    threads: PRETRAIN["threads"]
    priority: 90
    resources:
        mem_mb=3000,
        runtime=240,
    conda:
        "../../envs/torch.yaml"
    script:
        "../scripts/pretrain_again.py"


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
        final=PRETRAIN["final"],
        code=code_digest("baselines/language.py", "io/fasta.py"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    conda:
        "../../envs/torch.yaml"
    script:
        "../scripts/language_baselines.py"
