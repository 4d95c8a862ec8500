"""Divide the genomes into training, validation and test blocks."""

from pathlib import Path

from dnalm.annotation.features import features_table
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_tsv
from dnalm.logs import start_log
from dnalm.sequence.leakage import audit, find_seeds, without_matches
from dnalm.sequence.splits import make_splits
from dnalm.sequence.windows import tile_windows
from dnalm.tasks.leakage_alignment import align_windows

start_log(snakemake)
p, genomes = snakemake.params, [load_genome(Path(card).parent) for card in snakemake.input.cards]
splits = make_splits(genomes, p.settings, p.seed, p.groups, p.fixed)
if p.window:
    genome = load_genome(Path(snakemake.input.study[0]).parent)
    find = {"seeds": find_seeds, "minimap2": align_windows}[p.settings["leakage_by"]]
    table = audit(genome, splits, tile_windows(genome, splits, p.window), features_table([]), p.final, find)
    splits = without_matches(genome, splits, table, p.settings["leakage_share"])
write_tsv(splits, snakemake.output[0])
