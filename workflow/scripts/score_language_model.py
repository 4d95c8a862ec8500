"""Score every validation and test base with the language model."""

from pathlib import Path

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_scores
from dnalm.logs import start_log
from dnalm.models.backbone import TwoSided
from dnalm.sequence.splits import read_splits
from dnalm.tasks.pretrain import score_held_out

start_log(snakemake)
genome = load_genome(Path(snakemake.input[0]).parent)
model = TwoSided.load(Path(snakemake.input.model).parent)
intervals, columns = score_held_out(model, genome, read_splits(snakemake.input.splits), snakemake.params.window)
write_scores(snakemake.output[0], intervals, **columns)
