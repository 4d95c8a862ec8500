"""Neighbours and rivals against looking at every pair."""

import numpy as np
from helpers.finder import random_candidates

from dnalm.genefinder.groups import best_of_group
from dnalm.genefinder.surroundings import FAR_AWAY, neighbours, rivals


def test_neighbours_equal_a_search_among_all_genes():
    _, c = random_candidates(lengths=(3000, 2500))
    rng = np.random.default_rng(0)
    best = best_of_group(c, np.arange(len(c)), c.bases)
    genes = np.sort(rng.choice(best, 25, replace=False))
    index = np.arange(len(c))
    representative = np.zeros(c.groups, dtype=np.int64)
    representative[c.group[best]] = best
    mine = representative[c.group]
    middle = (c.start[mine] + c.end[mine]) / 2
    near = neighbours(c, index, middle, genes)
    for i in rng.choice(len(c), 200, replace=False):
        others = [g for g in genes if c.contig[g] == c.contig[i] and c.group[g] != c.group[i]]
        places = {g: (c.start[g] + c.end[g]) / 2 - middle[i] for g in others}
        before = [g for g, place in places.items() if place < 0 or (place == 0 and c.side[i] == 1)]
        behind = [g for g in others if g not in before]
        left = max(before, key=lambda g: c.start[g] + c.end[g], default=None)
        right = min(behind, key=lambda g: c.start[g] + c.end[g], default=None)
        gaps = {
            "left": (FAR_AWAY, 0) if left is None else (c.start[i] - c.end[left], c.side[left] == c.side[i]),
            "right": (FAR_AWAY, 0) if right is None else (c.start[right] - c.end[i], c.side[right] == c.side[i]),
        }
        front, back = ("left", "right") if c.side[i] == 0 else ("right", "left")
        got = (near.front[i], near.front_same[i], near.back[i], near.back_same[i])
        want = [np.clip(gaps[front][0], -FAR_AWAY, FAR_AWAY), gaps[front][1]]
        want += [np.clip(gaps[back][0], -FAR_AWAY, FAR_AWAY), gaps[back][1]]
        np.testing.assert_array_equal(got, want)


def test_without_genes_everything_is_far_away():
    _, c = random_candidates()
    near = neighbours(c, np.arange(len(c)), c.start.astype(float), np.empty(0, dtype=np.int64))
    assert (near.front == FAR_AWAY).all() and not near.back_same.any()


def test_rivals_equal_a_look_at_every_pair():
    _, c = random_candidates(lengths=(3000, 2500))
    rng = np.random.default_rng(0)
    which = np.sort(rng.choice(len(c), 150, replace=False))
    value = rng.normal(size=150)
    got = rivals(c, which, value)
    for k, i in enumerate(which):
        best = 0.0
        for m, j in enumerate(which):
            overlap = min(c.end[i], c.end[j]) - max(c.start[i], c.start[j])
            if j != i and c.contig[i] == c.contig[j] and overlap > min(60, min(c.bases[i], c.bases[j]) // 2):
                best = max(best, value[m])
        assert got[k] == best
