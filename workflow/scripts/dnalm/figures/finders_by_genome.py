"""Gene finders on genomes that they have not seen: F1 by genome, and the difference from Pyrodigal."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from dnalm.figures.style import FAINT, INK, PAGE, SMALL, in_style, new_figure, panel_letter, pick, with_interval
from dnalm.figures.vocabulary import in_order, method_colour, method_label, method_marker

METRICS = {"gene_f1_3prime": "F1 at the 3' end", "gene_f1_exact": "F1, both ends right"}
RIVAL, MEAN = "pyrodigal_single", "mean_of_genomes"
#: Height that the methods of one genome share, in rows.
SPREAD = 0.62


@in_style
def draw_finders_by_genome(metrics: pd.DataFrame, comparisons: pd.DataFrame):
    """For F1 at the 3' end and of both ends: values of every method by genome, and dnalm minus Pyrodigal.

    Parameters
    ----------
    metrics, comparisons : DataFrame
        Of the annotate stage of a study of several genomes; all rows of its test split.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has a row per drawn value (panel ``value``) and difference (panel ``difference``).
    """
    values, differences = (_rows(table) for table in (metrics, comparisons))
    differences = pick(differences, method_b=RIVAL)
    methods, places = in_order(values["method"].unique()), list(dict.fromkeys(values["row"]))
    figure = new_figure(PAGE, 1.1 + 0.42 * len(places))
    axes = figure.subplots(1, 4, width_ratios=[2.1, 1.2, 2.1, 1.2], sharey=True)
    for (metric, name), (left, right), letters in zip(METRICS.items(), axes.reshape(2, 2), ("ab", "cd"), strict=True):
        _values(left, pick(values, metric=metric), methods, places)
        _differences(right, pick(differences, metric=metric), places)
        left.set_title(name)
        right.set_title("minus Pyrodigal")
        panel_letter(left, letters[0])
        panel_letter(right, letters[1])
    genes = values.groupby("row", sort=False)["n"].first()
    labels = [f"{row}\n{genes[row]:,} genes" for row in places]
    axes[0].set(ylim=(len(places) - 0.5, -0.5), yticks=range(len(places)), yticklabels=labels)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False, fontsize=SMALL)
    parts = [values.assign(panel="value"), differences.assign(panel="difference", method="dnalm")]
    table = pd.concat(parts, ignore_index=True).rename(columns={"row": "genome"})
    columns = ["panel", "genome", "method", "method_b", "metric", "value", "difference", "ci_low", "ci_high", "n"]
    return figure, table.reindex(columns=columns), _alt(values, places)


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of single genomes and, last, of their mean, with a column ``row`` that names them."""
    test = pick(table, split="test", metric=list(METRICS))
    single = test[(test["dataset"] != test["study"]) & (test["stratum"] == "all")]
    mean = pick(test, stratum=MEAN)
    return pd.concat([single.assign(row=single["dataset"]), mean.assign(row="Mean")], ignore_index=True)


def _values(ax, values: pd.DataFrame, methods: list[str], places: list[str]) -> None:
    step = SPREAD / max(len(methods) - 1, 1)
    for number, method in enumerate(methods):
        rows = pick(values, method=method).set_index("row").reindex(places)
        y = np.arange(len(places)) - SPREAD / 2 + number * step
        colour = method_colour(method)
        ax.hlines(y, rows["ci_low"], rows["ci_high"], color=colour, linewidth=0.8)
        ax.plot(
            rows["value"], y, method_marker(method), color=colour, mec="white", mew=0.4, label=method_label(method),
            zorder=4 if method == "dnalm" else 3,
        )  # fmt: skip
    _rules(ax, places)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def _differences(ax, differences: pd.DataFrame, places: list[str]) -> None:
    rows, y = differences.set_index("row").reindex(places), np.arange(len(places))
    colour = method_colour("dnalm")
    ax.axvline(0, color=INK, linewidth=0.6)
    ax.hlines(y, rows["ci_low"], rows["ci_high"], color=colour, linewidth=1)
    ax.plot(rows["difference"], y, "o", color=colour, mec="white", mew=0.4)
    for place, value in zip(y, rows["difference"], strict=True):
        if not np.isnan(value):
            ax.annotate(
                f"{value:+.4f}", (value, place), (0, 4), textcoords="offset points", ha="center", fontsize=SMALL - 0.5,
            )  # fmt: skip
    _rules(ax, places)
    ax.margins(x=0.15)
    ax.xaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))


def _rules(ax, places: list[str]) -> None:
    """Lines between the genomes."""
    for place in range(1, len(places)):
        ax.axhline(place - 0.5, color=FAINT, linewidth=0.5, zorder=0)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _alt(values: pd.DataFrame, places: list[str]) -> str:
    parts = []
    for metric, name in METRICS.items():
        rows = pick(values, metric=metric, row=places[-1]).set_index("method")
        told = ", ".join(f"{method_label(m)} {with_interval(rows.loc[m], '.4f')}" for m in in_order(rows.index))
        parts.append(f"{name}, {places[-1]}: {told}.")
    return f"Gene finders on {len(places) - 1} genomes, each held out with its relatives. {' '.join(parts)}"
