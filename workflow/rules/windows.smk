"""Windows: split blocks, tiling windows, leakage audit, tokenizer."""


rule splits:
    input:
        each_genome("results/genomes/{genome}/codes.npy"),
        each_genome("results/genomes/{genome}/contigs.parquet"),
        study=genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet") if FILTER_LEAKAGE else [],
        cards=each_genome("results/genomes/{genome}/genome.json"),
    output:
        f"{RESULTS}/splits.tsv",
    log:
        log_of("splits"),
    benchmark:
        benchmark_of("splits")
    params:
        settings=SPLITS,
        seed=STUDY.seed,
        groups=STUDY.groups,
        fixed=STUDY.fixed_splits,
        window=PRETRAIN["window"] if FILTER_LEAKAGE else None,
        final=PRETRAIN["final"] if FILTER_LEAKAGE else None,
        code=code_digest("sequence/splits.py", "io/fasta.py", *LEAKAGE_CODE * FILTER_LEAKAGE),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    conda:
        "../../envs/genomics.yaml"
    script:
        "../scripts/splits.py"


rule windows:
    input:
        genome_files("genome.json", "codes.npy", "contigs.parquet", "features.parquet"),
        splits=f"{RESULTS}/splits.tsv",
    output:
        windows=f"{RESULTS}/windows.parquet",
        leakage=f"{RESULTS}/leakage.tsv",
    log:
        log_of("windows"),
    benchmark:
        benchmark_of("windows")
    params:
        window=PRETRAIN["window"],
        final=PRETRAIN["final"],
        find=SPLITS["leakage_by"],
        code=code_digest("sequence/windows.py", "io/fasta.py", "annotation/features.py", *LEAKAGE_CODE),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../../envs/genomics.yaml"
    script:
        "../scripts/windows.py"


rule tokenizer:
    input:
        genome_files("genome.json", "codes.npy", "contigs.parquet"),
        splits=f"{RESULTS}/splits.tsv",
    output:
        f"{RESULTS}/tokens/tokenizer.json",
    log:
        log_of("tokenizer"),
    benchmark:
        benchmark_of("tokenizer")
    params:
        settings=TOKENS,
        objective=PRETRAIN["objective"],
        code=code_digest("sequence/tokenizers.py", "sequence/splits.py", "io/fasta.py"),
    threads: 1
    resources:
        mem_mb=500,
        runtime=5,
    conda:
        "../../envs/torch.yaml"
    script:
        "../scripts/tokenizer.py"
