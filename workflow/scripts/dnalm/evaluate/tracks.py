"""Labels of the user's own against their truth, per base and per interval.

Per base: ``base_f1`` and ``mcc`` of the called intervals, ``auprc`` (average precision: sums of steps, not of trapezia)
and ``auroc`` of the probabilities. Both strands of a stranded track count, each base on each strand by itself. An area
needs the order of all bases, which the bootstrap would have to sort a thousand times: probabilities are put into bins
first, half of them with equal numbers of bases and half with equal numbers of labelled ones; bases of one bin are tied.

Per interval: a run of labelled bases is found if called intervals cover at least half of it
(``interval_sensitivity``), a called interval is right if at least half of it is labelled (``interval_precision``). Both
are cut at the edges of a block, and belong to the bootstrap unit that holds their first base.

The baseline ``majority`` says the share of labelled training bases everywhere: its ``auprc`` is the prevalence.
"""

import itertools

import numpy as np

from dnalm.annotation.track_labels import TrackLabels
from dnalm.evaluate.bases import f1
from dnalm.evaluate.datasets import datasets
from dnalm.evaluate.intervals import bootstrap, draws_of, paired, ratio, units_of
from dnalm.sequence.splits import SPLITS, split_intervals, split_labels
from dnalm.tasks.track_calls import call_bases, covered, cut_out, true_runs

#: Bins of the probabilities.
BINS = 512
#: Share of an interval that must be covered.
HALF = 0.5


def mcc(sums: np.ndarray) -> np.ndarray:
    """Matthews correlation from (both, called, true, all) counts; 0 where all or none are called or true."""
    both, called, true, all_ = np.moveaxis(sums, -1, 0)
    spread = np.sqrt(called * (all_ - called) * true * (all_ - true))
    return np.divide(both * all_ - called * true, spread, out=np.zeros_like(spread), where=spread > 0)


