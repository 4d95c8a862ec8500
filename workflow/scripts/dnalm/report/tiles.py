"""The headline numbers at the top of the report."""

from dataclasses import dataclass

import pandas as pd

from dnalm.figures.style import method_label
from dnalm.report.glossary import VERDICTS
from dnalm.report.numbers import count, metric_interval, metric_value, percent
from dnalm.report.results import Stage, gene_counts, verdict
from dnalm.report.summary import CAUSAL, PYRODIGAL, RULERS, TWO_SIDED, closest_window
from dnalm.report.tables import genome_word


@dataclass(frozen=True)
class Tile:
    """A headline number, its interval, what it stands beside, and the verdict."""

    label: str
    value: str
    note: str
    versus: str = ""
    tone: str = ""
    verdict: str = ""


def headline(pretrain: Stage, annotate: Stage | None, splits: pd.DataFrame, leakage: pd.DataFrame) -> list[Tile]:
    """Bits per base against the rulers, gene F1 against Pyrodigal, size of the test set, closest training match."""
    found = [
        _scored(pretrain, TWO_SIDED, "Two-sided bits per base", RULERS[TWO_SIDED]),
        _scored(pretrain, CAUSAL, "Causal bits per base", RULERS[CAUSAL]),
    ]
    if annotate:
        for metric, label in (("gene_f1_3prime", "Gene F1, stop codon"), ("gene_f1_exact", "Gene F1, start and stop")):
            found.append(
                _scored(annotate, metric, label, next((m for m in PYRODIGAL if annotate.value(m, metric)), None))
            )
    return [tile for tile in found if tile] + [_test_set(splits, annotate), _closest(leakage)]


def _scored(stage: Stage, metric: str, label: str, other: str | None) -> Tile | None:
    ours = stage.value("dnalm", metric)
    if ours is None:
        return None
    value, interval, seeds = metric_value(metric, ours), metric_interval(metric, ours), len(stage.by_seed(metric))
    label += f", mean of {seeds} seeds" if seeds > 1 else ""
    theirs = stage.value(other, metric) if other else None
    if theirs is None:
        return Tile(label, value, interval)
    said = verdict(metric, stage.difference(other, metric))
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
