"""A candidate among the others: the genes before and behind it, and the rivals for its place."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from dnalm.genefinder.candidates import Candidates

#: Distances are told up to this many bases.
FAR_AWAY = 400
#: Overlap with a neighbour that makes no rival of it, in bases.
TOLERATED = 60


@dataclass(frozen=True)
class Neighbours:
    """Distances in bases to the gene before the start and behind the stop, negative in overlaps, and equal strands."""

    front: np.ndarray
    back: np.ndarray
    front_same: np.ndarray
    back_same: np.ndarray


def neighbours(c: Candidates, index: np.ndarray, middle: np.ndarray, genes: np.ndarray) -> Neighbours:
    """Neighbours of the candidates ``index`` among ``genes`` (candidates too).

    ``middle`` (n,) tells before from behind: the middle of the candidate's stop codon's representative, in bases. A
    gene with the candidate's own stop codon is no neighbour.
    """
    if not len(genes):
        far, none = np.full(len(index), float(FAR_AWAY)), np.zeros(len(index))
        return Neighbours(far, far, none, none)
    width = 4 * (int(c.length.max()) + FAR_AWAY)
    at_gene = c.contig[genes] * width + (c.start[genes] + c.end[genes]) / 2
    order = genes[np.argsort(at_gene, kind="stable")]
    place, own = c.contig[index] * width + middle, c.group[index]
    # a gene with the very same middle lies behind, seen from either strand
    slot = np.where(c.side[index] == 0, *(np.searchsorted(np.sort(at_gene), place, side) for side in ("left", "right")))
    left, right = slot - 1, slot
    left = left - ((left >= 0) & (c.group[order[np.maximum(left, 0)]] == own))
    right = right + ((right < len(order)) & (c.group[order[np.minimum(right, len(order) - 1)]] == own))
    before, before_same = _gap(c, index, order, left, lambda gene: c.start[index] - c.end[gene])
    behind, behind_same = _gap(c, index, order, right, lambda gene: c.start[gene] - c.end[index])
    plus = c.side[index] == 0
    return Neighbours(
        np.where(plus, before, behind), np.where(plus, behind, before),
        np.where(plus, before_same, behind_same), np.where(plus, behind_same, before_same),
    )  # fmt: skip


def _gap(c: Candidates, index, order, at, distance):
    """Capped distance to the genes ``order[at]``, and whether they lie on the same strand; far away where none is."""
    gene = order[np.clip(at, 0, len(order) - 1)]
    there = (at >= 0) & (at < len(order)) & (c.contig[gene] == c.contig[index])
    gap = np.clip(np.where(there, distance(gene), FAR_AWAY), -FAR_AWAY, FAR_AWAY)
    return gap.astype(float), (there & (c.side[gene] == c.side[index])).astype(float)


@njit(cache=True)
def _rivals(start, end, value, tolerated):
    """Best value of any other span that overlaps too far, 0 at least; spans are sorted by start."""
    best = np.zeros(len(start))
    for i in range(len(start)):
        j = i + 1
        while j < len(start) and start[j] < end[i]:
            shorter = min(end[i] - start[i], end[j] - start[j])
            if min(end[i], end[j]) - start[j] > min(tolerated, shorter // 2):
                best[i] = max(best[i], value[j])
                best[j] = max(best[j], value[i])
            j += 1
    return best


def rivals(c: Candidates, which: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Best ``value`` of any other of the candidates ``which`` that overlaps too far to be chosen too; 0 at least."""
    width = 4 * int(c.length.max(initial=0))
    start, end = c.contig[which] * width + c.start[which], c.contig[which] * width + c.end[which]
    order = np.argsort(start, kind="stable")
    out = np.zeros(len(which))
    out[order] = _rivals(start[order], end[order], np.asarray(value, dtype=float)[order], TOLERATED)
    return out
