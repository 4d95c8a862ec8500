"""The differences of a sample from a reference, ranked, as a VCF file."""

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.variants.flagged import write_ranked

start_log(snakemake)
table = pd.read_parquet(snakemake.input.differences)
write_ranked(load_genome(snakemake.params.reference), table, snakemake.output.vcf)
