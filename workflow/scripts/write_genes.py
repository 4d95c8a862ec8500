"""Write called genes as GFF3, they and their proteins as FASTA."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.called_genes import write_genes
from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
calls, out = pd.read_parquet(snakemake.input.calls), snakemake.output
write_genes(calls, genome, splits, out.gff, out.proteins, out.genes)
