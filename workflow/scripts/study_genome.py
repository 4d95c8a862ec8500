"""Put the genomes of a study end to end."""

from pathlib import Path

from dnalm.genomes.composite import merge_genomes
from dnalm.logs import start_log

start_log(snakemake)
folders = [Path(path).parent for path in snakemake.input.cards]
merge_genomes(snakemake.params.name, folders, Path(snakemake.output.card).parent)
