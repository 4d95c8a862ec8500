"""Draw a stretch of a test block as a genome browser shows it."""

from pathlib import Path

import pandas as pd

from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.browser import draw_browser
from dnalm.figures.style import save_figure
from dnalm.genomes.composite import read_calls, read_probabilities
from dnalm.io.fasta import load_genome
from dnalm.io.tables import read_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
paths = snakemake.input
genome, features = load_genome(Path(paths[0]).parent), pd.read_parquet(paths[3])
calls = read_calls(genome, paths.finders)
probabilities = read_probabilities(genome, paths.probabilities)["dnalm"]
scores, metrics, splits = read_scores(paths.scores), read_metrics(paths.metrics), read_splits(paths.splits)
save_figure(*draw_browser(genome, splits, features, calls, probabilities, scores, metrics), snakemake.output)
