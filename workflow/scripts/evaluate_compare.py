"""Metrics, comparisons and costs of the arms of the comparison."""

from pathlib import Path

from dnalm.evaluate.compare import evaluate_arms
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_comparisons, write_metrics, write_tsv
from dnalm.logs import start_log
from dnalm.sequence.splits import splits_digest

start_log(snakemake)
p, folders = snakemake.params, [Path(path).parent for path in snakemake.input.scores]
baselines = {Path(path).stem: path for path in snakemake.input.baselines}
genome = load_genome(Path(snakemake.input[0]).parent)
spans = {name: genome.span(name) for name in genome.names} if genome.composite else {}
common = {"study": p.study, "stage": "compare", "dataset": genome.name}
common["splits_sha256"] = splits_digest(snakemake.input.splits)
metrics, comparisons, arms = evaluate_arms(folders, baselines, p.settings, common, spans)
write_metrics(metrics, snakemake.output.metrics)
write_comparisons(comparisons, snakemake.output.comparisons)
write_tsv(arms, snakemake.output.arms)
