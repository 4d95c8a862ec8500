"""Call genes with AUGUSTUS on the contigs that hold validation or test blocks."""

from pathlib import Path

from dnalm.baselines.augustus import augustus_genes
from dnalm.io.fasta import load_genome
from dnalm.io.tables import write_parquet
from dnalm.logs import start_log
from dnalm.sequence.splits import read_splits

start_log(snakemake)
genome, splits = load_genome(Path(snakemake.input[0]).parent), read_splits(snakemake.input.splits)
mine = splits[(splits["genome"] == genome.name) & splits["split"].isin(["validation", "test"])]
write_parquet(augustus_genes(genome, snakemake.params.species, mine["contig"].unique()), snakemake.output[0])
