"""Judge scores without labels by the consequences of all substitutions in the test blocks."""

from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.evaluate.variants import evaluate_saturation
from dnalm.genomes.composite import read_calls
from dnalm.io.fasta import load_genome
from dnalm.io.tables import read_scores, write_comparisons, write_metrics
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits, splits_digest, training_intervals
from dnalm.tasks.zero_shot import LETTERS, Scores

start_log(snakemake)
genome, p = load_genome(Path(snakemake.input[0]).parent), snakemake.params
splits, training = read_splits(snakemake.input.splits), np.zeros(len(genome.codes), dtype=bool)
for start, end in training_intervals(genome, splits, p.final):
    training[start:end] = True
ratios = {}
for path in snakemake.input.ratios:
    intervals, columns = read_scores(path)
    ratios[Path(path).stem] = intervals, np.stack([columns[base] for base in LETTERS], axis=1)
calls = read_calls(genome, snakemake.input.frames)["unlabelled"]
features, settings = pd.read_parquet(snakemake.input[3]), {**p.settings, "splits": ["test"]}
read = {"dnalm": snakemake.input.changes, "markov_mixture": snakemake.input.counted}
changes = {method: pd.read_parquet(path) for method, path in read.items()}
scores = Scores(genome, calls, training, ratios, changes, p.seed, features)
common = {"study": p.study, "splits_sha256": splits_digest(snakemake.input.splits)}
tables = evaluate_saturation(genome, features, splits, scores, settings, p.seed, common, scores.frameshifts)
write_metrics(tables[0], snakemake.output.metrics)
write_comparisons(tables[1], snakemake.output.comparisons)
