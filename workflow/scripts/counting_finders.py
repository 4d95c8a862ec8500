"""Gene finders without a network: closed form and longest reading frames."""

from pathlib import Path

import pandas as pd

from dnalm.genomes.composite import by_genome
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.finders import closed_form_genes, longest_orf_genes

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
features, min_length = pd.read_parquet(snakemake.input[3]), snakemake.params.min_length
closed_form, longest_orf = by_genome(snakemake.output.closed_form), by_genome(snakemake.output.longest_orf)
for name, calls in closed_form_genes(genome, features, splits, min_length).items():
    write_parquet(calls, closed_form[name])
for name, calls in longest_orf_genes(genome, features, splits).items():
    write_parquet(calls, longest_orf[name])
