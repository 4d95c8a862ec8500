"""Draw how far few labels go."""

import pandas as pd

from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.few_labels import draw_few_labels
from dnalm.figures.style import save_figure
from dnalm.logs import start_log

start_log(snakemake)
arms = pd.read_csv(snakemake.input.arms, sep="\t")
save_figure(*draw_few_labels(read_metrics(snakemake.input.metrics), arms), snakemake.output)
