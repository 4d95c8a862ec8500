"""Genes with introns against the annotation, per base, exon and gene.

Exons and genes are judged by `dnalm.tasks.structure_truth`. Bases: coding bases of chosen transcripts, each strand on
its own, inside blocks. Neither right nor wrong are bases between the ends of excluded transcripts on their strand, and
bases that only an alternative transcript codes.
"""

import itertools

import numpy as np
import pandas as pd

from dnalm.evaluate.datasets import datasets
from dnalm.evaluate.genes import metric_rows, over, unit_of, unit_table
from dnalm.evaluate.intervals import draws_of
from dnalm.io.transcript_labels import excluded_spans
from dnalm.io.transcripts import ALTERNATIVE, CHOSEN
from dnalm.sequence.splits import blocks_of
from dnalm.tasks.structure_truth import StructureTruth, coding_exons

LEVELS = ("base", "exon", "gene")
#: Of the columns (true, called, right) of a level.
RATIOS = {"sensitivity": over((2, 1), 0), "precision": over((2, 1), 1), "f1": over((2, 2), 0, 1)}


def covered(table: pd.DataFrame, length: int) -> np.ndarray:
    """Bool (length, 2): coding bases of transcripts of one contig on the forward and on the reverse strand."""
    out = np.zeros((length, 2), dtype=bool)
    for exon in coding_exons(table).itertuples(index=False):
        out[exon.start : exon.end, int(exon.strand == "-")] = True
    return out


def base_sums(transcripts: pd.DataFrame, calls: pd.DataFrame, units: pd.DataFrame, lengths: dict) -> np.ndarray:
    """Per unit: coding bases, called bases, bases that are both; (units, 3)."""
    sums = np.zeros((len(units), 3))
    for contig, mine in units.groupby("contig", sort=False):
        annotated, length = transcripts[transcripts["contig"] == contig], lengths[contig]
        called = covered(calls[calls["contig"] == contig], length)
        true = covered(annotated[annotated["role"] == CHOSEN], length)
        known = ~(covered(annotated[annotated["role"] == ALTERNATIVE], length) & ~true)
        for side, strand in enumerate("+-"):
            for start, end in excluded_spans(annotated, strand + "."):
                known[start:end, side] = False
        counts = np.stack([a.sum(1) for a in (true & known, called & known, true & called & known)], axis=1)
        total = np.concatenate([np.zeros((1, 3), dtype=np.int64), np.cumsum(counts, axis=0)])
        sums[mine.index] = total[mine["end"]] - total[mine["start"]]
    return sums


def structure_sums(truth: StructureTruth, calls: pd.DataFrame, units: pd.DataFrame, lengths: dict) -> dict:
    """Per level, sums over units of (true, called, right); an exon or gene belongs to the unit of its middle."""
    sums = {"base": base_sums(truth.transcripts, calls, units, lengths)}
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

    ``finders`` are calls with the columns of `dnalm.io.transcripts` and ``score``, by method; ``n`` of a row is the
    number of true coding bases, exons or genes.
    """
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    metrics, comparisons = [], []
    for (dataset, own), split in itertools.product(datasets(genome, splits), ("validation", "test")):
        blocks = blocks_of(own, genome, split)
        if blocks.empty:
            continue
        truth, units = StructureTruth(transcripts, blocks), unit_table(blocks, settings["unit"])
        weights = draws_of(len(units), settings["bootstrap"], seed)
        sums = {method: structure_sums(truth, calls, units, lengths) for method, calls in finders.items()}
        where = {**common, "dataset": dataset, "split": split, "stratum": "all"}
        for level in LEVELS:
            mine = {method: levels[level] for method, levels in sums.items()}
            true = int(next(iter(mine.values()))[:, 0].sum())
            statistics = {f"{level}_{name}_structure": ratio for name, ratio in RATIOS.items()}
            rows = metric_rows(mine, statistics, weights, where, true, seed, settings["unit"])
            metrics, comparisons = metrics + rows[0], comparisons + rows[1]
    return metrics, comparisons
