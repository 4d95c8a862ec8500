"""Train one arm of the comparison and score the test bases that all arms are asked for."""

from pathlib import Path

from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.compare import score_arm, train_arm, write_arm

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
sections, seed = snakemake.params.settings, int(snakemake.wildcards.seed)
model, facts, history = train_arm(genome, splits, sections["pretrain"], sections["tokens"], seed)
write_arm(Path(snakemake.output.facts).parent, facts, history, score_arm(model, genome, splits))
