"""Single-base differences of an alignment, and where in the reference they would have counted."""

from dnalm.io.fasta import load_genome
from dnalm.io.paf import read_paf
from dnalm.io.tables import write_parquet, write_tsv
from dnalm.logs import start_log
from dnalm.variants.observed import call_differences, write_callable, write_differences

start_log(snakemake)
genome, output = load_genome(snakemake.params.genome), snakemake.output
found = call_differences(genome, read_paf(snakemake.input.paf), snakemake.params.settings)
write_differences(genome, found, output.vcf)
write_callable(genome, found, output.callable)
write_parquet(found.table, output.differences)
write_tsv(found.summary(), output.summary)
