"""Train the language model from another seed and score the held-out bases with it."""

from pathlib import Path

from dnalm.io.fasta import load_genome
from dnalm.io.provenance import run_facts
from dnalm.io.tables import write_scores
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits
from dnalm.sequence.tokenizers import SequenceTokenizer
from dnalm.tasks.pretrain import pretrain
from dnalm.tasks.scoring import score_held_out
from dnalm.training.devices import description

start_log(snakemake)
p, splits, seed = snakemake.params, snakemake.input.splits, int(snakemake.wildcards.seed)
genome, tokenizer = load_genome(Path(snakemake.input[0]).parent), SequenceTokenizer.from_file(snakemake.input.tokenizer)
with run_facts(snakemake.output.facts, threads=snakemake.threads, seed=seed) as facts:
    model = pretrain(genome, splits, p.settings, seed, p.code, p.state, None, snakemake.output.log, tokenizer)
    facts["device"] = description(model.device)
intervals, columns = score_held_out(model, genome, read_splits(splits), p.settings["window"], p.splits)
write_scores(snakemake.output.scores, intervals, **columns)
