"""Draw whether the probabilities mean what they say."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.labels import gene_labels, genome_cds
from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.calibration import draw_calibration
from dnalm.figures.style import save_figure
from dnalm.genomes.composite import read_calls, read_probabilities
from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
paths = snakemake.input
genome, features = load_genome(Path(paths[0]).parent), pd.read_parquet(paths[3])
labels, cds = gene_labels(genome, features), genome_cds(genome, features)
calls = read_calls(genome, paths.finders)
probabilities = read_probabilities(genome, paths.probabilities)
metrics, splits = read_metrics(paths.metrics), read_splits(paths.splits)
save_figure(*draw_calibration(genome, splits, labels, cds, probabilities, calls, metrics), snakemake.output)
