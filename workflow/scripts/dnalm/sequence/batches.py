"""Windows of a genome as rectangular batches for a network, cut from the memory-mapped codes."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from dnalm.sequence.alphabet import MASK_BIT, N

EVERYWHERE = np.array([np.iinfo(np.int64).min, np.iinfo(np.int64).max])


@dataclass(frozen=True)
class Batch:
    """Windows of one genome: ``codes`` uint8 (batch, length) of 0..4, ``positions`` int64 of the same shape.

    Positions are global (in ``codes.npy``); -1 marks padding, whose code is N. ``soft`` (bool, same shape) is True at
    soft-masked bases.
    """

    digest: str
    codes: np.ndarray
    positions: np.ndarray
    soft: np.ndarray

    @property
    def origin(self):
        """Where the bases come from, as the n-gram memory wants it."""
        return self.digest, self.positions

    def keep(self, allowed: np.ndarray) -> "Batch":
        """The same windows with every base where ``allowed`` (batch, length) is False turned into padding."""
        codes, positions = np.where(allowed, self.codes, N), np.where(allowed, self.positions, -1)
        return Batch(self.digest, codes, positions, self.soft & allowed)


def cut(genome, starts, length: int, anchor: int | None = None, spans: np.ndarray | None = None) -> Batch:
    """Windows of ``length`` bases from the global ``starts`` (batch,), which may lie before a contig's first base.

    A window belongs to the contig of its base number ``anchor``, by default the middle one. Beyond the contig's
    ends it goes on at the other end if the contig is circular, and is padded otherwise; nothing is dropped. What lies
    outside of its span (``spans``: first base and last base + 1, (batch, 2)) before it is wrapped is padding too.
    """
    starts = np.asarray(starts, dtype=np.int64)
    stored, offsets, sizes, circular = genome.arrays
    base = starts + (length // 2 if anchor is None else anchor)
    contig = np.searchsorted(offsets, np.clip(base, 0, len(stored) - 1), side="right") - 1
    inside = np.broadcast_to(EVERYWHERE, (len(starts), 2)) if spans is None else np.asarray(spans, dtype=np.int64)
    codes = np.full((len(starts), length), N, dtype=np.uint8)
    positions = np.full((len(starts), length), -1, dtype=np.int64)
    soft = np.zeros((len(starts), length), dtype=bool)
    _fill(stored, starts, offsets[contig], sizes[contig], circular[contig], inside, codes, positions, soft)
    return Batch(genome.digest, codes, positions, soft)


@njit(cache=True)
def _fill(stored, starts, first, size, circular, spans, codes, positions, soft):
    """Write what the windows hold into the three arrays of padding."""
    count, length = codes.shape
    for w in range(count):
        for i in range(length):
            place = starts[w] + i
            if place < spans[w, 0] or place >= spans[w, 1]:
                continue
            inner = place - first[w]
            if circular[w] and abs(inner) < size[w] + length:
                inner %= size[w]
            if inner < 0 or inner >= size[w]:
                continue
            code = stored[first[w] + inner]
            codes[w, i], soft[w, i], positions[w, i] = code & 7, code & MASK_BIT > 0, first[w] + inner


def tile(intervals: np.ndarray, stride: int) -> np.ndarray:
    """Cut (n, 2) intervals into pieces of at most ``stride`` bases: int64 (pieces, 2), in order."""
    pieces = [(s, min(s + stride, end)) for start, end in np.asarray(intervals) for s in range(start, end, stride)]
    return np.array(pieces, dtype=np.int64).reshape(-1, 2)
