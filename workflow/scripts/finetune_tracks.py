"""Fine-tune a backbone on the intervals of the tracks."""

from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.provenance import run_facts, sha256_of
from dnalm.logs import start_log
from dnalm.sequence.tokenizers import SequenceTokenizer
from dnalm.tasks.annotate import backbone_for
from dnalm.tasks.tracks import finetune_tracks
from dnalm.training.devices import description

start_log(snakemake)
p, paths, pretrained = snakemake.params, snakemake.input, snakemake.input.get("model")
genome = load_genome(Path(paths[0]).parent)
identity = [p.method, p.backbone, p.code, *map(sha256_of, [paths.intervals, *([pretrained] if pretrained else [])])]
with run_facts(snakemake.output.facts, threads=snakemake.threads, seed=p.seed) as facts:
    folder = Path(pretrained).parent if pretrained else None
    tokenizer = SequenceTokenizer.from_file(paths.tokenizer)
    backbone = backbone_for(p.method, folder, p.backbone, genome, paths.splits, p.seed, tokenizer)
    model = finetune_tracks(
        backbone, genome, pd.read_parquet(paths.intervals), paths.splits, p.settings, p.seed, identity, p.state,
        Path(snakemake.output.weights).parent, snakemake.output.log,
    )  # fmt: skip
    facts["device"] = description(model.device)
