"""Scan a sample for positions that look wrong."""

from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet, write_tsv
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.scan import Readings, Scan, flagged, summary
from dnalm.training.devices import placed
from dnalm.variants.flagged import write_flagged
from dnalm.variants.places import global_position, in_contigs

start_log(snakemake)
p, wanted, output = snakemake.params, snakemake.input, snakemake.output
sample = load_genome(Path(wanted.sample[0]).parent)
model = placed(load_model(Path(wanted.model).parent))
model.attach([load_genome(Path(wanted[0]).parent)])
events = np.zeros(0, dtype=np.int64)
if wanted.get("planted"):
    events = global_position(pd.read_parquet(wanted.planted[0]), sample.contigs)
scan = Scan(sample, p.budget, events)
scan.screen(Readings(model, sample, p.window).parts())
candidates = scan.read_again(JointLikelihood(model, sample))
scan.rank_again(candidates)
flags = flagged(scan, candidates)
write_flagged(sample, flags, output.vcf)
write_parquet(in_contigs(flags, sample.contigs), output.flagged)
write_tsv(summary(scan, flags), output.summary)
scores = pd.concat([r.table(name) for name, r in scan.rankings.items()], ignore_index=True)
write_parquet(in_contigs(scores, sample.contigs), output.scores)
