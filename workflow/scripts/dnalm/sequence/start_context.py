"""What surrounds a real start codon: a position weight matrix, ribosome binding site included."""

import numpy as np

from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.batches import cut

#: Bases before the start codon, and from its first base on, that the matrix covers.
LEFT, RIGHT = 22, 6
PSEUDO = 1.0


def start_matrix(genome, candidates: np.ndarray, starts: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Log-odds of A C G T N in each column around a real start against other candidates, float64 (columns, 5).

    Parameters
    ----------
    candidates, starts : bool (length, 2)
        Codons that could start a gene, and those that do (see `dnalm.io.labels.GeneLabels`).
    usable : bool (length,)
        Positions whose labels the matrix may be learned from.
    """
    counts = np.full((2, LEFT + RIGHT, 5), PSEUDO)
    for side in (0, 1):
        place = np.flatnonzero(candidates[:, side] & usable)
        around = _around(genome, place, side)
        for real in (0, 1):
            mine = around[starts[place, side] == real]
            for column in range(LEFT + RIGHT):
                counts[real, column] += np.bincount(mine[:, column], minlength=5)
    share = np.log(counts / counts.sum(2, keepdims=True))
    return share[1] - share[0]


def start_context(genome, candidates: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Log-odds that the surroundings of a base are those of a real start, float64 (length, 2) for both strands.

    Positions that are no candidate, bool (length, 2), get -20.
    """
    out = np.full((len(genome.codes), 2), -20.0)
    for side in (0, 1):
        place = np.flatnonzero(candidates[:, side])
        out[place, side] = matrix[np.arange(LEFT + RIGHT), _around(genome, place, side)].sum(1)
    return out


def _around(genome, place: np.ndarray, side: int) -> np.ndarray:
    """Bases that the matrix covers around starts on one strand, in its direction; uint8 (starts, columns)."""
    before = LEFT if side == 0 else RIGHT - 1
    around = cut(genome, place - before, LEFT + RIGHT, before).codes
    return around if side == 0 else reverse_complement(around)
