"""Arms of a comparison on the same test bases: bits per base with intervals, by seed and as means, and paired."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.evaluate.intervals import bootstrap, draws_of, paired, ratio, units_of
from dnalm.evaluate.language import CAUSAL, TWO_SIDED
from dnalm.io.tables import read_scores

#: The arm that the others are compared with, called ``dnalm`` in the tables.
DEFAULT = "default"


def evaluate_arms(folders: list, baselines: dict, settings: dict, common: dict, spans: dict | None = None):
    """Metrics, comparisons and facts of a comparison.

    Parameters
    ----------
    folders : list of path
        ``.../<arm>/seed<n>``, as `dnalm.tasks.compare.write_arm` fills them.
    baselines : dict
        Score file of each counting baseline on the same splits.
    settings : dict
        The evaluate section.
    common : dict
        The columns study, stage, dataset and splits_sha256.
    spans : dict, optional
        Global positions (first, last + 1) of each genome of a study of several: those with test bases have rows of
        their own, after the rows of all together.

    Returns
    -------
    metrics, comparisons : lists of rows
        Rows by seed, and the mean over seeds of the bits of each base (seed ``mean``); comparisons are of the means.
    arms : DataFrame
        One row per training: what it cost, and its last validation.
    """
    found = [(*_name(folder), _read(folder)) for folder in map(Path, folders)]
    metrics, comparisons = [], []
    for metric in (CAUSAL, TWO_SIDED):
        bits = {(m, seed): scores[metric] for m, seed, (_, _, scores) in found if metric in scores}
        if not bits:
            continue
        positions, methods = _methods(metric, bits, baselines)
        for dataset, (start, end) in {common["dataset"]: (0, np.inf), **(spans or {})}.items():
            mine = (positions >= start) & (positions < end)
            if mine.any():
                kept = {method: [(seed, v[mine]) for seed, v in values] for method, values in methods.items()}
                rows, pairs = _metric(metric, positions[mine], kept, settings, {**common, "dataset": dataset})
                metrics, comparisons = metrics + rows, comparisons + pairs
    facts = [{"method": m, "seed": seed, **facts, **_last(log)} for m, seed, (facts, log, _) in found]
    return metrics, comparisons, pd.DataFrame(facts)


def _name(folder: Path) -> tuple[str, int]:
    arm = folder.parent.name
    return "dnalm" if arm == DEFAULT else arm, int(folder.name.removeprefix("seed"))


def _read(folder: Path):
    with np.load(folder / "scores.npz", allow_pickle=False) as file:
        scores = {name: file[name] for name in file.files}
    return json.loads((folder / "facts.json").read_text()), pd.read_csv(folder / "log.csv"), scores


def _last(log: pd.DataFrame) -> dict:
    return {name: log[name].iloc[-1] for name in log.columns if name.startswith("validation_")}


def _methods(metric: str, bits: dict, baselines: dict) -> tuple[np.ndarray, dict[str, list]]:
    """Positions that all arms were asked, and the (seed, bits) of every arm and baseline there."""
    positions = next(iter(bits.values()))[0].astype(np.int64)
    methods: dict[str, list] = {}
    for (method, seed), (place, values) in bits.items():
        if not np.array_equal(place, positions):
            raise ValueError(f"{method} seed {seed} was asked other positions than the first arm")
        methods.setdefault(method, []).append((seed, values))
    for method, path in baselines.items():
        values = _baseline(path, metric, positions)
        if values is not None:
            methods[method] = [("", values)]
    return positions, methods


def _metric(metric: str, positions: np.ndarray, methods: dict[str, list], settings: dict, common: dict):
    """Rows and comparisons of one metric on one dataset."""
    units = units_of(np.array([[positions.min(), positions.max() + 1]]), settings["unit"])
    # of the units between the first and the last position those count that hold one: the others are no test blocks
    held, slot = np.unique(np.searchsorted(units[:, 0], positions, side="right") - 1, return_inverse=True)
    weights = draws_of(len(held), settings["bootstrap"], 1)
    where = {**common, "split": "test", "stratum": "all"}
    rows, means = [], {}
    for method, values in methods.items():
        means[method] = _sums(np.mean([v for _, v in values], axis=0), slot, len(held))
        each = [(seed, _sums(v, slot, len(held))) for seed, v in values] if len(values) > 1 else []
        for seed, sums in [*each, ("mean" if each else values[0][0], means[method])]:
            value, low, high = bootstrap(ratio, sums, weights)
            row = {"method": method, "metric": metric, "value": value, "ci_low": low, "ci_high": high}
            rows.append({**where, **row, "n": int(sums[:, 1].sum()), "seed": seed})
    pairs = []
    for method, sums in means.items():
        if method != "dnalm" and "dnalm" in means:
            value, low, high = paired(ratio, sums, means["dnalm"], weights)
            pair = {"metric": metric, "method_a": method, "method_b": "dnalm", "difference": value}
            unit = {"n": int(sums[:, 1].sum()), "unit": f"{settings['unit']} bp"}
            pairs.append({**where, **pair, "ci_low": low, "ci_high": high, **unit})
    return rows, pairs


def _baseline(path, metric: str, positions: np.ndarray):
    """Bits of a counting baseline at positions, None if it has not this metric."""
    intervals, columns = read_scores(path)
    if metric == CAUSAL and "causal_forward" in columns:
        values = (columns["causal_forward"] + columns["causal_reverse"]) / 2
    elif metric == TWO_SIDED and "two_sided" in columns:
        values = columns["two_sided"]
    else:
        return None
    place = np.concatenate([np.arange(start, end) for start, end in intervals])
    order = np.argsort(place)
    return values[order[np.searchsorted(place[order], positions)]]


def _sums(values, slot, count) -> np.ndarray:
    ok = ~np.isnan(values)
    bits = np.bincount(slot[ok], weights=values[ok].astype(np.float64), minlength=count)
    return np.stack([bits, np.bincount(slot[ok], minlength=count)], axis=1)
