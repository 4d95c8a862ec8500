"""Score planted changes as differences from the genome before them, by all that could rank them."""

import json
from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.sequence.splits import read_splits, training_intervals
from dnalm.tasks.differences import read_as
from dnalm.tasks.planted_scores import scores_of_annotation, scores_of_counting, scores_of_readings
from dnalm.training.devices import placed
from dnalm.variants.places import global_position

start_log(snakemake)
p, wanted = snakemake.params, snakemake.input
whole, genome, sample = (load_genome(Path(f).parent) for f in (wanted[0], wanted.own[0], wanted.sample[0]))
planted = pd.read_parquet(wanted.planted)
changes = planted[planted["planted"]].reset_index(drop=True)
changes["original"] = global_position(changes, genome.contigs, "original")
changes["position"] = global_position(changes, sample.contigs)
model = placed(load_model(Path(wanted.model).parent))
model.attach([whole])
read, first = read_as(genome, whole)
moved = changes.assign(before=changes["original"] + first)
training = training_intervals(whole, read_splits(wanted.splits), p.final)
choices = json.loads(Path(wanted.choices).read_text())
parts = [
    scores_of_readings(model, p.window, read, sample, moved),
    scores_of_counting(read, whole, training, choices, moved),
    scores_of_annotation(genome, pd.read_parquet(wanted.features), changes),
]
write_parquet(pd.concat(parts, axis=1), snakemake.output[0])
