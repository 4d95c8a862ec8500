"""Windows of a genome as rectangular batches for a network, cut from the memory-mapped codes."""

from dataclasses import dataclass

import numpy as np

from dnalm.sequence.alphabet import MASK_BIT, N


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


def cut(genome, starts, length: int, anchor: int | None = None) -> Batch:
    """Windows of ``length`` bases from the global ``starts`` (batch,), which may lie before a contig's first base.

    A window belongs to the contig of its base number ``anchor``, by default the middle one. Beyond the contig's
    ends it goes on at the other end if the contig is circular, and is padded otherwise; nothing is dropped.
    """
    starts = np.asarray(starts, dtype=np.int64)
    offsets = genome.contigs["offset"].to_numpy()
    base = starts + (length // 2 if anchor is None else anchor)
    contig = np.searchsorted(offsets, np.clip(base, 0, len(genome.codes) - 1), side="right") - 1
    first = offsets[contig][:, None]
    size = genome.contigs["length"].to_numpy()[contig][:, None]
    circular = genome.contigs["circular"].to_numpy(dtype=bool)[contig][:, None]
    inside = starts[:, None] + np.arange(length) - first
    wrapped = np.where(circular & (np.abs(inside) < size + length), inside % size, inside)
    positions = np.where((wrapped >= 0) & (wrapped < size), wrapped + first, -1)
    stored = np.asarray(genome.codes[np.maximum(positions, 0)])
    codes = np.where(positions >= 0, stored & 7, N)
    return Batch(genome.digest, codes.astype(np.uint8), positions, (stored & MASK_BIT > 0) & (positions >= 0))


def tile(intervals: np.ndarray, stride: int) -> np.ndarray:
    """Cut (n, 2) intervals into pieces of at most ``stride`` bases: int64 (pieces, 2), in order."""
    pieces = [(s, min(s + stride, end)) for start, end in np.asarray(intervals) for s in range(start, end, stride)]
    return np.array(pieces, dtype=np.int64).reshape(-1, 2)
