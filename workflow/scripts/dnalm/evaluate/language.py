"""Bits per base of language models by stratum, with intervals and paired comparisons."""

import numpy as np
import pandas as pd

from dnalm.evaluate.intervals import bootstrap, draws_of, paired, ratio, units_of
from dnalm.io.annotation import rna_genes
from dnalm.io.labels import GeneLabels
from dnalm.io.tables import read_scores
from dnalm.sequence.splits import split_intervals

CAUSAL, TWO_SIDED = "bits_per_base", "bits_per_base_two_sided"


def strata_of(genome, labels: GeneLabels, features: pd.DataFrame, leakage: pd.DataFrame) -> dict[str, np.ndarray]:
    """Bool masks over global positions: all, coding (and by codon position), intergenic, rna, repeat, unique.

    Repeats are the held-out windows of the leakage audit that match the training blocks; unique is everything else.
    """
    coding = labels.classes[:, 1:] > 0
    known = labels.known
    rna = np.zeros(len(genome.codes), dtype=bool)
    for f in rna_genes(features).itertuples(index=False):
        offset = genome.offset(f.contig)
        rna[offset + f.start : offset + f.end] = True
    strata = {"all": np.ones(len(rna), dtype=bool), "coding": coding.any(1) & known}
    for position in range(3):
        strata[f"codon_position_{position + 1}"] = (coding[:, position] | coding[:, position + 3]) & known
    repeat = np.zeros(len(rna), dtype=bool)
    for w in leakage[leakage["matched"] > 0].itertuples(index=False):
        offset = genome.offset(w.contig)
        repeat[offset + w.start : offset + w.end] = True
    return strata | {"intergenic": ~coding.any(1) & known & ~rna, "rna": rna, "repeat": repeat, "unique": ~repeat}


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


def evaluate_language(genome, splits, labels, features, leakage, paths, settings: dict, seed: int, common: dict):
    """Rows of metrics and comparisons of the pretrain stage.

    ``settings`` is the evaluate section; ``common`` the columns study, stage, dataset and splits_sha256.
    """
    intervals, bits = method_bits(paths)
    position = np.concatenate([np.arange(a, b) for a, b in intervals])
    strata = strata_of(genome, labels, features, leakage)
    metrics, comparisons = [], []
    for split in ("validation", "test"):
        units = units_of(split_intervals(genome, splits, split), settings["unit"])
        weights = draws_of(len(units), settings["bootstrap"], seed)
        slot = _unit_of(position, units)
        for stratum, mask in strata.items():
            use = (slot >= 0) & mask[position]
            sums = {key: _sums(values, use, slot, len(units)) for key, values in bits.items()}
            where = {"split": split, "stratum": stratum}
            for (method, metric), unit_sums in sums.items():
                value, low, high = bootstrap(ratio, unit_sums, weights)
                row = {"method": method, "metric": metric, "value": value, "ci_low": low, "ci_high": high}
                metrics.append({**common, **where, **row, "n": int(unit_sums[:, 1].sum()), "seed": seed})
            comparisons += _compare(sums, weights, {**common, **where, "unit": f"{settings['unit']} bp"})
    return metrics, comparisons


def _unit_of(position: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Index of the unit of each position, -1 outside of all."""
    slot = np.searchsorted(units[:, 0], position, side="right") - 1
    return np.where((slot >= 0) & (position < units[np.maximum(slot, 0), 1]), slot, -1)


def _sums(values, use, slot, count) -> np.ndarray:
    ok = use & ~np.isnan(values)
    bits = np.bincount(slot[ok], weights=values[ok].astype(np.float64), minlength=count)
    return np.stack([bits, np.bincount(slot[ok], minlength=count)], axis=1)


def _compare(sums, weights, common) -> list[dict]:
    rows = []
    common = {k: v for k, v in common.items() if k != "splits_sha256"}
    for (method, metric), unit_sums in sums.items():
        ours = sums.get(("dnalm", metric))
        if method == "dnalm" or ours is None:
            continue
        value, low, high = paired(ratio, ours, unit_sums, weights)
        row = {"metric": metric, "method_a": "dnalm", "method_b": method, "difference": value}
        rows.append({**common, **row, "ci_low": low, "ci_high": high, "n": int(ours[:, 1].sum())})
    return rows
