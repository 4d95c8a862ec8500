"""Find genes with the closed form, counted on a few curated genes."""

from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_json, write_parquet
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.few_labels import counting_arm

start_log(snakemake)
genome, features = load_genome(Path(snakemake.input[0]).parent), pd.read_parquet(snakemake.input[3])
calls, facts = counting_arm(genome, features, read_splits(snakemake.input.curated), snakemake.params.min_length)
write_parquet(calls, snakemake.output.calls)
write_json(facts, snakemake.output.facts)
