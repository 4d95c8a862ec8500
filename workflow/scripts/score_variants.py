"""Score a file of variants with the language model, and name their consequences."""

from pathlib import Path

import pandas as pd

from dnalm.contigs.names import read_aliases
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import downloaded_file, find_file
from dnalm.io.remote import local_name
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.sequence.splits import read_splits, split_labels
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.observed import read_tolerance
from dnalm.tasks.substitutions import Expectations
from dnalm.tasks.variants import Scorer, score_file
from dnalm.training.devices import placed
from dnalm.variants.coding import read_coding

start_log(snakemake)
p = snakemake.params
whole, genome = load_genome(Path(snakemake.input[0]).parent), load_genome(p.genome)
model = placed(load_model(Path(snakemake.input.model).parent))
model.attach([whole])
own = genome if whole.composite else whole
features, splits = pd.read_parquet(f"{p.genome}/features.parquet"), read_splits(snakemake.input.splits)
coding, tolerance = read_coding(genome, features), None
if snakemake.input.tolerance:
    tolerance = read_tolerance(p.relative, *snakemake.input.tolerance, own, whole, coding, features, splits, p.final)
scorer = Scorer(
    own,
    whole,
    Expectations(model, whole, p.window),
    JointLikelihood(model, whole),
    coding,
    split_labels(whole, splits, p.final),
    p.settings["joint"],
    tolerance,
)
lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
named = p.settings["aliases"]
aliases = read_aliases(find_file(named, "variants.sets: aliases"), lengths) if named else None
fetched = snakemake.input.get("fetched")
vcf = downloaded_file(fetched) if fetched else find_file(local_name(p.settings["vcf"]), "variants.sets: vcf")
score_file(scorer, vcf, dict(snakemake.output.items()), aliases, p.settings["max_length"])
