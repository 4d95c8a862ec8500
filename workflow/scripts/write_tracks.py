"""Write called intervals as BED and probabilities as bigWig."""

import json
from pathlib import Path

from dnalm.annotation.bed import write_bed, write_bigwig
from dnalm.annotation.track_labels import label_names, lengths_of
from dnalm.io.fasta import load_genome
from dnalm.io.tables import read_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.track_calls import by_contig, called_table

start_log(snakemake)
paths, out, settings = snakemake.input, snakemake.output, snakemake.params.settings
genome, splits = load_genome(Path(paths[0]).parent), read_splits(paths.splits)
intervals, columns = read_scores(paths.probabilities)
thresholds = json.loads(Path(paths.thresholds).read_text())["dnalm"]
tables = called_table(genome, splits, intervals, columns, thresholds, settings)
for table, path in zip(tables.values(), out.bed, strict=True):
    write_bed(table, lengths_of(genome), path)
for label, path in zip(label_names(settings["tracks"], settings["stranded"]), out.bigwig, strict=True):
    write_bigwig(by_contig(genome, intervals, columns[label]), path)
