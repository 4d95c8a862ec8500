"""Choose the best set of candidates of a whole genome."""

import numpy as np

from dnalm.genefinder.candidates import Candidates
from dnalm.sequence.orfs import MAX_OPPOSITE, Orfs, select_genes


def choose(c: Candidates, which: np.ndarray, score: np.ndarray, penalty: float = 0.02) -> np.ndarray:
    """Those of the candidates ``which`` that `dnalm.sequence.orfs.select_genes` chooses, in order of contig and end.

    Contigs are chosen from one by one only where candidates cross the origin. All others stand in a row, too far apart
    for an overlap, so that a draft of thousands of contigs takes no longer than a whole genome.
    """
    crossing = np.isin(c.contig[which], np.unique(c.contig[which[c.end[which] > c.length[which]]]))
    parts = [np.flatnonzero(~crossing)]
    parts += [np.flatnonzero(c.contig[which] == number) for number in np.unique(c.contig[which[crossing]])]
    chosen = [_choose(c, which[part], score[part], len(part) and crossing[part[0]], penalty) for part in parts]
    chosen = np.concatenate(chosen)
    return chosen[np.lexsort((c.start[chosen], c.end[chosen], c.contig[chosen]))]


def _choose(c: Candidates, which: np.ndarray, score: np.ndarray, circular: bool, penalty: float) -> np.ndarray:
    """The chosen ones among candidates of one circular contig, or of any number of linear ones."""
    if circular:
        shift, length = 0, int(c.length[which[0]])
    else:
        number = np.unique(c.contig[which], return_inverse=True)[1]
        sizes = np.zeros(number.max(initial=-1) + 1, dtype=np.int64)
        sizes[number] = c.length[which] + MAX_OPPOSITE
        shift, length = (np.cumsum(sizes) - sizes)[number], int(sizes.sum())
    strand = np.where(c.side[which] == 0, 1, -1)
    orfs = Orfs(
        c.start[which] + shift, c.end[which] + shift, strand, c.group[which], c.codon[which],
        np.zeros(len(which), dtype=bool),
    )  # fmt: skip
    return which[select_genes(orfs, score, length, penalty=penalty)]
