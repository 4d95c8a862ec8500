"""The comparison of language models: sentences, the table of the arms, and what each arm changes."""

from math import isfinite, nan

import pandas as pd

from dnalm.figures.vocabulary import method_label
from dnalm.report.glossary import VERDICTS, in_text
from dnalm.report.numbers import (
    MISSING,
    count,
    metric_interval,
    metric_value,
    number,
    with_interval,
)
from dnalm.report.results import Arms, Estimate, verdict
from dnalm.report.summary import CAUSAL, RULERS, TWO_SIDED, listed
from dnalm.report.tables import Cell, Column, Table, differences

SIDES = {TWO_SIDED: "from both sides", CAUSAL: "from one side"}
ZERO = {"unclear": ", which contains zero", "unknown": ""}
MEMORY = {"better": "the memory **hurts**", "worse": "the memory **helps**"}


def name(arm: str) -> str:
    """Name of an arm at the head of a row."""
    return "dnalm (default)" if arm == "dnalm" else method_label(arm)


def _in_text(arm: str) -> str:
    return "the default" if arm == "dnalm" else f"*{method_label(arm)}*"


def sentences(arms: Arms) -> list[str]:
    """Which arm is best on each axis, how all stand to the default, and what the memory brings; a paragraph each."""
    found = [_best(arms, metric) + _against(arms, metric) for metric in SIDES if arms.ranked(metric)]
    return [*(" ".join(part) for part in found), *_memory(arms)]


def lead(arms: Arms) -> list[str]:
    """The same in short."""
    best = [sentence for metric in SIDES if arms.ranked(metric) for sentence in _best(arms, metric)]
    return ["Language models were compared on equal CPU time.", *best, *_memory(arms)]


def _best(arms: Arms, metric: str) -> list[str]:
    ranked, ruler = arms.ranked(metric), RULERS[metric]
    best, value = ranked[0], {arm: metric_value(metric, arms.stage.value(arm, metric)) for arm in ranked}
    text = f"Read {SIDES[metric]}, {_in_text(best)} needs the fewest bits per base on the test blocks: {value[best]}"
    second = "dnalm" if best != "dnalm" and "dnalm" in value else next(iter(ranked[1:]), None)
    if second:
        text += f", against {value[second]} of {_in_text(second)}"
        difference = arms.difference(best if second == "dnalm" else second, metric)
        if difference:
            minus = "it" if second == "dnalm" else _in_text(second)
            text += f" ({minus} minus the default: {with_interval(difference)}{_zero(metric, difference)})"
    theirs = arms.stage.value(ruler, metric)
    return [text + (f"; the ruler, {in_text(ruler)}, is at {metric_value(metric, theirs)}." if theirs else ".")]


def _zero(metric: str, difference: Estimate) -> str:
    return ZERO.get(verdict(metric, difference), ", clear of zero")


def _against(arms: Arms, metric: str) -> list[str]:
    """All arms by what their difference to the default says."""
    said = {arm: verdict(metric, d) for arm in arms.ranked(metric) if (d := arms.difference(arm, metric))}
    parts = [
        f"**{VERDICTS[kind]}**: {listed([_in_text(arm) for arm in group])}"
        for kind in ("better", "unclear", "worse", "unknown")
        if (group := [arm for arm, v in said.items() if v == kind])
    ]
    return [f"Beside the default, {'; '.join(parts)}."] if parts else []


def _memory(arms: Arms) -> list[str]:
    """What the memory brings: the default against the same model without it."""
    parts = []
    for metric, side in SIDES.items():
        ours, without = (arms.stage.value(arm, metric) for arm in ("dnalm", "no_memory"))
        difference = arms.difference("no_memory", metric)
        if ours and without and difference:
            said = verdict(metric, difference)
            values = f"{metric_value(metric, without)} instead of {metric_value(metric, ours)} bits per base"
            judged = MEMORY.get(said, f"**{VERDICTS[said]}**")
            parts.append(f"{values} {side} ({with_interval(difference)}: {judged})")
    return [f"Without the n-gram memory the default needs {', and '.join(parts)}."] if parts else []


