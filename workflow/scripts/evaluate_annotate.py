"""Genes and coding bases of every finder against the annotation."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.labels import gene_labels, genome_cds
from dnalm.evaluate.bases import evaluate_bases
from dnalm.evaluate.genes import evaluate_genes
from dnalm.genomes.composite import read_calls, read_probabilities
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_comparisons, write_metrics
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits, splits_digest

start_log(snakemake)
p, paths = snakemake.params, snakemake.input
genome, features = load_genome(Path(paths[0]).parent), pd.read_parquet(paths[3])
splits, labels = read_splits(paths.splits), gene_labels(genome, features)
common = {"study": p.study, "stage": "annotate", "splits_sha256": splits_digest(paths.splits)}
finders = read_calls(genome, paths.finders)
metrics, comparisons = evaluate_genes(genome_cds(genome, features), splits, genome, finders, p.settings, p.seed, common)
probabilities = read_probabilities(genome, paths.probabilities)
base_metrics, base_comparisons = evaluate_bases(
    genome, splits, labels, probabilities, finders, p.settings, p.seed, common
)
write_metrics(metrics + base_metrics, snakemake.output.metrics)
write_comparisons(comparisons + base_comparisons, snakemake.output.comparisons)
