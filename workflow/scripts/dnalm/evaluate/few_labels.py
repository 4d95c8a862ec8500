"""Gene finders from few labels on the same held-out genes: F1 by number of labels, by seed and as means, and paired."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.evaluate.genes import STATISTICS, GeneTruth, unit_table
from dnalm.evaluate.intervals import bootstrap, draws_of, paired
from dnalm.sequence.splits import blocks_of

METRICS = ("gene_f1_3prime", "gene_f1_exact", "gene_sensitivity_3prime", "gene_precision_3prime", "start_accuracy")
#: What is compared pairwise.
COMPARED = METRICS[:2]
#: Stratum of finders that were given no labels.
UNLABELLED = "no_labels"


def stratum_of(genes: int | str) -> str:
    """Name of the rows of finders that learned from so many genes: ``genes_50``, ``genes_all``."""
    return f"genes_{genes}"


def evaluate_few_labels(
    cds, splits, genome, calls: dict[tuple, pd.DataFrame], unlabelled: dict[str, pd.DataFrame], settings: dict,
    seed: int, common: dict,
):  # fmt: skip
    """Rows of metrics and comparisons of the stage, for validation and test blocks.

    Parameters
    ----------
    calls : dict of (arm, number of genes or ``all``, seed) to DataFrame
        Every arm must have the same seeds at a number of genes.
    unlabelled : dict of name to DataFrame
        Calls of finders that need no labels; every arm is compared with them at every number.
    settings : dict
        The evaluate section.

    Returns
    -------
    metrics, comparisons : lists of rows
        The mean over seeds (seed ``mean``) has the interval of the block bootstrap: of the genes that are judged, not
        of the genes that were labelled, which the rows of single seeds show. Comparisons are of the means, and both
        sides are resampled together.
    """
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    metrics, comparisons = [], []
    for split in ("validation", "test"):
        blocks = blocks_of(splits, genome, split)
        truth, units = GeneTruth(cds, blocks, lengths), unit_table(blocks, settings["unit"])
        weights = draws_of(len(units), settings["bootstrap"], seed)

        def count(table, truth=truth, units=units):
            return truth.unit_sums(truth.judge(table), units)

        where = {**common, "split": split}
        found = {key: count(table) for key, table in calls.items()}
        others = {method: count(table) for method, table in unlabelled.items()}
        rows, pairs = _rows(found, others, weights, where, len(truth.genes), settings["unit"])
        metrics, comparisons = metrics + rows, comparisons + pairs
    return metrics, comparisons


def mean_of(statistic: Callable, seeds: int) -> Callable:
    """The mean over seeds of a statistic of sums (..., k), for their sums side by side (..., seeds * k)."""

    def mean(sums):
        return np.mean([statistic(part) for part in np.split(sums, seeds, axis=-1)], axis=0)

    return mean


def _rows(found: dict, others: dict, weights, where: dict, n: int, unit: int):
    """Metrics and comparisons of one split from sums over units."""
    metrics, comparisons = [], []
    for (method, sums), metric in itertools.product(others.items(), METRICS):
        metrics.append(_row(metric, method, UNLABELLED, "", STATISTICS[metric], sums, weights, where, n))
    for genes in dict.fromkeys(genes for _, genes, _ in found):
        by_arm: dict[str, dict] = {}
        for (arm, number, seed), sums in found.items():
            if number == genes:
                by_arm.setdefault(arm, {})[seed] = sums
        seeds = list(next(iter(by_arm.values())))
        if any(list(single) != seeds for single in by_arm.values()):
            raise ValueError(f"arms of {genes} genes have different seeds")
        joined = {arm: np.concatenate(list(single.values()), axis=1) for arm, single in by_arm.items()}
        for metric, arm in itertools.product(METRICS, by_arm):
            told = [(seed, STATISTICS[metric], sums) for seed, sums in by_arm[arm].items()]
            if len(seeds) > 1:
                told.append(("mean", mean_of(STATISTICS[metric], len(seeds)), joined[arm]))
            metrics += [_row(metric, arm, stratum_of(genes), *one, weights, where, n) for one in told]
        joined |= {method: np.tile(sums, (1, len(seeds))) for method, sums in others.items()}
        pairs = _pairs(joined, by_arm, len(seeds), weights)
        common = {**where, "stratum": stratum_of(genes), "n": n, "unit": f"{unit} bp"}
        comparisons += [{**common, **pair} for pair in pairs]
    return metrics, comparisons


def _pairs(joined: dict[str, np.ndarray], arms, seeds: int, weights) -> list[dict]:
    """Differences of means: every arm minus every method after it, all with the sums of their seeds side by side."""
    rows = []
    for metric, (a, b) in itertools.product(COMPARED, itertools.combinations(joined, 2)):
        if a in arms:
            statistic = mean_of(STATISTICS[metric], seeds)
            value, low, high = paired(statistic, joined[a], joined[b], weights)
            row = {"metric": metric, "method_a": a, "method_b": b, "difference": value}
            rows.append({**row, "ci_low": low, "ci_high": high})
    return rows


def _row(metric, method, stratum, seed, statistic, sums, weights, where: dict, n: int) -> dict:
    value, low, high = bootstrap(statistic, sums, weights)
    row = {"method": method, "stratum": stratum, "metric": metric, "value": value, "ci_low": low, "ci_high": high}
    return {**where, **row, "n": n, "seed": seed}


def costs_of(facts: dict[tuple, dict]) -> pd.DataFrame:
    """One row per gene finder: what it learned from and what it cost."""
    rows = [{"method": arm, "genes": genes, "seed": seed, **told} for (arm, genes, seed), told in facts.items()]
    return pd.DataFrame(rows)


def read_run(path) -> tuple[str, str, int]:
    """(arm, number of genes, seed) of a file ``.../<arm>/<genes>/seed<n>/<file>``."""
    arm, genes, seed = Path(path).parts[-4:-1]
    return arm, genes, int(seed.removeprefix("seed"))
