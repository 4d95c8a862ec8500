"""Sum up what was read of a target, beside the calls of Pyrodigal."""

from pathlib import Path

import pandas as pd

from dnalm.evaluate.targets import summary
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_tsv
from dnalm.logs import start_log

start_log(snakemake)
paths, name = snakemake.input, snakemake.wildcards.target
genome, other = load_genome(Path(paths[0]).parent), pd.read_parquet(paths.pyrodigal)
calls = {"dnalm": pd.read_parquet(paths.calls), **dict(list(other.groupby("method")) if "method" in other else [])}
write_tsv(summary(name, genome, calls, paths.proteins), snakemake.output[0])
