"""What surrounds a real start codon: a position weight matrix, ribosome binding site included."""

import numpy as np

from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.batches import cut

#: Bases before the start codon, and from its first base on, that the matrix covers.
LEFT, RIGHT = 22, 6
PSEUDO = 1.0


def start_context(genome, candidates: np.ndarray, starts: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Log-odds that the surroundings of a base are those of a real start, float64 (length, 2) for both strands.

    Parameters
    ----------
    candidates, starts : bool (length, 2)
        Codons that could start a gene, and those that do (see `dnalm.io.labels.GeneLabels`).
    usable : bool (length,)
        Positions whose labels the matrix may be learned from. Positions that are no candidate get -20.
    """
    total = len(genome.codes)
    sides = []
    counts = np.full((2, LEFT + RIGHT, 5), PSEUDO)
    for side in (0, 1):
        place = np.flatnonzero(candidates[:, side])
        first = place - (LEFT if side == 0 else RIGHT - 1)
        around = cut(genome, first, LEFT + RIGHT, LEFT if side == 0 else RIGHT - 1).codes
        around = around if side == 0 else reverse_complement(around)
        sides.append((place, around))
        for real in (0, 1):
            mine = around[usable[place] & (starts[place, side] == real)]
            for column in range(LEFT + RIGHT):
                counts[real, column] += np.bincount(mine[:, column], minlength=5)
    share = np.log(counts / counts.sum(2, keepdims=True))
    matrix = share[1] - share[0]
    out = np.full((total, 2), -20.0)
    for side, (place, around) in enumerate(sides):
        out[place, side] = matrix[np.arange(LEFT + RIGHT), around].sum(1)
    return out
