"""A scanned sample: what was flagged along its longest contig, and what planted changes say of such flags."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from dnalm.evaluate.scan import AWAY, recall_curve
from dnalm.figures.style import FAINT, INK, PAGE, SMALL, in_style, new_figure, panel_letter
from dnalm.figures.vocabulary import in_order, method_colour, method_label
from dnalm.variants.places import global_position
from dnalm.variants.planted import REAL
from dnalm.variants.rankings import distance
from dnalm.variants.repairs import NAMES, NEAR

KINDS = {
    "substitution": "Wrong base", "insertion": "Base too many", "deletion": "Base missing",
    "homopolymer": "Homopolymer length", REAL: "Real difference",
}  # fmt: skip
REPAIRS = {"substitute": ("another base", "o", "#0B4F8A"), "remove": ("one base less", "v", "#B0480C"),
           "insert": ("one base more", "^", "#1C9F5C")}  # fmt: skip
#: Points of a curve in the figure's table.
POINTS = 40


@in_style
def draw_scanned(genome, flags: pd.DataFrame, budget: int, planted=None, scores=None, baselines=None):
    """Flags along the longest contig; with planted changes also recall against false flags, a panel for each kind.

    Parameters
    ----------
    genome : Genome
        The sample. All tables have ``contig``, and ``position`` from 0 in it.
    flags : DataFrame
        Of `dnalm.tasks.scan.flagged`.
    budget : int
        Flags per million bases, which the curves mark.
    planted, scores, baselines : DataFrame, optional
        Of `dnalm.variants.planted`, and of `dnalm.variants.rankings.Ranking.table`.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has the flags of that contig, and the curves.
    """
    kinds = [kind for kind in KINDS if planted is not None and (planted["kind"] == kind).any()]
    figure = new_figure(PAGE, 4.3 if kinds else 2.2)
    grid = figure.add_gridspec(2 if kinds else 1, max(len(kinds), 1))
    top = figure.add_subplot(grid[0, :])
    shown = _track(top, genome, flags, planted)
    panel_letter(top, "a")
    if not kinds:
        return figure, shown, _told(genome, flags)
    both = pd.concat([scores, baselines], ignore_index=True)
    planted, both = (t.assign(position=global_position(t, genome.contigs)) for t in (planted, both))
    curves = _curves(planted, both, kinds, len(genome.codes) / 1e6)
    first = None
    for column, (kind, letter) in enumerate(zip(kinds, "bcdef", strict=False)):
        ax = figure.add_subplot(grid[1, column], sharey=first)
        first = first or ax
        _panel(ax, curves[curves["kind"] == kind], budget, KINDS[kind])
        ax.tick_params(labelleft=ax is first)
        panel_letter(ax, letter)
    first.set_ylabel("Found")
    handles, names = first.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, frameon=False, fontsize=SMALL)
    return figure, pd.concat([shown, curves], ignore_index=True), _told(genome, flags) + _compared(curves, budget)


def _track(ax, genome, flags: pd.DataFrame, planted) -> pd.DataFrame:
    """Gain of the flags along the longest contig; those on a planted change have a ring."""
    row = genome.contigs.loc[genome.contigs["length"].idxmax()]
    mine = flags[flags["contig"] == row["contig"]]
    found = np.zeros(len(mine), dtype=bool)
    if planted is not None:
        there = planted[planted["planted"] & (planted["contig"] == row["contig"])]
        places = np.sort(there["position"].to_numpy())
        found = distance(mine["position"].to_numpy(), places) <= NEAR
        hit = mine[found]
        ax.scatter(hit["position"] / 1e6, hit["gain"], s=16, facecolors="none", edgecolors=INK, linewidths=0.4,
                   label="on a planted change")  # fmt: skip
    for repair in NAMES:
        some = mine[mine["repair"] == repair]
        name, marker, colour = REPAIRS[repair]
        ax.scatter(some["position"] / 1e6, some["gain"], s=6, marker=marker, color=colour, linewidths=0, label=name)
    ax.set(xlim=(0, row["length"] / 1e6), xlabel=f"{row['contig']}, million bases", ylabel="Gain of the repair, nats")
    ax.set_ylim(bottom=0)
    ax.set_title("Flagged positions, by repair")
    ax.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=4, frameon=False, fontsize=SMALL, borderaxespad=0)
    columns = ["contig", "position", "repair", "gain"]
    return mine[columns].assign(panel="flagged", planted=found).reset_index(drop=True)


def _curves(planted, scores: pd.DataFrame, kinds: list[str], million: float) -> pd.DataFrame:
    """Rows kind, method, false flags per million bases, found; at round numbers of false flags."""
    done, kind = planted["planted"].to_numpy(), planted["kind"].to_numpy()
    changed, parts = np.sort(planted.loc[done, "position"].to_numpy()), []
    for method, mine in scores.groupby("method", sort=False):
        around = mine.loc[mine["what"] == "event", "score"].to_numpy()
        peaks = mine[mine["what"] == "peak"]
        false = peaks["score"].to_numpy()[distance(peaks["position"].to_numpy(), changed) > AWAY]
        for name in kinds:
            rate, recall = recall_curve(around[done & (kind == name)], false, million)
            if not len(rate):
                continue
            points = np.unique(np.geomspace(1, len(rate), POINTS).astype(int)) - 1
            parts.append(pd.DataFrame({"kind": name, "method": method, "false_per_mb": rate[points],
                                       "found": recall[points]}))  # fmt: skip
    return pd.concat(parts, ignore_index=True).assign(panel="recall")


def _panel(ax, curves: pd.DataFrame, budget: int, title: str) -> None:
    ax.axvline(budget, color=FAINT, linewidth=0.8, zorder=0)
    for method in in_order(curves["method"].unique()):
        rows = curves[curves["method"] == method]
        ax.plot(rows["false_per_mb"], rows["found"], color=method_colour(method), label=method_label(method))
    ax.set(xscale="symlog", xlim=(0, None), ylim=(-0.02, 1.02), xlabel="False flags per Mb")
    ax.set_title(title)
    ax.yaxis.set_major_locator(MaxNLocator(5))


def _told(genome, flags: pd.DataFrame) -> str:
    counts = ", ".join(f"{(flags['repair'] == name).sum()} {REPAIRS[name][0]}" for name in NAMES)
    return f"{len(flags)} positions of {len(genome.contigs)} contigs ({len(genome.codes):,} bases) flagged: {counts}."


def _compared(curves: pd.DataFrame, budget: int) -> str:
    """What is found at the budget or just below."""
    told = []
    for kind, rows in curves.groupby("kind", sort=False):
        at = rows[rows["false_per_mb"] <= budget].groupby("method", sort=False)["found"].max()
        told.append(f"{KINDS[kind]}: {', '.join(f'{method_label(m)} {v:.2f}' for m, v in at.items())}")
    return f" Share of planted changes found at {budget} false flags per million bases. {'; '.join(told)}."
