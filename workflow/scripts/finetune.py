"""Fine-tune a backbone to find genes."""

from pathlib import Path

import pandas as pd

from dnalm.io.fasta import load_genome
from dnalm.io.provenance import run_facts, sha256_of
from dnalm.logs import start_log
from dnalm.sequence.tokenizers import SequenceTokenizer
from dnalm.tasks.annotate import backbone_for, finetune
from dnalm.training.devices import description

start_log(snakemake)
p, pretrained = snakemake.params, snakemake.input.get("model")
genome = load_genome(Path(snakemake.input[0]).parent)
features = pd.read_parquet(snakemake.input[3])
identity = [p.method, p.backbone, p.code, sha256_of(pretrained) if pretrained else None]
with run_facts(snakemake.output.facts, threads=snakemake.threads, seed=p.seed) as facts:
    folder = Path(pretrained).parent if pretrained else None
    tokenizer = SequenceTokenizer.from_file(snakemake.input.tokenizer)
    backbone = backbone_for(p.method, folder, p.backbone, genome, snakemake.input.splits, p.seed, tokenizer)
    model = finetune(
        backbone, genome, features, snakemake.input.splits, p.settings, p.seed, identity, p.state,
        Path(snakemake.output.weights).parent, snakemake.output.log,
    )  # fmt: skip
    facts["device"] = description(model.device)
