"""Draw whether the probabilities mean what they say."""

from pathlib import Path

import pandas as pd

from dnalm.figures.calibration import draw_calibration
from dnalm.figures.style import save_figure
from dnalm.io.fasta import load_genome
from dnalm.io.labels import gene_labels, genome_cds
from dnalm.io.tables import read_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
paths = snakemake.input
genome, features = load_genome(Path(paths[0]).parent), pd.read_parquet(paths[3])
labels, cds = gene_labels(genome, features), genome_cds(genome, features)
calls = {Path(path).stem: pd.read_parquet(path) for path in paths.finders}
probabilities = {Path(path).stem: read_scores(path) for path in paths.probabilities}
metrics, splits = pd.read_csv(paths.metrics, sep="\t", dtype={"dataset": str}), read_splits(paths.splits)
save_figure(*draw_calibration(genome, splits, labels, cds, probabilities, calls, metrics), snakemake.output)
