"""Find genes with a network that was fine-tuned on a few curated genes."""

import json
from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_json, write_parquet
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.tasks.few_labels import network_arm

start_log(snakemake)
p, paths = snakemake.params, snakemake.input
genome, features = load_genome(Path(paths[0]).parent), pd.read_parquet(paths[3])
curated, splits, model = read_splits(paths.curated), read_splits(paths.splits), paths.get("model")
folder = Path(model).parent if model else None
spent = json.loads(Path(paths.spent).read_text())["cpu_minutes"] if model else 0.0
calls, facts = network_arm(
    folder, spent, genome, features, curated, splits, p.pretrain, p.annotate, int(snakemake.wildcards.seed)
)
write_parquet(calls, snakemake.output.calls)
write_json(facts, snakemake.output.facts)
