"""Draw the split blocks and how near the held-out windows are to the training blocks."""

from pathlib import Path

import pandas as pd

from dnalm.figures.splits_and_leakage import draw_splits_and_leakage
from dnalm.figures.style import save_figure
from dnalm.io.fasta import load_genome
from dnalm.io.tables import read_leakage
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
paths = snakemake.input
genome, features = load_genome(Path(paths[0]).parent), pd.read_parquet(paths[3])
leakage = read_leakage(paths.leakage)
save_figure(*draw_splits_and_leakage(genome, read_splits(paths.splits), features, leakage), snakemake.output)
