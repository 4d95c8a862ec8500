"""Find the reading frames of a genome without labels."""

from pathlib import Path

from dnalm.genefinder.finder import find_genes
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log

start_log(snakemake)
write_parquet(find_genes(load_genome(Path(snakemake.input[0]).parent), None), snakemake.output[0])
