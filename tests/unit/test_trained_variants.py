"""Scorers learn from other groups alone: planted leaks, thresholds and calibration by brute force, saved models."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, precision_score

from dnalm.errors import InputError
from dnalm.variants import trained
from dnalm.variants.final import FinalScorer
from dnalm.variants.trained import (
    Calibration,
    LogisticScorer,
    best_threshold,
    calls,
    folds_of,
    held_out,
    inner_scores,
    overlap_weights,
    precise_threshold,
)


def planted(groups=8, each=40, seed=0):
    """Labels that only the group tells (by its name as one-hot), beside noise."""
    rng = np.random.default_rng(seed)
    group = np.repeat([f"g{i}" for i in range(groups)], each)
    y = rng.random(len(group)) < np.where(np.unique(group, return_inverse=True)[1] % 2 == 0, 0.9, 0.1)
    x = np.concatenate([np.eye(groups)[np.unique(group, return_inverse=True)[1]], rng.normal(size=(len(group), 2))], 1)
    return x, y, group


def auroc(score, y):
    above = score[y][:, None] - score[~y][None]
    return ((above > 0) + 0.5 * (above == 0)).mean()


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_what_only_the_group_tells_cannot_be_learned(kind, monkeypatch):
    """With random folds the same scorer knows the label of most rows: that is the leak that groups close."""
    monkeypatch.setitem(trained.TREES, "max_iter", 15)
    x, y, group = planted()
    honest = held_out(x, y, group, folds_of(group), (kind,), 1)[kind].probability
    leaky_group = np.arange(len(y)).astype(str)
    leaky = held_out(x, y, leaky_group, np.arange(len(y)) % 4, (kind,), 1)[kind].probability
    assert auroc(leaky, y) > 0.8
    assert auroc(honest, y) < 0.6


def test_labels_of_a_held_out_group_change_nothing_in_it():
    """The strictest test: turn round all labels of a group, and its own predictions stay the same to the last bit."""
    rng = np.random.default_rng(3)
    x, group = rng.normal(size=(150, 3)), np.repeat(list("abcde"), 30)
    y = x[:, 0] + 0.5 * rng.normal(size=150) > 0
    fold = folds_of(group)
    before = held_out(x, y, group, fold, ("logistic",), 1)["logistic"]
    turned = np.where(group == "c", ~y, y)
    after = held_out(x, turned, group, fold, ("logistic",), 1)["logistic"]
    for name in ("probability", "threshold", "strict"):
        assert np.array_equal(getattr(before, name)[group == "c"], getattr(after, name)[group == "c"])
        assert not np.array_equal(getattr(before, name)[group != "c"], getattr(after, name)[group != "c"])


def test_the_inner_folds_keep_groups_together(monkeypatch):
    seen = []
    fit = LogisticScorer.fit.__func__

    def watched(cls, x, y, c, names=(), weight=None):
        seen.append(set(x[:, -1]))
        return fit(cls, x, y, c, names, weight)

    monkeypatch.setattr(LogisticScorer, "fit", classmethod(watched))
    x, y, group = planted(groups=6)
    x = np.concatenate([x, np.unique(group, return_inverse=True)[1][:, None]], axis=1)
    inner_scores(x, y, group, ("logistic",), 1)
    assert all(len(groups) == 4 for groups in seen)  # of six groups two are held out whole


def test_a_group_in_two_folds_is_refused():
    x, y, group = planted(groups=3)
    with pytest.raises(ValueError, match="several folds"):
        held_out(x, y, group, np.arange(len(y)) % 3, ("logistic",), 1)


def test_folds_share_out_groups():
    group = np.repeat([f"g{i}" for i in range(25)], 4)
    fold = folds_of(group, 10, seed=2)
    assert set(fold) == set(range(10)) and np.array_equal(fold, folds_of(group, 10, seed=2))
    assert all(len(set(fold[group == g])) == 1 for g in set(group))
    assert len(set(folds_of(group))) == 25
    with pytest.raises(InputError, match="one group"):
        folds_of(["a", "a"])


def test_thresholds_are_the_best_of_all():
    rng = np.random.default_rng(5)
    p = np.round(rng.random(200), 2)
    y = rng.random(200) < p
    tries = np.unique(p)
    scores = [balanced_accuracy_score(y, p >= t) for t in tries]
    assert balanced_accuracy_score(y, p >= best_threshold(p, y)) == pytest.approx(max(scores))
    good = [t for t in tries if precision_score(y, p >= t) >= 0.9]
    assert precise_threshold(p, y, 0.9) == min(good)
    assert precise_threshold(p, np.zeros(200, dtype=bool), 0.9) == np.inf


def test_calibration_mends_probabilities_and_keeps_the_order():
    rng = np.random.default_rng(7)
    truth = rng.normal(size=4000)
    y = rng.random(4000) < 1 / (1 + np.exp(-truth))
    score = 4 * truth + 3  # far too sure of itself
    for kind in ("platt", "isotonic"):
        p = Calibration.fit(kind, score[:2000], y[:2000])(score[2000:])
        assert (np.diff(p[np.argsort(score[2000:])]) >= -1e-12).all()
        assert ((p - y[2000:]) ** 2).mean() < ((1 / (1 + np.exp(-score[2000:])) - y[2000:]) ** 2).mean() - 0.01
    line = Calibration.fit("platt", score, y)
    assert line.slope == pytest.approx(0.25, abs=0.03) and line.shift == pytest.approx(-0.75, abs=0.12)


def test_missing_values_count_as_the_mean():
    x, y, _ = planted()
    x[::5, -1] = np.nan
    model = LogisticScorer.fit(x, y, 0.1, [f"f{i}" for i in range(x.shape[1])])
    filled = np.where(np.isnan(x), np.nanmean(x, axis=0), x)
    assert np.allclose(model.score(x), model.score(filled))


@pytest.mark.parametrize("kind", ["logistic", "boosting", "mean"])
@pytest.mark.parametrize("calibration", ["platt", "isotonic", "none"])
def test_the_scorer_of_all_groups_is_that_of_a_fold_with_its_groups(kind, calibration, tmp_path, monkeypatch):
    """Fitted to what `held_out` fits to, it says the same of the rest, read back from its file too."""
    monkeypatch.setitem(trained.TREES, "max_iter", 12)
    rng = np.random.default_rng(4)
    x, group = rng.normal(size=(240, 4)), np.repeat(list("abcdef"), 40)
    y = x[:, 0] + 0.7 * rng.normal(size=240) > 0
    x[rng.random(x.shape) < 0.2] = np.nan
    x[y & (rng.random(240) < 0.5), 3] = np.nan  # so that trees ask for what is missing
    fold = folds_of(group)
    found = held_out(x, y, group, fold, (kind,), 1, calibration)[kind]
    test = fold == 2
    names = [f"f{i}" for i in range(4)]
    own = FinalScorer.fit(x[~test], y[~test], group[~test], names, kind, 1, calibration)
    own.save(tmp_path / "m.json", terms="none")
    again = FinalScorer.load(tmp_path / "m.json")
    for one in (own, again):
        assert np.allclose(one.probability(x[test]), found.probability[test], rtol=1e-12, atol=0)
        assert (one.threshold, one.strict) == (found.threshold[test][0], found.strict[test][0])
    assert again.names == tuple(names) and np.array_equal(own.probability(x), again.probability(x))
    p = own.probability(x)
    high, low = max(own.strict, own.threshold), min(own.strict, own.threshold)
    want = np.where(p >= high, "harmful", np.where(p >= low, "uncertain", "harmless"))
    assert again.calls(p).tolist() == want.tolist() and len(set(want)) > 1


def test_nothing_is_called_harmful_for_the_base_rate():
    """Where nine in ten are harmful, a precision of 0.9 is reached by calling everything so."""
    p = np.array([0.05, 0.3, 0.6, 0.95])
    assert calls(p, 0.2, 0.9).tolist() == ["harmless", "uncertain", "uncertain", "harmful"]
    assert calls(p, 0.5, 0.1).tolist() == ["harmless", "uncertain", "harmful", "harmful"]
    assert calls(p, 0.5, np.inf).tolist() == ["harmless", "harmless", "uncertain", "uncertain"]


def test_a_threshold_that_is_never_reached_is_kept_and_other_files_are_refused(tmp_path):
    x, y, group = planted()
    own = FinalScorer.fit(x, y, group, ["f"] * x.shape[1], "logistic", 1, precision=0.999999)
    assert own.strict == np.inf
    own.save(tmp_path / "m.json")
    assert (
        "Infinity" not in (tmp_path / "m.json").read_text() and FinalScorer.load(tmp_path / "m.json").strict == np.inf
    )
    for text in ('{"kind": "logistic"}', "[]", "nonsense"):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(InputError, match="no saved"):
            FinalScorer.load(tmp_path / "other.json")


def test_balanced_labels_teach_nothing_about_groups():
    """A feature that differs between groups as the labels do, and one that matters inside of them."""
    rng = np.random.default_rng(8)
    group, share = np.repeat(np.arange(12), 50), np.repeat(np.linspace(0.1, 0.9, 12), 50)
    inside = rng.normal(size=600)
    y = rng.random(600) < 1 / (1 + np.exp(-(np.log(share / (1 - share)) + inside)))
    x = np.stack([share + 0.01 * rng.normal(size=600), inside], axis=1)
    weight = overlap_weights(y, group)
    for name in range(12):
        mine = group == name
        assert weight[mine & y].sum() == pytest.approx(weight[mine & ~y].sum())
    plain, balanced = (LogisticScorer.fit(x, y, 1.0, weight=w).weights for w in (None, weight))
    assert abs(balanced[0]) < 0.2 * plain[0] and balanced[1] == pytest.approx(1.0, abs=0.3)
    assert overlap_weights(np.array([True, False]), np.array([0, 1])).tolist() == [1, 1]


def test_the_same_seed_gives_the_same_bytes(monkeypatch):
    monkeypatch.setitem(trained.TREES, "max_iter", 10)
    x, y, group = planted(groups=5)
    runs = [held_out(x, y, group, folds_of(group), ("mean",), 1)["mean"].probability for _ in range(2)]
    assert np.array_equal(*runs)
