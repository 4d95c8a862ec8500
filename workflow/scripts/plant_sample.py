"""Plant changes in a genome, as a genome directory that the scan reads."""

from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.planted import plant_sample

start_log(snakemake)
p, wanted = snakemake.params, snakemake.input
whole, genome = load_genome(Path(wanted[0]).parent), load_genome(p.genome)
real = pd.read_parquet(wanted.real[0]) if wanted.get("real") else None
splits = read_splits(wanted.splits)
plant_sample(genome, whole, splits, p.final, p.settings, p.seed, real, Path(snakemake.output.card).parent)
