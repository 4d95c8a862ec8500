"""Make the tokenizer."""

from pathlib import Path

from dnalm.io.fasta import load_genome
from dnalm.io.tables import atomic_path
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits, split_intervals
from dnalm.sequence.tokenizers import make_tokenizer

start_log(snakemake)
genome = load_genome(Path(snakemake.input[0]).parent)
training = split_intervals(genome, read_splits(snakemake.input.splits), "train")
sequences = (genome.codes[start:end] for start, end in training)
tokenizer = make_tokenizer(snakemake.params.settings, snakemake.params.objective == "masked", sequences)
with atomic_path(snakemake.output[0]) as temporary:
    tokenizer.save(str(temporary))
