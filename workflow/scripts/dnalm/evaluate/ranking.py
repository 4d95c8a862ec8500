"""How well a score puts one class above another, with intervals by block bootstrap.

Ranks are not sums over units, but the area under the ROC curve (AUROC) is a ratio of two quadratic forms. Let M[u, v]
be the number of pairs of a positive in unit u and a negative in unit v that stand in the right order, a tie counting
half (Mann and Whitney 1947), and A[u, v] the number of all such pairs. In a draw that takes each unit w times, the
AUROC is (w M w) / (w A w): M and A are counted once, and a draw costs units squared, however many scores there are.
Where units are many and scores are few, a draw goes over the scores instead. Average precision is no such form; its
draws always go over histograms of the scores.

Scores with at most ``levels`` different values are treated exactly. Others are cut at that many quantiles, and two
scores between the same cuts count as a tie: an AUROC then is off by at most half of the share of pairs that are tied,
which is about 1 / levels at most.
"""

import numpy as np
from scipy.sparse import csr_array

from dnalm.evaluate.intervals import corrected

#: Different values that are told apart.
LEVELS = 2048
#: Draws that are worked on at once, so that memory stays flat.
AT_ONCE = 100


def levels_of(scores: np.ndarray, levels: int = LEVELS) -> np.ndarray:
    """Scores (n,) as whole numbers below ``levels`` in the same order; equal scores stay equal.

    Raises
    ------
    ValueError
        If a score is NaN.
    """
    scores = np.asarray(scores)
    if np.isnan(scores).any():
        raise ValueError("a score that is NaN has no rank")
    ordered = np.sort(scores)
    new = np.flatnonzero(np.diff(ordered)) + 1
    if len(new) < levels:
        return np.searchsorted(ordered[new], scores, side="right")
    cuts = np.unique(ordered[np.arange(1, levels) * len(ordered) // levels])
    return np.searchsorted(cuts, scores, side="right")


def histograms(level: np.ndarray, positive: np.ndarray, unit: np.ndarray, units: int) -> np.ndarray:
    """How many positives and negatives each unit has at each level, float64 (2, units, levels)."""
    width = int(level.max(initial=-1)) + 1
    cell = (np.where(positive, 0, units) + unit) * width + level
    return np.bincount(cell, minlength=2 * units * width).reshape(2, units, width).astype(np.float64)


class Auroc:
    """The AUROC as a function of how often each unit is drawn.

    Parameters
    ----------
    scores : float (n,)
        Higher means positive.
    positive : bool (n,)
    unit : int (n,)
        The unit of each row, below ``units`` (some thousands at most: pairs of units are kept).
    group : int (n,), optional
        Only pairs of one group are compared: the value is the mean of the groups' AUROCs, weighted by how many pairs
        each has (the product of its class sizes). Groups without both classes count nothing.
    levels : int
        See the module; in every group.
    """

    def __init__(self, scores, positive, unit, units: int, group=None, levels: int = LEVELS):
        scores, positive, unit = np.asarray(scores), np.asarray(positive, dtype=bool), np.asarray(unit)
        self.right, self.every = np.zeros((units, units)), np.zeros((units, units))
        for rows in _rows_of(group, len(scores)):
            level = levels_of(scores[rows], levels)
            above, below = histograms(level, positive[rows], unit[rows], units)
            self.right += above @ (below.cumsum(axis=1) - below / 2).T
            self.every += np.outer(above.sum(1), below.sum(1))
        self.filled = np.bincount(unit, minlength=units) > 0

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """The AUROC (...) of draws (..., units); NaN without a pair."""
        pairs = _form(weights, self.every)
        return np.divide(_form(weights, self.right), pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


class AurocByScore:
    """What `Auroc` is, for many units: memory and the time of a draw grow with the scores, not with pairs of units."""

    def __init__(self, scores, positive, unit, units: int, group=None, levels: int = LEVELS):
        scores, positive, unit = np.asarray(scores), np.asarray(positive, dtype=bool), np.asarray(unit)
        level, self.first = np.zeros(len(scores), dtype=np.int64), [0]  # the first level of every group, and the end
        for rows in _rows_of(group, len(scores)):
            level[rows] = levels_of(scores[rows], levels) + self.first[-1]
            self.first.append(int(level[rows].max(initial=-1)) + 1)
        self.counts = by_level(level, positive, unit, units)
        self.filled = np.bincount(unit, minlength=units) > 0

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """The AUROC (...) of draws (..., units); NaN without a pair."""
        return _in_parts(self._of, weights)

    def _of(self, weights: np.ndarray) -> np.ndarray:
        above, below = (count @ weights.T for count in self.counts)  # (levels, draws), group after group
        lower, higher = (np.concatenate([np.zeros((1, len(weights))), c.cumsum(axis=0)]) for c in (below, above))
        before = np.repeat(lower[self.first[:-1]], np.diff(self.first), axis=0)  # negatives of the groups before
        right = (above * (lower[1:] - below / 2 - before)).sum(0)
        pairs = (np.diff(higher[self.first], axis=0) * np.diff(lower[self.first], axis=0)).sum(0)
        return np.divide(right, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def auroc(scores, positive, unit, units: int, group=None, levels: int = LEVELS):
    """`Auroc` or `AurocByScore`, whichever is smaller; the values are the same."""
    kind = Auroc if units**2 <= max(len(scores), 10_000) else AurocByScore
    return kind(scores, positive, unit, units, group, levels)


def by_level(level, positive, unit, units: int) -> tuple[csr_array, csr_array]:
    """How many positives, and how many negatives, each unit has at each level: two sparse (levels, units)."""
    shape = int(level.max(initial=-1)) + 1, units
    return tuple(csr_array((np.ones(m.sum()), (level[m], unit[m])), shape=shape) for m in (positive, ~positive))


def _in_parts(statistic, weights: np.ndarray) -> np.ndarray:
    """Values (...) of draws (..., units), some draws at a time."""
    rows = np.reshape(weights, (-1, np.shape(weights)[-1]))
    parts = [statistic(rows[i : i + AT_ONCE]) for i in range(0, len(rows), AT_ONCE)]
    return np.concatenate(parts).reshape(np.shape(weights)[:-1])


def _rows_of(group, count: int):
    """Indices of the rows of each group."""
    if group is None:
        return [np.arange(count)]
    order = np.argsort(group, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(np.asarray(group)[order])) + 1)


def _form(weights: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return ((weights @ matrix) * weights).sum(-1)


class AveragePrecision:
    """Average precision as a function of how often each unit is drawn; parameters as those of `Auroc`.

    The mean of the precision over the positives, each at the threshold of its own level: the step rule of
    scikit-learn's ``average_precision_score``.
    """

    def __init__(self, scores, positive, unit, units: int, levels: int = LEVELS):
        positive, unit = np.asarray(positive, dtype=bool), np.asarray(unit)
        level = levels_of(scores, levels)
        self.counts = by_level(level.max(initial=0) - level, positive, unit, units)  # the highest score first
        self.filled = np.bincount(unit, minlength=units) > 0

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Average precision (...) of draws (..., units); NaN without a positive."""
        return _in_parts(self._of, weights)

    def _of(self, weights: np.ndarray) -> np.ndarray:
        right, wrong = (count @ weights.T for count in self.counts)
        found = right.cumsum(axis=0)
        precision = found / np.maximum(found + wrong.cumsum(axis=0), 1e-12)  # 0 above the first score of the draw
        total = found[-1]
        return np.divide((precision * right).sum(0), total, out=np.full(len(total), np.nan), where=total > 0)


def interval(statistic, weights: np.ndarray) -> tuple[float, float, float]:
    """Value and 95 % interval of a statistic of this module; ``weights`` (draws, units) as of `draws_of`."""
    return _interval(statistic, statistic.filled, weights)


def difference(a, b, weights: np.ndarray) -> tuple[float, float, float]:
    """Difference a - b of two statistics of the same units and its 95 % interval; both are resampled together."""
    return _interval(lambda drawn: a(drawn) - b(drawn), a.filled | b.filled, weights)


def _interval(statistic, filled: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    value = float(statistic(filled.astype(np.float64)))
    if np.count_nonzero(filled) < 2:  # all of it lies in one unit: nothing to resample
        return value, float("nan"), float("nan")
    return corrected(value, statistic(weights))
