"""What surrounds a real site: a position weight matrix, for a start codon with the ribosome binding site in it."""

import numpy as np

from dnalm.sequence.alphabet import N, reverse_complement
from dnalm.sequence.batches import cut
from dnalm.sequence.gene_structure import ATG
from dnalm.sequence.genetic_code import codon_index, genetic_code

#: Bases before the start codon, and from its first base on, that the matrix covers.
LEFT, RIGHT = 22, 6
PSEUDO = 1.0
#: Score of a base where no site can be.
NEVER = -20.0
#: Bases whose candidates are looked at together.
CHUNK = 1 << 20


def start_matrix(genome, candidates: np.ndarray, starts: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Log-odds of A C G T N in each column around a real start against other candidates, float64 (columns, 5).

    Parameters
    ----------
    candidates, starts : bool (length, 2)
        Codons that could start a gene, and those that do (see `dnalm.annotation.labels.GeneLabels`).
    usable : bool (length,)
        Positions whose labels the matrix may be learned from.
    """
    return site_matrix(genome, candidates, starts, usable, LEFT, RIGHT)


def start_context(genome, candidates: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Log-odds that the surroundings of a base are those of a real start, float64 (length, 2) for both strands.

    Positions that are no candidate, bool (length, 2), get `NEVER`.
    """
    return site_scores(genome, candidates, matrix, LEFT, (0, len(genome.codes)))


def site_matrix(genome, candidates, sites, usable: np.ndarray, left: int, right: int) -> np.ndarray:
    """Position weight matrix (left + right, 5) of a kind of site: log-ratios of bases around real and other candidates.

    It covers ``left`` bases before a site and ``right`` from it on, in the direction of the strand. ``candidates`` and
    ``sites`` are bool (length, 2), arrays or anything that gives arrays for slices.
    """
    counts = np.full((2, left + right, 5), PSEUDO)
    for low in range(0, len(genome.codes), CHUNK):
        span = slice(low, low + CHUNK)
        for side, place, around in _surroundings(genome, candidates, left, right, span):
            true = sites[span][place - low, side]
            for real in (0, 1):
                mine = around[usable[place] & (true == real)]
                for column in range(left + right):
                    counts[real, column] += np.bincount(mine[:, column], minlength=5)
    share = np.log(counts / counts.sum(2, keepdims=True))
    return share[1] - share[0]


def site_scores(genome, candidates, matrix: np.ndarray, left: int, span: tuple[int, int]) -> np.ndarray:
    """Summed log-ratios of the surroundings of the candidates in a global ``span``: float64 (span, 2)."""
    out = np.full((span[1] - span[0], 2), NEVER)
    for low in range(*span, CHUNK):
        part = slice(low, min(low + CHUNK, span[1]))
        for side, place, around in _surroundings(genome, candidates, left, len(matrix) - left, part):
            out[place - span[0], side] = matrix[np.arange(len(matrix)), around].sum(1)
    return out


def earlier_starts(codes: np.ndarray, code: int) -> np.ndarray:
    """How many ATG stand before each base in its reading frame, after the last stop codon there: int64 (length, 2).

    The columns are those of the forward and the reverse strand; a base stands for the codon that begins with it.
    """
    out = np.zeros((len(codes), 2), dtype=np.int64)
    stops = genetic_code(code)[2]
    for side, text in enumerate((np.asarray(codes) & 7, reverse_complement(np.asarray(codes) & 7))):
        codon = codon_index(np.append(text, [N, N]))
        begins, ends = codon == ATG, (codon >= 0) & stops[codon]
        for frame in range(3):
            seen = np.cumsum(begins[frame::3])
            settled = np.maximum.accumulate(np.where(ends[frame::3], seen, 0))
            out[frame::3, side] = seen - begins[frame::3] - np.append(0, settled)[:-1]
        out[:, side] = out[:: 1 if side == 0 else -1, side]
    return out


def _surroundings(genome, candidates, left: int, right: int, span: slice):
    """(strand, global positions, codes around them in the direction of the strand) of the candidates in a span."""
    here = candidates[span]
    for side in (0, 1):
        place = span.start + np.flatnonzero(here[:, side])
        before = left if side == 0 else right - 1
        around = cut(genome, place - before, left + right, before).codes
        yield side, place, around if side == 0 else reverse_complement(around)
