"""Tables of the report as plain data that the template draws: cells of text, with a bar or an interval where useful."""

from dataclasses import dataclass, field
from math import isfinite
from statistics import median

import pandas as pd

from dnalm.figures.vocabulary import method_label
from dnalm.report.glossary import VERDICTS, metric_label, stratum_label
from dnalm.report.numbers import (
    MISSING,
    count,
    duration,
    megabytes,
    metric_interval,
    metric_value,
    number,
    percent,
    signed,
    signed_interval,
)
from dnalm.report.results import LOWER_IS_BETTER, Estimate, Stage, gene_counts, verdict

#: An interval that reaches further than this many times the median of its table is cut off with an arrow.
OUTLIER = 4.0


@dataclass(frozen=True)
class Whisker:
    """An interval on a scale from 0 to 100, with zero's place; the ends say whether they were cut off."""

    low: float
    value: float
    high: float
    zero: float
    cut_low: bool = False
    cut_high: bool = False


@dataclass(frozen=True)
class Cell:
    """One cell: text, a smaller note below it, and what it is sorted by."""

    text: str
    note: str = ""
    order: float | str = ""
    strong: bool = False
    tone: str = ""
    bar: float | None = None
    whisker: Whisker | None = None
    link: str = ""


@dataclass(frozen=True)
class Column:
    """A column's head; ``kind`` is ``text``, ``number`` or ``plot``."""

    label: str
    note: str = ""
    kind: str = "number"


@dataclass(frozen=True)
class Table:
    """A table with its caption; the first cell of each row is the row's head."""

    name: str
    caption: str
    columns: list[Column]
    rows: list[list[Cell]]
    foot: list[Cell] = field(default_factory=list)


def matrix(
    name: str, caption: str, stage: Stage, methods: list[str], places: list[tuple[str, str]], unranked: tuple = (),
    labels: dict[str, str] | None = None,
) -> Table:  # fmt: skip
    """Test values of methods (rows) at places (columns): (metric, stratum); the best value of a column is strong.

    Methods that are ``unranked`` are shown and never the best: they know more than the others. ``labels`` are names of
    strata where they are not those of `stratum_label`.
    """
    metrics = list(dict.fromkeys(metric for metric, _ in places))
    columns = [Column("Method", kind="text")]
    for metric, stratum in places:
        known = [e for m in methods if (e := stage.value(m, metric, stratum))]
        label = metric_label(metric) if len(metrics) > 1 else (labels or {}).get(stratum, stratum_label(stratum))
        columns.append(Column(label, f"n = {known[0].n:,}" if known else ""))
    ranked = [method for method in methods if method not in unranked]
    best = {place: _best(stage, ranked, *place) for place in places}
    rows = []
    for method in methods:
        cells = [Cell(method_label(method))]
        for metric, stratum in places:
            estimate = stage.value(method, metric, stratum)
            text = metric_value(metric, estimate)
            strong = method in ranked and text != MISSING and text == best[metric, stratum]
            order = estimate.value if text != MISSING else ""
            cells.append(Cell(text, metric_interval(metric, estimate), order, strong))
        rows.append(cells)
    return Table(name, caption, columns, rows)


def seeds_table(stage: Stage) -> Table:
    """All test bases by seed of the training; without rows where there was one training."""
    found = {metric: stage.by_seed(metric) for metric in ("bits_per_base_two_sided", "bits_per_base")}
    found = {metric: seeds for metric, seeds in found.items() if len(seeds) > 1}
    rows = []
    for seed in dict.fromkeys(seed for seeds in found.values() for seed in seeds):
        cells = [(metric, seeds.get(seed)) for metric, seeds in found.items()]
        rows.append([Cell(seed), *(Cell(metric_value(m, e), metric_interval(m, e)) for m, e in cells)])
    caption = "Every training by its seed, all test bases; lower is better"
    return Table("seeds", caption, [Column("Seed", kind="text"), *(Column(metric_label(m)) for m in found)], rows)


