"""Order-k Markov models of both strands, with back-off smoothing chosen on validation.

All counting is that of `dnalm.models.memory` without any network: training blocks, both strands (so inverted repeats
count), frozen afterwards.
"""

from dataclasses import dataclass

import numpy as np

from dnalm.models.memory import NgramMemory
from dnalm.sequence.batches import cut, tile
from dnalm.sequence.splits import SPLITS, split_intervals, split_labels

ORDERS = (*range(1, 17), 18, 20, 24)
REPORTED = (0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16)
#: Pseudo-counts that smoothing chooses from, per context length.
GRID = (0.5, 2.0, 8.0, 32.0, 128.0, 512.0, 2048.0)
PIECE, MARGIN = 8192, 32
LN2_BITS = float(np.log(2.0))


@dataclass
class Counted:
    """Raw counts around bases: ``forward``, ``reverse`` (bases, orders, 4), ``flanks`` (bases, flanks, 4).

    All are in forward orientation (reverse counts are complemented), ``target`` (bases,) is 0..3, or 4 at an N.
    """

    target: np.ndarray
    forward: np.ndarray
    reverse: np.ndarray
    flanks: np.ndarray


def count_around(
    memory: NgramMemory, genome, intervals: np.ndarray, allowed: np.ndarray | None = None, most: int | None = None
):
    """Yield `Counted` for pieces of ``intervals``; context is read where ``allowed`` (bool per global position).

    Where an interval lies inside the memory, its own n-grams are left out. With ``most``, evenly spread pieces of about
    that many bases in all stand for the whole.
    """
    pieces = tile(intervals, PIECE)
    step = max(1, round(len(pieces) * PIECE / most)) if most else 1
    for start, end in pieces[::step]:
        window = cut(genome, [start - MARGIN], end - start + 2 * MARGIN, MARGIN)
        if allowed is not None:
            window = window.keep(allowed[window.positions] & (window.positions >= 0))
        found = memory.lookup(window.codes, window.origin, raw=True)
        inner = slice(MARGIN, MARGIN + end - start)
        reverse = found.reverse[0, ::-1, :, 3::-1]
        blocks = (found.forward[0, :, :, :4], reverse, found.flanks[0, :, :, :4])
        yield Counted(window.codes[0, inner], *(block[inner] for block in blocks))


def held_out(genome, splits, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of a split, and the positions that may be context for it: the split itself and gaps."""
    labels = split_labels(genome, splits)
    allowed = (labels == SPLITS.index(split)) | (labels == SPLITS.index("gap"))
    return split_intervals(genome, splits, split), allowed


def chain(counts: np.ndarray, weights, prior: np.ndarray | None = None) -> np.ndarray:
    """Smoothed probabilities (bases, contexts, 4): each context backs off to the one before it.

    ``p_k = (n_k + w_k p_{k-1}) / (N_k + w_k)``; the first backs off to the uniform distribution.
    """
    out = np.empty(counts.shape, dtype=np.float64)
    p = np.full((len(counts), 4), 0.25) if prior is None else prior
    for k, weight in enumerate(weights):
        n = counts[:, k].astype(np.float64)
        p = (n + weight * p) / (n.sum(1, keepdims=True) + weight)
        out[:, k] = p
    return out


def bits(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """``-log2`` of the probability of the true base; NaN at N."""
    known = target < 4
    value = -np.log2(np.take_along_axis(p, np.minimum(target, 3)[:, None].astype(np.int64), 1)[:, 0])
    return np.where(known, value, np.nan)


def fit_weights(pieces: list[tuple[np.ndarray, np.ndarray]]) -> list[float]:
    """Pseudo-count of each context length, one after the other, that gives the fewest bits.

    ``pieces`` are (counts, target) pairs of validation bases.
    """
    counts = np.concatenate([c for c, _ in pieces])
    target = np.concatenate([t for _, t in pieces])
    known = target < 4
    counts, target = counts[known], target[known]
    p, weights = np.full((len(target), 4), 0.25), []
    for k in range(counts.shape[1]):
        n = counts[:, k].astype(np.float64)
        total = n.sum(1, keepdims=True)
        tries = [(n + w * p) / (total + w) for w in GRID]
        best = int(np.argmin([bits(q, target).mean() for q in tries]))
        weights.append(GRID[best])
        p = tries[best]
    return weights


def markov_bits(counted: Counted, weights) -> dict[str, np.ndarray]:
    """Bits per base in both directions for every order of `REPORTED`."""
    columns = {}
    for direction, counts in (("forward", counted.forward), ("reverse", counted.reverse)):
        p = chain(counts, weights)
        for k in REPORTED:
            q = p[:, ORDERS.index(k)] if k else np.full((len(p), 4), 0.25)
            columns[f"order_{k}_{direction}"] = bits(q, counted.target)
    return columns
