"""What a longer window costs: time and memory of a training step per base, for every architecture."""

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from dnalm.figures.style import FAINT, PAGE, in_style, line_label, new_figure, panel_letter, short_number, spread
from dnalm.figures.vocabulary import in_order, method_colour, method_label, method_marker

#: Column of context.tsv: factor to the unit drawn, and the name of the axis.
PANELS = {
    "seconds_per_base": (1e6, "CPU time (microseconds per base)"),
    "bytes_per_base": (1.0, "Memory (bytes per base)"),
}
UNITS = ((1_048_576, "M"), (1024, "k"))
#: A longer reason is a traceback.
LONGEST_REASON = 30
#: Between labels of two lines, as a share of the panel's height.
LABEL_GAP = 0.105


def length_label(length: float) -> str:
    """``256``, ``16k``, ``1M``: lengths in units of 1024."""
    for scale, unit in UNITS:
        if length >= scale:
            return f"{length / scale:.3g}{unit}"
    return f"{length:g}"


@in_style
def draw_context_cost(costs: pd.DataFrame):
    """Two panels with logarithmic axes; an open marker and a reason where a curve ends before the others.

    Parameters
    ----------
    costs : DataFrame
        Table of `dnalm.tasks.context_cost.context_costs`; the last row of a curve that ended early has no values but
        ``why``. Memory that is not above that of the process itself cannot be told and is left out.

    Returns
    -------
    (Figure, DataFrame, str)
        The table holds the drawn rows and those that say why a curve ends.
    """
    costs = costs.assign(why=costs["why"].fillna("").map(_reason))
    names = in_order(costs["architecture"].unique())
    ends = {name: why for name, why in costs.groupby("architecture")["why"].max().items() if why}
    figure = new_figure(PAGE, 3.2)
    for ax, letter, (column, (factor, label)) in zip(figure.subplots(1, 2), "ab", PANELS.items(), strict=True):
        known = costs[costs[column] > 0].assign(value=costs[column] * factor)
        ax.set(xscale="log", yscale="log", xlabel="Bases per window", title=label)
        _ticks(ax, costs["length"])
        _panel(ax, {name: known[known["architecture"] == name] for name in names}, ends)
        panel_letter(ax, letter)
    return figure, costs.drop(columns="peak_mb").reset_index(drop=True), _alt(costs, names, ends)


def _reason(why: str) -> str:
    """A short form of why a curve ends."""
    if len(why) > LONGEST_REASON or "\n" in why:
        return "failed"
    for words in ("longer than ", "more than "):
        why = why.replace(words, "over ")
    return why


def _panel(ax, curves: dict[str, pd.DataFrame], ends: dict[str, str]) -> None:
    curves = {name: curve for name, curve in curves.items() if len(curve)}
    ax.grid(color=FAINT, linewidth=0.4)
    ax.set_axisbelow(True)
    for name, curve in curves.items():
        colour, marker = method_colour(name), method_marker(name)
        ax.plot(curve["length"], curve["value"], marker=marker, color=colour, markersize=3, linewidth=1)
        if name in ends:
            length, value = curve.iloc[-1][["length", "value"]]
            ax.plot([length, ax.get_xlim()[1]], [value] * 2, ":", color=colour, linewidth=0.7)
            ax.plot(length, value, marker, color=colour, mfc="white", mew=1, markersize=5.5)
    last = np.log([curve["value"].iloc[-1] for curve in curves.values()])
    low, high = np.log(ax.get_ylim())
    for (name, curve), at in zip(curves.items(), spread(last, LABEL_GAP * (high - low)), strict=True):
        text = method_label(name)
        if name in ends:
            text += f"\nup to {length_label(curve['length'].iloc[-1])}, then {ends[name]}"
        line_label(ax, text, curve["value"].iloc[-1], float(np.exp(at)), method_colour(name))


def _ticks(ax, lengths: pd.Series) -> None:
    """Ticks at the measured lengths; plain numbers on the other axis."""
    ticks = sorted(lengths.unique())
    ax.set_xlim(ticks[0] / 1.4, ticks[-1] * 1.15)
    ax.set_xticks(ticks, [length_label(tick) for tick in ticks])
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())


def _alt(costs: pd.DataFrame, names: list[str], ends: dict[str, str]) -> str:
    parts = []
    for name in names:
        curve = costs[(costs["architecture"] == name) & (costs["seconds_per_base"] > 0)]
        if len(curve):
            first, last = curve.iloc[0], curve.iloc[-1]
            growth = last["seconds_per_base"] / first["seconds_per_base"]
            why = f", the next {ends[name]}" if name in ends else ""
            microseconds = f"{last['seconds_per_base'] * 1e6:.3g} at {last['length']:,}"
            parts.append(f"{method_label(name)} {microseconds} ({growth:.2g} times the shortest window's{why})")
    return f"CPU microseconds of a training step per base, at the longest window in bases: {', '.join(parts)}."
