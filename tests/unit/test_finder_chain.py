"""Genes are chosen over all contigs at once: as if each contig had been looked at by itself."""

import numpy as np
import pytest
from helpers.finder import random_candidates

from dnalm.genefinder.chain import choose
from dnalm.sequence.orfs import Orfs, select_genes


def one_by_one(c, which, score):
    """The choice contig by contig."""
    chosen = []
    for number in np.unique(c.contig[which]):
        mine = which[c.contig[which] == number]
        strand = np.where(c.side[mine] == 0, 1, -1)
        orfs = Orfs(c.start[mine], c.end[mine], strand, c.group[mine], c.codon[mine], np.zeros(len(mine), dtype=bool))
        chosen.append(mine[select_genes(orfs, score[c.contig[which] == number], int(c.length[mine[0]]))])
    return np.concatenate(chosen)


@pytest.mark.parametrize("circular", [False, True])
def test_all_contigs_at_once_give_the_choice_of_each(circular):
    _, c = random_candidates(3, tuple(np.random.default_rng(0).integers(100, 900, 40) + 500), circular)
    rng = np.random.default_rng(1)
    which = np.sort(rng.choice(len(c), len(c) // 2, replace=False))
    score = rng.normal(0, 5, len(which))
    chosen = choose(c, which, score)
    np.testing.assert_array_equal(chosen, one_by_one(c, which, score))
    assert len(np.unique(c.contig[chosen])) > 30
    assert not circular or (c.end[chosen] > c.length[chosen]).any()


def test_nothing_to_choose_from_gives_nothing():
    _, c = random_candidates()
    assert len(choose(c, np.empty(0, dtype=np.int64), np.empty(0))) == 0
