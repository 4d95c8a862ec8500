"""Draw a scanned sample."""

from pathlib import Path

import pandas as pd

from dnalm.figures.scanned_sample import draw_scanned
from dnalm.figures.style import save_figure
from dnalm.io.fasta import load_genome
from dnalm.logs import start_log

start_log(snakemake)
wanted = snakemake.input
sample, flags = load_genome(Path(wanted.sample[0]).parent), pd.read_parquet(wanted.flagged)
tables = [pd.read_parquet(wanted.get(name)[0]) for name in ("planted", "scores", "baselines") if wanted.get(name)]
save_figure(*draw_scanned(sample, flags, snakemake.params.budget, *tables), snakemake.output)
