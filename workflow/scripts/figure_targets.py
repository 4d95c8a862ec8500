"""Draw what the genes of the targets are like."""

import pandas as pd

from dnalm.figures.style import save_figure
from dnalm.figures.targets import draw_targets
from dnalm.logs import start_log

start_log(snakemake)
paths = snakemake.input
summaries = pd.concat([pd.read_csv(path, sep="\t", keep_default_na=False) for path in paths.summaries])
summaries["value"] = pd.to_numeric(summaries["value"], errors="coerce")
calls = {"dnalm": pd.concat(map(pd.read_parquet, paths.calls))}
other = pd.concat(map(pd.read_parquet, paths.pyrodigal))
calls |= dict(list(other.groupby("method"))) if "method" in other else {}
save_figure(*draw_targets(summaries, calls), snakemake.output)
