"""Read the genome with a fine-tuned model, fit the decoder on validation blocks, call genes."""

from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet, write_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.annotate import load_gene_model
from dnalm.tasks.predict import find_genes
from dnalm.training.devices import placed

start_log(snakemake)
p, genome = snakemake.params, load_genome(Path(snakemake.input[0]).parent)
features, splits = pd.read_parquet(snakemake.input[3]), read_splits(snakemake.input.splits)
model = placed(load_gene_model(Path(snakemake.input.model).parent))
model.backbone.attach([genome])
calls, decoder, intervals, columns = find_genes(model, genome, features, splits, p.min_length, p.held_out_only)
write_parquet(calls, snakemake.output.calls)
write_scores(snakemake.output.probabilities, intervals, **columns)
decoder.save(snakemake.output.decoder)
