"""Find genes with introns with a fine-tuned model, beside counts and alone; decoders fitted on validation blocks."""

from pathlib import Path

import pandas as pd

from dnalm.genomes.composite import by_genome
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.annotate import load_gene_model
from dnalm.tasks.structure_finders import network_structures
from dnalm.training.devices import placed

start_log(snakemake)
p, paths, genome = snakemake.params, snakemake.output, load_genome(Path(snakemake.input[0]).parent)
features, splits = pd.read_parquet(snakemake.input[3]), read_splits(snakemake.input.splits)
model = placed(load_gene_model(Path(snakemake.input.model).parent))
model.backbone.attach([genome])
calls, decoders = network_structures(model, genome, features, splits, p.settings, p.held_out_only)
wanted = {"with_counts": (paths.calls, paths.decoder)}
if not p.held_out_only:
    wanted["alone"] = (paths.alone, paths.decoder_alone)
for kind, (tables, decoder) in wanted.items():
    for name, path in by_genome(tables).items():
        write_parquet(calls[kind][name], path)
    decoders[kind].save(decoder)
