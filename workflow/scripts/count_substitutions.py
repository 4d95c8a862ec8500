"""Score all substitutions of the test blocks by counting."""

import json
from pathlib import Path

from dnalm.baselines.substitutions import counted_ratios
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
choices = json.loads(Path(snakemake.input.choices).read_text())
intervals, ratios = counted_ratios(genome, splits, choices, "test", snakemake.params.final)
for method, values in ratios.items():
    write_scores(snakemake.output[method], intervals, **{base: values[:, i] for i, base in enumerate("ACGT")})
