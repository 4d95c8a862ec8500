"""Judge the labels of every method, per base and per interval."""

import json
from pathlib import Path

import pandas as pd

from dnalm.annotation.track_labels import track_labels
from dnalm.evaluate.tracks import constant, evaluate_tracks
from dnalm.genomes.composite import read_probabilities
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_comparisons, write_metrics
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits, splits_digest

start_log(snakemake)
p, paths, genome = snakemake.params, snakemake.input, load_genome(Path(snakemake.input[0]).parent)
splits, labels = read_splits(paths.splits), track_labels(genome, pd.read_parquet(paths.intervals), p.annotate)
common = {"study": p.study, "stage": "annotate", "splits_sha256": splits_digest(paths.splits)}
methods = read_probabilities(genome, paths.probabilities) | {"majority": constant(genome, splits, labels)}
thresholds = json.loads(Path(paths.thresholds).read_text())
metrics, comparisons = evaluate_tracks(
    genome, splits, labels, methods, thresholds, p.annotate, p.settings, p.seed, common
)
write_metrics(metrics, snakemake.output.metrics)
write_comparisons(comparisons, snakemake.output.comparisons)
