"""Bring the intervals of all tracks to the contigs of the study."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.track_labels import gather_intervals, track_labels
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log

start_log(snakemake)
p, genome = snakemake.params, load_genome(Path(snakemake.input[0]).parent)
intervals = gather_intervals(genome, pd.read_parquet(snakemake.input[3]), p.settings, p.regions)
track_labels(genome, intervals, p.settings)  # overlaps that may not be stop the study here
write_parquet(intervals, snakemake.output[0])
