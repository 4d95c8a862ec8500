"""Genes with introns of every finder against the annotation."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.transcripts import read_transcripts
from dnalm.evaluate.structures import evaluate_structures
from dnalm.genomes.composite import read_calls
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_comparisons, write_metrics
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits, splits_digest

start_log(snakemake)
p, paths = snakemake.params, snakemake.input
genome, splits = load_genome(Path(paths[0]).parent), read_splits(paths.splits)
transcripts = read_transcripts(genome, pd.read_parquet(paths[3]), p.min_intron)
common = {"study": p.study, "stage": "annotate", "splits_sha256": splits_digest(paths.splits)}
finders = read_calls(genome, paths.finders)
metrics, comparisons = evaluate_structures(genome, transcripts, splits, finders, p.settings, p.seed, common)
write_metrics(metrics, snakemake.output.metrics)
write_comparisons(comparisons, snakemake.output.comparisons)
