"""Draw gene finders on held-out genomes."""

import pandas as pd

from dnalm.figures.finders_by_genome import draw_finders_by_genome
from dnalm.figures.style import save_figure
from dnalm.logs import start_log

start_log(snakemake)
metrics, comparisons = (pd.read_csv(snakemake.input[name], sep="\t") for name in ("metrics", "comparisons"))
save_figure(*draw_finders_by_genome(metrics, comparisons), snakemake.output)
