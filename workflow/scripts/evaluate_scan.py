"""Judge how many planted changes a scan brings up."""

from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.evaluate.scan import evaluate_scan
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_comparisons, write_metrics
from dnalm.logs import start_log
from dnalm.sequence.splits import splits_digest

start_log(snakemake)
p, wanted = snakemake.params, snakemake.input
folder = Path(wanted.planted).parent
scores = pd.concat([pd.read_parquet(path) for path in (wanted.scores, wanted.baselines)], ignore_index=True)
common = {"study": p.study, "dataset": p.dataset, "splits_sha256": splits_digest(wanted.splits)}
settings = {"bootstrap": p.settings["bootstrap"], "unit": p.settings["unit"], "budget": p.budget, "seed": p.seed}
read, name = np.load(folder / "read.npy"), snakemake.wildcards.planted
planted, ranked = pd.read_parquet(wanted.planted), pd.read_parquet(wanted.ranked)
metrics, comparisons = evaluate_scan(load_genome(folder), planted, scores, ranked, read, name, common, settings)
write_metrics(metrics, snakemake.output.metrics)
write_comparisons(comparisons, snakemake.output.comparisons)
