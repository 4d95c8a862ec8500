"""Bits per base of the language model and its baselines."""

from pathlib import Path

import pandas as pd

from dnalm.evaluate.language import evaluate_language
from dnalm.io.fasta import load_genome
from dnalm.io.tables import read_leakage, write_comparisons, write_metrics
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits, splits_digest

start_log(snakemake)
p, paths = snakemake.params, dict(snakemake.input.items())
seeds = dict(zip(p.seeds[1:], paths.pop("seeds"), strict=True))
splits, leakage = paths.pop("splits"), read_leakage(paths.pop("leakage"))
genome, features = load_genome(Path(snakemake.input[0]).parent), pd.read_parquet(snakemake.input[3])
common = {"study": p.study, "stage": "pretrain", "splits_sha256": splits_digest(splits)}
metrics, comparisons = evaluate_language(
    genome, read_splits(splits), features, leakage, paths, p.settings, p.seeds[0],
    common, seeds,
)  # fmt: skip
write_metrics(metrics, snakemake.output.metrics)
write_comparisons(comparisons, snakemake.output.comparisons)
