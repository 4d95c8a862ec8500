"""Match observed differences with simulated changes, and say of all of them what is known without the alignment."""

from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.sequence.splits import read_splits, training_intervals
from dnalm.tasks.observed import matched_changes, with_features
from dnalm.tasks.state_changes import StateChanges
from dnalm.tasks.substitutions import Expectations
from dnalm.training.devices import placed
from dnalm.variants.coding import read_coding
from dnalm.variants.observed import read_callable

start_log(snakemake)
p, wanted = snakemake.params, snakemake.input
whole, genome = load_genome(Path(wanted[0]).parent), load_genome(p.genome)
features = pd.read_parquet(f"{p.genome}/features.parquet")
coding, found = read_coding(genome, features), pd.read_parquet(wanted.differences)
table = matched_changes(genome, coding, found, read_callable(genome, wanted.callable), p.settings, p.seed)
model = placed(load_model(Path(wanted.model).parent))
model.attach([whole])
expected, splits, states = Expectations(model, whole, p.window), read_splits(wanted.splits), None
if p.settings["embeddings"]:
    states = StateChanges(model, whole, training_intervals(whole, splits, p.final), p.seed)
parts = genome if whole.composite else whole, whole, coding, features
write_parquet(with_features(table, *parts, expected, splits, p.final, states), snakemake.output[0])
