"""Lengths of introns against the distributions that they were drawn from."""

import itertools

import numpy as np
import pytest
from helpers.structures import planted_introns
from scipy import optimize, stats

from dnalm.annotation.transcripts import read_transcripts
from dnalm.baselines.intron_lengths import FEWEST, intron_lengths, training_introns


def density(kinds, lengths):
    """Probability of each length under the mixture."""
    each = [np.where(lengths >= k.shortest, np.exp(k.enter + k.stay * (lengths - k.shortest)), 0) for k in kinds]
    return np.sum(each, axis=0)


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(4)
    return np.concatenate([45 + rng.geometric(0.1, 600) - 1, 30 + rng.geometric(0.002, 400) - 1])


def test_two_kinds_come_back_and_are_a_distribution(drawn):
    many, others = intron_lengths(drawn, 30)
    assert abs(many.shortest - 45) <= 1 and others.shortest == 30
    assert np.exp(many.stay) == pytest.approx(0.9, abs=0.02) and np.exp(others.stay) == pytest.approx(0.998, abs=3e-4)
    assert density((many, others), np.arange(30, 50_000)).sum() == pytest.approx(1)
    assert (np.exp(many.enter) / (1 - np.exp(many.stay))) == pytest.approx(0.6, abs=0.06)


def test_it_is_as_likely_as_what_scipy_finds(drawn):
    kinds = intron_lengths(drawn, 30)

    def loss(x, start):
        share, p, q = 1 / (1 + np.exp(-x))
        each = share * stats.geom.pmf(drawn - start + 1, p) + (1 - share) * stats.geom.pmf(drawn - 29, q)
        return -np.log(each).sum()

    best = min(optimize.minimize(loss, [0, -2, -6], (start,), method="Nelder-Mead").fun for start in (44, 45, 46))
    assert -np.log(density(kinds, drawn)).sum() == pytest.approx(best, abs=1.0)


@pytest.mark.parametrize("lengths", [np.full(200, 50), np.arange(30, 230), np.array([30] * 60 + [900_000] * 60)])
def test_lengths_that_are_no_such_mixture_do_no_harm(lengths):
    with np.errstate(all="raise", under="ignore"):
        kinds = intron_lengths(lengths, 30)
    assert np.isfinite(kinds).all() and (np.log(density(kinds, lengths)) > -40).all()


def test_few_introns_say_nothing():
    assert intron_lengths(np.full(FEWEST - 1, 60), 20) == () == intron_lengths(np.full(500, 19), 20)
    assert intron_lengths(np.full(FEWEST, 60), 20)


def test_introns_of_training_blocks_alone_are_measured():
    planted = planted_introns(2, genes=30, contigs=2)
    table = read_transcripts(planted.genome, planted.features)
    size = len(planted.genome.codes)
    everywhere = training_introns(planted.genome, table, np.ones(size, bool))
    gaps = [b[0] - a[1] for _, _, parts in planted.genes for a, b in itertools.pairwise(parts)]
    assert sorted(everywhere) == sorted(gaps) and len(gaps) > 20
    second = np.arange(size) >= planted.genome.contigs["offset"].iloc[1]
    first = training_introns(planted.genome, table, ~second)
    mine = [b[0] - a[1] for c, _, parts in planted.genes if c == "c0" for a, b in itertools.pairwise(parts)]
    assert sorted(first) == sorted(mine) and 0 < len(first) < len(everywhere)
    assert len(training_introns(planted.genome, table.iloc[:0], second)) == 0
