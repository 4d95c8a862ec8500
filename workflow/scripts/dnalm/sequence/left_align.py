"""One place for all ways of writing an allele: trimmed, and shifted to the left.

In a repeat the same change can be written at many places; which one a file has depends on the program that wrote it.
The leftmost is taken (Tan et al. 2015, Bioinformatics 31:2202), as ``bcftools norm`` does.
"""

import numpy as np
from numba import njit

from dnalm.sequence.alleles import Sequences, trim


def left_align(codes, position, ref, alt, first=0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alleles trimmed and as far to the left as they go, without anchor bases; the changed sequence stays the same.

    Parameters
    ----------
    codes : uint8 array
        Codes of the genome or of one contig, soft-mask bits allowed.
    position : int64 (n,)
        Index into ``codes`` of the first base of ``ref``; of an insertion, of the base behind it (which may be one past
        the end).
    ref, alt : sequences of str (n,)
        Alleles, shared ends allowed; either may be empty. ``ref`` is taken for what stands there.
    first : int or int64 (n,)
        Index of the first base of the contig, beyond which nothing is shifted; the origin of a circular contig is
        not crossed.

    Returns
    -------
    position int64 (n,), ref and alt (object arrays of upper-case str without shared ends). Only pure insertions and
    deletions of A C G T move, and never across an N.
    """
    position = np.array(position, dtype=np.int64)
    if not len(position):
        return position, np.empty(0, dtype=object), np.empty(0, dtype=object)
    refs, alts = Sequences.of(list(ref)), Sequences.of(list(alt))
    left, right = trim(refs, alts, np.arange(len(position)))
    position += left
    texts = [
        np.array([t[a : len(t) - b] for t, a, b in zip(s.texts, left.tolist(), right.tolist(), strict=True)], object)
        for s in (refs, alts)
    ]
    left_of = [(refs.lengths - left - right), (alts.lengths - left - right)]
    for own, other, moving in ((0, 1, refs), (1, 0, alts)):
        rows = np.flatnonzero((left_of[own] > 0) & (left_of[other] == 0))
        bounds = moving.starts[rows] + left[rows], moving.ends[rows] - right[rows]
        firsts = np.broadcast_to(np.asarray(first, dtype=np.int64), position.shape)[rows]
        steps = np.zeros(len(rows), dtype=np.int64)
        _shift(np.asarray(codes), position[rows], moving.codes, *bounds, firsts, steps)
        for i, k in zip(rows[steps > 0].tolist(), steps[steps > 0].tolist(), strict=True):
            text = texts[own][i]
            turn = k % len(text)
            texts[own][i] = text[len(text) - turn :] + text[: len(text) - turn]
        position[rows] -= steps
    return position, *texts


@njit(cache=True)
def _shift(codes, position, letters, starts, ends, first, steps):
    """How far each inserted or deleted sequence can go to the left: its last base equals the one before it."""
    for i in range(len(steps)):
        size, k = ends[i] - starts[i], 0
        while position[i] - k > first[i]:
            base = codes[position[i] - k - 1] & 7
            if base > 3 or base != letters[ends[i] - 1 - k % size]:
                break
            k += 1
        steps[i] = k
