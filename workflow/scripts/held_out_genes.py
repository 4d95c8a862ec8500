"""Genes of a genome that the networks have not seen, with them and by the self-training alone."""

from pathlib import Path

from dnalm.genefinder.finder import find_genes, read
from dnalm.genefinder.networks import Networks
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log

start_log(snakemake)
genome, networks = load_genome(Path(snakemake.input[0]).parent), Networks.load(Path(snakemake.input.model).parent)
reading = read(genome)
write_parquet(find_genes(genome, networks, reading), snakemake.output.dnalm)
write_parquet(find_genes(genome, None, reading), snakemake.output.dnalm_self)
