"""Choose the thresholds of every method on the validation blocks."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.track_labels import track_labels
from dnalm.evaluate.tracks import constant
from dnalm.genomes.composite import read_probabilities
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_json
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.track_calls import choose_thresholds

start_log(snakemake)
p, paths, genome = snakemake.params, snakemake.input, load_genome(Path(snakemake.input[0]).parent)
splits, labels = read_splits(paths.splits), track_labels(genome, pd.read_parquet(paths.intervals), p.settings)
methods = read_probabilities(genome, paths.probabilities) | {"majority": constant(genome, splits, labels)}
chosen = {name: choose_thresholds(genome, splits, labels, found, p.settings) for name, found in methods.items()}
write_json(chosen, snakemake.output[0])
