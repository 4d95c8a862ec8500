"""Divide the genomes into training, validation and test blocks."""

from pathlib import Path

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_tsv
from dnalm.logs import start_log
from dnalm.sequence.splits import make_splits

start_log(snakemake)
p, genomes = snakemake.params, [load_genome(Path(card).parent) for card in snakemake.input.cards]
write_tsv(make_splits(genomes, p.settings, p.seed, p.groups, p.fixed), snakemake.output[0])
