"""Block bootstrap: units, draws, intervals that cover what they should, and paired differences."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap as scipy_bootstrap

from dnalm.evaluate.intervals import bootstrap, draws_of, paired, ratio, units_of


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 30_000)), max_size=6), st.integers(1, 6000))
def test_units_tile_the_intervals(gaps_and_sizes, unit):
    intervals, at = [], 0
    for gap, size in gaps_and_sizes:
        intervals.append((at + gap, at + gap + size))
        at += gap + size
    units = units_of(np.array(intervals).reshape(-1, 2), unit)
    assert units.shape[1:] == (2,)
    for start, end in intervals:
        mine = units[(units[:, 0] >= start) & (units[:, 1] <= end)]
        assert mine[0, 0] == start and mine[-1, 1] == end
        assert (mine[1:, 0] == mine[:-1, 1]).all()
        sizes = mine[:, 1] - mine[:, 0]
        assert sizes.max() <= 1.5 * unit + 1
        assert sizes.min() >= min(unit, end - start) / 2 - 1
        assert sizes.max() - sizes.min() <= 1
    assert (units[:, 1] - units[:, 0]).sum() == sum(b - a for a, b in intervals)


def test_draws_are_resamples_from_a_seed():
    draws = draws_of(40, 3000, 7)
    assert draws.shape == (3000, 40)
    assert (draws.sum(1) == 40).all()
    assert draws.mean(0) == pytest.approx(1, abs=0.1)
    assert draws.var() == pytest.approx(1 - 1 / 40, abs=0.05)  # multinomial
    np.testing.assert_array_equal(draws, draws_of(40, 3000, 7))
    assert (draws != draws_of(40, 3000, 8)).any()


def test_the_interval_is_close_to_scipys_bca_method():
    """That one corrects for a changing variance too, which matters little here."""
    rng = np.random.default_rng(1)
    sums = np.stack([rng.gamma(3, 2, 60), rng.gamma(9, 1, 60)], axis=1)
    value, low, high = bootstrap(ratio, sums, draws_of(60, 5000, 1))

    def statistic(x, y, axis):
        return x.sum(axis) / y.sum(axis)

    theirs = scipy_bootstrap(
        (sums[:, 0], sums[:, 1]), statistic, paired=True, n_resamples=5000, method="BCa", rng=rng
    ).confidence_interval
    assert value == pytest.approx(sums[:, 0].sum() / sums[:, 1].sum())
    assert low == pytest.approx(theirs.low, abs=0.1 * (high - low))
    assert high == pytest.approx(theirs.high, abs=0.1 * (high - low))


def bias_corrected(value, drawn):
    """Efron's bias-corrected percentiles, by the book; ties count half."""
    normal = NormalDist()
    below = (sum(d < value for d in drawn) + 0.5 * sum(d == value for d in drawn)) / len(drawn)
    shift = 2 * normal.inv_cdf(below)
    return [float(np.quantile(drawn, normal.cdf(shift + normal.inv_cdf(q)))) for q in (0.025, 0.975)]


@pytest.mark.parametrize("skew", [1, 3])
def test_a_draw_is_the_statistic_of_the_resampled_units(skew):
    rng = np.random.default_rng(2)
    sums = rng.random((12, 3)) ** skew + 0.1
    weights = draws_of(12, 500, 2)

    def statistic(s):
        return np.abs(s[..., 0] - s[..., 1]) / s[..., 2]

    value, low, high = bootstrap(statistic, sums, weights)
    drawn = [statistic(np.repeat(sums, row.astype(int), axis=0).sum(0)) for row in weights]
    assert value == pytest.approx(statistic(sums.sum(0)))
    assert [low, high] == pytest.approx(bias_corrected(value, drawn))


def test_the_value_lies_in_its_interval_even_where_resampling_is_biased():
    """A sum of absolute differences grows when units are drawn twice: plain percentiles lie above it."""
    rng = np.random.default_rng(8)
    sums = rng.normal(0, 1, (30, 40))
    sums -= sums.mean(0)

    def statistic(s):
        return np.abs(s).sum(-1)

    weights = draws_of(30, 400, 1)
    value, low, high = bootstrap(statistic, sums, weights)
    assert np.quantile(statistic(weights @ sums), 0.025) > value
    assert low <= value <= high


