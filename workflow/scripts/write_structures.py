"""Write called genes with introns as GFF3 and their proteins as FASTA."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.called_structures import write_structures
from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
write_structures(
    pd.read_parquet(snakemake.input.calls), genome, splits, snakemake.output.gff, snakemake.output.proteins
)
