"""The main results as Markdown."""

import pandas as pd

from dnalm.logs import start_log
from dnalm.report.results_table import write_results_table

start_log(snakemake)
write_results_table(pd.read_csv(snakemake.input[0], sep="\t", dtype={"dataset": str}), snakemake.output[0])
