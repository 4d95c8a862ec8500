"""Genes with introns against the annotation, per base, exon and gene.

Exons and genes are judged by `dnalm.tasks.structure_truth`. Bases: coding bases of chosen transcripts, each strand on
its own, inside blocks. Neither right nor wrong are bases between the ends of excluded transcripts on their strand, and
bases that only an alternative transcript codes.
"""

import itertools

import numpy as np
import pandas as pd

from dnalm.annotation.transcript_labels import excluded_rows
from dnalm.annotation.transcripts import ALTERNATIVE, CHOSEN
from dnalm.evaluate.datasets import datasets
from dnalm.evaluate.genes import metric_rows, over, unit_of, unit_table
from dnalm.evaluate.intervals import draws_of
from dnalm.sequence.end_to_end import covers, laid, owner
from dnalm.sequence.splits import blocks_of
from dnalm.tasks.structure_truth import StructureTruth, coding_exons

LEVELS = ("base", "exon", "gene")
#: Of the columns (true, called, right) of a level.
RATIOS = {"sensitivity": over((2, 1), 0), "precision": over((2, 1), 1), "f1": over((2, 2), 0, 1)}


def base_sums(transcripts: pd.DataFrame, calls: pd.DataFrame, units: pd.DataFrame) -> np.ndarray:
    """Per unit: coding bases, called bases, bases that are both; (units, 3).

    Between two neighbouring ends of intervals nothing changes: stretches are counted, not bases.
    """
    sums, roles = np.zeros((len(units), 3)), transcripts["role"]
    tables = calls, transcripts[roles == CHOSEN], transcripts[roles == ALTERNATIVE]
    exons = [coding_exons(table) for table in tables]
    for strand in "+-":
        mine = [table[(table["strand"] == "-") == (strand == "-")] for table in exons]
        spans, *sets = laid(units, *mine, excluded_rows(transcripts, strand + "."))
        edges = np.unique(np.concatenate([edge for both in (spans, *sets) for edge in both]))
        called, true, other, excluded = (covers(both, edges[:-1]) for both in sets)
        slot = owner(spans, edges[:-1])
        counted = (slot >= 0) & (true | ~other) & ~excluded
        for column, here in enumerate((true, called, true & called)):
            stretch = here & counted
            np.add.at(sums[:, column], slot[stretch], np.diff(edges)[stretch])
    return sums


def structure_sums(truth: StructureTruth, calls: pd.DataFrame, units: pd.DataFrame) -> dict:
    """Per level, sums over units of (true, called, right); an exon or gene belongs to the unit of its middle."""
    sums = {"base": base_sums(truth.transcripts, calls, units)}
    for level, judged in truth.judge(calls).items():
        sums[level] = np.zeros((len(units), 3))
        np.add.at(sums[level][:, 0], unit_of(judged.truth, units), 1)
        slot = unit_of(judged.calls, units)
        for column, values in ((1, 1), (2, judged.calls["right"])):
            np.add.at(sums[level][:, column], slot, values)
    return sums


def evaluate_structures(
    genome, transcripts, splits, finders: dict[str, pd.DataFrame], settings, seed: int, common: dict
):
    """Rows of metrics and comparisons: sensitivity, precision and F1 of bases, exons and genes.

    ``finders`` are calls with the columns of `dnalm.annotation.transcripts` and ``score``, by method; ``n`` of a row is
    the number of true coding bases, exons or genes.
    """
    metrics, comparisons = [], []
    for (dataset, own), split in itertools.product(datasets(genome, splits), ("validation", "test")):
        blocks = blocks_of(own, genome, split)
        if blocks.empty:
            continue
        truth, units = StructureTruth(transcripts, blocks), unit_table(blocks, settings["unit"])
        weights = draws_of(len(units), settings["bootstrap"], seed)
        sums = {method: structure_sums(truth, calls, units) for method, calls in finders.items()}
        where = {**common, "dataset": dataset, "split": split, "stratum": "all"}
        for level in LEVELS:
            mine = {method: levels[level] for method, levels in sums.items()}
            true = int(next(iter(mine.values()))[:, 0].sum())
            statistics = {f"{level}_{name}_structure": ratio for name, ratio in RATIOS.items()}
            rows = metric_rows(mine, statistics, weights, where, true, seed, settings["unit"])
            metrics, comparisons = metrics + rows[0], comparisons + rows[1]
    return metrics, comparisons
