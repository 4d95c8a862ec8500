"""How far few labels go: gene F1 on held-out blocks against the number of labelled genes, on equal CPU time."""

import numpy as np
import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator

from dnalm.evaluate.few_labels import UNLABELLED, stratum_of
from dnalm.figures.style import (
    PAGE,
    SMALL,
    in_style,
    line_label,
    new_figure,
    over_seeds,
    panel_letter,
    pick,
    spread,
    with_interval,
)
from dnalm.figures.vocabulary import in_order, method_colour, method_label, method_marker

PANELS = {"gene_f1_3prime": "Right stop codon", "gene_f1_exact": "Both ends right"}
COLUMNS = ["metric", "method", "genes", "labelled_genes", "seed", "value", "ci_low", "ci_high"]
#: Neighbouring arms stand this much apart at one number of genes: factor on the logarithmic axis.
APART = 1.035


def points(metrics: pd.DataFrame, arms: pd.DataFrame) -> pd.DataFrame:
    """Test values with the number of labelled genes; ``genes`` is that of the study (``all`` or a number)."""
    numbers = arms.assign(genes=arms["genes"].astype(str)).groupby("genes")["labelled_genes"].max()
    place = {stratum_of(genes): (genes, count) for genes, count in numbers.items()}
    rows = pick(metrics, split="test", metric=list(PANELS))
    genes, count = zip(*(place.get(s, ("", np.nan)) for s in rows["stratum"]), strict=True)
    return rows.assign(genes=genes, labelled_genes=count, seed=rows["seed"].astype(str).replace("nan", ""))


@in_style
def draw_few_labels(metrics: pd.DataFrame, arms: pd.DataFrame):
    """A line per arm with 95 % intervals, single seeds as small dots; finders without labels as dashed lines.

    Parameters
    ----------
    metrics, arms : DataFrame
        Tables of the stage ``few_labels``.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has a row per drawn point and line (columns `COLUMNS`; ``seed`` is ``mean`` for means).
    """
    table = points(metrics, arms)
    means = over_seeds(table)
    figure = new_figure(PAGE, 2.75)
    for ax, letter, (metric, title) in zip(figure.subplots(1, 2), "ab", PANELS.items(), strict=True):
        mine = pick(means, metric=metric)
        _lines(ax, mine, pick(table, metric=metric))
        _axis(ax, mine)
        ax.set(title=title, xlabel="Labelled genes", ylabel="F1 on the test blocks")
        panel_letter(ax, letter)
    return figure, table[COLUMNS].reset_index(drop=True), _alt(means, arms)


def _lines(ax, means: pd.DataFrame, every: pd.DataFrame) -> None:
    """Arms with intervals and seeds, finders without labels, and names at the right end."""
    methods = in_order(means["method"].unique())
    labelled = [m for m in methods if (pick(means, method=m)["stratum"] != UNLABELLED).any()]
    ends = {}
    for method in methods:
        colour, mine = method_colour(method), pick(means, method=method).sort_values("labelled_genes")
        ends[method] = mine["value"].iloc[-1]
        if method not in labelled:
            ax.axhline(ends[method], color=colour, linewidth=0.8, dashes=(4, 2), zorder=0)
            continue
        shift = APART ** (labelled.index(method) - (len(labelled) - 1) / 2)
        x = mine["labelled_genes"] * shift
        ax.vlines(x, mine["ci_low"], mine["ci_high"], color=colour, linewidth=0.9, zorder=1)
        ax.plot(x, mine["value"], marker=method_marker(method), color=colour, mec="white", mew=0.4, zorder=3)
        single = pick(every, method=method)
        single = single[single["seed"] != "mean"]
        if (every["seed"] == "mean").any():
            ax.plot(
                single["labelled_genes"] * shift, single["value"], "o", color=colour, markersize=1.6, mew=0, alpha=0.7
            )
    low, high = ax.get_ylim()
    for method, at in zip(ends, spread(list(ends.values()), 0.11 * (high - low)), strict=True):
        line_label(ax, _name(method), ends[method], at, method_colour(method))


def _name(method: str) -> str:
    return method_label(method).replace(", ", ",\n")


def _axis(ax, means: pd.DataFrame) -> None:
    """Logarithmic, with a tick per number of genes."""
    numbers = means.dropna(subset="labelled_genes").drop_duplicates("genes")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(numbers["labelled_genes"]))
    ax.xaxis.set_minor_locator(NullLocator())
    told = [f"all\n({count:,.0f})" if g == "all" else g for g, count in numbers[["genes", "labelled_genes"]].to_numpy()]
    ax.set_xticklabels(told, fontsize=SMALL)
    ax.set_ylim(bottom=max(ax.get_ylim()[0], 0), top=min(ax.get_ylim()[1], 1))


def _alt(means: pd.DataFrame, arms: pd.DataFrame) -> str:
    seeds = arms.groupby(["method", "genes"]).size().max()
    text = "Gene F1 on the test blocks against the number of labelled genes"
    text += f", means of {seeds} seeds." if seeds > 1 else "."
    for metric, title in PANELS.items():
        mine = pick(means, metric=metric)
        for genes, rows in mine[mine["genes"] != ""].groupby("genes", sort=False):
            told = [f"{method_label(row['method'])} {with_interval(row)}" for row in rows.to_dict("records")]
            text += f" {title}, {genes} genes: {', '.join(told)}."
        for row in mine[mine["genes"] == ""].to_dict("records"):
            text += f" {title}, without labels: {method_label(row['method'])} {with_interval(row)}."
    return text
