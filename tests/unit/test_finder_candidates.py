"""The layout of candidates: every span is what it says, on either strand and across the origin."""

import numpy as np
import pytest
from helpers.finder import random_candidates
from helpers.genomes import genome_of

from dnalm.genefinder.candidates import find_candidates
from dnalm.genefinder.chain import choose
from dnalm.genefinder.groups import best_of_group, per_group
from dnalm.sequence.alphabet import decode, reverse_complement
from dnalm.sequence.orfs import find_orfs

STARTS, STOPS = {"ATG", "GTG", "TTG"}, {"TAA", "TAG", "TGA"}


@pytest.mark.parametrize("circular", [False, True])
def test_spans_of_the_texts_are_the_candidates_of_the_contigs(circular):
    genome, c = random_candidates(circular=circular)
    for i in range(len(c)):
        name = genome.contigs["contig"][c.contig[i]]
        codes = genome.contig_codes(name).take(np.arange(c.start[i], c.end[i]), mode="wrap")
        codes = codes if c.side[i] == 0 else reverse_complement(codes)
        np.testing.assert_array_equal(c.texts[c.side[i], c.first[i] : c.last[i]], codes)
        letters = decode(codes)
        assert (letters[:3] in STARTS) == (c.codon[i] >= 0) or c.codon[i] < 0
        assert (letters[-3:] in STOPS) != c.open_end[i]


@pytest.mark.parametrize("circular", [False, True])
def test_candidates_are_those_of_every_contig(circular):
    genome, c = random_candidates(circular=circular)
    groups = 0
    for number, name in enumerate(genome.contigs["contig"]):
        orfs = find_orfs(genome.contig_codes(name), 11, 30, circular)
        mine = c.contig == number
        ours = zip(c.start[mine], c.end[mine], 1 - 2 * c.side[mine], strict=True)
        assert sorted(ours) == sorted(zip(orfs.start, orfs.end, orfs.strand, strict=True))
        groups += len(np.unique(orfs.group))
    assert c.groups == groups == len(np.unique(c.group))
    assert len(np.unique(np.stack([c.group, c.contig]), axis=1).T) == groups  # no group spans two contigs


def test_contigs_do_not_run_into_each_other():
    open_frame = "ATG" + "GCC" * 40
    c = find_candidates(genome_of(open_frame, "GCC" * 40 + "TAA"), 60)
    assert c.open_end[(c.contig == 0) & (c.side == 0)].all()
    assert (c.codon[(c.contig == 1) & (c.side == 0)] < 0).any()


def test_genomes_without_candidates_are_empty():
    c = find_candidates(genome_of("N" * 500, "ACGT"), 60)
    assert len(c) == 0 and c.groups == 0
    assert len(choose(c, np.empty(0, dtype=np.int64), np.empty(0))) == 0


def test_best_of_group_and_per_group_equal_a_loop():
    _, c = random_candidates()
    rng = np.random.default_rng(1)
    index = np.sort(rng.choice(len(c), len(c) * 2 // 3, replace=False))
    value = rng.normal(size=len(index))
    best, top = best_of_group(c, index, value), per_group(c, index, value)
    expected = {}
    for i, v in zip(index, value, strict=True):
        if v > expected.get(c.group[i], (-np.inf,))[0]:
            expected[c.group[i]] = (v, i)
    assert {c.group[i]: i for i in best} == {g: i for g, (_, i) in expected.items()}
    assert all(top[g] == v for g, (v, _) in expected.items())
    assert np.isinf(top[~np.isin(np.arange(c.groups), list(expected))]).all()


def test_genes_are_chosen_contig_by_contig():
    _, c = random_candidates()
    score = c.bases.astype(float)
    chosen = choose(c, np.arange(len(c)), score)
    assert set(c.contig[chosen]) == {0, 1}
    for number in (0, 1):
        only = np.flatnonzero(c.contig == number)
        assert set(choose(c, only, score[only])) == set(chosen[c.contig[chosen] == number])
