"""Draw language models side by side."""

import pandas as pd

from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.architectures import draw_architectures, read_logs
from dnalm.figures.style import save_figure
from dnalm.logs import start_log

start_log(snakemake)
paths = snakemake.input
metrics, arms = read_metrics(paths.metrics), pd.read_csv(paths.arms, sep="\t")
save_figure(*draw_architectures(metrics, arms, read_logs(paths.logs)), snakemake.output)
