"""Draw how the language model learns."""

import pandas as pd

from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.learning_curve import draw_learning_curve
from dnalm.figures.style import save_figure
from dnalm.logs import start_log

start_log(snakemake)
log, metrics = pd.read_csv(snakemake.input.log), read_metrics(snakemake.input.metrics)
save_figure(*draw_learning_curve(log, metrics), snakemake.output)
