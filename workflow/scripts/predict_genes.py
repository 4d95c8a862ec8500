"""Read the genomes with a fine-tuned model, fit the decoder on validation blocks, call genes."""

from pathlib import Path

import pandas as pd

from dnalm.genomes.composite import by_genome
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
found = find_genes(model, genome, features, splits, p.min_length, p.held_out_only)
tables, scores = by_genome(snakemake.output.calls), by_genome(snakemake.output.get("probabilities", []))
for name, calls, decoder, intervals, columns in found:
    if name in tables:
        write_parquet(calls, tables.pop(name))
    if name in scores:
        write_scores(scores.pop(name), intervals, **columns)
    decoder.save(snakemake.output.decoder)
for path in tables.values():  # genomes without held-out blocks, which were not read
    write_parquet(calls.iloc[:0], path)
for path in scores.values():
    write_scores(path, intervals[:0], **{key: values[:0] for key, values in columns.items()})