def correlated_bases(rng, units, size, rho=0.97):
    """Bits of ``units * size`` neighbouring bases, an autoregressive series of mean 1.9."""
    noise = rng.normal(0, np.sqrt(1 - rho**2), units * size)
    series = np.empty(units * size)
    last = rng.normal()
    for i, e in enumerate(noise):
        last = rho * last + e
        series[i] = last
    return 1.9 + series


def test_the_interval_covers_the_truth_about_95_times_in_100():
    """Bases are dependent: units of 100 cover the true mean, units of one base pretend to a false certainty."""
    rng, covered, naive, runs = np.random.default_rng(3), 0, 0, 200
    blocks, single = draws_of(40, 400, 3), draws_of(2000, 400, 4)
    for _ in range(runs):
        bits = correlated_bases(rng, 40, 50, 0.8)
        by_unit = np.stack([bits.reshape(40, 50).sum(1), np.full(40, 50.0)], axis=1)
        by_base = np.stack([bits, np.ones(len(bits))], axis=1)
        _, low, high = bootstrap(ratio, by_unit, blocks)
        covered += low <= 1.9 <= high
        _, low, high = bootstrap(ratio, by_base, single)
        naive += low <= 1.9 <= high
    assert 0.87 <= covered / runs <= 0.985
    assert naive / runs < 0.65


def test_paired_differences_cover_and_are_narrower_for_methods_that_agree():
    rng, covered, runs = np.random.default_rng(4), 0, 200
    weights = draws_of(50, 400, 5)
    narrower = []
    for _ in range(runs):
        shared, count = rng.normal(0, 20, 50), np.full(50, 100.0)
        a = np.stack([190 + shared + rng.normal(0, 3, 50), count], axis=1)
        b = np.stack([195 + shared + rng.normal(0, 3, 50), count], axis=1)
        _, low, high = paired(ratio, a, b, weights)
        covered += low <= -0.05 <= high
        unpaired = np.quantile(
            [x - y for x, y in zip(ratio(weights @ a), ratio(weights[::-1] @ b), strict=True)], [0.025, 0.975]
        )
        narrower.append((high - low) / (unpaired[1] - unpaired[0]))
    assert 0.87 <= covered / runs <= 0.985
    assert max(narrower) < 0.5


def test_identical_methods_differ_by_exactly_nothing():
    sums = np.random.default_rng(5).random((30, 2))
    assert paired(ratio, sums, sums.copy(), draws_of(30, 500, 6)) == (0.0, 0.0, 0.0)


def test_order_of_the_pair_is_first_minus_second():
    one, two = np.full((10, 2), [3.0, 1.0]), np.full((10, 2), [1.0, 1.0])
    weights = draws_of(10, 100, 1)
    assert paired(ratio, one, two, weights) == (2.0, 2.0, 2.0)
    assert paired(ratio, two, one, weights) == (-2.0, -2.0, -2.0)


def test_the_same_seed_gives_the_same_interval():
    sums = np.random.default_rng(6).random((25, 2))
    results = [bootstrap(ratio, sums, draws_of(25, 300, seed)) for seed in (1, 1, 2)]
    assert results[0] == results[1] != results[2]
    assert results[0][0] == results[2][0]


def test_a_ratio_over_nothing_is_not_a_number_and_never_an_error():
    np.testing.assert_array_equal(ratio(np.array([[1.0, 2.0], [1.0, 0.0]])), [0.5, np.nan])
    value, low, high = bootstrap(ratio, np.zeros((8, 2)), draws_of(8, 50, 1))
    assert np.isnan([value, low, high]).all()


def test_draws_where_the_statistic_is_undefined_are_left_out():
    """Only two units of twelve have a denominator: draws without them say nothing."""
    sums = np.zeros((12, 2))
    sums[[3, 7]] = [[3.0, 4.0], [6.0, 8.0]]
    assert bootstrap(ratio, sums, draws_of(12, 400, 1)) == (0.75, 0.75, 0.75)


def test_what_lies_in_one_unit_has_a_value_without_an_interval():
    sums = np.zeros((8, 2))
    sums[3] = 3.0, 4.0
    value, low, high = bootstrap(ratio, sums, draws_of(8, 400, 1))
    assert value == 0.75
    assert np.isnan([low, high]).all()
