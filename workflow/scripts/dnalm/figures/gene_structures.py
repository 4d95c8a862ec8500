"""How well genes with introns are found: sensitivity, precision and F1 of bases, exons and genes by finder."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from dnalm.figures.style import FAINT, PAGE, QUIET, SMALL, in_style, new_figure, panel_letter, pick, with_interval
from dnalm.figures.vocabulary import in_order, method_colour, method_label, method_marker

LEVELS = {"base": "Coding bases", "exon": "Exons, both ends", "gene": "Genes, all exons"}
SCORES = {"sensitivity": "Sensitivity", "precision": "Precision", "f1": "F1"}
#: Rows between the finders of a score, and the smallest width of an axis.
SPREAD, LEAST_SPAN = 0.17, 0.02
COLUMNS = ["metric", "method", "value", "ci_low", "ci_high", "n"]


@in_style
def draw_gene_structures(metrics: pd.DataFrame):
    """Dots with 95 % intervals on the test blocks, a panel for each level.

    Parameters
    ----------
    metrics : DataFrame
        Metrics of the annotate stage of a study with ``labels: structures``.

    Returns
    -------
    (Figure, DataFrame, str)
        The table holds the drawn rows of ``metrics``.
    """
    figure, tables = new_figure(PAGE, 2.7), []
    axes = figure.subplots(1, len(LEVELS), sharey=True)
    wanted = [f"{level}_{score}_structure" for level in LEVELS for score in SCORES]
    rows = pick(metrics, split="test", stratum="all", metric=wanted)
    methods = in_order(rows["method"].unique())
    for letter, ax, level in zip("abc", axes, LEVELS, strict=True):
        mine = pick(rows, metric=[f"{level}_{score}_structure" for score in SCORES])[COLUMNS]
        _panel(ax, mine, methods, level)
        panel_letter(ax, letter)
        tables.append(mine)
    axes[0].set_yticks(range(len(SCORES)), SCORES.values())
    axes[0].set_ylim(len(SCORES) - 0.5, -0.5)
    _key(figure, axes[0], methods)
    table = pd.concat(tables, ignore_index=True)
    return figure, table, _alt(table, methods)


def _panel(ax, rows: pd.DataFrame, methods: list[str], level: str) -> None:
    for method, shift in zip(methods, SPREAD * (np.arange(len(methods)) - (len(methods) - 1) / 2), strict=True):
        mine, colour = rows[rows["method"] == method], method_colour(method)
        at = mine["metric"].map([f"{level}_{score}_structure" for score in SCORES].index).to_numpy() + shift
        ax.hlines(at, mine["ci_low"], mine["ci_high"], color=colour, linewidth=1)
        ax.plot(mine["value"], at, method_marker(method), color=colour, markersize=3.5)
    for place in range(len(SCORES) - 1):
        ax.axhline(place + 0.5, color=FAINT, linewidth=0.4, zorder=0)
    ends = rows[["value", "ci_low", "ci_high"]].to_numpy(dtype=float)
    if not np.isnan(ends).all():
        low, high = np.nanmin(ends), np.nanmax(ends)
        half = max(0.54 * (high - low), LEAST_SPAN / 2)
        ax.set_xlim((low + high) / 2 - half, (low + high) / 2 + half)
    ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    ax.set_title(f"{LEVELS[level]} (n = {int(rows['n'].max()) if len(rows) else 0:,})")
    ax.set_xlabel("On the test blocks")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _key(figure, ax, methods: list[str]) -> None:
    """Names of the finders below the panels."""
    marks = [
        ax.plot([], [], method_marker(m), color=method_colour(m), markersize=3.5, label=method_label(m))[0]
        for m in methods
    ]
    figure.legend(
        handles=marks, loc="outside lower center", ncols=len(methods), frameon=False, fontsize=SMALL,
        labelcolor=QUIET, handlelength=1.4, handletextpad=0.1, columnspacing=1.4,
    )  # fmt: skip


def _alt(table: pd.DataFrame, methods: list[str]) -> str:
    parts = []
    for level, name in LEVELS.items():
        rows = pick(table, metric=f"{level}_f1_structure").set_index("method")
        values = ", ".join(f"{method_label(m)} {with_interval(rows.loc[m])}" for m in methods if m in rows.index)
        parts.append(f"F1 of {name[:1].lower()}{name[1:]}: {values}.")
    return "Genes with introns on the test blocks. " + " ".join(parts)
