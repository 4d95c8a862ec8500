"""Write the called genes of a target as GFF3, FASTA and GenBank."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.called_genes import write_genes
from dnalm.annotation.genbank import write_genbank
from dnalm.io.fasta import load_genome
from dnalm.logs import start_log

start_log(snakemake)
genome, out = load_genome(Path(snakemake.input[0]).parent), snakemake.output
calls = pd.read_parquet(snakemake.input.calls)
write_genes(calls, genome, None, out.gff, out.proteins, out.genes)
write_genbank(calls, genome, snakemake.input.fasta, out.genbank)
