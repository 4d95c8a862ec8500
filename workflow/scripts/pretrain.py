"""Train the language model."""

import shutil
from pathlib import Path

from dnalm.io.fasta import load_genome
from dnalm.io.provenance import run_facts
from dnalm.logs import start_log
from dnalm.sequence.tokenizers import SequenceTokenizer
from dnalm.tasks.pretrain import pretrain
from dnalm.training.devices import description

start_log(snakemake)
p, folder = snakemake.params, Path(snakemake.output.weights).parent
genome = load_genome(Path(snakemake.input[0]).parent)
with run_facts(snakemake.output.facts, threads=snakemake.threads, seed=p.seed) as facts:
    tokenizer = SequenceTokenizer.from_file(snakemake.input.tokenizer)
    model = pretrain(
        genome, snakemake.input.splits, p.settings, p.seed, p.code, p.state, folder, snakemake.output.log, tokenizer
    )
    facts["device"] = description(model.device)
    shutil.copyfile(snakemake.input.tokenizer, snakemake.output.tokenizer)
