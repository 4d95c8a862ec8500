"""Scorers of variants that learn from labels, asked only about groups that they have not seen.

Every prediction of `held_out` comes from a scorer that was fitted without the variant's whole group: an exon, a gene, a
stretch of codons. What else is chosen (the penalty of the regression, the calibration, the thresholds) is chosen on
further held-out groups inside of the training groups. Nothing sees the labels of the group that is predicted.

`dnalm.variants.final` fits the scorer that is applied to variants without a label, on all groups.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from dnalm.errors import InputError
from dnalm.variants.boosted import BoostedTrees

#: Inverse penalties that are tried, from the strongest.
PENALTIES = (0.01, 0.1, 1.0)
#: Folds inside of the training groups, and groups that are held out one at a time.
INNER, SINGLY = 3, 40
#: Settings of the boosted trees: fixed, few and shallow, for tables of some hundred to some thousand variants.
TREES = {
    "max_iter": 60, "learning_rate": 0.1, "max_leaf_nodes": 8, "min_samples_leaf": 15, "l2_regularization": 1.0,
    "max_bins": 48,
}  # fmt: skip
KINDS = ("logistic", "boosting", "mean")
EDGE = 1e-4


def logit(p: np.ndarray) -> np.ndarray:
    """Log-odds, kept finite."""
    p = np.clip(p, EDGE, 1 - EDGE)
    return np.log(p) - np.log1p(-p)


@dataclass(frozen=True)
class LogisticScorer:
    """Logistic regression over standardised features; a missing value counts as the mean."""

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    intercept: float

    @classmethod
    def fit(cls, x: np.ndarray, y: np.ndarray, c: float, names=(), weight=None) -> "LogisticScorer":
        """Fit to features (n, k) and labels (n,), which may have weights (n,), with the inverse penalty ``c``."""
        known = np.isfinite(x)
        count = np.maximum(known.sum(0), 1)
        mean = np.where(known, x, 0).sum(0) / count
        scale = np.sqrt((np.where(known, x - mean, 0) ** 2).sum(0) / count)
        scale = np.where(scale > 1e-9, scale, 1.0)
        model = LogisticRegression(C=c, max_iter=500).fit(_standard(x, mean, scale), y, weight)
        return cls(tuple(names), mean, scale, model.coef_[0], float(model.intercept_[0]))

    def score(self, x: np.ndarray) -> np.ndarray:
        """Log-odds (n,)."""
        return _standard(x, self.mean, self.scale) @ self.weights + self.intercept

    def record(self) -> dict:
        """All of it as lists and numbers."""
        arrays = {key: getattr(self, key).tolist() for key in ("mean", "scale", "weights")}
        return {"names": list(self.names), **arrays, "intercept": self.intercept}

    @classmethod
    def of(cls, record: dict) -> "LogisticScorer":
        """What `record` gave."""
        arrays = (np.array(record[key], dtype=np.float64) for key in ("mean", "scale", "weights"))
        return cls(tuple(record["names"]), *arrays, record["intercept"])


def _standard(x: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.nan_to_num((x - mean) / scale)


class Trees:
    """Boosted trees (histogram gradient boosting), which take missing values as they are."""

    def __init__(self, x: np.ndarray, y: np.ndarray, seed: int, weight=None):
        # nothing is stopped early: that would hold out random rows, neighbours of the others
        model = HistGradientBoostingClassifier(**TREES, early_stopping=False, random_state=seed)
        self._model = model.fit(x, y, sample_weight=weight)

    def score(self, x: np.ndarray) -> np.ndarray:
        """Log-odds (n,)."""
        return self._model.decision_function(x)

    def plain(self, names) -> BoostedTrees:
        """The same trees as arrays."""
        return BoostedTrees.of(self._model, names)


@dataclass(frozen=True)
class Calibration:
    """From scores to probabilities: Platt (1999), isotonic, or none (scores are log-odds already)."""

    kind: str
    slope: float = 1.0
    shift: float = 0.0
    steps: tuple = ()

    @classmethod
    def fit(cls, kind: str, score: np.ndarray, y: np.ndarray) -> "Calibration":
        """Fit to scores of variants that the scorer has not learned from."""
        if kind == "none" or len(np.unique(y)) < 2:
            return cls("none")
        if kind == "isotonic":
            fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, y)
            return cls(kind, steps=(fitted.X_thresholds_, fitted.y_thresholds_))
        line = LogisticRegression(C=1e6, max_iter=500).fit(score[:, None], y)
        # a slope below zero would turn the ranking round; then there is nothing to trust in the score
        return cls(kind, max(float(line.coef_[0, 0]), 1e-6), float(line.intercept_[0]))

    def __call__(self, score: np.ndarray) -> np.ndarray:
        """Probabilities (n,)."""
        if self.kind == "isotonic":
            return np.interp(score, *self.steps)
        return expit(self.slope * score + self.shift)


@dataclass(frozen=True)
class HeldOut:
    """Predictions (n,) of scorers that have not seen the groups of the variants.

    ``probability`` calibrated; ``threshold`` on it of the best balanced accuracy, ``strict`` of the wanted precision
    (infinite where it is never reached), both from held-out folds inside of each training set; ``fold`` number.
    """

    probability: np.ndarray
    threshold: np.ndarray
    strict: np.ndarray
    fold: np.ndarray


def folds_of(group: np.ndarray, folds: int = 0, seed: int = 0) -> np.ndarray:
    """Number of the fold of every row; the rows of a group share it.

    ``folds`` 0 gives every group its own, up to `SINGLY` groups; more are spread over as many folds.
    """
    names, row = np.unique(np.asarray(group, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise InputError("there is one group alone", "variants.labelled: groups", "Two are needed, one to be held out")
    count = min(folds or SINGLY, len(names))
    if count == len(names):
        return row
    order = np.random.default_rng([seed, 303]).permutation(len(names))
    return (np.argsort(order) % count)[row]


def overlap_weights(y: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The share (n,) of the other label in the group of each row.

    Both labels of a group then weigh the same, so that what differs between groups alone teaches nothing; as in
    conditional logistic regression (Breslow and Day 1980), a group with one label is silent. Where all groups are,
    everything weighs 1.
    """
    table = pd.DataFrame({"y": np.asarray(y, dtype=np.float64), "group": group})
    share = table.groupby("group")["y"].transform("mean").to_numpy()
    weight = np.where(y, 1 - share, share)
    return weight if weight.any() else np.ones(len(weight))


