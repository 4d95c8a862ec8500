"""Draw predictions of variants with labels."""

import pandas as pd

from dnalm.figures.labelled_variants import draw_labelled
from dnalm.figures.style import save_figure
from dnalm.logs import start_log

start_log(snakemake)
metrics = pd.read_csv(snakemake.input.metrics, sep="\t")
save_figure(*draw_labelled(pd.read_parquet(snakemake.input.parquet), metrics), snakemake.output)
