"""The two-sided ruler: P(base | l bases on each side) by counting, both strands, with chained back-off."""

import numpy as np

from dnalm.baselines.markov import Counted, bits, chain, fit_weights

FLANKS = tuple((k, k) for k in range(1, 9))


def fit_flanks(validation: list[Counted]) -> list[float]:
    """Pseudo-counts per flank length, chosen on validation (a large one switches a length off)."""
    return fit_weights([(c.flanks, c.target) for c in validation])


def flank_bits(counted: Counted, weights) -> np.ndarray:
    """Two-sided bits of each base."""
    return bits(chain(counted.flanks, weights)[:, -1], counted.target)
