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
    inside = np.broadcast_to(EVERYWHERE, (len(starts), 2)) if spans is None else np.asarray(spans, dtype=np.int64)
    codes = np.empty((len(starts), length), dtype=np.uint8)
    positions, soft = np.empty(codes.shape, dtype=np.int64), np.empty(codes.shape, dtype=np.bool_)
    within = np.clip(starts + (length // 2 if anchor is None else anchor), 0, len(genome.arrays[0]) - 1)
    _fill(*genome.arrays, starts, within, inside, codes, positions, soft)
    return Batch(genome.digest, codes, positions, soft)


@njit(cache=True)
def _fill(stored, offsets, sizes, circular, starts, within, spans, codes, positions, soft):
    """Write windows, each of the contig of a base ``within`` it, and their padding into the last three arrays."""
    count, length = codes.shape
    for w in range(count):
        start = starts[w]
        contig = np.searchsorted(offsets, within[w], side="right") - 1
        first, last = offsets[contig], offsets[contig] + sizes[contig]
        if circular[contig] and (start < first or start + length > last):
            _fill_round(stored, first, last - first, start, spans[w], codes[w], positions[w], soft[w])
            continue
        low = min(max(start, first, spans[w, 0]), start + length)
        high = max(min(start + length, last, spans[w, 1]), low)
        _pad(codes[w], positions[w], soft[w], 0, low - start)
        _copy(stored[low:high], low, codes[w, low - start :], positions[w, low - start :], soft[w, low - start :])
        _pad(codes[w], positions[w], soft[w], high - start, length)


@njit(cache=True)
def _copy(source, place, codes, positions, soft):
    """Bases that follow one another; without a branch, so that it is compiled to vector instructions."""
    for i in range(len(source)):
        codes[i], soft[i], positions[i] = source[i] & 7, source[i] & MASK_BIT > 0, place + i


@njit(cache=True)
def _pad(codes, positions, soft, first, last):
    for i in range(first, last):
        codes[i], soft[i], positions[i] = N, False, -1


@njit(cache=True)
def _fill_round(stored, first, size, start, span, codes, positions, soft):
    """A window that runs over an end of a circular contig of ``size`` bases from ``first`` on."""
    length = len(codes)
    _pad(codes, positions, soft, 0, length)
    for i in range(length):
        if start + i < span[0] or start + i >= span[1]:
            continue
        inner = start + i - first
        if abs(inner) < size + length:
            inner %= size
        if 0 <= inner < size:
            code = stored[first + inner]
            codes[i], soft[i], positions[i] = code & 7, code & MASK_BIT > 0, first + inner


def with_allele(windows: Batch, row: int, start: int, removed: int, allele: np.ndarray | None, after: int):
    """One window with another allele at ``start``, where ``removed`` bases make room: codes and positions, (length,).

    ``allele`` holds codes 0..4, or is None for what is there; ``after`` bases follow it. Bases that only the allele has
    are at position -1; one that replaces as many stands where they stood: a memory leaves its own counts out.
    """
    codes, positions = windows.codes[row], windows.positions[row]
    there, right = slice(start, start + removed), slice(start + removed, start + removed + after)
    new = codes[there] if allele is None else allele
    where = positions[there] if len(new) == removed else np.full(len(new), -1)
    return tuple(np.concatenate([old[:start], part, old[right]]) for old, part in ((codes, new), (positions, where)))


def tile(intervals: np.ndarray, stride: int) -> np.ndarray:
    """Cut (n, 2) intervals into pieces of at most ``stride`` bases: int64 (pieces, 2), in order."""
    pieces = [(s, min(s + stride, end)) for start, end in np.asarray(intervals) for s in range(start, end, stride)]
    return np.array(pieces, dtype=np.int64).reshape(-1, 2)
