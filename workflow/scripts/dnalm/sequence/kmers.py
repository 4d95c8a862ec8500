"""Words of bases as numbers."""

import numpy as np
from numba import njit


@njit(cache=True)
def kmer_index(codes, k):
    """Index of the ``k`` bases (15 at most) that end at each place, -1 where one of them is N or missing.

    ``codes`` are bases 0..4 without soft-mask bits; int32 of the same shape.
    """
    size = 4**k
    out = np.empty(len(codes), dtype=np.int32)
    index, known = 0, 0
    for i in range(len(codes)):
        if codes[i] > 3:
            index, known, out[i] = 0, 0, -1
            continue
        index = (4 * index + codes[i]) % size
        known += 1
        out[i] = index if known >= k else -1
    return out
