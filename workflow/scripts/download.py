"""Bring the files of a genome here."""

from pathlib import Path

from dnalm.download.acquire import acquire, cache_folder, deliver
from dnalm.download.settings import settings_of
from dnalm.logs import start_log

start_log(snakemake)
settings = settings_of(snakemake.config.get("download"))
deliver(acquire(snakemake.params.source, cache_folder(), settings), Path(snakemake.output[0]))
