"""Where the genome is predictable: test bits per base of genes, codon positions, intergenic sequence and RNA genes."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from dnalm.figures.style import FAINT, PAGE, SMALL, in_style, new_figure, over_seeds, panel_letter, pick
from dnalm.figures.vocabulary import STRATUM_LABELS, method_colour, method_label, method_marker

STRATA = ["all", "unique", "coding", "codon_position_1", "codon_position_2", "codon_position_3", "intergenic", "rna"]
PANELS = {
    "bits_per_base": ("Causal", ["dnalm", "markov_mixture"]),
    "bits_per_base_two_sided": ("Two-sided", ["dnalm", "dnalm_recounted", "flank_counts"]),
}
#: Smallest width of an axis, in bits.
LEAST_SPAN = 0.05
#: Rows between the methods of a stratum.
SPREAD = 0.28
COLUMNS = ["metric", "stratum", "method", "value", "ci_low", "ci_high", "n"]


@in_style
def draw_bits_by_region(metrics: pd.DataFrame):
    """Dots with 95 % intervals: dnalm and its baseline on either axis of bits per base; of several seeds their mean.

    Parameters
    ----------
    metrics : DataFrame
        Metrics of the pretrain stage; a stratum without bases (NaN) is left out.

    Returns
    -------
    (Figure, DataFrame, str)
        The table holds the drawn rows of ``metrics``.
    """
    metrics = pick(over_seeds(metrics), split="test", stratum=STRATA).dropna(subset="value")
    there = [stratum for stratum in STRATA if (metrics["stratum"] == stratum).any()] or ["all"]
    # RNA genes have copies elsewhere in the genome: their bits are of another order and get an axis of their own.
    levels = [level for level in ([s for s in there if s != "rna"], [s for s in there if s == "rna"]) if level]
    figure = new_figure(PAGE, 1 + 0.24 * len(there))
    grid = figure.subplots(len(levels), 2, sharey="row", squeeze=False, height_ratios=[len(s) + 0.15 for s in levels])
    tables = []
    for side, (letter, (metric, (title, methods))) in enumerate(zip("ab", PANELS.items(), strict=True)):
        rows = pick(metrics, metric=metric, method=methods)[COLUMNS]
        methods = [method for method in methods if method in set(rows["method"])]
        rows = rows.sort_values("stratum", key=lambda c: c.map(STRATA.index), kind="stable")
        for ax, strata in zip(grid[:, side], levels, strict=True):
            _panel(ax, rows, methods, strata)
        grid[0, side].set_title(title)
        grid[-1, side].set_xlabel("Test bits per base (fewer is better)")
        _key(grid[0, side], methods)
        panel_letter(grid[0, side], letter)
        tables.append(rows)
    table = pd.concat(tables, ignore_index=True)
    counts = table.groupby("stratum")["n"].max()
    for ax, strata in zip(grid[:, 0], levels, strict=True):
        ax.set_yticks(range(len(strata)), [f"{STRATUM_LABELS[s]}\n{counts.get(s, 0):,} bases" for s in strata])
        ax.set_ylim(len(strata) - 0.5, -0.5)
    return figure, table, _alt(table)


def _panel(ax, rows: pd.DataFrame, methods: list[str], strata: list[str]) -> None:
    rows = rows[rows["stratum"].isin(strata)]
    for place in range(len(strata)):
        ax.axhline(place, color=FAINT, linewidth=0.4, zorder=0)
    for method, shift in zip(methods, SPREAD * (np.arange(len(methods)) - (len(methods) - 1) / 2), strict=True):
        mine, colour = rows[rows["method"] == method], method_colour(method)
        at = mine["stratum"].map(strata.index).to_numpy() + shift
        ax.hlines(at, mine["ci_low"], mine["ci_high"], color=colour, linewidth=1)
        ax.plot(mine["value"], at, method_marker(method), color=colour, markersize=3.5)
    _limits(ax, rows)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)


def _limits(ax, rows: pd.DataFrame) -> None:
    """Room for all intervals; never so narrow that noise looks like a difference."""
    ends = rows[["value", "ci_low", "ci_high"]].to_numpy(dtype=float)
    if np.isnan(ends).all():
        return
    low, high = np.nanmin(ends), np.nanmax(ends)
    half = max(0.56 * (high - low), LEAST_SPAN / 2)
    ax.set_xlim((low + high) / 2 - half, (low + high) / 2 + half)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def _key(ax, methods: list[str]) -> None:
    """Names of the methods in their colours, in the line of the title."""
    names = {m: method_label(m).removeprefix("dnalm, ") for m in methods}
    marks = [
        ax.plot([], [], method_marker(m), color=method_colour(m), markersize=3.5, label=name)[0]
        for m, name in names.items()
    ]
    ax.legend(
        handles=marks, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0, borderpad=0.2, frameon=False,
        ncols=len(methods), fontsize=SMALL, labelcolor="linecolor", handlelength=1.4, handletextpad=0.1,
        columnspacing=1,
    )  # fmt: skip


def _alt(table: pd.DataFrame) -> str:
    parts = []
    for metric, (title, methods) in PANELS.items():
        rows = pick(table, metric=metric).dropna(subset="value").set_index(["method", "stratum"])["value"]
        if (methods[0], "all") not in rows:
            continue
        every = " against ".join(f"{method_label(m)} {rows[m, 'all']:.3f}" for m in methods if (m, "all") in rows)
        mine = rows.get("dnalm", pd.Series(dtype=float)).drop(["all", "unique"], errors="ignore")
        ends = ""
        if len(mine):
            low, high = mine.idxmin(), mine.idxmax()
            ends = (
                f"; dnalm is lowest at {STRATUM_LABELS[low]} ({mine[low]:.3f}) and highest at "
                f"{STRATUM_LABELS[high]} ({mine[high]:.3f})"
            )
        parts.append(f"{title}: {every} over all bases{ends}.")
    return "Test bits per base by region. " + " ".join(parts)
