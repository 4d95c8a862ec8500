"""Differences of a sample from a reference: single bases, insertions and deletions of an alignment, ranked."""

import numpy as np
import pandas as pd

from dnalm.io.fasta import Genome
from dnalm.io.paf import Block
from dnalm.sequence.alphabet import decode, reverse_complement
from dnalm.variants.coding import read_coding
from dnalm.variants.consequence import consequences
from dnalm.variants.observed import call_differences, doubt_of

#: Which differences are sure, as `dnalm.variants.observed` says it; an insertion is not doubted for being beside a gap.
SETTINGS = {"min_block": 1000, "min_quality": 30, "gap_margin": 10, "max_differences": 8}
#: Longest insertion or deletion, in bases.
LONGEST = 50
COLUMNS = {
    "position": np.int64, "ref": object, "alt": object, "query": object, "query_position": np.int64, "reverse": bool,
    "reason": object,
}  # fmt: skip


def sample_differences(reference: Genome, sample: Genome, blocks: list[Block]) -> pd.DataFrame:
    """All differences of the alignments ``blocks`` of a sample, sorted.

    Returns
    -------
    DataFrame
        ``position`` (global, of the reference), ``ref`` and ``alt`` (trimmed, on its forward strand), ``query`` and
        ``query_position`` (contig of the sample, 0-based), ``reverse``, ``reason`` (empty, or why it is not sure).
    """
    singles = call_differences(reference, blocks, SETTINGS).table
    offsets = dict(zip(sample.contigs["contig"], sample.contigs["offset"].astype(int), strict=True))
    rows = [
        (r.position, "ACGTN"[r.ref], "ACGTN"[r.alt], r.query, r.query_position, r.reverse, r.reason)
        for r in singles.itertuples(index=False)
    ]
    for block in blocks:
        rows += _gaps(reference, sample, block, offsets[block.query])
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    return table.sort_values(["position", "query", "query_position"], kind="stable", ignore_index=True)


def _gaps(reference: Genome, sample: Genome, block: Block, offset: int) -> list[tuple]:
    """Short insertions and deletions of a block, between its matched stretches."""
    first, found = reference.offset(block.contig), []
    low, high = block.matched[:-1, 1], block.matched[1:, 0]
    if block.reverse:
        near, far = block.query_matched[1:, 1], block.query_matched[:-1, 0]
    else:
        near, far = block.query_matched[:-1, 1], block.query_matched[1:, 0]
    size = np.maximum(high - low, far - near)
    reason = doubt_of(block, SETTINGS)
    for i in np.flatnonzero((size > 0) & (size <= LONGEST)):
        ref = decode(reference.codes[first + low[i] : first + high[i]] & 7)
        codes = np.asarray(sample.codes[offset + near[i] : offset + far[i]]) & 7
        alt = decode(reverse_complement(codes) if block.reverse else codes)
        told = "" if "N" not in ref + alt else "ambiguous"
        found.append((first + int(low[i]), ref, alt, block.query, int(near[i]), block.reverse, reason or told))
    return found


def consequences_of(reference: Genome, features: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """What the differences do to the genes of the reference: `dnalm.variants.consequence.COLUMNS`.

    All texts are empty where the annotation ``features`` has no gene.
    """
    told = consequences(reference, coding := read_coding(reference, features), table.assign(alt_bases=table["alt"]))
    return told if len(coding.table) else told.assign(consequence="", gene="")


def ranked(table: pd.DataFrame, ratio: np.ndarray) -> pd.DataFrame:
    """The differences with ``ratio`` and ``rank``: 1 for what the model doubts most, NaN where it says nothing.

    Substitutions have ranks of their own, and all others: two-sided and joint ratios are on different scales.
    """
    single = substitutes(table["ref"], table["alt"])
    return table.assign(ratio=ratio, rank=pd.Series(ratio, index=table.index).groupby(single).rank(method="first"))


def substitutes(ref, alt) -> np.ndarray:
    """Which changes (columns of trimmed alleles, (n,)) put one base in the place of another."""
    return (ref.str.len() == 1).to_numpy() & (alt.str.len() == 1).to_numpy()
