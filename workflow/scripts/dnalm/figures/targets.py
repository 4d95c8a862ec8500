"""The genes of targets at a glance: lengths, and numbers that have a usual range, beside another finder's."""

import numpy as np
import pandas as pd

from dnalm.figures.style import FAINT, PAGE, SMALL, in_style, new_figure, panel_letter
from dnalm.figures.vocabulary import in_order, method_colour, method_label, method_marker

#: Measures that are drawn, and what they are called.
MEASURES = {
    "genes_per_kb": "Genes\nper kb", "coding_share": "Coding\nshare", "start_ATG": "ATG among\nstarts",
    "without_site": "No binding\nsite", "partial_share": "Cut off", "mean_score": "Mean\nscore",
}  # fmt: skip
#: Targets that are drawn; the table has all.
MOST = 24
#: Edges of the bins of gene lengths, in bases, equal in the logarithm.
BINS = np.round(np.geomspace(60, 12_000, 25))


@in_style
def draw_targets(summaries: pd.DataFrame, calls: dict[str, pd.DataFrame]):
    """Histogram of gene lengths over all targets, and `MEASURES` of every target, one row each.

    Parameters
    ----------
    summaries : DataFrame
        Rows of `dnalm.evaluate.targets.summary` of all targets.
    calls : dict of method to DataFrame
        Called genes of all targets together.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has the rows of the summaries (panel ``measures``) and the bins of the lengths (panel ``lengths``).
    """
    methods = in_order(calls)
    names = list(dict.fromkeys(summaries["target"]))[:MOST]
    drawn = [m for m in MEASURES if (summaries["measure"] == m).any()]
    figure = new_figure(PAGE, 1.9 + 0.16 * max(len(names), 2))
    grid = figure.add_gridspec(1, 1 + len(drawn), width_ratios=[2.6, *[1] * len(drawn)])
    lengths = length_bins(calls)
    _histogram(figure.add_subplot(grid[0]), lengths, methods)
    panel_letter(figure.axes[0], "a")
    for column, measure in enumerate(drawn, 1):
        axes = figure.add_subplot(grid[column])
        _dots(axes, summaries[summaries["measure"] == measure], names, methods, column == 1)
        axes.set_title(MEASURES[measure])
    panel_letter(figure.axes[1], "b")
    table = pd.concat([summaries.assign(panel="measures"), lengths.assign(panel="lengths")], ignore_index=True)
    columns = ["panel", "target", "method", "measure", "low", "high", "value"]
    return figure, table[columns], _alt(summaries, names, methods)


def length_bins(calls: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Genes by length in bases: method, low, high (exclusive), value; the outer bins hold what lies beyond them too."""
    rows = []
    for method in in_order(calls):
        length = np.clip(calls[method]["end"] - calls[method]["start"], BINS[0], BINS[-1] - 1)
        counts = np.histogram(length, BINS)[0]
        rows += [(method, low, high, n) for low, high, n in zip(BINS[:-1], BINS[1:], counts, strict=True)]
    return pd.DataFrame(rows, columns=["method", "low", "high", "value"])


def _histogram(axes, lengths: pd.DataFrame, methods: list[str]) -> None:
    for method in methods:
        mine = lengths[lengths["method"] == method]
        colour, first = method_colour(method), method == methods[0]
        axes.stairs(
            mine["value"], BINS, color=colour, fill=first, alpha=0.35 if first else 1, linewidth=1,
            label=method_label(method),
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set(xlabel="Length of a gene (bases)", ylabel="Genes", title="Lengths, all targets", xlim=(BINS[0], BINS[-1]))
    axes.set_ylim(0, (1.12 + 0.13 * len(methods)) * max(lengths["value"].max(), 1))  # room for the legend
    axes.legend(frameon=False, fontsize=SMALL, loc="upper left", handlelength=1.2)


def _dots(axes, rows: pd.DataFrame, names: list[str], methods: list[str], labelled: bool) -> None:
    """One measure: a row per target, a marker per method; a dash where there is no value."""
    for place, name in enumerate(names):
        axes.axhline(place, color=FAINT, linewidth=0.4, zorder=0)
        for method in reversed(methods):
            value = rows.loc[(rows["target"] == name) & (rows["method"] == method), "value"]
            axes.plot(
                value, [place] * len(value), method_marker(method), color=method_colour(method), mec="white", mew=0.4,
                markersize=5,
            )  # fmt: skip
    axes.set(ylim=(len(names) - 0.5, -0.5), yticks=range(len(names)), yticklabels=[])
    axes.margins(x=0.25)
    axes.locator_params(axis="x", nbins=2)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if labelled:
        axes.set_yticks(range(len(names)), names)


def _alt(summaries: pd.DataFrame, names: list[str], methods: list[str]) -> str:
    value = summaries.set_index(["target", "method", "measure"])["value"]
    told = [
        f"{name}: " + ", ".join(f"{value[name, m, 'genes']:.0f} by {method_label(m)}" for m in methods if
                                (name, m, "genes") in value.index)
        for name in names
    ]  # fmt: skip
    more = summaries["target"].nunique() - len(names)
    rest = f" {more} more targets are in the table." if more else ""
    return (
        "Histogram of the lengths of called genes, and dots for numbers that have a usual range. Genes called "
        f"in {'; in '.join(told)}.{rest}"
    )
