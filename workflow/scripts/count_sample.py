"""Scan a sample with planted changes by counting: what the language model is compared with."""

import json
from pathlib import Path

import pandas as pd

from dnalm.baselines.scan import chance, markov_readings, training_words, unseen_around
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits, training_intervals
from dnalm.tasks.scan import flags_of, with_halo
from dnalm.variants.places import global_position, in_contigs
from dnalm.variants.rankings import Ranking
from dnalm.variants.repairs import repair_scores

start_log(snakemake)
p, wanted = snakemake.params, snakemake.input
whole, sample = load_genome(Path(wanted[0]).parent), load_genome(Path(wanted.sample[0]).parent)
training = training_intervals(whole, read_splits(wanted.splits), p.final)
events = global_position(pd.read_parquet(wanted.planted), sample.contigs)
most = flags_of(sample, p.budget)
rankings = {name: Ranking(events, most) for name in ("markov_mixture", "kmer_lookup", "random")}
choices = json.loads(Path(wanted.choices).read_text())
for reading, low, high in with_halo(markov_readings(sample, whole, training, choices)):
    rankings["markov_mixture"].add(reading.start, repair_scores(reading)[0].max(0), low, high)
for piece in unseen_around(sample, training_words(whole, training), p.seed):
    rankings["kmer_lookup"].add(*piece)
for piece in chance(sample, p.seed):
    rankings["random"].add(*piece)
scores = pd.concat([r.table(name) for name, r in rankings.items()], ignore_index=True)
write_parquet(in_contigs(scores, sample.contigs), snakemake.output[0])
