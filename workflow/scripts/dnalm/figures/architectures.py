"""Language models side by side on equal CPU time: bits per base on the test blocks, how they got there, what they cost.

An arm is a column ``method`` of the tables of the stage ``compare``; the arm that the others differ from by one factor
is called ``dnalm``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from dnalm.evaluate.compare import DEFAULT
from dnalm.figures.style import (
    FAINT,
    INK,
    PAGE,
    QUIET,
    SMALL,
    in_style,
    line_label,
    new_figure,
    over_seeds,
    panel_letter,
    pick,
    short_number,
    spread,
    with_interval,
)
from dnalm.figures.vocabulary import in_order, method_colour, method_label, method_marker

AXES = {
    "bits_per_base_two_sided": ("Two-sided: each base from all others", "flank_counts"),
    "bits_per_base": ("Causal: each base from those before it", "markov_mixture"),
}
#: Arms by the factor that they change, as in config/architectures.yaml; arms of other names come last.
FAMILIES = {
    "the memory": ("dnalm", "no_memory"),
    "causal networks, with the memory": ("decoder", "hyena", "ssm"),
    "the objective": ("causal",),
    "masked networks, no memory": ("transformer", "local", "dilated_conv", "hybrid"),
    "tokens, no memory": ("kmer_overlapping", "kmer", "bpe", "bpe_masked"),
}
OTHERS = "other arms"
COSTS = {"bases_per_second": "Bases\nper second", "peak_mb": "Peak\nMB", "parameters": "Parameters"}
#: Rows between families and from a mean to its seeds; inches per row of the upper panels, and at least.
FAMILY_GAP, SEED_SHIFT, ROW, LEAST_HEIGHT = 0.85, 0.33, 0.185, 1.2
#: Bits above the highest end of a curve that are shown in any case.
LEAST_BITS = 0.05
BAR, DEFAULT_BAR = "#AEB8C2", "#0B4F8A"
COLUMNS = ["panel", "metric", "method", "seed", "cpu_minutes", "value", "ci_low", "ci_high"]


def read_logs(paths) -> dict[tuple[str, int], pd.DataFrame]:
    """Logs of the trainings, ``.../<arm>/seed<n>/log.csv``, by arm and seed."""
    logs = {}
    for path in map(Path, paths):
        arm = path.parents[1].name
        key = ("dnalm" if arm == DEFAULT else arm, int(path.parent.name.removeprefix("seed")))
        logs[key] = pd.read_csv(path)
    return logs


def places(methods) -> tuple[dict[str, float], dict[str, float]]:
    """Row of every arm, and of the head of every family that has arms."""
    rows, heads, at = {}, {}, -1.0
    known = {method for family in FAMILIES.values() for method in family}
    families = {**FAMILIES, OTHERS: [m for m in in_order(methods) if m not in known]}
    for head, family in families.items():
        present = [m for m in family if m in set(methods)]
        if present:
            heads[head] = at + FAMILY_GAP
            rows |= {m: at + 2 * FAMILY_GAP + i for i, m in enumerate(present)}
            at = max(rows.values())
    return rows, heads


def mean_curve(logs: list[pd.DataFrame], column: str) -> pd.DataFrame:
    """Mean over seeds of a column of the logs against ``cpu_minutes``.

    Clocks differ from seed to seed: curves are interpolated linearly, over the minutes that all seeds have.
    """
    logs = [log.dropna(subset=column) for log in logs]
    minutes = np.unique(np.concatenate([log["cpu_minutes"] for log in logs]))
    first, last = (f(log["cpu_minutes"].iloc[end] for log in logs) for f, end in ((max, 0), (min, -1)))
    minutes = minutes[(minutes >= first) & (minutes <= last)]
    values = [np.interp(minutes, log["cpu_minutes"], log[column]) for log in logs]
    return pd.DataFrame({"cpu_minutes": minutes, "value": np.mean(values, axis=0)})


@in_style
def draw_architectures(metrics: pd.DataFrame, arms: pd.DataFrame, logs: dict[tuple[str, int], pd.DataFrame]):
    """Dots with 95 % intervals per arm beside what each arm costs; below, validation bits against CPU minutes.

    Parameters
    ----------
    metrics, arms : DataFrame
        Tables of the stage ``compare``; an arm may lack either metric.
    logs : dict of (arm, seed) to DataFrame
        See `read_logs`.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has a row per drawn dot, bar and point of a curve (columns `COLUMNS`; ``seed`` is ``mean`` for means).
    """
    rows, heads = places(arms["method"].unique())
    upper = max(ROW * (max(rows.values()) + 1.6), LEAST_HEIGHT)
    figure = new_figure(PAGE, upper + 2.95)
    outer = figure.add_gridspec(2, 1, height_ratios=[upper, 2.3])
    dots, costs = np.split(outer[0].subgridspec(1, 5, width_ratios=[2.5, 2.5, 1, 1, 1]).subplots(), [2])
    tests = pick(metrics, split="test", stratum="all", metric=list(AXES))
    asked = set(tests["method"])
    means = arms.groupby("method", sort=False)[list(COSTS)].mean()
    curves = _curves(logs)
    for ax, metric in zip(dots, AXES, strict=True):
        _dots(ax, pick(tests, metric=metric), {m: at for m, at in rows.items() if m in asked}, AXES[metric][1])
        _bare(ax, rows)
        ax.set_title(AXES[metric][0].split(":")[0], pad=12)
    _notes(dots[0], [at for m, at in rows.items() if m not in asked])
    for ax, name in zip(costs, COSTS, strict=True):
        _bars(ax, means[name], rows)
        ax.set_title(COSTS[name], pad=4)
    _names(dots[0], rows, heads)
    for ax, metric in zip(outer[1].subgridspec(1, 2).subplots(), AXES, strict=True):
        _lines(ax, pick(curves, metric=metric))
        ax.set(title=AXES[metric][0], xlabel="CPU minutes of training", ylabel="Validation bits per base")
        panel_letter(ax, "d" if metric == "bits_per_base" else "c")
    panel_letter(dots[0], "a", 12)
    panel_letter(costs[0], "b", 12)
    return figure, _table(tests, means, curves), _alt(tests, arms)


def _dots(ax, tests: pd.DataFrame, rows: dict[str, float], baseline: str) -> None:
    """One axis of bits: seeds as small dots, the mean with its interval, the counting baseline as a line."""
    told = over_seeds(tests).set_index("method")
    arms = told[told.index.isin(rows)]
    for method, at in rows.items():
        ax.axhline(at, color=FAINT, linewidth=0.4, zorder=0)
        if method not in arms.index or np.isnan(arms.loc[method, "value"]):
            _value(ax, "\N{EN DASH}", at, False)
            continue
        row, colour = arms.loc[method], method_colour(method)
        single = pick(tests, method=method)
        single = single[single["seed"].astype(str) != "mean"]
        if len(single) > 1:
            below = [at + SEED_SHIFT] * len(single)
            ax.plot(single["value"], below, "o", color=colour, markersize=1.8, mew=0, alpha=0.7, zorder=2)
        ax.hlines(at, row["ci_low"], row["ci_high"], color=colour, linewidth=1, zorder=1)
        ax.plot(row["value"], at, method_marker(method), color=colour, mec="white", mew=0.4, markersize=5, zorder=3)
        _value(ax, f"{row['value']:.3f}", at, row["value"] == arms["value"].min())
    if baseline in told.index:
        value = told.loc[baseline, "value"]
        ax.axvline(value, color=method_colour(baseline), linewidth=0.8, dashes=(4, 2), zorder=0)
        ax.annotate(
            f"{method_label(baseline)} {value:.3f}", (value, 1), (0, 3), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", fontsize=SMALL, color=method_colour(baseline),
        )  # fmt: skip
    ax.margins(x=0.08)
    ax.set_xlabel("Test bits per base")
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _value(ax, text: str, at: float, strong: bool) -> None:
    """A number in the column at the right of a panel."""
    ax.annotate(
        text, (1, at), (3, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
        fontsize=SMALL, color=INK, fontweight="bold" if strong else "normal", annotation_clip=False,
    )  # fmt: skip


def _notes(ax, rows: list[float]) -> None:
    """Say what is known of arms without bits per base: those of masked byte pairs."""
    for at in rows:
        ax.annotate(
            "bits per token, not comparable", (0.02, at), xycoords=("axes fraction", "data"), va="center",
            fontsize=SMALL, color=QUIET, annotation_clip=False, bbox={"pad": 1, "facecolor": "white", "linewidth": 0},
        ).set_in_layout(False)  # fmt: skip


def _bars(ax, values: pd.Series, rows: dict[str, float]) -> None:
    """One cost: bars from zero, each with its number."""
    for method, at in rows.items():
        value, mine = values.get(method, np.nan), method == "dnalm"
        if np.isnan(value):
            continue
        ax.barh(at, value, height=0.55, color=DEFAULT_BAR if mine else BAR, linewidth=0)
        ax.annotate(
            short_number(value), (value, at), (2, 0), textcoords="offset points", va="center", fontsize=SMALL,
        )  # fmt: skip
    ax.set(xlim=(0, values.max() * 1.5), xticks=[])
    _bare(ax, rows)
    ax.spines["bottom"].set_visible(False)


def _bare(ax, rows: dict[str, float]) -> None:
    ax.set(ylim=(max(rows.values()) + 0.6, -0.6), yticks=[])
    ax.spines["left"].set_visible(False)


def _names(ax, rows: dict[str, float], heads: dict[str, float]) -> None:
    """Names of the arms in their colours, under the name of their family."""
    ax.set_yticks([*rows.values(), *heads.values()], [*map(_name, rows), *heads])
    ax.tick_params(axis="y", length=0, pad=6)
    for text, method in zip(ax.get_yticklabels(), [*rows, *[None] * len(heads)], strict=True):
        text.set(color=method_colour(method) if method else QUIET, fontstyle="normal" if method else "italic")


def _name(method: str) -> str:
    return "dnalm (default)" if method == "dnalm" else method_label(method)


def _curves(logs: dict[tuple[str, int], pd.DataFrame]) -> pd.DataFrame:
    parts = [pd.DataFrame(columns=["metric", "method", "cpu_minutes", "value"])]
    for metric in AXES:
        column = f"validation_{metric}"
        for method in in_order({m for m, _ in logs}):
            mine = [log for (m, _), log in logs.items() if m == method and column in log]
            if mine:
                parts.append(mean_curve(mine, column).assign(metric=metric, method=method))
    return pd.concat(parts[1:] or parts, ignore_index=True)


def _lines(ax, curves: pd.DataFrame) -> None:
    """Curves with their names at the right end."""
    if curves.empty:
        ax.annotate("no arm has these bits", (0.5, 0.5), xycoords="axes fraction", ha="center", color=QUIET)
        return
    ends = curves.groupby("method", sort=False).last()
    low, high = curves["value"].min(), ends["value"].max()
    # a curve that begins far above where all end comes in from above
    top = min(curves["value"].max(), high + max(high - low, LEAST_BITS))
    room = max(top - low, 1e-3)
    ax.set(xlim=(0, curves["cpu_minutes"].max()), ylim=(low - 0.06 * room, top + 0.06 * room))
    for method, curve in curves.groupby("method", sort=False):
        style = {"color": method_colour(method), "linewidth": 1.4 if method == "dnalm" else 0.9}
        ax.plot(curve["cpu_minutes"], curve["value"], zorder=3 if method == "dnalm" else 2, **style)
        last = curve.iloc[-1]
        ax.plot(last["cpu_minutes"], last["value"], method_marker(method), markersize=3.5, clip_on=False, **style)
    for method, value, at in zip(ends.index, ends["value"], spread(ends["value"], 0.068 * room), strict=True):
        line_label(ax, _name(method), value, at, method_colour(method))
    ax.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _table(tests: pd.DataFrame, means: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    costs = means.rename_axis(columns="metric").stack().rename("value").reset_index().assign(seed="mean")
    parts = {"test": tests, "cost": costs, "validation": curves.assign(seed="mean")}
    table = pd.concat([part.assign(panel=name) for name, part in parts.items()], ignore_index=True)
    return table.reindex(columns=COLUMNS)


def _alt(tests: pd.DataFrame, arms: pd.DataFrame) -> str:
    seeds, minutes = arms.groupby("method").size().max(), arms["cpu_minutes"].median()
    trained = f"{arms['method'].nunique()} language models after {minutes:.3g} CPU minutes of training"
    text = f"{trained}, each the mean of {seeds} seeds." if seeds > 1 else f"{trained}."
    told = over_seeds(tests).dropna(subset="value")
    for metric, (title, baseline) in AXES.items():
        mine = pick(told, metric=metric).sort_values("value", kind="stable").set_index("method")
        found = mine[mine.index.isin(arms["method"])]
        if found.empty:
            continue
        parts = [f"fewest test bits per base {_name(found.index[0])} {with_interval(found.iloc[0])}"]
        if len(found) > 1:
            parts.append(f"then {_name(found.index[1])} {found['value'].iloc[1]:.3f}")
            parts.append(f"most {_name(found.index[-1])} {found['value'].iloc[-1]:.3f}")
        if "dnalm" in found.index[2:-1]:
            parts.append(f"{_name('dnalm')} {found.loc['dnalm', 'value']:.3f}")
        if baseline in mine.index:
            parts.append(f"counting ({method_label(baseline)}) {mine.loc[baseline, 'value']:.3f}")
        text += f" {title.split(':')[0]}: {', '.join(parts)}."
    return text
