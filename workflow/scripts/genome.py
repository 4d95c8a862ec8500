"""Build the genome directory."""

from pathlib import Path

from dnalm.genomes.build import build_genome
from dnalm.io.fetch import resolve_source
from dnalm.logs import start_log

start_log(snakemake)
source = snakemake.params.source
files = resolve_source(source, downloads=snakemake.input.get("downloads") or None)
build_genome(snakemake.wildcards.genome, files, source, Path(snakemake.output.card).parent)
