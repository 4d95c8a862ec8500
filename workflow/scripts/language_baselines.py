"""Score every validation and test base with the counting baselines."""

from pathlib import Path

from dnalm.baselines.language import language_baselines
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_json, write_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
genome = load_genome(Path(snakemake.input[0]).parent)
p, splits = snakemake.params, read_splits(snakemake.input.splits)
intervals, scores, choices = language_baselines(genome, splits, p.seed, p.final)
for path, method in zip(snakemake.output[:3], ("markov_orders", "markov_mixture", "flank_counts"), strict=True):
    write_scores(path, intervals, **scores[method])
write_json(choices, snakemake.output.choices)
