"""How well genes are found on the test blocks: precision against sensitivity, and four summaries by method."""

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from dnalm.evaluate.genes import GeneTruth, precision_recall
from dnalm.figures.style import (
    FAINT,
    PAGE,
    QUIET,
    SMALL,
    dot_plot,
    in_style,
    new_figure,
    panel_letter,
    pick,
    with_interval,
)
from dnalm.figures.vocabulary import in_order, method_colour, method_label, method_marker
from dnalm.sequence.splits import blocks_of

#: Methods whose scores give a curve, and those that are one point.
CURVES = ["dnalm", "dnalm_self", "dnalm_transfer", "dnalm_random_init", "dnalm_memory_only", "closed_form"]
POINTS = ["pyrodigal_single", "pyrodigal_meta", "longest_orf"]
SUMMARIES = ["gene_f1_3prime", "gene_f1_exact", "start_accuracy", "base_f1"]
SENSITIVITY, PRECISION = "gene_sensitivity_3prime", "gene_precision_3prime"
END = {"mec": "white", "mew": 0.5, "markersize": 5.5}
F1_LINES = (0.4, 0.6, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99)


@in_style
def draw_gene_precision_recall(genome, splits, cds, calls: dict[str, pd.DataFrame], metrics: pd.DataFrame):
    """Precision and sensitivity at the 3' end over the score, and F1 at the 3' end, exact, of starts and of bases.

    Parameters
    ----------
    genome : dnalm.io.fasta.Genome
    splits : DataFrame
    cds : DataFrame
        From `dnalm.annotation.labels.genome_cds`.
    calls : dict of method to DataFrame
        Called genes with scores; methods without a curve or without calls may be missing.
    metrics : DataFrame
        Metrics of the annotate stage.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has one row per point of a curve (panel ``curve``) and per drawn value (panels ``point``,
        ``summary``).
    """
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    truth = GeneTruth(cds, blocks_of(splits, genome, "test"), lengths)
    judged = {m: truth.judge(calls[m]) for m in CURVES if m in calls}
    curves = {m: precision_recall(found, len(truth.genes)) for m, found in judged.items() if len(found)}
    test = pick(metrics, split="test", stratum="all")
    methods = in_order(set(test["method"]) & {*CURVES, *POINTS})
    figure = new_figure(PAGE, 0.95 + 0.29 * max(len(methods), 6))
    left, *right = figure.subplots(1, 5, width_ratios=[2.9, 1, 1, 1, 1])
    _curves(left, curves, test)
    summaries = pick(test, metric=SUMMARIES, method=methods)
    dot_plot(right, summaries, methods, SUMMARIES)
    panel_letter(left, "a")
    panel_letter(right[0], "b")
    points = pick(test, metric=[SENSITIVITY, PRECISION], method=POINTS)
    parts = [curve.assign(panel="curve", method=method) for method, curve in curves.items()]
    parts += [points.assign(panel="point"), summaries.assign(panel="summary")]
    columns = [
        "panel", "method", "score", "sensitivity", "precision", "metric", "value", "ci_low", "ci_high", "n",
    ]  # fmt: skip
    table = pd.concat(parts, ignore_index=True).reindex(columns=columns).astype({"n": "Int64"})
    return figure, table, _alt(summaries, methods, len(truth.genes))


def _curves(ax, curves: dict[str, pd.DataFrame], test: pd.DataFrame) -> None:
    drawn = []
    for method, curve in curves.items():
        colour, end = method_colour(method), curve.iloc[-1]
        front = 4 if method == "dnalm" else 3
        ax.plot(curve["sensitivity"], curve["precision"], color=colour, zorder=front, linewidth=1)
        ax.plot(end["sensitivity"], end["precision"], method_marker(method), color=colour, zorder=front + 3, **END)
        drawn.append((end["sensitivity"], end["precision"]))
    for method in reversed(POINTS):
        rows = pick(test, method=method).set_index("metric")
        if SENSITIVITY not in rows.index or rows.loc[[SENSITIVITY, PRECISION], "value"].isna().any():
            continue
        x, y = rows.loc[SENSITIVITY], rows.loc[PRECISION]
        colour = method_colour(method)
        ax.hlines(y["value"], x["ci_low"], x["ci_high"], color=colour, linewidth=0.8, zorder=2)
        ax.vlines(x["value"], y["ci_low"], y["ci_high"], color=colour, linewidth=0.8, zorder=2)
        ax.plot(x["value"], y["value"], method_marker(method), color=colour, zorder=6, **END)
        drawn += [(x["ci_low"], y["ci_low"]), (x["value"], y["value"])]
    _zoom(ax, np.array(drawn).reshape(-1, 2), curves)
    ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    ax.set(xlabel="Sensitivity at the 3' end", ylabel="Precision at the 3' end", title="Test genes, by score threshold")
    ax.annotate(
        "Lines end at the called set", (0, 0), (4, 4), xycoords="axes fraction", textcoords="offset points",
        color=QUIET, fontsize=SMALL,
    )  # fmt: skip


def _zoom(ax, drawn: np.ndarray, curves: dict[str, pd.DataFrame]) -> None:
    """Limits that hold all end points, intervals and what the curves do beside them; lines of equal F1."""
    x_low = np.nanmin([*drawn[:, 0], 0.9]) - 0.05
    beside = [c.loc[c["sensitivity"] >= x_low, "precision"] for c in curves.values()]
    y_low = np.nanmin([*drawn[:, 1], 0.95, *np.concatenate([[1.0], *beside])]) - 0.02
    x_low, y_low = max(x_low, 0), max(y_low, 0)
    x_high, y_high = 1 + 0.02 * (1 - x_low), 1 + 0.04 * (1 - y_low)
    ax.set(xlim=(x_low, x_high), ylim=(y_low, y_high))
    ax.annotate("F1", (1, 1), (3, 0), textcoords="offset points", color=QUIET, fontsize=SMALL, va="center")
    for f1 in F1_LINES:
        sensitivity = np.linspace(max(x_low, f1 / (2 - f1)), 1, 100)
        precision = f1 * sensitivity / (2 * sensitivity - f1)
        end = f1 / (2 - f1)
        if end > y_low:
            ax.plot(sensitivity, precision, color=FAINT, linewidth=0.6, zorder=1)
            ax.annotate(
                f"{f1:g}", (1, end), (3, 0), textcoords="offset points", color=QUIET, fontsize=SMALL,
                va="center", annotation_clip=False,
            )  # fmt: skip


def _alt(summaries: pd.DataFrame, methods: list[str], genes: int) -> str:
    parts = []
    for metric, name in (("gene_f1_3prime", "F1 at the 3' end"), ("gene_f1_exact", "F1 with the start")):
        rows = pick(summaries, metric=metric).set_index("method")
        values = ", ".join(f"{method_label(m)} {with_interval(rows.loc[m])}" for m in methods if m in rows.index)
        parts.append(f"{name}: {values}.")
    return f"Gene finding on the test blocks ({genes:,} genes). " + " ".join(parts)
