"""Pieces of annotated genomes: the networks learn from them what plasmids, bins and drafts are like."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from dnalm.io.fasta import Genome

#: Bases of the pieces that are cut from every genome, and how many of each; a genome has them only if it is longer.
SIZES = ((15_000, 6), (50_000, 4), (150_000, 2), (400_000, 1))
#: What a gene of a piece counts in training.
WEIGHT = 0.1
#: Genes that a cut leaves shorter than this are left out, in bases.
LEAST = 90


def pieces(genome: Genome, features: pd.DataFrame, seed: int) -> Iterator[tuple[Genome, pd.DataFrame]]:
    """Random pieces of a genome as linear genomes of their own, with their coding sequences.

    Genes that a cut goes through keep what lies inside of it, in whole codons, as annotations of drafts have them.
    """
    rng = np.random.default_rng([seed, len(genome.codes)])
    contigs = genome.contigs
    for size, count in SIZES:
        long = contigs[contigs["length"] > size]
        if long.empty:
            continue
        for number in range(count):
            row = long.iloc[rng.choice(len(long), p=long["length"] / long["length"].sum())]
            first = int(rng.integers(0, row["length"] - size))
            name = f"{genome.name}_{size}_{number}"
            contig = row["contig"]
            yield cut_out(genome, contig, first, first + size, name), inside(features, contig, first, size)


def cut_out(genome: Genome, contig: str, start: int, end: int, name: str) -> Genome:
    """A stretch of a contig as a genome of one linear contig of the same name."""
    row = genome.contigs[genome.contigs["contig"] == contig].assign(length=end - start, offset=0, circular=False)
    return Genome(name, genome.contig_codes(contig)[start:end], row.reset_index(drop=True), f"{genome.digest}:{name}")


def inside(features: pd.DataFrame, contig: str, first: int, size: int) -> pd.DataFrame:
    """Coding sequences that overlap a stretch, cut to it in whole codons; joined ones only if they lie in it wholly."""
    cds = features[(features["contig"] == contig) & (features["type"] == "CDS")]
    cds = cds.assign(start=cds["start"] - first, end=cds["end"] - first)
    within = (cds["start"] >= 0) & (cds["end"] <= size)
    whole, parts = within.groupby(cds["id"]).transform("all"), cds.groupby("id")["id"].transform("size")
    overlaps = (cds["end"] > 0) & (cds["start"] < size)
    cds = cds[overlaps & (whole | (parts == 1))]
    start = np.where(cds["start"] < 0, cds["start"] % 3, cds["start"])
    end = np.where(cds["end"] > size, size - (size - cds["start"]) % 3, cds["end"])
    cds = cds.assign(start=start, end=end)
    return cds[cds["end"] - cds["start"] >= LEAST].reset_index(drop=True)
