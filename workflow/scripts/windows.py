"""Tile the blocks with windows and audit the held-out ones for leakage."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.features import rna_genes
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet, write_tsv
from dnalm.logs import start_log
from dnalm.sequence.leakage import audit, find_seeds
from dnalm.sequence.splits import read_splits
from dnalm.sequence.windows import tile_windows
from dnalm.tasks.leakage_alignment import align_windows

start_log(snakemake)
folder = Path(snakemake.input[0]).parent
genome, splits = load_genome(folder), read_splits(snakemake.input.splits)
windows = tile_windows(genome, splits, snakemake.params.window)
write_parquet(windows, snakemake.output.windows)
features = pd.read_parquet(folder / "features.parquet", columns=["contig", "start", "end", "type"])
find = {"seeds": find_seeds, "minimap2": align_windows}[snakemake.params.find]
table = audit(genome, splits, windows, rna_genes(features), snakemake.params.final, find)
write_tsv(table, snakemake.output.leakage)
