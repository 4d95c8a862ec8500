"""Read the genomes with a model of tracks."""

from pathlib import Path

from dnalm.genomes.composite import by_genome
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.tracks import load_track_model, predict_tracks
from dnalm.training.devices import placed

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
model, names = load_track_model(Path(snakemake.input.model).parent)
model = placed(model)
model.backbone.attach([genome])
for name, path in by_genome(snakemake.output).items():
    intervals, columns = predict_tracks(model, names, genome, name, splits, snakemake.params.held_out_only)
    write_scores(path, intervals, **columns)
