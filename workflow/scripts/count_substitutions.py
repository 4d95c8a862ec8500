"""Score all substitutions of the test blocks by counting, and some changes of the reading frame."""

import json
from pathlib import Path

import pandas as pd

from dnalm.baselines.substitutions import counted_mixture, counted_ratios
from dnalm.evaluate.variants import saturation
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet, write_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import blocks_of, read_splits, training_intervals
from dnalm.tasks.joint_counts import CountedLikelihood
from dnalm.tasks.zero_shot import joint_changes

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
choices, p = json.loads(Path(snakemake.input.choices).read_text()), snakemake.params
counted = counted_mixture(genome, training_intervals(genome, splits, p.final), choices)
intervals, ratios = counted_ratios(genome, splits, choices, "test", counted)
for method, values in ratios.items():
    write_scores(snakemake.output[method], intervals, **{base: values[:, i] for i, base in enumerate("ACGT")})
table = saturation(genome, pd.read_parquet(snakemake.input[3]), blocks_of(splits, genome, "test"))
joint = CountedLikelihood(*counted, genome)
write_parquet(joint_changes(joint, genome, table, p.seed), snakemake.output.changes)
