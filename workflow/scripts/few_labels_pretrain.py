"""Pretrain a language model for the comparison of few labels, on this genome's training blocks or on other genomes."""

from pathlib import Path

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_json
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.few_labels import all_training, pretrain_arm

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), snakemake.input.get("splits")
splits = read_splits(splits) if splits else all_training(genome)
seed, folder = int(snakemake.wildcards.seed), Path(snakemake.output.model).parent
write_json(pretrain_arm(genome, splits, snakemake.params.settings, seed, folder), snakemake.output.facts)