def arms_table(arms: Arms) -> Table:
    """Bits and costs of every arm, means over seeds; the counting baselines below."""
    seeds = int(arms.costs.groupby("method").size().max())
    metrics = list(SIDES)
    best = {m: metric_value(m, arms.stage.value(arms.ranked(m)[0], m)) for m in metrics if arms.ranked(m)}
    rows = []
    for arm, costs in arms.costs.groupby("method", sort=False):
        cells = [_bits(arms, arm, metric, best.get(metric)) for metric in metrics]
        if all(cell.text == MISSING for cell in cells):
            cells[0] = _per_token(costs)
        rows.append([Cell(name(arm)), *cells, *(_cost(costs[column], show) for column, _, show in COSTS)])
    for metric in metrics:
        ruler = RULERS[metric]
        if arms.stage.value(ruler, metric):
            cells = [_bits(arms, ruler, m, None) for m in metrics]
            rows.append([Cell(method_label(ruler)), *cells, *(Cell(MISSING) for _ in COSTS)])
    over = f"; means over {seeds} seeds, below them the 95 % interval or the range of the seeds" if seeds > 1 else ""
    columns = [Column("Model", kind="text"), Column("Two-sided", "bits per base"), Column("Causal", "bits per base")]
    columns += [Column(label) for _, label, _ in COSTS]
    return Table("arms", f"What each model reaches on the test blocks, and what it costs{over}", columns, rows)


def _bits(arms: Arms, arm: str, metric: str, best: str | None) -> Cell:
    estimate = arms.stage.value(arm, metric)
    text = metric_value(metric, estimate)
    order = estimate.value if text != MISSING else ""
    return Cell(text, metric_interval(metric, estimate), order, text != MISSING and text == best)


def _per_token(costs: pd.DataFrame) -> Cell:
    """Bits of masked byte pairs, which compare with nothing else in the table."""
    bits = costs.get("validation_bits_per_token", pd.Series(dtype=float)).mean()
    return Cell(MISSING, f"{bits:.2f} per token" if isfinite(bits) else "")


def _cost(values: pd.Series, show) -> Cell:
    low, mean, high = values.min(), values.mean(), values.max()
    note = f"{show(low)} to {show(high)}" if show(low) != show(high) else ""
    return Cell(show(mean), note, float(mean) if isfinite(mean) else "")


def _minutes(value: float) -> str:
    return number(value, 2)


def _millions(value: float) -> str:
    return number(value / 1e6, 2)


def _whole(value: float) -> str:
    return f"{value:,.0f}" if isfinite(value) else MISSING


COSTS = (
    ("cpu_minutes", "CPU minutes", _minutes), ("bases_seen", "Million bases seen", _millions),
    ("bases_per_second", "Bases per second", _whole), ("parameters", "Parameters", _whole),
    ("peak_mb", "Peak MB", _whole),
)  # fmt: skip


def difference_tables(arms: Arms) -> list[Table]:
    """Every arm and baseline minus the default, one table per axis."""
    tables = []
    for metric, side in SIDES.items():
        others = [*arms.ranked(metric), RULERS[metric]]
        found = [(name(arm), d) for arm in others if (d := arms.difference(arm, metric))]
        caption = f"Read {side}: each model minus the default, bits per base of the same test bases"
        table = differences(f"arms-{metric.replace('_', '-')}", caption, "Model", metric, found, "Beside the default")
        tables += [table] if found else []
    return tables


def trainings_table(arms: Arms) -> Table:
    """Every single training."""
    rows = []
    for row in arms.costs.to_dict("records"):
        cells = [Cell(name(row["method"])), Cell(str(row["seed"]))]
        for metric in SIDES:
            estimate = arms.stage.by_seed(metric, row["method"]).get(str(row["seed"]), Estimate(nan))
            cells.append(Cell(metric_value(metric, estimate), metric_interval(metric, estimate)))
        rows.append(cells + [Cell(show(row[column]), order=row[column]) for column, _, show in COSTS])
    columns = [Column("Model", kind="text"), Column("Seed"), Column("Two-sided"), Column("Causal")]
    return Table("trainings", "Every training of the comparison", columns + [Column(c) for _, c, _ in COSTS], rows)


def changes(arms: dict) -> list[tuple[str, str]]:
    """What each arm changes, as the study says it: ``pretrain.architecture hyena``."""
    told = []
    for arm, sections in arms.items():
        keys = [f"{s}.{key} {_setting(v)}" for s in ("tokens", "pretrain") for key, v in sections[s].items()]
        told.append((name("dnalm" if arm == "default" else arm), ", ".join(keys) or "nothing"))
    return told


def _setting(value) -> str:
    return "none" if value == [] else str(value)


def section(arms: Arms | None, settings: dict | None) -> dict | None:
    """What the template needs of the comparison; None in a study without it.

    ``settings`` is the section ``compare`` of the study.
    """
    if arms is None:
        return None
    seeds = settings["seeds"]
    return {
        "sentences": sentences(arms), "tables": [arms_table(arms)], "more": [*difference_tables(arms)],
        "trainings": [trainings_table(arms)], "changes": changes(settings["arms"]),
        "minutes": f"{settings['budget_minutes']:g}", "seeds": count(seeds, "seed") if seeds > 1 else "",
        "bytes": any(a["tokens"].get("kind") == "bpe" for a in settings["arms"].values()),
    }  # fmt: skip
