"""Genome: from an embedded record or the user's files to a checked, indexed genome directory."""


rule genome:
    input:
        source_files(),
    output:
        fasta=f"{GENOME_DIR}/genome.fa.gz",
        fai=f"{GENOME_DIR}/genome.fa.gz.fai",
        gzi=f"{GENOME_DIR}/genome.fa.gz.gzi",
        gff=f"{GENOME_DIR}/annotation.gff3.gz",
        tbi=f"{GENOME_DIR}/annotation.gff3.gz.tbi",
        features=f"{GENOME_DIR}/features.parquet",
        codes=f"{GENOME_DIR}/codes.npy",
        contigs=f"{GENOME_DIR}/contigs.parquet",
        card=f"{GENOME_DIR}/genome.json",
        provenance=f"{GENOME_DIR}/provenance.json",
    log:
        f"{GENOME_DIR}/logs/genome.log",
    benchmark:
        f"{GENOME_DIR}/benchmarks/genome.tsv"
    params:
        name=GENOME,
        source=SOURCE,
        code=code_digest("io/genome.py", "io/fetch.py"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    conda:
        "../../envs/genomics.yaml"
    script:
        "../scripts/genome.py"
