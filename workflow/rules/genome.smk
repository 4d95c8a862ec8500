"""Genomes: from embedded records or the user's files to checked, indexed genome directories; several as one."""

if REMOTE:

    rule download:
        output:
            directory("results/downloads/{genome}"),
        log:
            "results/genomes/{genome}/logs/download.log",
        params:
            source=downloaded_source,
        cache: "omit-software"
        threads: 1
        resources:
            mem_mb=500,
            runtime=720,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/download.py"


rule genome:
    input:
        source_files,
        downloads=download_folder,
    output:
        fasta="results/genomes/{genome}/genome.fa.gz",
        fai="results/genomes/{genome}/genome.fa.gz.fai",
        gzi="results/genomes/{genome}/genome.fa.gz.gzi",
        gff="results/genomes/{genome}/annotation.gff3.gz",
        features="results/genomes/{genome}/features.parquet",
        codes="results/genomes/{genome}/codes.npy",
        contigs="results/genomes/{genome}/contigs.parquet",
        card="results/genomes/{genome}/genome.json",
        provenance="results/genomes/{genome}/provenance.json",
    log:
        "results/genomes/{genome}/logs/genome.log",
    benchmark:
        "results/genomes/{genome}/benchmarks/genome.tsv"
    params:
        source=lambda wildcards: SOURCES[wildcards.genome],
        code=code_digest("genomes/build.py", "io/fetch.py"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../../envs/genomics.yaml"
    script:
        "../scripts/genome.py"


if len(GENOMES) > 1:

    rule study_genome:
        input:
            each_genome("results/genomes/{genome}/codes.npy"),
            each_genome("results/genomes/{genome}/contigs.parquet"),
            each_genome("results/genomes/{genome}/features.parquet"),
            cards=each_genome("results/genomes/{genome}/genome.json"),
        output:
            codes=f"{GENOME_DIR}/codes.npy",
            contigs=f"{GENOME_DIR}/contigs.parquet",
            features=f"{GENOME_DIR}/features.parquet",
            card=f"{GENOME_DIR}/genome.json",
        log:
            log_of("study_genome"),
        benchmark:
            benchmark_of("study_genome")
        params:
            name=STUDY.study,
            code=code_digest("genomes/composite.py"),
        threads: 1
        resources:
            mem_mb=2000,
            runtime=30,
        conda:
            "../../envs/genomics.yaml"
        script:
            "../scripts/study_genome.py"
