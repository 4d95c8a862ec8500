"""Per-base coding calls: F1, and whether the probabilities mean what they say."""

import itertools

import numpy as np

from dnalm.evaluate.datasets import datasets
from dnalm.evaluate.intervals import bootstrap, draws_of, paired, ratio, units_of
from dnalm.sequence.splits import SPLITS, split_intervals, split_labels

BINS = 10


def f1(sums: np.ndarray) -> np.ndarray:
    """F1 from (both, called, true) counts; NaN where nothing is true or called."""
    total = sums[..., 1] + sums[..., 2]
    return np.divide(2 * sums[..., 0], total, out=np.full(sums.shape[:-1], np.nan), where=total > 0)


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


def called_bases(genome, calls) -> np.ndarray:
    """Bool (length, 2): bases inside a call on the forward and on the reverse strand, in global positions."""
    covered = np.zeros((len(genome.codes), 2), dtype=bool)
    for gene in calls.itertuples(index=False):
        place = genome.offset(gene.contig) + np.arange(gene.start, gene.end) % genome.length(gene.contig)
        covered[place, 0 if gene.strand == "+" else 1] = True
    return covered


class _Split:
    """The scored bases of one split and the bootstrap units that they belong to."""

    def __init__(self, genome, splits, labels, split: str, settings: dict, seed: int):
        units = units_of(split_intervals(genome, splits, split), settings["unit"])
        position = np.concatenate([np.arange(a, b) for a, b in units])
        slot = np.repeat(np.arange(len(units)), units[:, 1] - units[:, 0])
        use = labels.known[position] & ((np.asarray(genome.codes[position]) & 7) < 4)
        self.position, self.slot, self.units = position[use], slot[use], len(units)
        self.weights = draws_of(len(units), settings["bootstrap"], seed)

    def sums(self, *values: np.ndarray) -> np.ndarray:
        """Sums of per-base values over each unit, (units, values)."""
        return np.stack([np.bincount(self.slot, weights=v, minlength=self.units) for v in values], axis=1)


def f1_sums(split: _Split, covered: np.ndarray, coding: np.ndarray) -> np.ndarray:
    """Per unit: bases both called and coding, called, coding; each strand counts on its own."""
    called, true = covered[split.position], coding[split.position]
    return split.sums(*(x.sum(1).astype(np.float64) for x in (called & true, called, true)))


def probability_sums(split: _Split, intervals, columns, coding: np.ndarray) -> dict[str, tuple]:
    """Statistic and unit sums of the Brier score and the calibration error of P(coding)."""
    p = np.full(len(coding), np.nan)
    p[np.concatenate([np.arange(a, b) for a, b in intervals])] = coding_probability(columns)
    p, truth = p[split.position], coding[split.position].any(1).astype(np.float64)
    binned = bin_sums(p, truth, split.slot, split.units)
    squares = split.sums((p - truth) ** 2, np.ones(len(p)))
    return {"brier": (ratio, squares), "ece": (calibration_error, binned.reshape(split.units, -1))}


def evaluate_bases(genome, splits, labels, probabilities, finders, settings: dict, seed: int, common: dict):
    """Rows of metrics and comparisons per base, on validation and test blocks of every dataset.

    ``base_f1`` of the called genes of every finder, each strand on its own; ``brier`` and ``ece`` of P(coding) for
    methods with probabilities, if there are any, beside ``majority``: the share of coding bases in the training blocks
    as a constant.

    Parameters
    ----------
    probabilities : dict of method to (intervals, columns) as `dnalm.io.tables.read_scores` gives them
    finders : dict of method to calls
    """
    coding = np.stack([labels.classes[:, 1:4].any(1), labels.classes[:, 4:].any(1)], axis=1)
    covered = {method: called_bases(genome, calls) for method, calls in finders.items()}
    share = _training_share(genome, splits, labels, coding) if probabilities else None
    metrics, comparisons = [], []
    for (dataset, mine), name in itertools.product(datasets(genome, splits), ("validation", "test")):
        held = split_intervals(genome, mine, name)
        if not len(held):
            continue
        split = _Split(genome, mine, labels, name, settings, seed)
        table = {("base_f1", m): (f1, f1_sums(split, c, coding)) for m, c in covered.items()}
        judged = dict(probabilities)
        if judged:
            judged["majority"] = (held, {"p0": np.full(int(np.diff(held).sum()), 1 - share)})
        for method, (intervals, columns) in judged.items():
            sums = probability_sums(split, intervals, columns, coding)
            table |= {(metric, method): value for metric, value in sums.items()}
        where = {**common, "dataset": dataset, "split": name, "stratum": "all"}
        metrics += _metric_rows(table, split, where, seed)
        comparisons += _comparison_rows(table, split, where, settings)
    return metrics, comparisons


def _training_share(genome, splits, labels, coding: np.ndarray) -> float:
    """Share of coding bases in the training blocks."""
    training = split_labels(genome, splits) == SPLITS.index("train")
    return coding[training & labels.known].any(1).mean()


def _metric_rows(table, split: _Split, where: dict, seed: int) -> list[dict]:
    rows = []
    for (metric, method), (statistic, sums) in table.items():
        value, low, high = bootstrap(statistic, sums, split.weights)
        row = {"method": method, "metric": metric, "value": value, "ci_low": low, "ci_high": high}
        rows.append({**where, **row, "n": len(split.position), "seed": seed})
    return rows


def _comparison_rows(table, split: _Split, where: dict, settings: dict) -> list[dict]:
    rows = []
    where = {k: v for k, v in where.items() if k != "splits_sha256"} | {"unit": f"{settings['unit']} bp"}
    for (metric, method), (statistic, sums) in table.items():
        if method == "dnalm":
            continue
        value, low, high = paired(statistic, table[metric, "dnalm"][1], sums, split.weights)
        row = {"metric": metric, "method_a": "dnalm", "method_b": method, "difference": value}
        rows.append({**where, **row, "ci_low": low, "ci_high": high, "n": len(split.position)})
    return rows
