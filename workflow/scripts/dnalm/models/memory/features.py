"""From counts of contexts to what a network reads: probabilities smoothed by back-off, as centred logarithms.

Chained back-off: ``p_k = (n_k + a p_{k-1}) / (N_k + a)``, the predictive mean of a Dirichlet prior centred on the next
shorter context (MacKay & Peto 1995).

Shapes: B windows, L bases, K contexts; 4 = bases A C G T.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

#: Values per context in a feature block: 4 centred log-probabilities and log(1 + context count).
VALUES = 5


@dataclass(frozen=True)
class Features:
    """Memory features of a batch of windows; every block is float32 and aligned to the base it predicts.

    ``forward`` and ``reverse`` have shape (batch, length, orders, 5): the base given what stands before it on the
    forward strand, and its complement given what stands before it on the reverse strand (stored in reading order of
    the reverse strand). ``flanks`` has shape (batch, length, flanks, 5): the base given both sides.
    """

    forward: np.ndarray
    reverse: np.ndarray
    flanks: np.ndarray


def prior_weight(length: int) -> float:
    """Pseudo-counts of the back-off for a context of ``length`` bases.

    Short contexts are seen often and say little beyond the next shorter one; a long one that was seen at all is a
    repeat and says a lot. Values from a grid on validation blocks of a 1-Mb bacterium; the network sees the counts
    too and re-weights.
    """
    return 128.0 if length <= 10 else 32.0 if length <= 13 else 4.0


def next_shorter_flanks(flanks) -> np.ndarray:
    """Index of the flank that each of ``flanks`` backs off to: the longest one inside it, -1 if there is none.

    The mirror image of a flank backs off to the mirror image of what the flank backs off to: a symmetric flank to a
    symmetric one, another one to the one that leans its way.
    """
    return np.array([_longest_inside(flank, flanks) for flank in flanks])


def _longest_inside(flank, flanks) -> int:
    lean = flank[0] - flank[1]
    inside = [
        (left + right, -abs(left - right), (left - right) * lean, i)
        for i, (left, right) in enumerate(flanks)
        if (left, right) != flank and left <= flank[0] and right <= flank[1] and (lean or left == right)
    ]
    return max(inside)[-1] if inside else -1


def raw_block(counts_BLK4: np.ndarray) -> np.ndarray:
    """Four counts and their sum, float32 (B, L, K, 5)."""
    out = np.empty((*counts_BLK4.shape[:3], VALUES), dtype=np.float32)
    out[..., :4] = counts_BLK4
    out[..., 4] = counts_BLK4.sum(-1)
    return out


def smoothed_block(counts_BLK4: np.ndarray, lengths, shorter) -> np.ndarray:
    """Centred log-probabilities and log(1 + count), float32 (B, L, K, 5).

    Parameters
    ----------
    counts_BLK4 : int32
        How often each base stood in each context.
    lengths : K ints
        Bases of each context.
    shorter : K ints
        Index of the context that each backs off to, -1 for the uniform distribution; always a smaller index.
    """
    if not counts_BLK4.size:
        return np.zeros((*counts_BLK4.shape[:3], VALUES), dtype=np.float32)
    out = np.empty((*counts_BLK4.shape[:3], VALUES), dtype=np.float32)
    weights = np.array([prior_weight(length) for length in lengths])
    _smooth(
        counts_BLK4.reshape(-1, *counts_BLK4.shape[2:]), weights, np.asarray(shorter), out.reshape(-1, *out.shape[2:])
    )
    # over the whole block at once, which is many times faster than one by one
    return np.log(out, out=out)


@njit(cache=True)
def _smooth(counts, weights, shorter, out):
    """Write 4 x probability and 1 + count for every context."""
    # row 0 is the uniform distribution, so that "shorter + 1" is always a row
    p = np.full((len(weights) + 1, 4), 0.25)
    for i in range(counts.shape[0]):
        for j in range(counts.shape[1]):
            n, prior, weight = counts[i, j], p[shorter[j] + 1], weights[j]
            total = n[0] + n[1] + n[2] + n[3]
            scale = 1.0 / (total + weight)
            for c in range(4):
                p[j + 1, c] = (n[c] + weight * prior[c]) * scale if total > 0 else prior[c]
                out[i, j, c] = p[j + 1, c] * 4.0
            out[i, j, 4] = 1 + total