def held_out(
    x, y, group, fold, kinds, seed: int, calibration: str = "platt", precision: float = 0.9, balance: bool = False
) -> dict:
    """Predict every fold from the others: {kind: HeldOut}.

    Parameters
    ----------
    x : float (n, k)
        Features; NaN is missing.
    y : bool (n,)
    group, fold : (n,)
        What must stay together, and the fold of each (`folds_of`).
    kinds : tuple of str
        Of `KINDS`: logistic regression, boosting, and mean, the mean of the log-odds of both.
    balance : bool
        Learn with `overlap_weights`; calibration and thresholds are as without.
    """
    x, y, group = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=bool), np.asarray(group, dtype=str)
    for name in np.unique(group):
        if len(np.unique(fold[group == name])) > 1:
            raise ValueError(f"group {name} lies in several folds")
    out = {kind: np.full((3, len(y)), np.nan) for kind in kinds}
    for k in np.unique(fold):
        test, train = fold == k, fold != k
        if len(np.unique(y[train])) < 2:
            for one in out.values():
                one[:, test] = np.array([[y[train].mean()], [0.5], [np.inf]])
            continue
        c, inner = inner_scores(x[train], y[train], group[train], kinds, seed, balance)
        weight = overlap_weights(y[train], group[train]) if balance else None
        outer = fit_scores(x[train], y[train], x[test], kinds, c, seed, weight)
        for kind, one in out.items():
            line = Calibration.fit(calibration, inner[kind], y[train])
            sure = line(inner[kind])
            one[0, test] = line(outer[kind])
            one[1, test], one[2, test] = best_threshold(sure, y[train]), precise_threshold(sure, y[train], precision)
    return {kind: HeldOut(*one, np.asarray(fold)) for kind, one in out.items()}


