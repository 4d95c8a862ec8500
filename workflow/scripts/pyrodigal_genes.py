"""Call genes with Pyrodigal."""

from pathlib import Path

from dnalm.baselines.finders import pyrodigal_genes
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log

start_log(snakemake)
genome = load_genome(Path(snakemake.input[0]).parent)
write_parquet(pyrodigal_genes(genome, snakemake.wildcards.mode), snakemake.output[0])
