"""Score all substitutions of the test blocks with the language model, and some changes of the reading frame."""

from pathlib import Path

import pandas as pd

from dnalm.evaluate.variants import saturation
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet, write_scores
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.sequence.splits import blocks_of, read_splits
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.substitutions import Expectations
from dnalm.tasks.zero_shot import LETTERS, held_out_ratios, joint_changes
from dnalm.training.devices import placed

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
model, p = placed(load_model(Path(snakemake.input.model).parent)), snakemake.params
model.attach([genome])
intervals, ratios = held_out_ratios(Expectations(model, genome, p.window), genome, splits, "test")
write_scores(snakemake.output.ratios, intervals, **{base: ratios[:, i] for i, base in enumerate(LETTERS)})
table = saturation(genome, pd.read_parquet(snakemake.input[3]), blocks_of(splits, genome, "test"))
write_parquet(joint_changes(JointLikelihood(model, genome), genome, table, p.seed), snakemake.output.changes)
