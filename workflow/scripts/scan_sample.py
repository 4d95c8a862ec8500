"""Scan a sample for positions that look wrong, and score its differences from a reference if there is one."""

from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.paf import read_paf
from dnalm.io.tables import write_parquet, write_tsv
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.scan import Readings, Scan, flagged, sample_over_reference, summary
from dnalm.training.devices import placed
from dnalm.variants.flagged import write_flagged
from dnalm.variants.sample_differences import no_differences, ranked, sample_differences

start_log(snakemake)
p, wanted, output = snakemake.params, snakemake.input, snakemake.output
sample = load_genome(Path(wanted.sample[0]).parent)
model = placed(load_model(Path(wanted.model).parent))
model.attach([load_genome(Path(wanted[0]).parent)])
planted = pd.read_parquet(wanted.planted[0]) if wanted.get("planted") else None
found = no_differences()
if wanted.get("paf"):
    found = sample_differences(load_genome(p.reference), sample, read_paf(wanted.paf[0]))
events = planted["position"].to_numpy() if planted is not None else np.zeros(0, dtype=np.int64)
scan, joint = Scan(sample, p.budget, events, found["sample_position"]), JointLikelihood(model, sample)
scan.screen(Readings(model, sample, p.window).parts())
candidates = scan.read_again(joint)
scan.rank_again(candidates)
flags = flagged(scan, candidates)
write_flagged(sample, flags, output.vcf)
write_parquet(flags, output.flagged)
write_tsv(summary(scan, flags), output.summary)
write_parquet(ranked(found, sample_over_reference(scan, found, joint)), output.differences)
write_parquet(pd.concat([r.table(name) for name, r in scan.rankings.items()], ignore_index=True), output.scores)
