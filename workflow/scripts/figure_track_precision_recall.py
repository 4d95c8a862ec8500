"""Draw how well the labels of the tracks are found."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.track_labels import track_labels
from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.style import save_figure
from dnalm.figures.tracks import draw_track_precision_recall
from dnalm.genomes.composite import read_probabilities
from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
p, paths, genome = snakemake.params, snakemake.input, load_genome(Path(snakemake.input[0]).parent)
splits, labels = read_splits(paths.splits), track_labels(genome, pd.read_parquet(paths.intervals), p.annotate)
probabilities, metrics = read_probabilities(genome, paths.probabilities), read_metrics(paths.metrics)
save_figure(*draw_track_precision_recall(genome, splits, labels, probabilities, metrics), snakemake.output)
