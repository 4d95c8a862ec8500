"""Call the genes of a target with Pyrodigal, where it is installed; a table without columns where it is not."""

import importlib.util
import logging
from pathlib import Path

import pandas as pd

from dnalm.baselines.finders import SELF_TRAINING, pyrodigal_genes
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log

start_log(snakemake)
genome, calls = load_genome(Path(snakemake.input[0]).parent), pd.DataFrame()
if importlib.util.find_spec("pyrodigal"):
    mode = "single" if len(genome.codes) >= SELF_TRAINING else "meta"
    calls = pyrodigal_genes(genome, mode).assign(method=f"pyrodigal_{mode}")
else:
    logging.getLogger("dnalm").warning("pyrodigal is not installed: there are no other calls to compare with")
write_parquet(calls, snakemake.output[0])
