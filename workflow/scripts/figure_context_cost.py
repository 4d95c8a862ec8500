"""Draw what longer windows cost."""

import pandas as pd

from dnalm.figures.context_cost import draw_context_cost
from dnalm.figures.style import save_figure
from dnalm.logs import start_log

start_log(snakemake)
save_figure(*draw_context_cost(pd.read_csv(snakemake.input.costs, sep="\t")), snakemake.output)
