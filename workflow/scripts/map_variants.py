"""Score all substitutions of a stretch of a genome."""

from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.logs import start_log
from dnalm.models.build import load_model
from dnalm.tasks.substitutions import Expectations
from dnalm.tasks.variant_maps import stretches, write_map
from dnalm.training.devices import placed
from dnalm.variants.coding import read_coding

start_log(snakemake)
p = snakemake.params
whole, genome = load_genome(Path(snakemake.input[0]).parent), load_genome(p.genome)
model = placed(load_model(Path(snakemake.input.model).parent))
model.attach([whole])
coding = read_coding(genome, pd.read_parquet(f"{p.genome}/features.parquet"))
parts = stretches(genome, coding, p.settings)
first = whole.span(genome.name)[0] if whole.composite else 0
write_map(Expectations(model, whole, p.window), genome, coding, first, parts, dict(snakemake.output.items()))
