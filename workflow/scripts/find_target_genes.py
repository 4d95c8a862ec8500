"""Call the genes of a target with a trained gene finder."""

from pathlib import Path

from dnalm.genefinder.finder import find_genes
from dnalm.genefinder.networks import Networks
from dnalm.io.fasta import load_genome
from dnalm.io.provenance import run_facts
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log

start_log(snakemake)
genome = load_genome(Path(snakemake.input[0]).parent)
networks = Networks.load(Path(snakemake.input.model[0]).parent)
with run_facts(snakemake.output.facts, threads=snakemake.threads, model=networks.facts):
    write_parquet(find_genes(genome, networks), snakemake.output.calls)
