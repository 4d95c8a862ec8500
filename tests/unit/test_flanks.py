"""The two-sided ruler: counts between flanks, against strings, and where one side is not enough."""

from collections import Counter

import numpy as np
import pytest
from helpers.genomes import genome_of

from dnalm.baselines.flanks import FLANKS, fit_flanks, flank_bits
from dnalm.baselines.markov import GRID, ORDERS, count_around, fit_weights, markov_bits
from dnalm.models.memory import NgramMemory
from dnalm.sequence.alphabet import N, decode, reverse_complement


def counted(codes, training, interval):
    genome = genome_of(codes)
    memory = NgramMemory.from_genomes([genome], [np.array([training])], ORDERS, FLANKS)
    (found,) = count_around(memory, genome, np.array([interval]))
    return found


def between(seed, length):
    """Every third base is the sum of its two neighbours, which are random: neither side alone says anything of it."""
    codes = np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8)
    middle = np.arange(1, length - 1, 3)
    codes[middle] = (codes[middle - 1] + codes[middle + 1]) % 4
    return codes


def test_two_sides_beat_one_where_a_base_depends_on_both():
    codes = between(1, 60_000)
    found = counted(codes, (0, 54_000), (54_000, 60_000))
    two = flank_bits(found, fit_flanks([found]))
    one = markov_bits(found, fit_weights([(found.forward, found.target)]))
    best = min(values.mean() for values in one.values())
    assert two.mean() < best - 0.15
    middle = np.arange(1, 5999, 3)
    assert two[middle].mean() < min(values[middle].mean() for values in one.values()) - 0.3


def test_bits_equal_string_counts_on_both_strands():
    codes = np.random.default_rng(2).integers(0, 4, 3000).astype(np.uint8)
    codes[2600:2700] = codes[100:200]
    codes[2750:2850] = reverse_complement(codes[300:400])
    found = counted(codes, (0, 2500), (2550, 2900))
    weights = list(np.random.default_rng(3).choice(GRID, len(FLANKS)))
    got = flank_bits(found, weights)
    both = [decode(codes[:2500]), decode(reverse_complement(codes[:2500]))]
    text = decode(codes)
    for place in (2560, 2651, 2699, 2701, 2800, 2849, 2890):
        p = dict.fromkeys("ACGT", 0.25)
        for (k, _), weight in zip(FLANKS, weights, strict=True):
            left, right = text[place - k : place], text[place + 1 : place + k + 1]
            n = Counter(
                s[i]
                for s in both
                for i in range(k, len(s) - k)
                if s[i - k : i] == left and s[i + 1 : i + k + 1] == right
            )
            total = sum(n.values())
            p = {b: (n[b] + weight * p[b]) / (total + weight) for b in "ACGT"}
        assert got[place - 2550] == pytest.approx(-np.log2(p[text[place]]), abs=1e-9)


def test_the_other_strand_gives_the_same_bits():
    codes = between(4, 6000)
    codes[5500] = N
    one = counted(codes, (0, 5000), (5200, 5900))
    two = counted(reverse_complement(codes), (1000, 6000), (100, 800))
    weights = fit_flanks([one])
    assert weights == fit_flanks([two])
    np.testing.assert_allclose(flank_bits(one, weights), flank_bits(two, weights)[::-1], atol=1e-12)
    assert np.flatnonzero(np.isnan(flank_bits(one, weights))).tolist() == [300]


def test_lengths_that_say_nothing_are_switched_off():
    codes = np.random.default_rng(5).integers(0, 4, 30_000).astype(np.uint8)
    found = counted(codes, (0, 25_000), (25_000, 30_000))
    weights = fit_flanks([found])
    assert flank_bits(found, weights).mean() < 2.01
    assert weights[4] == max(GRID)  # seen about once each: noise
