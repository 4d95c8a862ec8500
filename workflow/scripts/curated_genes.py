"""Choose the genes that somebody has curated: what all arms of the comparison of few labels learn from."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.curated import curated_splits
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_tsv
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
p, w = snakemake.params, snakemake.wildcards
genome, features = load_genome(Path(snakemake.input[0]).parent), pd.read_parquet(snakemake.input[3])
genes = w.genes if w.genes == "all" else int(w.genes)
splits = read_splits(snakemake.input.splits)
table = curated_splits(genome, features, splits, genes, p.neighbours, p.decoder_every, int(w.seed))
write_tsv(table, snakemake.output[0])
