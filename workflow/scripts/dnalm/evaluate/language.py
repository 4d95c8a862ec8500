"""Bits per base of language models by stratum, with intervals and paired comparisons."""

import itertools

import numpy as np

from dnalm.evaluate.datasets import datasets
from dnalm.evaluate.intervals import bootstrap, draws_of, paired, ratio, units_of
from dnalm.evaluate.strata import ScoredBases, strata_of
from dnalm.io.tables import read_scores
from dnalm.sequence.splits import split_intervals

CAUSAL, TWO_SIDED = "bits_per_base", "bits_per_base_two_sided"


def method_bits(paths: dict[str, str]) -> tuple[np.ndarray, dict[tuple[str, str], np.ndarray]]:
    """Intervals and, for each (method, metric), the bits of every base of the intervals.

    ``paths`` maps a method to its score file; ``markov_orders`` holds one method per order. The causal number is the
    mean of both directions.
    """
    bits, intervals = {}, None
    for method, path in paths.items():
        found, columns = read_scores(path)
        if intervals is not None and not np.array_equal(intervals, found):
            raise ValueError(f"{path} was scored on other intervals than the files before it")
        intervals = found
        if method == "markov_orders":
            orders = sorted({int(name.split("_")[1]) for name in columns})
            for k in orders:
                forward, reverse = columns[f"order_{k}_forward"], columns[f"order_{k}_reverse"]
                bits[f"markov_order_{k}", CAUSAL] = (forward + reverse) / 2
            continue
        if "causal_forward" in columns:
            bits[method, CAUSAL] = (columns["causal_forward"] + columns["causal_reverse"]) / 2
        if "two_sided" in columns:
            bits[method, TWO_SIDED] = columns["two_sided"]
    return intervals, bits


def evaluate_language(
    genome, splits, features, leakage, paths, settings: dict, seed: int, common: dict, seeds: dict | None = None
):
    """Rows of metrics and comparisons of the pretrain stage, for every dataset.

    Parameters
    ----------
    paths : dict
        Score file of each method (see `method_bits`); that of ``dnalm`` is of the training from ``seed``.
    settings : dict
        The evaluate section.
    common : dict
        The columns study, stage, dataset and splits_sha256.
    seeds : dict, optional
        Score files of ``dnalm`` from other seeds. Each gets rows of its own, and rows with the seed ``mean`` hold the
        mean over all seeds of the bits of each base; the comparisons are of this mean.
    """
    intervals, bits = method_bits(paths)
    single = _by_seed(seed, seeds or {}, bits, intervals)
    scored = ScoredBases(genome, intervals)
    strata = strata_of(scored, features, leakage)
    metrics, comparisons = [], []
    for (dataset, mine), split in itertools.product(datasets(genome, splits), ("validation", "test")):
        units = units_of(split_intervals(genome, mine, split), settings["unit"])
        slot = _unit_of(scored.position, units)
        if not (slot >= 0).any():
            continue  # a final training scores the test blocks alone, and not every genome has blocks of both
        weights = draws_of(len(units), settings["bootstrap"], seed)
        for stratum, mask in strata.items():
            use = (slot >= 0) & mask
            sums = {key: _sums(values, use, slot, len(units)) for key, values in bits.items()}
            where = {"dataset": dataset, "split": split, "stratum": stratum}
            for (method, metric), unit_sums in sums.items():
                value, low, high = bootstrap(ratio, unit_sums, weights)
                row = {"method": method, "metric": metric, "value": value, "ci_low": low, "ci_high": high}
                told = "mean" if single and method == "dnalm" else seed
                metrics.append({**common, **where, **row, "n": int(unit_sums[:, 1].sum()), "seed": told})
            metrics += _seed_rows(single, use, slot, weights, {**common, **where})
            unit = f"{settings['unit']} bp"
            comparisons += _compare(bits, sums, use, slot, weights, {**common, **where, "unit": unit})
    return metrics, comparisons


def _by_seed(seed: int, seeds: dict, bits: dict, intervals) -> dict:
    """Bits of ``dnalm`` by (seed, metric) where there are several; those in ``bits`` become their mean."""
    if not seeds:
        return {}
    single = {(seed, metric): values for (method, metric), values in bits.items() if method == "dnalm"}
    for other, path in seeds.items():
        found, mine = method_bits({"dnalm": path})
        if not np.array_equal(intervals, found):
            raise ValueError(f"{path} was scored on other intervals than the first seed")
        single |= {(other, metric): values for (_, metric), values in mine.items()}
    for metric in {metric for _, metric in single}:
        bits["dnalm", metric] = np.mean([v for (_, m), v in single.items() if m == metric], axis=0)
    return single


def _seed_rows(single: dict, use, slot, weights, where: dict) -> list[dict]:
    rows = []
    for (seed, metric), values in single.items():
        unit_sums = _sums(values, use, slot, weights.shape[1])
        value, low, high = bootstrap(ratio, unit_sums, weights)
        row = {"method": "dnalm", "metric": metric, "value": value, "ci_low": low, "ci_high": high}
        rows.append({**where, **row, "n": int(unit_sums[:, 1].sum()), "seed": seed})
    return rows


def _unit_of(position: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Index of the unit of each position, -1 outside of all."""
    if not len(units):
        return np.full(len(position), -1)
    slot = np.searchsorted(units[:, 0], position, side="right") - 1
    return np.where((slot >= 0) & (position < units[np.maximum(slot, 0), 1]), slot, -1)


def _sums(values, use, slot, count) -> np.ndarray:
    ok = use & ~np.isnan(values)
    bits = np.bincount(slot[ok], weights=values[ok].astype(np.float64), minlength=count)
    return np.stack([bits, np.bincount(slot[ok], minlength=count)], axis=1)


def _compare(bits, sums, use, slot, weights, common) -> list[dict]:
    """Rows of ``dnalm`` against every other method, on the bases that both have scored."""
    rows = []
    common = {k: v for k, v in common.items() if k != "splits_sha256"}
    for (method, metric), unit_sums in sums.items():
        ours = sums.get(("dnalm", metric))
        if method == "dnalm" or ours is None:
            continue
        if not np.array_equal(ours[:, 1], unit_sums[:, 1]):
            shared = use & ~np.isnan(bits["dnalm", metric]) & ~np.isnan(bits[method, metric])
            ours, unit_sums = (_sums(bits[m, metric], shared, slot, len(ours)) for m in ("dnalm", method))
        value, low, high = paired(ratio, ours, unit_sums, weights)
        row = {"metric": metric, "method_a": "dnalm", "method_b": method, "difference": value}
        rows.append({**common, **row, "ci_low": low, "ci_high": high, "n": int(ours[:, 1].sum())})
    return rows
