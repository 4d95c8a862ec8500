"""Choose the best set of candidates of a whole genome."""

import numpy as np

from dnalm.genefinder.candidates import Candidates
from dnalm.sequence.orfs import Orfs, select_genes


def choose(c: Candidates, which: np.ndarray, score: np.ndarray, penalty: float = 0.02) -> np.ndarray:
    """Those of the candidates ``which`` that `dnalm.sequence.orfs.select_genes` chooses, contig by contig."""
    chosen = []
    contig = c.contig[which]
    for number in np.unique(contig):
        mine = which[contig == number]
        strand = np.where(c.side[mine] == 0, 1, -1)
        orfs = Orfs(c.start[mine], c.end[mine], strand, c.group[mine], c.codon[mine], np.zeros(len(mine), dtype=bool))
        chosen.append(mine[select_genes(orfs, score[contig == number], int(c.length[mine[0]]), penalty=penalty)])
    return np.concatenate(chosen) if chosen else np.empty(0, dtype=np.int64)
