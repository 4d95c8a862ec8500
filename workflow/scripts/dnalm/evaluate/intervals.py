"""Confidence intervals by block bootstrap: neighbouring bases and genes are not independent, so units are resampled.

A unit is a stretch of ``unit`` bases inside a split block. Every statistic here is a function of sums over units, so a
draw is a vector of unit counts, and a thousand draws are one matrix product. Intervals are bias-corrected percentiles
(Efron 1981): a resampled calibration error is larger than the observed one, so that plain percentiles could miss it.
"""

import itertools

import numpy as np
from scipy.stats import norm


def units_of(intervals: np.ndarray, unit: int) -> np.ndarray:
    """Cut (n, 2) intervals into units of about ``unit`` bases, none shorter than half of it unless its interval is."""
    pieces = []
    for start, end in np.asarray(intervals):
        count = max(1, round((end - start) / unit))
        edges = np.linspace(start, end, count + 1).astype(np.int64)
        pieces += itertools.pairwise(edges)
    return np.array(pieces, dtype=np.int64).reshape(-1, 2)


def draws_of(count: int, draws: int, seed: int) -> np.ndarray:
    """How often each of ``count`` units is drawn, float64 (draws, count)."""
    rng = np.random.default_rng([seed, 202])
    return rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float64)


def bootstrap(statistic, sums: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Value and 95 % interval of ``statistic``.

    Parameters
    ----------
    statistic : callable
        Takes sums (..., k) and returns an array (...); may give NaN where it is not defined.
    sums : float (units, k)
        Sums of each unit.
    weights : float (draws, units)
        From `draws_of`.
    """
    value = float(statistic(sums.sum(0)))
    if np.count_nonzero(sums.any(axis=1)) < 2:  # all of it lies in one unit: nothing to resample
        return value, float("nan"), float("nan")
    return corrected(value, statistic(weights @ sums))


def corrected(value: float, drawn: np.ndarray) -> tuple[float, float, float]:
    """A value and the bias-corrected 95 % interval of its draws (n,), NaN among which are left out."""
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or np.isnan(value):
        return value, float("nan"), float("nan")
    below = ((drawn < value).mean() + (drawn <= value).mean()) / 2
    shift = 2 * norm.ppf(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    low, high = np.quantile(drawn, norm.cdf(shift + norm.ppf([0.025, 0.975])))
    return value, float(min(low, value)), float(max(high, value))


def paired(statistic, sums_a: np.ndarray, sums_b: np.ndarray, weights: np.ndarray) -> tuple[float, float, float]:
    """Difference a - b and its 95 % interval; both are resampled together."""
    k = sums_a.shape[1]
    both = np.concatenate([sums_a, sums_b], axis=1)
    return bootstrap(lambda s: statistic(s[..., :k]) - statistic(s[..., k:]), both, weights)


def ratio(sums: np.ndarray) -> np.ndarray:
    """First sum over the second; NaN where the second is 0."""
    return np.divide(sums[..., 0], sums[..., 1], out=np.full(sums.shape[:-1], np.nan), where=sums[..., 1] > 0)
