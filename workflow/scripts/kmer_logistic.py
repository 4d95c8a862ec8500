"""Learn the tracks with a regression on k-mers, and read the held-out blocks with it."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.track_labels import require_labels, track_labels
from dnalm.baselines.kmer_logistic import kmer_logistic
from dnalm.genomes.composite import by_genome
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.track_calls import cut_out, held_out

start_log(snakemake)
p, genome = snakemake.params, load_genome(Path(snakemake.input[0]).parent)
splits, intervals = read_splits(snakemake.input.splits), pd.read_parquet(snakemake.input.intervals)
labels = track_labels(genome, intervals, p.settings)
require_labels(genome, labels, splits)
blocks = held_out(genome, splits)
columns = kmer_logistic(genome, splits, labels, p.settings["tracks"], blocks, p.seed)
for name, path in by_genome(snakemake.output).items():
    mine = held_out(genome.part(name), splits)
    write_scores(path, mine, **cut_out(blocks, columns, mine + genome.span(name)[0]))
