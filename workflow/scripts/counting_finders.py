"""Gene finders without a network: closed form and longest reading frames."""

from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.finders import closed_form_genes, longest_orf_genes

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
features, min_length = pd.read_parquet(snakemake.input[3]), snakemake.params.min_length
write_parquet(closed_form_genes(genome, features, splits, min_length), snakemake.output.closed_form)
write_parquet(longest_orf_genes(genome, features, splits), snakemake.output.longest_orf)
