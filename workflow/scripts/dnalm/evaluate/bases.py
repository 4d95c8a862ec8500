"""Per-base coding calls: F1, and whether the probabilities mean what they say."""

import numpy as np

from dnalm.evaluate.intervals import bootstrap, draws_of, units_of
from dnalm.sequence.splits import split_intervals

BINS = 10


def f1(sums: np.ndarray) -> np.ndarray:
    """F1 from (both, called, true) counts; NaN where nothing is true or called."""
    total = sums[..., 1] + sums[..., 2]
    return np.divide(2 * sums[..., 0], total, out=np.full(sums.shape[:-1], np.nan), where=total > 0)


def mean(sums: np.ndarray) -> np.ndarray:
    """First sum over the second."""
    return sums[..., 0] / np.maximum(sums[..., 1], 1)


def calibration_error(sums: np.ndarray) -> np.ndarray:
    """Expected calibration error (Naeini et al. 2015) from (probability, outcome, count) sums of each bin, flat."""
    bins = sums.reshape(*sums.shape[:-1], BINS, 3)
    gap = np.abs(bins[..., 0] - bins[..., 1]).sum(-1)
    return gap / np.maximum(bins[..., 2].sum(-1), 1)


def bin_sums(probability: np.ndarray, outcome: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Sums of probability, outcome and count per group and probability bin, (groups, BINS, 3)."""
    which = np.minimum((probability * BINS).astype(np.int64), BINS - 1) + BINS * group
    columns = [np.bincount(which, weights=w, minlength=groups * BINS) for w in (probability, outcome)]
    columns.append(np.bincount(which, minlength=groups * BINS).astype(np.float64))
    return np.stack(columns, axis=-1).reshape(groups, BINS, 3)


def reliability(probability: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """(bins, 3): mean probability, observed share, count; empty bins are NaN."""
    sums = bin_sums(probability, outcome, np.zeros(len(probability), dtype=np.int64), 1)[0]
    with np.errstate(invalid="ignore"):
        return np.stack([sums[:, 0] / sums[:, 2], sums[:, 1] / sums[:, 2], sums[:, 2]], axis=1)


def coding_probability(columns: dict[str, np.ndarray]) -> np.ndarray:
    """P(coding on either strand) from the probability columns p0..p6."""
    return 1.0 - columns["p0"].astype(np.float64)


def evaluate_bases(genome, splits, labels, intervals, columns, settings: dict, seed: int, common: dict, method="dnalm"):
    """Metric rows base_f1, brier and ece of coding against non-coding, on validation and test blocks."""
    position = np.concatenate([np.arange(a, b) for a, b in intervals])
    p = coding_probability(columns)
    truth = 1.0 - labels.classes[position, 0].astype(np.float64)
    ok = labels.known[position] & ~np.isnan(p) & ((np.asarray(genome.codes[position]) & 7) < 4)
    rows = []
    for split in ("validation", "test"):
        units = units_of(split_intervals(genome, splits, split), settings["unit"])
        weights = draws_of(len(units), settings["bootstrap"], seed)
        slot = np.searchsorted(units[:, 0], position, side="right") - 1
        use = ok & (slot >= 0) & (position < units[np.maximum(slot, 0), 1])
        u, q, y, count = slot[use], p[use], truth[use], len(units)
        called = (q >= 0.5).astype(np.float64)

        def per_unit(*values, u=u, count=count):
            return np.stack([np.bincount(u, weights=v, minlength=count) for v in values], axis=1)

        results = {
            "base_f1": bootstrap(f1, per_unit(called * y, called, y), weights),
            "brier": bootstrap(mean, per_unit((q - y) ** 2, np.ones(len(q))), weights),
            "ece": bootstrap(calibration_error, bin_sums(q, y, u, count).reshape(count, -1), weights),
        }
        for metric, (value, low, high) in results.items():
            row = {"split": split, "stratum": "all", "method": method, "metric": metric, "value": value}
            rows.append({**common, **row, "ci_low": low, "ci_high": high, "n": int(use.sum()), "seed": seed})
    return rows
