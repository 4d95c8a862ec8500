"""Draw a stretch of a test block as a genome browser shows it."""

from pathlib import Path

import pandas as pd

from dnalm.figures.browser import draw_browser
from dnalm.figures.style import save_figure
from dnalm.io.fasta import load_genome
from dnalm.io.tables import read_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
paths = snakemake.input
genome, features = load_genome(Path(paths[0]).parent), pd.read_parquet(paths[3])
calls = {Path(path).stem: pd.read_parquet(path) for path in paths.finders}
probabilities, scores = read_scores(paths.probabilities), read_scores(paths.scores)
metrics, splits = pd.read_csv(paths.metrics, sep="\t", dtype={"dataset": str}), read_splits(paths.splits)
save_figure(*draw_browser(genome, splits, features, calls, probabilities, scores, metrics), snakemake.output)
