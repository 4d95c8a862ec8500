"""Ranks with intervals: against scikit-learn, and against resampling row by row."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from dnalm.evaluate.intervals import draws_of
from dnalm.evaluate.ranking import Auroc, AurocByScore, AveragePrecision, auroc, difference, interval, levels_of

UNITS = 7
THEIRS = {Auroc: roc_auc_score, AurocByScore: roc_auc_score, AveragePrecision: average_precision_score}


def rows(seed=1, n=400, decimals=1):
    """Scores with ties, classes, units of unequal size."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.3
    return np.round(rng.normal(positive, 1.0), decimals), positive, rng.integers(0, UNITS, n) * rng.integers(0, 2, n)


@pytest.mark.parametrize("kind", THEIRS)
def test_values_equal_those_of_scikit_learn(kind):
    for seed in range(5):
        scores, positive, unit = rows(seed)
        assert kind(scores, positive, unit, UNITS)(np.ones(UNITS)) == pytest.approx(THEIRS[kind](positive, scores))


@pytest.mark.parametrize("kind", THEIRS)
def test_draws_equal_resampling_row_by_row(kind):
    scores, positive, unit = rows()
    weights = draws_of(UNITS, 60, 3)
    drawn = kind(scores, positive, unit, UNITS)(weights)
    for w, value in zip(weights.astype(int), drawn, strict=True):
        again = np.repeat(np.arange(len(scores)), w[unit])
        assert value == pytest.approx(THEIRS[kind](positive[again], scores[again]))


@pytest.mark.parametrize("kind", [Auroc, AurocByScore])
def test_groups_are_weighted_by_their_pairs_in_every_draw(kind):
    scores, positive, unit = rows(2)
    group = np.random.default_rng(3).integers(5, 9, len(scores))
    positive[group == 8] = True  # a group of one class has no pair
    statistic = kind(scores, positive, unit, UNITS, group)
    weights = np.concatenate([np.ones((1, UNITS)), draws_of(UNITS, 20, 4)])
    for w, value in zip(weights.astype(int), statistic(weights), strict=True):
        right = pairs = 0
        for g in (5, 6, 7):
            again = np.repeat(np.flatnonzero(group == g), w[unit[group == g]])
            size = positive[again].sum() * (~positive[again]).sum()
            right += size * roc_auc_score(positive[again], scores[again])
            pairs += size
        assert value == pytest.approx(right / pairs)


def test_intervals_are_those_of_the_draws():
    scores, positive, unit = rows(5, 1000)
    weights = draws_of(UNITS, 200, 6)
    value, low, high = interval(Auroc(scores, positive, unit, UNITS), weights)
    drawn = []
    for w in weights.astype(int):
        again = np.repeat(np.arange(len(scores)), w[unit])
        drawn.append(roc_auc_score(positive[again], scores[again]))
    spread = np.quantile(drawn, 0.975) - np.quantile(drawn, 0.025)
    assert low < value < high
    # bias-corrected percentiles of the same draws
    assert low == pytest.approx(np.quantile(drawn, 0.025), abs=0.2 * spread)
    assert high == pytest.approx(np.quantile(drawn, 0.975), abs=0.2 * spread)


def test_differences_are_paired():
    scores, positive, unit = rows(7, 2000)
    better = scores + positive
    weights = draws_of(UNITS, 300, 8)
    a, b = (Auroc(s, positive, unit, UNITS) for s in (better, scores))
    value, low, high = difference(a, b, weights)
    assert value == pytest.approx(roc_auc_score(positive, better) - roc_auc_score(positive, scores))
    assert 0 < low < value < high
    singly = [interval(statistic, weights) for statistic in (a, b)]
    assert high - low < sum(one[2] - one[1] for one in singly)
    assert difference(a, a, weights) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("kind", THEIRS)
def test_many_different_scores_are_off_by_less_than_one_level(kind):
    scores, positive, unit = rows(9, 20_000, 12)
    exact = THEIRS[kind](positive, scores)
    for levels in (64, 512):
        assert kind(scores, positive, unit, UNITS, levels=levels)(np.ones(UNITS)) == pytest.approx(
            exact, abs=1 / levels
        )


def test_levels_keep_order_and_ties():
    rng = np.random.default_rng(10)
    few = rng.integers(-3, 4, 500) / 8
    assert (levels_of(few) == np.unique(few, return_inverse=True)[1]).all()
    many = np.round(rng.normal(size=5000), 2)
    level, order = levels_of(many, 50), np.argsort(many, kind="stable")
    assert (np.diff(level[order]) >= 0).all() and 40 < level.max() < 50
    assert (level[order][1:] == level[order][:-1])[np.diff(many[order]) == 0].all()


def test_one_class_or_one_unit_gives_no_interval():
    scores, positive, _ = rows(11)
    weights = draws_of(UNITS, 50, 1)
    value, low, high = interval(Auroc(scores, positive, np.full(len(scores), 2), UNITS), weights)
    assert value == pytest.approx(roc_auc_score(positive, scores))
    assert np.isnan([low, high]).all()
    for kind in THEIRS:
        nothing = interval(kind(scores, np.zeros(len(scores), dtype=bool), positive.astype(int), UNITS), weights)
        assert np.isnan(nothing).all()


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="NaN"):
        Auroc([0.1, np.nan], [True, False], [0, 1], 2)


def test_many_units_need_no_pairs_of_units():
    units, n = 20_000, 30_000
    rng = np.random.default_rng(9)
    positive, unit = rng.random(n) < 0.4, rng.integers(0, units, n)
    scores, group = rng.normal(positive, 1.0), rng.integers(0, 3000, n)
    weights = draws_of(units, 5, 10)
    for groups in (None, group):
        statistic = auroc(scores, positive, unit, units, groups, n + 1)
        assert isinstance(statistic, AurocByScore) and sum(c.data.nbytes for c in statistic.counts) < 1e6
        assert np.isfinite(statistic(weights)).all()
    assert auroc(scores, positive, unit, units, None, n + 1)(np.ones(units)) == pytest.approx(
        roc_auc_score(positive, scores), abs=1e-12
    )
    assert isinstance(auroc(scores, positive, unit % 50, 50), Auroc)