def _best(stage: Stage, methods: list[str], metric: str, stratum: str) -> str:
    """The best value of a column as it is shown, so that ties look like ties."""
    known = [e for m in methods if (e := stage.value(m, metric, stratum)) and isfinite(e.value)]
    pick = min if metric in LOWER_IS_BETTER else max
    return metric_value(metric, pick(known, key=lambda e: e.value)) if known else MISSING


def comparisons(name: str, caption: str, stage: Stage, metric: str, others: list[str], stratum: str = "all") -> Table:
    """Dnalm minus each other method on the test blocks."""
    found = [(method_label(m), e) for m in others if (e := stage.difference(m, metric, stratum))]
    return differences(name, caption, "Compared with", metric, found)


def comparisons_by_stratum(name: str, caption: str, stage: Stage, metric: str, other: str) -> Table:
    """Dnalm minus one other method in each stratum of the test blocks."""
    found = [(stratum_label(s), e) for s in stage.strata(metric) if (e := stage.difference(other, metric, s))]
    return differences(name, caption, "Region", metric, found)


def differences(
    name: str, caption: str, head: str, metric: str, found: list[tuple[str, Estimate]], judged: str = "This model is"
) -> Table:
    """Differences with verdict, interval and a drawing of it; ``judged`` heads the column of the verdicts."""
    columns = [Column(head, kind="text"), Column(judged, kind="text"), Column("Difference")]
    columns += [Column("95\N{NO-BREAK SPACE}% interval"), Column("", kind="plot"), Column("n")]
    rows = []
    for (label, estimate), whisker in zip(found, whiskers([e for _, e in found]), strict=True):
        said = verdict(metric, estimate)
        rows.append(
            [
                Cell(label),
                Cell(VERDICTS[said], tone=said),
                Cell(signed(estimate), order=_order(estimate.value)),
                Cell(signed_interval(estimate) or MISSING, order=_order(estimate.low)),
                Cell("", whisker=whisker, tone=said),
                Cell(f"{estimate.n:,}", order=estimate.n),
            ]
        )
    return Table(name, caption, columns, rows)


def _order(value: float) -> float | str:
    return value if isfinite(value) else ""


def whiskers(estimates: list[Estimate]) -> list[Whisker | None]:
    """Places of intervals on one scale that holds zero; None where there is no interval."""
    known = [e for e in estimates if e.has_interval and isfinite(e.value)]
    reach = [max(abs(e.low), abs(e.high)) for e in known]
    limit = OUTLIER * median(reach) if reach else 0.0
    low = max(min([0.0, *(e.low for e in known)]), -limit)
    high = min(max([0.0, *(e.high for e in known)]), limit)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return round(4 + 92 * (min(max(value, low), high) - low) / span, 2)

    return [
        Whisker(place(e.low), place(e.value), place(e.high), place(0.0), e.low < low, e.high > high)
        if e in known
        else None
        for e in estimates
    ]


def gene_table(name: str, caption: str, stage: Stage, methods: list[str]) -> Table:
    """Genes of the test blocks that each finder finds and misses, and its calls that the annotation does not have."""
    heads = ("Found", "of these, start right", "Missed", "Calls not in the annotation")
    rows = []
    for method in methods:
        counts = gene_counts(stage, method)
        if counts is None:
            continue
        values = (counts.found, counts.right_start, counts.missed, counts.extra)
        cells = [Cell(MISSING if v is None else f"{v:,}", order="" if v is None else v) for v in values]
        rows.append([Cell(method_label(method)), *cells])
    return Table(name, caption, [Column("Method", kind="text"), *(Column(h) for h in heads)], rows)


def genome_word(splits: pd.DataFrame) -> str:
    """``genome``, or ``genomes`` where there are several."""
    return "genomes" if splits["genome"].nunique() > 1 else "genome"


