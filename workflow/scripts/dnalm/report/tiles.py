"""The headline numbers at the top of the report."""

from dataclasses import dataclass

import pandas as pd

from dnalm.figures.vocabulary import method_label
from dnalm.report.glossary import VERDICTS
from dnalm.report.numbers import count, metric_interval, metric_value, percent
from dnalm.report.results import Stage, gene_counts, verdict
from dnalm.report.summary import CAUSAL, MEAN, PYRODIGAL, RULERS, TWO_SIDED, closest_window
from dnalm.report.tables import genome_word

#: Gene scores with a tile, and the finders that one may stand beside, the most telling first.
GENE_TILES = {
    "gene_f1_3prime": "Gene F1, stop codon", "gene_f1_exact": "Gene F1, start and stop",
    "gene_f1_structure": "Gene F1, all exons", "exon_f1_structure": "Exon F1",
}  # fmt: skip
OTHERS = (*PYRODIGAL, "augustus", "closed_form")


@dataclass(frozen=True)
class Tile:
    """A headline number, its interval, what it stands beside, and the verdict."""

    label: str
    value: str
    note: str
    versus: str = ""
    tone: str = ""
    verdict: str = ""


def headline(pretrain: Stage | None, annotate: Stage | None, splits: pd.DataFrame, leakage: pd.DataFrame) -> list[Tile]:
    """Bits per base against the rulers, gene F1 against Pyrodigal, size of the test set, closest training match."""
    found = []
    if pretrain:
        found.append(_scored(pretrain, TWO_SIDED, "Two-sided bits per base", RULERS[TWO_SIDED]))
        found.append(_scored(pretrain, CAUSAL, "Causal bits per base", RULERS[CAUSAL]))
    if annotate:
        mean = MEAN if annotate.value("dnalm", "gene_f1_3prime", MEAN) else "all"
        for metric, label in GENE_TILES.items():
            other = next((m for m in OTHERS if annotate.value(m, metric)), None)
            found.append(_scored(annotate, metric, label, other, mean))
    return [tile for tile in found if tile] + [_test_set(splits, annotate), _closest(leakage)]


def _scored(stage: Stage, metric: str, label: str, other: str | None, stratum: str = "all") -> Tile | None:
    ours = stage.value("dnalm", metric, stratum)
    if ours is None:
        return None
    value, interval, seeds = metric_value(metric, ours), metric_interval(metric, ours), len(stage.by_seed(metric))
    label += f", mean of {seeds} seeds" if seeds > 1 else ""
    label += ", mean of genomes" if stratum == MEAN else ""
    theirs = stage.value(other, metric, stratum) if other else None
    if theirs is None:
        return Tile(label, value, interval)
    said = verdict(metric, stage.difference(other, metric, stratum))
    return Tile(label, value, interval, f"{method_label(other)}: {metric_value(metric, theirs)}", said, VERDICTS[said])


def _test_set(splits: pd.DataFrame, annotate: Stage | None) -> Tile:
    length = splits["end"] - splits["start"]
    bases = int(length[splits["split"] == "test"].sum())
    counts = gene_counts(annotate, "dnalm") if annotate else None
    genes = f"with {count(counts.genes, 'gene')} to find" if counts else ""
    share = f"{percent(bases / max(length.sum(), 1))} of the {genome_word(splits)}"
    return Tile("Test bases", f"{bases:,}", share, genes)


def _closest(leakage: pd.DataFrame) -> Tile:
    test = leakage[leakage["split"] == "test"]
    hits = test[test["kind"] != "none"]
    if hits.empty:
        return Tile("Closest training match", "none", f"in {count(len(test), 'test window')}")
    closest = closest_window(hits)
    note = f"of a window at {percent(closest['identity'])} identity ({closest['kind']})"
    return Tile(
        "Closest training match", percent(closest["share"]), note, f"{len(hits):,} of {len(test):,} windows match"
    )
