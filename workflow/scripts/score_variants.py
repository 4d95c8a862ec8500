"""Score a file of variants with the language model, and name their consequences."""

from pathlib import Path

import pandas as pd

from dnalm.io.contig_names import read_aliases
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import find_file
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.sequence.splits import read_splits, split_labels
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.substitutions import Expectations
from dnalm.tasks.variants import Scorer, score_file
from dnalm.training.devices import placed
from dnalm.variants.coding import read_coding

start_log(snakemake)
p = snakemake.params
whole, genome = load_genome(Path(snakemake.input[0]).parent), load_genome(p.genome)
model = placed(load_model(Path(snakemake.input.model).parent))
model.attach([whole])
scorer = Scorer(
    genome if whole.composite else whole,
    whole,
    Expectations(model, whole, p.window),
    JointLikelihood(model, whole),
    read_coding(genome, pd.read_parquet(f"{p.genome}/features.parquet")),
    split_labels(whole, read_splits(snakemake.input.splits)),
    p.settings["joint"],
)
lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
aliases = read_aliases(p.settings["aliases"], lengths) if p.settings["aliases"] else None
vcf = find_file(p.settings["vcf"], "variants.sets: vcf")
score_file(scorer, vcf, dict(snakemake.output.items()), aliases, p.settings["max_length"])
