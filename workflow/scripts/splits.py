"""Divide the genome into training, validation and test blocks."""

from pathlib import Path

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_tsv
from dnalm.logs import start_log
from dnalm.sequence.splits import make_splits

start_log(snakemake)
genome = load_genome(Path(snakemake.input[0]).parent)
write_tsv(make_splits([genome], snakemake.params.settings, snakemake.params.seed), snakemake.output[0])
