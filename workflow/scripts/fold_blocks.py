"""Splits, windows and leakage of every genome from the fold that holds it out."""

from pathlib import Path

import pandas as pd

from dnalm.io.tables import read_leakage, write_parquet, write_tsv
from dnalm.logs import start_log
from dnalm.sequence.folds import held_out_rows
from dnalm.sequence.splits import read_splits

start_log(snakemake)
paths, out = snakemake.input, snakemake.output
splits, windows, leakage = (
    {Path(path).parent.name: read(path) for path in files}
    for read, files in ((read_splits, paths.splits), (pd.read_parquet, paths.windows), (read_leakage, paths.leakage))
)
write_tsv(held_out_rows(splits, splits), out.splits)
write_parquet(held_out_rows(windows, splits), out.windows)
write_tsv(held_out_rows(leakage, splits), out.leakage)
