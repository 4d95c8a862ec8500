"""Find genes with introns by counts alone."""

from pathlib import Path

import pandas as pd

from dnalm.genomes.composite import by_genome
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.structure_finders import closed_form_structures

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
calls = closed_form_structures(genome, pd.read_parquet(snakemake.input[3]), splits, snakemake.params.settings)
for name, path in by_genome(snakemake.output).items():
    write_parquet(calls[name], path)
