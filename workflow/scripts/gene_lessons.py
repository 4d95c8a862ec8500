"""What an annotated genome teaches the gene finder."""

from pathlib import Path

import pandas as pd

from dnalm.genefinder.lessons import save_lessons
from dnalm.genefinder.universal import lessons_of
from dnalm.io.fasta import load_genome
from dnalm.logs import start_log

start_log(snakemake)
genome, features = load_genome(Path(snakemake.input[0]).parent), pd.read_parquet(snakemake.input[3])
save_lessons(lessons_of(genome, features, snakemake.params.seed), snakemake.output[0])