def splits_table(splits: pd.DataFrame, windows: pd.DataFrame, final: bool = False) -> Table:
    """Blocks, bases and windows of each split; a ``final`` training trains on the validation blocks too."""
    names = {"train": "Training", "validation": "Validation", "test": "Test", "gap": "Gaps, not used"}
    names |= {"validation": "Validation, trained on too"} if final else {}
    length = splits["end"] - splits["start"]
    rows = []
    for split, label in names.items():
        mine = length[splits["split"] == split]
        share, tiles = mine.sum() / max(length.sum(), 1), int((windows["split"] == split).sum())
        numbers = [(f"{len(mine):,}", len(mine)), (f"{mine.sum():,}", int(mine.sum()))]
        numbers += [(percent(share, 1), float(share)), (f"{tiles:,}" if tiles else MISSING, tiles)]
        rows.append([Cell(label), *(Cell(text, order=order) for text, order in numbers)])
    word = genome_word(splits)
    columns = [Column(h) for h in ("Blocks", "Bases", f"Share of the {word}", "Windows")]
    caption = f"How the {word} {'is' if word == 'genome' else 'are'} divided"
    return Table("splits", caption, [Column("Part", kind="text"), *columns], rows)


def leakage_table(leakage: pd.DataFrame) -> Table:
    """Windows of validation and test by the kind of their nearest training match."""
    rows = []
    for split in ("test", "validation"):
        mine = leakage[leakage["split"] == split]
        for kind, group in sorted(mine.groupby("kind"), key=lambda pair: (pair[0] != "none", pair[0])):
            closest = group.sort_values("matched", kind="stable").iloc[-1]
            label = "no match" if kind == "none" else kind
            cells = [Cell(split.capitalize()), Cell(label), Cell(f"{len(group):,}", order=len(group))]
            cells.append(Cell(percent(len(group) / len(mine), 1), order=len(group) / len(mine)))
            for value in (closest["share"], closest["identity"]):
                cells.append(Cell(MISSING if kind == "none" else percent(value), order=float(value)))
            rows.append(cells)
    heads = ("Windows", "Share of windows", "Most covered", "Identity there")
    columns = [Column("Part", kind="text"), Column("Nearest training match", kind="text"), *map(Column, heads)]
    caption = "Held-out windows by the kind of their nearest match in the training blocks, both strands"
    return Table("leakage", caption, columns, rows)


def benchmark_table(benchmarks: pd.DataFrame) -> Table:
    """Wall time and peak memory of every step, the longest first; times add up in the foot."""
    ordered = benchmarks.sort_values(["seconds", "step"], ascending=[False, True])
    longest, largest = ordered["seconds"].max(), ordered["memory"].max()
    rows = [
        [
            Cell(row.step),
            Cell(duration(row.seconds), order=_order(row.seconds), bar=_share(row.seconds, longest)),
            Cell(megabytes(row.memory), order=_order(row.memory), bar=_share(row.memory, largest)),
            Cell(percent(row.load / 100) if row.load else MISSING, order=_order(row.load) if row.load else ""),
        ]
        for row in ordered.itertuples(index=False)
    ]
    columns = [Column("Step", kind="text"), Column("Wall time"), Column("Peak memory"), Column("Mean CPU load")]
    foot = [Cell(f"All {count(len(ordered), 'step')}"), Cell(duration(ordered["seconds"].sum()))]
    foot += [Cell(megabytes(largest)), Cell("")]
    return Table("benchmarks", "Wall time and peak memory of each step", columns, rows, foot)


def _share(value: float, largest: float) -> float | None:
    return round(100 * value / largest, 1) if isfinite(value) and largest > 0 else None


def plain_table(name: str, caption: str, data: pd.DataFrame) -> Table:
    """Any small table as it stands in its file."""
    numeric = {c: pd.api.types.is_numeric_dtype(data[c]) and data[c].dtype != bool for c in data.columns}
    columns = [Column(str(c), kind="number" if numeric[c] else "text") for c in data.columns]
    rows = [[_plain(value) for value in row] for row in data.itertuples(index=False)]
    return Table(name, caption, columns, rows)


def _plain(value) -> Cell:
    if isinstance(value, float):
        return Cell(MISSING) if not isfinite(value) else Cell(_digits(value), order=value)
    return Cell(MISSING if value is None else str(value), order=str(value))


def _digits(value: float) -> str:
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}") if value % 1 else number(value, 0)
