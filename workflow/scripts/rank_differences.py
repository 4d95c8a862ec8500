"""The differences of a sample from a reference, ranked by what the language model expects in the reference."""

from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.paf import read_paf
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.tasks.differences import alternative_over_reference, read_as
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.substitutions import Expectations
from dnalm.training.devices import placed
from dnalm.variants.flagged import write_ranked
from dnalm.variants.places import in_contigs
from dnalm.variants.sample_differences import consequences_of, ranked, sample_differences

start_log(snakemake)
p, wanted, output = snakemake.params, snakemake.input, snakemake.output
whole, reference = load_genome(Path(wanted[0]).parent), load_genome(p.reference)
found = sample_differences(reference, load_genome(p.sample), read_paf(wanted.paf))
model = placed(load_model(Path(wanted.model).parent))
model.attach([whole])
read, first = read_as(reference, whole)
changes = found.assign(position=found["position"] + first)
ratio = alternative_over_reference(Expectations(model, read, p.window), JointLikelihood(model, read), changes)
told = consequences_of(reference, pd.read_parquet(Path(p.reference) / "features.parquet"), found)
table = ranked(found, ratio).assign(consequence=told["consequence"], gene=told["gene"])
write_ranked(reference, table, output.vcf)
write_parquet(in_contigs(table, reference.contigs), output.differences)
