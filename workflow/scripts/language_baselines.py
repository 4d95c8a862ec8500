"""Score every validation and test base with the counting baselines."""

from pathlib import Path

from dnalm.baselines.language import language_baselines
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_json, write_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
genome = load_genome(Path(snakemake.input[0]).parent)
intervals, scores, choices = language_baselines(genome, read_splits(snakemake.input.splits), snakemake.params.seed)
for path, method in zip(snakemake.output[:3], ("markov_orders", "markov_mixture", "flank_counts"), strict=True):
    write_scores(path, intervals, **scores[method])
write_json(choices, snakemake.output.choices)
