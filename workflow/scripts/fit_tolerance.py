"""Score every change by fits without its blocks, and fit the scorer that is kept to all of them."""

import pandas as pd

from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.tasks.tolerance import final_scorer, held_out_scores, unfitted_scores
from dnalm.variants.simulated import for_users

start_log(snakemake)
table, seed = pd.read_parquet(snakemake.input[0]), snakemake.params.seed
simulated = table["simulated"].to_numpy()
scores = held_out_scores(table, simulated, table["fold"].to_numpy(), seed) | unfitted_scores(table)
final_scorer(table, simulated, seed).save(snakemake.output.scorer)
table = for_users(table, pd.read_parquet(snakemake.input.contigs))
write_parquet(table.assign(**{f"score_{method}": score for method, score in scores.items()}), snakemake.output.scores)
