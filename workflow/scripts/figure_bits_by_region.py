"""Draw test bits per base by region."""

import pandas as pd

from dnalm.figures.bits_by_region import draw_bits_by_region
from dnalm.figures.style import save_figure
from dnalm.logs import start_log

start_log(snakemake)
metrics = pd.read_csv(snakemake.input.metrics, sep="\t", dtype={"dataset": str})
save_figure(*draw_bits_by_region(metrics), snakemake.output)
