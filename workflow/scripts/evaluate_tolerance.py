"""Judge how well scores tell observed differences from simulated changes."""

import pandas as pd

from dnalm.evaluate.tolerance import evaluate_tolerance
from dnalm.io.tables import write_comparisons, write_metrics
from dnalm.logs import start_log
from dnalm.sequence.splits import splits_digest

start_log(snakemake)
p, table = snakemake.params, pd.read_parquet(snakemake.input.scores)
scores = {name.removeprefix("score_"): table[name].to_numpy() for name in table if name.startswith("score_")}
common = {"study": p.study, "dataset": p.dataset, "splits_sha256": splits_digest(snakemake.input.splits)}
settings = {"bootstrap": p.draws, "block": p.block}
metrics, comparisons = evaluate_tolerance(table, scores, snakemake.wildcards.observed, common, settings, p.seed)
write_metrics(metrics, snakemake.output.metrics)
write_comparisons(comparisons, snakemake.output.comparisons)
