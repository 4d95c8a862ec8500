"""Score the held-out bases with the language model."""

from pathlib import Path

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_scores
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.sequence.splits import read_splits
from dnalm.tasks.scoring import recounted, score_held_out
from dnalm.training.devices import placed

start_log(snakemake)
genome = load_genome(Path(snakemake.input[0]).parent)
model, p = placed(load_model(Path(snakemake.input.model).parent)), snakemake.params
model.attach([genome])
splits = read_splits(snakemake.input.splits)
if p.recount:
    model = recounted(model, genome)
intervals, columns = score_held_out(model, genome, splits, p.window, p.splits)
if p.recount:  # its counts know both sides of every base: no code length
    columns = {"two_sided": columns["two_sided"]}
write_scores(snakemake.output[0], intervals, **columns)
