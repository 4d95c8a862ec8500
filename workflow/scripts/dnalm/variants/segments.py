"""Gene models cut into segments: stretches of the genome in which a variant means one and the same thing.

Inside, a model that crosses the origin of a circular contig is written in positions that go on beyond its end
("unrolled"); segments lie in global positions and are cut at the origin.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numba import njit

from dnalm.annotation.transcripts import merged
from dnalm.variants.terms import RANK

#: Kind of a segment whose codons say what a variant does; all other kinds are ranks of terms.
CODING = 0
DONOR, ACCEPTOR, REGION = (RANK[f"splice_{name}_variant"] for name in ("donor", "acceptor", "region"))
UTR_5, UTR_3, INTRON = RANK["5_prime_UTR_variant"], RANK["3_prime_UTR_variant"], RANK["intron_variant"]
UNCLEAR = RANK["coding_sequence_variant"]
#: Bases of an exon beside an intron, and of an intron beyond its first or last two, that are its splice region.
EXON_EDGE, SITE, INTRON_EDGE = 3, 2, 8


@dataclass(frozen=True, eq=False)
class Segments:
    """Segments sorted by start, arrays of one length, in global positions.

    ``at`` is the place in the coding sequence of the base that is read first, -1 if it has none; ``reach`` the
    furthest end of this segment and of those before it.
    """

    start: np.ndarray
    end: np.ndarray
    model: np.ndarray
    kind: np.ndarray
    at: np.ndarray
    reverse: np.ndarray
    reach: np.ndarray

    @classmethod
    def of(cls, rows: list[tuple]) -> "Segments":
        """From rows (start, end, model, kind, at, reverse)."""
        table = np.array(rows, dtype=np.int64).reshape(-1, 6)
        table = table[np.lexsort((table[:, 3], table[:, 2], table[:, 1], table[:, 0]))]
        start, end, model, kind, at, reverse = table.T.copy()
        reach = np.maximum.accumulate(end) if len(end) else end
        return cls(start, end, model, kind.astype(np.uint8), at, reverse.astype(bool), reach)

    def overlaps(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All pairs (query, segment) of intervals [low, high) and segments that share a base, by query."""
        return _overlaps(self.start, self.end, self.reach, low.astype(np.int64), high.astype(np.int64))


@njit(cache=True)
def _overlaps(start, end, reach, low, high):
    """Two rounds over all queries: the first counts the pairs, the second writes them down."""
    total, queries, found = 0, np.empty(0, np.int64), np.empty(0, np.int64)
    for write in (False, True):
        if write:
            queries, found = np.empty(total, np.int64), np.empty(total, np.int64)
        total = 0
        for q in range(len(low)):
            i = np.searchsorted(start, high[q]) - 1 if high[q] > low[q] else -1
            while i >= 0 and reach[i] > low[q]:
                if end[i] > low[q]:
                    if write:
                        queries[total], found[total] = q, i
                    total += 1
                i -= 1
    return queries, found


def unrolled(spans, length: int, circular: bool) -> list[tuple]:
    """Sorted parts (start, end, ...) of one gene; those of a gene across the origin in their order along the circle.

    The widest stretch without a part is taken to lie outside of the gene.
    """
    spans = [tuple(span) for span in spans]
    if not circular or len(spans) < 2 or spans[0][0] != 0 or spans[-1][1] != length:
        return spans
    outside = [b[0] - a[1] for a, b in itertools.pairwise(spans)]
    first = 1 + outside.index(max(outside))
    return spans[first:] + [(a + length, b + length, *rest) for a, b, *rest in spans[:first]]


def coding_segments(parts, exons, reverse: bool, min_intron: int) -> list[tuple]:
    """(start, end, kind, at) of a gene's segments, unrolled, from its coding parts and exons, sorted by position.

    Gaps shorter than ``min_intron`` bases are no introns; in a coding sequence (ribosomal slippage, a base that a
    sequencing error put in) nothing can be said of their bases.
    """
    parts, exons = [(a, b) for a, b, *_ in parts], merged([*((a, b) for a, b, *_ in exons), *(p[:2] for p in parts)])
    rows, done = [], 0
    for a, b in parts[::-1] if reverse else parts:
        rows.append((a, b, CODING, done))
        done += b - a
    coding = list(rows)
    begin, stop = parts[0][0], max(b for _, b in parts)
    before, after = (UTR_3, UTR_5) if reverse else (UTR_5, UTR_3)
    for a, b in exons:
        rows += [(a, min(b, begin), before, -1)] if a < begin else []
        rows += [(max(a, stop), b, after, -1)] if b > stop else []
    for (_, a), (b, _) in itertools.pairwise(parts):
        inside = any(x <= a and b <= y for x, y in exons)
        rows += [(a, b, UNCLEAR, -1)] if a < b and (inside or b - a < min_intron) else []
    return rows + intron_segments(exons, reverse, min_intron, coding)


def intron_segments(exons, reverse: bool, min_intron: int, coding=()) -> list[tuple]:
    """(start, end, kind, at) of the introns between exons, of their splice sites, and of the exons' edges."""
    rows = []
    for (x, a), (b, y) in itertools.pairwise(exons):
        if b - a < min_intron:
            rows += [] if coding and coding_between(coding, a, b) else [(a, b, INTRON, -1)]
            continue
        left, right = (ACCEPTOR, DONOR) if reverse else (DONOR, ACCEPTOR)
        rows += [(a, a + SITE, left, -1), (b - SITE, b, right, -1), (a + SITE, b - SITE, INTRON, -1)]
        edge = min(INTRON_EDGE, (b - a) // 2)
        rows += [(a + SITE, a + edge, REGION, -1), (b - edge, b - SITE, REGION, -1)]
        for low, high in ((max(x, a - EXON_EDGE), a), (b, min(y, b + EXON_EDGE))):
            rows += _edge(low, high, reverse, coding)
    return [row for row in rows if row[0] < row[1]]


def coding_between(coding, a: int, b: int) -> bool:
    """Whether a gap lies between the first and the last base of a coding sequence."""
    return min(row[0] for row in coding) < a and b < max(row[1] for row in coding)


def _edge(low: int, high: int, reverse: bool, coding) -> list[tuple]:
    """Splice region of an exon: its coding bases with their place in the coding sequence, and the others."""
    inside = [(max(low, a), min(high, b), a, b, at) for a, b, _, at in coding if a < high and b > low]
    rows = [(p, q, REGION, at + (b - q if reverse else p - a)) for p, q, a, b, at in inside]
    first, last = (min(r[0] for r in rows), max(r[1] for r in rows)) if rows else (high, high)
    return [*rows, (low, first, REGION, -1), (last, high, REGION, -1)]


def folded(row: tuple, length: int, offset: int, reverse: bool) -> list[tuple]:
    """An unrolled (start, end, kind, at) in global positions, in two pieces if it crosses the origin."""
    a, b, kind, at = row
    if b <= length:
        return [(a + offset, b + offset, kind, at)]
    if a >= length:
        return [(a - length + offset, b - length + offset, kind, at)]
    over = b - length
    near, far = (at + over, at) if reverse else (at, at + length - a)
    near, far = (near, far) if at >= 0 else (-1, -1)
    return [(a + offset, length + offset, kind, near), (offset, over + offset, kind, far)]
