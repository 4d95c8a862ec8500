"""Genes of every finder that learned from few labels against the annotation."""

import json
from pathlib import Path

import pandas as pd

from dnalm.annotation.labels import genome_cds
from dnalm.evaluate.few_labels import costs_of, evaluate_few_labels, read_run
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_comparisons, write_metrics, write_tsv
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits, splits_digest

start_log(snakemake)
p, paths = snakemake.params, snakemake.input
genome, features = load_genome(Path(paths[0]).parent), pd.read_parquet(paths[3])
calls = {read_run(path): pd.read_parquet(path) for path in paths.calls}
unlabelled = {Path(paths.unlabelled).stem: pd.read_parquet(paths.unlabelled)}
common = {"study": p.study, "stage": "few_labels", "dataset": genome.name}
common["splits_sha256"] = splits_digest(paths.splits)
cds, splits = genome_cds(genome, features), read_splits(paths.splits)
metrics, comparisons = evaluate_few_labels(cds, splits, genome, calls, unlabelled, p.settings, p.seed, common)
write_metrics(metrics, snakemake.output.metrics)
write_comparisons(comparisons, snakemake.output.comparisons)
write_tsv(costs_of({read_run(path): json.loads(Path(path).read_text()) for path in paths.facts}), snakemake.output.arms)
