"""Gene calls against the annotation, with the rules that make a comparison fair.

Truth: CDS of one part, not pseudo, not partial, in frame, both ends inside a block. A call counts if it overlaps a
block; it is ignored, neither right nor wrong, if it touches a block's edge or shares its stop codon with a CDS that is
not part of the truth. Right at the 3' end: same stop codon and strand. Exact: same start too.
"""

import itertools

import numpy as np
import pandas as pd

from dnalm.annotation.labels import whole_genes
from dnalm.evaluate.datasets import datasets
from dnalm.evaluate.intervals import bootstrap, draws_of, paired, ratio, units_of
from dnalm.sequence.end_to_end import laid, owner
from dnalm.sequence.splits import blocks_of, place_in


def keys(table: pd.DataFrame, lengths: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """(stop codon, start codon) of every row as strings that name contig, strand and position."""
    length = table["contig"].map(lengths).to_numpy()
    plus = (table["strand"] == "+").to_numpy()
    start, end = table["start"].to_numpy() % length, table["end"].to_numpy() % length
    place = table["contig"].astype(str) + table["strand"].astype(str)
    stop = place + np.where(plus, end, start).astype(str)
    begin = place + np.where(plus, start, end).astype(str)
    return stop.to_numpy(dtype=object), begin.to_numpy(dtype=object)


class GeneTruth:
    """The genes of one split, and what is neither right nor wrong."""

    def __init__(self, cds: pd.DataFrame, blocks: pd.DataFrame, lengths: dict[str, int]):
        self.blocks, self.lengths = blocks, lengths
        whole = whole_genes(cds)
        _, inside = place_in(whole, blocks)
        stop, start = keys(whole[inside], lengths)
        self.starts = pd.Series(start).groupby(stop).agg(set).to_dict()
        self.genes = whole[inside][~pd.Series(stop).duplicated().to_numpy()].reset_index(drop=True)
        self.stop, _ = keys(self.genes, lengths)
        self.neutral = set(keys(cds, lengths)[0]) - set(self.stop)

    def judge(self, calls: pd.DataFrame) -> pd.DataFrame:
        """The calls that count, with columns ``right_stop`` and ``right_start``."""
        overlaps, inside = place_in(calls, self.blocks)
        stop, start = keys(calls, self.lengths)
        counts = overlaps & inside & ~np.isin(stop, list(self.neutral))
        calls, stop, start = calls[counts].reset_index(drop=True), stop[counts], start[counts]
        surest = calls.sort_values("score", ascending=False, kind="stable").index
        first = ~pd.Series(stop)[surest].duplicated().sort_index().to_numpy()  # a gene can be found only once
        right = first & np.isin(stop, self.stop)
        exact = np.array([b in self.starts.get(s, ()) for s, b in zip(stop, start, strict=True)], dtype=bool)
        return calls.assign(right_stop=right, right_start=right & exact)

    def unit_sums(self, judged: pd.DataFrame, units: pd.DataFrame) -> np.ndarray:
        """Per unit: genes, calls, right stops, right starts; a gene or call belongs to the unit of its middle."""
        sums = np.zeros((len(units), 4))
        np.add.at(sums[:, 0], unit_of(self.genes, units), 1)
        slot = unit_of(judged, units)
        for column, values in enumerate((1, judged["right_stop"], judged["right_start"]), 1):
            np.add.at(sums[:, column], slot, values)
        return sums


def unit_table(blocks: pd.DataFrame, unit: int) -> pd.DataFrame:
    """Bootstrap units of the blocks: contig, start, end."""
    spans = blocks[["start", "end"]].to_numpy()
    counts = np.maximum(1, np.round((spans[:, 1] - spans[:, 0]) / unit).astype(np.int64))
    pieces = units_of(spans, unit)
    contigs = blocks["contig"].to_numpy().repeat(counts)
    return pd.DataFrame({"contig": contigs, "start": pieces[:, 0], "end": pieces[:, 1]})


def unit_of(table: pd.DataFrame, units: pd.DataFrame) -> np.ndarray:
    """Number of the unit that the middle of each row lies in, 0 where it lies in none."""
    places, spans = laid(table, units)
    return np.maximum(owner(spans, (places[0] + places[1]) // 2), 0)


def over(numerator, *denominators):
    """A statistic of (genes, calls, right stops, right starts): weighted column over the sum of columns."""

    def statistic(sums):
        top = numerator[1] * sums[..., numerator[0]]
        return ratio(np.stack([top, sum(sums[..., d] for d in denominators)], axis=-1))

    return statistic


STATISTICS = {
    "gene_sensitivity_3prime": over((2, 1), 0),
    "gene_precision_3prime": over((2, 1), 1),
    "gene_f1_3prime": over((2, 2), 0, 1),
    "gene_f1_exact": over((3, 2), 0, 1),
    "start_accuracy": over((3, 1), 2),
}


def precision_recall(judged: pd.DataFrame, genes: int) -> pd.DataFrame:
    """Precision and sensitivity at the 3' end for every score threshold, from the surest call down."""
    if judged.empty:
        return pd.DataFrame(columns=["score", "precision", "sensitivity"])
    ordered = judged.sort_values("score", ascending=False, kind="stable")
    right = ordered["right_stop"].cumsum().to_numpy()
    called = np.arange(1, len(ordered) + 1)
    last = np.append(ordered["score"].to_numpy()[1:] != ordered["score"].to_numpy()[:-1], True)
    table = {"score": ordered["score"], "precision": right / called, "sensitivity": right / max(genes, 1)}
    return pd.DataFrame(table).reset_index(drop=True)[last]


def evaluate_genes(cds, splits, genome, finders: dict[str, pd.DataFrame], settings: dict, seed: int, common: dict):
    """Rows of metrics and comparisons of the annotate stage, for validation and test blocks of every dataset."""
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    metrics, comparisons = [], []
    single: dict[str, list] = {}
    for (dataset, mine), split in itertools.product(datasets(genome, splits), ("validation", "test")):
        blocks = blocks_of(mine, genome, split)
        if blocks.empty:
            continue
        truth, units = GeneTruth(cds, blocks, lengths), unit_table(blocks, settings["unit"])
        weights = draws_of(len(units), settings["bootstrap"], seed)
        sums = {method: truth.unit_sums(truth.judge(calls), units) for method, calls in finders.items()}
        where = {**common, "dataset": dataset, "split": split, "stratum": "all"}
        rows = metric_rows(sums, STATISTICS, weights, where, len(truth.genes), seed, settings["unit"])
        metrics, comparisons = metrics + rows[0], comparisons + rows[1]
        if dataset != genome.name:
            single.setdefault(split, []).append((sums, weights, len(truth.genes)))
    for split, parts in single.items():
        if len(parts) > 1:
            where = {**common, "dataset": genome.name, "split": split, "stratum": "mean_of_genomes"}
            rows = _mean_rows(parts, where, seed, settings["unit"])
            metrics, comparisons = metrics + rows[0], comparisons + rows[1]
    return metrics, comparisons


def _mean_rows(parts: list, where: dict, seed: int, unit: int):
    """Rows of the mean over genomes, each counting alike; units are drawn within every genome.

    ``parts`` are (sums by method, weights, genes) of each genome. The sums of a genome have columns of their own.
    """
    width, weights = len(parts), np.concatenate([weights for _, weights, _ in parts], axis=1)
    sums = {
        method: np.concatenate(
            [np.pad(s[method], ((0, 0), (4 * i, 4 * (width - 1 - i)))) for i, (s, _, _) in enumerate(parts)]
        )
        for method in parts[0][0]
    }
    statistics = {name: _mean_of(statistic, width) for name, statistic in STATISTICS.items()}
    return metric_rows(sums, statistics, weights, where, sum(genes for *_, genes in parts), seed, unit)


def _mean_of(statistic, genomes: int):
    return lambda sums: statistic(sums.reshape(*sums.shape[:-1], genomes, 4)).mean(-1)


def metric_rows(sums: dict[str, np.ndarray], statistics: dict, weights: np.ndarray, where: dict, n: int, seed, unit):
    """Rows of metrics of every method, and of comparisons with ``dnalm``, from sums over units (units, k)."""
    metrics, comparisons = [], []
    for metric, statistic in statistics.items():
        for method, unit_sums in sums.items():
            value, low, high = bootstrap(statistic, unit_sums, weights)
            row = {"method": method, "metric": metric, "value": value, "ci_low": low, "ci_high": high}
            metrics.append({**where, **row, "n": n, "seed": seed})
            if method != "dnalm" and "dnalm" in sums:
                value, low, high = paired(statistic, sums["dnalm"], unit_sums, weights)
                row = {"metric": metric, "method_a": "dnalm", "method_b": method, "difference": value}
                pair = {**where, **row, "ci_low": low, "ci_high": high, "n": n}
                pair.pop("splits_sha256")
                comparisons.append({**pair, "unit": f"{unit} bp"})
    return metrics, comparisons
