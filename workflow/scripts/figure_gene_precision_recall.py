"""Draw how well genes are found."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.labels import genome_cds
from dnalm.evaluate.datasets import read_metrics
from dnalm.figures.gene_precision_recall import draw_gene_precision_recall
from dnalm.figures.style import save_figure
from dnalm.genomes.composite import read_calls
from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
paths = snakemake.input
genome, features = load_genome(Path(paths[0]).parent), pd.read_parquet(paths[3])
calls = read_calls(genome, paths.finders)
metrics, cds, splits = read_metrics(paths.metrics), genome_cds(genome, features), read_splits(paths.splits)
save_figure(*draw_gene_precision_recall(genome, splits, cds, calls, metrics), snakemake.output)