def inner_scores(x, y, group, kinds, seed: int, balance: bool = False) -> tuple[float, dict[str, np.ndarray]]:
    """Scores (n,) of each kind on groups held out in turn, and the inverse penalty with the least logistic loss."""
    count = min(INNER, len(np.unique(group)))
    constant = np.full(len(y), logit(y.mean()))
    if count < 2:
        return PENALTIES[1], dict.fromkeys(kinds, constant)
    tries, trees = {c: constant.copy() for c in PENALTIES}, constant.copy()
    for train, test in GroupKFold(count).split(x, y, group):
        if len(np.unique(y[train])) < 2:
            continue
        weight = overlap_weights(y[train], group[train]) if balance else None
        for c, score in tries.items() if _needs(kinds, "logistic") else ():
            score[test] = LogisticScorer.fit(x[train], y[train], c, weight=weight).score(x[test])
        if _needs(kinds, "boosting"):
            trees[test] = Trees(x[train], y[train], seed, weight).score(x[test])
    weight = overlap_weights(y, group) if balance else None
    loss = {c: np.average(np.logaddexp(0, np.where(y, -s, s)), weights=weight) for c, s in tries.items()}
    c = min(loss, key=loss.get)
    return c, _combined(kinds, tries[c], trees)


def fit_scores(x, y, new, kinds, c: float, seed: int, weight=None) -> dict[str, np.ndarray]:
    """Log-odds of new rows by scorers of each kind that are fitted to x and y."""
    line = LogisticScorer.fit(x, y, c, weight=weight).score(new) if _needs(kinds, "logistic") else np.zeros(len(new))
    trees = Trees(x, y, seed, weight).score(new) if _needs(kinds, "boosting") else np.zeros(len(new))
    return _combined(kinds, line, trees)


def _needs(kinds, kind: str) -> bool:
    return kind in kinds or "mean" in kinds


def _combined(kinds, line: np.ndarray, trees: np.ndarray) -> dict[str, np.ndarray]:
    every = {"logistic": line, "boosting": trees, "mean": (line + trees) / 2}
    return {kind: every[kind] for kind in kinds}


def calls(p: np.ndarray, threshold, strict) -> np.ndarray:
    """harmful, uncertain or harmless (n,) by probabilities: above both thresholds, between them, below both.

    Where most labels are harmful the ``strict`` threshold of a precision is the lower of the two: nothing is called
    harmful for the base rate alone.
    """
    return np.select([p >= np.maximum(threshold, strict), p >= np.minimum(threshold, strict)],
                     ["harmful", "uncertain"], "harmless")  # fmt: skip


def best_threshold(p: np.ndarray, y: np.ndarray) -> float:
    """The probability from which on to call harm, for the best balanced accuracy."""
    order = np.argsort(-p, kind="stable")
    right, wrong = np.cumsum(y[order]), np.cumsum(~y[order])
    last = np.append(np.diff(p[order]) != 0, True)
    gain = np.where(last, right / max(y.sum(), 1) - wrong / max((~y).sum(), 1), -np.inf)
    return float(p[order][np.argmax(gain)])


def precise_threshold(p: np.ndarray, y: np.ndarray, precision: float) -> float:
    """The lowest probability from which on calls have the precision; infinite if none has."""
    order = np.argsort(-p, kind="stable")
    last = np.append(np.diff(p[order]) != 0, True)
    enough = last & (np.cumsum(y[order]) >= precision * np.arange(1, len(p) + 1))
    return float(p[order][np.flatnonzero(enough)[-1]]) if enough.any() else float("inf")