def _ordered(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts (..., bins) of labelled and of other bases, from the highest bin down."""
    pairs = sums.reshape(*sums.shape[:-1], -1, 2)[..., ::-1, :]
    return pairs[..., 0], pairs[..., 1]


def auprc(sums: np.ndarray) -> np.ndarray:
    """Average precision from (labelled, other) counts of each bin, lowest first, flat; NaN without labelled bases."""
    true, false = _ordered(sums)
    found, total = np.cumsum(true, -1), true.sum(-1)
    called = found + np.cumsum(false, -1)
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0)
    return np.divide((precision * true).sum(-1), total, out=np.full(total.shape, np.nan), where=total > 0)


def auroc(sums: np.ndarray) -> np.ndarray:
    """Area under the ROC curve from the same counts: the chance to rank a labelled base above another; ties half."""
    true, false = _ordered(sums)
    total, rest = true.sum(-1), false.sum(-1)
    below = rest[..., None] - np.cumsum(false, -1)
    wins, pairs = (true * (below + false / 2)).sum(-1), total * rest
    return np.divide(wins, pairs, out=np.full(total.shape, np.nan), where=pairs > 0)


def bins_of(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Bin of every value, int64, rising with it."""
    shares = np.linspace(0, 1, BINS // 2 + 1)[1:-1]
    edges = [np.quantile(values, shares, method="lower")] if len(values) else []
    edges += [np.quantile(values[truth], shares, method="lower")] if truth.any() else []
    return np.searchsorted(np.unique(np.concatenate([[], *edges])), values, side="right")


class _Blocks:
    """The blocks of one split of a dataset: their bases, which of them count, and the bootstrap units."""

    def __init__(self, genome, splits, labels: TrackLabels, split: str, settings: dict, seed: int):
        self.intervals = split_intervals(genome, splits, split)
        units = units_of(self.intervals, settings["unit"])
        self.position = np.concatenate([np.arange(a, b) for a, b in units])
        self.slot, self.units = np.repeat(np.arange(len(units)), units[:, 1] - units[:, 0]), len(units)
        self.known, self.labels = labels.known[self.position], labels
        self.weights = draws_of(len(units), settings["bootstrap"], seed)
        self.edges = np.concatenate([[0], np.cumsum(self.intervals[:, 1] - self.intervals[:, 0])])

    def sums(self, use: np.ndarray, *values: np.ndarray) -> np.ndarray:
        """Sums of per-base values over each unit, (units, values); of bases in ``use``."""
        return np.stack([np.bincount(self.slot[use], weights=v[use], minlength=self.units) for v in values], axis=1)

    def runs(self, mask: np.ndarray) -> np.ndarray:
        """Runs of true values of a mask over the bases, cut at the edges of blocks."""
        pieces = [a + true_runs(mask[a:b]) for a, b in itertools.pairwise(self.edges)]
        return np.concatenate([np.zeros((0, 2), dtype=np.int64), *pieces])

    def covered_runs(self, runs: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Per unit: runs that are covered by a mask, and all of them."""
        total = np.concatenate([[0], np.cumsum(mask)])
        good = total[runs[:, 1]] - total[runs[:, 0]] >= HALF * (runs[:, 1] - runs[:, 0])
        slot = self.slot[runs[:, 0]]
        columns = [np.bincount(slot, weights=w, minlength=self.units) for w in (good, np.ones(len(runs)))]
        return np.stack(columns, axis=1)


def track_sums(blocks: _Blocks, mine: list[int], columns: dict, called: dict) -> dict[str, tuple]:
    """Statistic and unit sums of every metric of one track and method.

    ``mine`` are the columns of the track in the labels; ``columns`` probabilities and ``called`` intervals by label,
    both over the bases of ``blocks``.
    """
    found: dict[str, list] = {}
    names = [blocks.labels.names[i] for i in mine]
    truth = [blocks.labels.truth[blocks.position, i] for i in mine]
    values = np.concatenate([columns[name] for name in names])
    bins = bins_of(values, np.concatenate(truth)).reshape(len(mine), -1)
    count = int(bins.max()) + 1
    for name, true, binned in zip(names, truth, bins, strict=True):
        mask, ones = covered(called[name], len(true)), np.ones(len(true))
        base = blocks.sums(blocks.known, mask & true, mask, true, ones)
        flat = ((blocks.slot * count + binned) * 2 + ~true)[blocks.known]
        ranked = np.bincount(flat, minlength=blocks.units * count * 2).reshape(blocks.units, -1).astype(np.float64)
        parts = {
            "base_f1": (f1, base[:, :3]), "mcc": (mcc, base), "auprc": (auprc, ranked), "auroc": (auroc, ranked),
            "interval_sensitivity": (ratio, blocks.covered_runs(blocks.runs(true), mask)),
            "interval_precision": (ratio, blocks.covered_runs(called[name], true)),
        }  # fmt: skip
        for metric, part in parts.items():
            found.setdefault(metric, []).append(part)
    return {metric: (parts[0][0], sum(sums for _, sums in parts)) for metric, parts in found.items()}


def constant(genome, splits, labels: TrackLabels):
    """The baseline ``majority``: (intervals, columns) with the share of labelled training bases everywhere."""
    training = (split_labels(genome, splits) == SPLITS.index("train")) & labels.known
    held = np.concatenate([split_intervals(genome, splits, split) for split in ("validation", "test")])
    bases = int((held[:, 1] - held[:, 0]).sum())
    shares = labels.truth[training].mean(0)
    return held, {n: np.full(bases, s, dtype=np.float32) for n, s in zip(labels.names, shares, strict=True)}


def evaluate_tracks(
    genome, splits, labels, probabilities, thresholds, annotate, settings: dict, seed: int, common: dict
):
    """Rows of metrics and comparisons of every track (in the column stratum), on validation and test blocks.

    Parameters
    ----------
    probabilities : dict of method to (intervals, columns)
        They cover the held-out blocks; ``majority`` among them, from `constant`.
    thresholds : dict of method to dict
        From `dnalm.tasks.track_calls.choose_thresholds`.
    annotate, settings : dict
        The sections annotate and evaluate.
    """
    metrics, comparisons = [], []
    for (dataset, mine), name in itertools.product(datasets(genome, splits), ("validation", "test")):
        if not len(split_intervals(genome, mine, name)):
            continue
        blocks = _Blocks(genome, mine, labels, name, settings, seed)
        table = {}
        for method, (intervals, columns) in probabilities.items():
            columns = cut_out(intervals, columns, blocks.intervals)
            called = call_bases(blocks.intervals, columns, thresholds[method], annotate)
            for track in annotate["tracks"]:
                found = track_sums(blocks, labels.of_track(track), columns, called)
                table |= {(track, metric, method): part for metric, part in found.items()}
        where = {**common, "dataset": dataset, "split": name}
        metrics += _metric_rows(table, blocks, where, seed)
        comparisons += _comparison_rows(table, blocks, where, settings)
    return metrics, comparisons


def _number(metric: str, sums: np.ndarray, blocks: _Blocks) -> int:
    """Intervals or bases that a metric is of."""
    return int(sums[:, 1].sum()) if metric.startswith("interval") else int(blocks.known.sum())


def _metric_rows(table, blocks: _Blocks, where: dict, seed: int) -> list[dict]:
    rows = []
    for (track, metric, method), (statistic, sums) in table.items():
        value, low, high = bootstrap(statistic, sums, blocks.weights)
        row = {"stratum": track, "method": method, "metric": metric, "value": value, "ci_low": low, "ci_high": high}
        rows.append({**where, **row, "n": _number(metric, sums, blocks), "seed": seed})
    return rows


def _comparison_rows(table, blocks: _Blocks, where: dict, settings: dict) -> list[dict]:
    rows = []
    where = {k: v for k, v in where.items() if k != "splits_sha256"} | {"unit": f"{settings['unit']} bp"}
    for (track, metric, method), (statistic, sums) in table.items():
        if method == "dnalm":
            continue
        ours = table[track, metric, "dnalm"][1]
        value, low, high = _paired(statistic, ours, sums, blocks.weights)
        row = {"stratum": track, "metric": metric, "method_a": "dnalm", "method_b": method, "difference": value}
        rows.append({**where, **row, "ci_low": low, "ci_high": high, "n": _number(metric, ours, blocks)})
    return rows


def _paired(statistic, ours: np.ndarray, theirs: np.ndarray, weights: np.ndarray):
    """`paired` of sums that may have unequal numbers of bins: empty ones on top change no area."""
    wide = max(ours.shape[1], theirs.shape[1])
    return paired(statistic, *(np.pad(s, ((0, 0), (0, wide - s.shape[1]))) for s in (ours, theirs)), weights)
