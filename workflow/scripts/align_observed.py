"""Align a related genome to a genome of the study."""

from dnalm.logs import start_log
from dnalm.variants.observed import align

start_log(snakemake)
align(snakemake.input.reference, snakemake.input.query, snakemake.params.preset, snakemake.output[0])
