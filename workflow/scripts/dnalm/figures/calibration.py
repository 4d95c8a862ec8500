"""Do the probabilities mean what they say? Reliability of P(coding) per base and of gene scores, on test blocks."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from dnalm.evaluate.bases import BINS, coding_probability, reliability
from dnalm.evaluate.genes import GeneTruth
from dnalm.figures.style import FAINT, PAGE, dot_plot, in_style, new_figure, panel_letter, pick, with_interval
from dnalm.figures.vocabulary import in_order, method_colour, method_label, method_marker
from dnalm.sequence.splits import blocks_of, split_intervals

SCORES = ["brier", "ece"]
REFERENCE = "majority"


@in_style
def draw_calibration(genome, splits, labels, cds, probabilities, calls: dict[str, pd.DataFrame], metrics: pd.DataFrame):
    """Reliability diagrams with counts, and Brier score and calibration error by method.

    Parameters
    ----------
    genome : dnalm.io.fasta.Genome
    splits : DataFrame
    labels : dnalm.annotation.labels.GeneLabels
    cds : DataFrame
        From `dnalm.annotation.labels.genome_cds`.
    probabilities : dict of method to (intervals, columns)
        As `dnalm.io.tables.read_scores` gives them, for the model and its twins (which may be missing).
    calls : dict of method to DataFrame
        Called genes; those of methods without probabilities are not drawn.
    metrics : DataFrame
        Metrics of the annotate stage.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has one row per bin and method (panels ``bases``, ``genes``: mean probability, observed share, count,
        for genes the Wilson 95 % interval) and per drawn metric (panel ``scores``).
    """
    methods = in_order(probabilities)
    truth = GeneTruth(
        cds, blocks_of(splits, genome, "test"), dict(genome.contigs[["contig", "length"]].itertuples(index=False))
    )
    bases = {m: base_reliability(genome, splits, labels, *probabilities[m]) for m in methods}
    genes = {m: gene_reliability(truth.judge(calls[m])) for m in methods if m in calls}
    test = pick(metrics, split="test", stratum="all", metric=SCORES, method=[*methods, REFERENCE])
    figure = new_figure(PAGE, 2.9)
    grid = figure.add_gridspec(2, 4, height_ratios=[3.2, 1], width_ratios=[2.35, 2.35, 1, 1])
    for side, (bins, name, what) in enumerate(
        ((bases, "P(coding) of a test base", "bases"), (genes, "Score of a called gene", "genes"))
    ):
        top, bottom = figure.add_subplot(grid[0, side]), figure.add_subplot(grid[1, side])
        _diagram(top, bins)
        _histogram(bottom, bins, what)
        top.set(title=("Coding bases", "Called genes")[side])
        top.set_ylabel(("Share that is coding", "Share with the right 3' end")[side])
        bottom.set_xlabel(name)
        panel_letter(top, "ab"[side])
    right = [figure.add_subplot(grid[:, column]) for column in (2, 3)]
    shown = in_order(set(test["method"]))
    dot_plot(right, test, shown, SCORES)
    panel_letter(right[0], "c")
    return figure, _table(bases, genes, test), _alt(bases, genes, test)


def base_reliability(genome, splits, labels, intervals: np.ndarray, columns: dict[str, np.ndarray]) -> pd.DataFrame:
    """Bins of P(coding) over the test bases with a known label: probability, observed, count."""
    place = np.concatenate([np.arange(a, b) for a, b in intervals])
    test = np.zeros(len(genome.codes), dtype=bool)
    for start, end in split_intervals(genome, splits, "test"):
        test[start:end] = True
    use = (test & labels.known)[place] & ((np.asarray(genome.codes[place]) & 7) < 4)
    outcome = (labels.classes[place[use], 1:] > 0).any(1).astype(np.float64)
    bins = reliability(coding_probability(columns)[use], outcome)
    return pd.DataFrame(bins, columns=["probability", "observed", "count"]).assign(bin=range(BINS))


def gene_reliability(judged: pd.DataFrame) -> pd.DataFrame:
    """Bins of the score of calls that count: probability, observed (right 3' end) with Wilson interval, count."""
    bins = reliability(judged["score"].to_numpy(dtype=float), judged["right_stop"].to_numpy(dtype=float))
    table = pd.DataFrame(bins, columns=["probability", "observed", "count"]).assign(bin=range(BINS))
    ends = np.full((BINS, 2), np.nan)
    for row, (_, observed, count) in enumerate(bins):
        if count:
            ends[row] = binomtest(round(observed * count), int(count)).proportion_ci(method="wilson")
    return table.assign(ci_low=ends[:, 0], ci_high=ends[:, 1])


def _diagram(ax, bins: dict[str, pd.DataFrame]) -> None:
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, zorder=0)
    for method, table in reversed(bins.items()):
        table, colour = table[table["count"] > 0], method_colour(method)
        few = "ci_low" in table
        if few:
            ax.vlines(table["probability"], table["ci_low"], table["ci_high"], color=colour, linewidth=0.7)
        ax.plot(
            table["probability"], table["observed"], method_marker(method), color=colour, mec="white", mew=0.4,
            linestyle="none" if few else "-", linewidth=0.9, markersize=4.5, clip_on=False, zorder=3,
        )  # fmt: skip
    ax.set(xlim=(0, 1), ylim=(0, 1), xticks=np.linspace(0, 1, 6), yticks=np.linspace(0, 1, 6))
    ax.tick_params(labelbottom=False)


def _histogram(ax, bins: dict[str, pd.DataFrame], what: str) -> None:
    """Counts of each bin as steps, on a logarithmic axis."""
    top = 1.0
    for method, table in reversed(bins.items()):
        heights = np.maximum(table["count"].to_numpy(), 0.5)
        ax.stairs(heights, np.linspace(0, 1, BINS + 1), color=method_colour(method), baseline=0.5, linewidth=0.9)
        top = max(top, heights.max())
    ax.set_yscale("log")
    ax.set(xlim=(0, 1), ylim=(0.5, 2 * top), xticks=np.linspace(0, 1, 6), ylabel=f"Test {what}")
    ax.yaxis.get_minor_locator().set_params(numticks=1)


def _table(bases, genes, test: pd.DataFrame) -> pd.DataFrame:
    parts = [t.assign(panel="bases", method=m) for m, t in bases.items()]
    parts += [t.assign(panel="genes", method=m) for m, t in genes.items()]
    parts.append(test.assign(panel="scores"))
    columns = [
        "panel", "method", "bin", "probability", "observed", "count", "ci_low", "ci_high", "metric", "value", "n",
    ]  # fmt: skip
    table = pd.concat(parts, ignore_index=True).reindex(columns=columns)
    return table.astype(dict.fromkeys(("bin", "count", "n"), "Int64"))


def _alt(bases, genes, test: pd.DataFrame) -> str:
    parts = []
    for metric, name in (("brier", "Brier score"), ("ece", "expected calibration error")):
        rows = pick(test, metric=metric).set_index("method")
        values = [f"{method_label(m)} {with_interval(rows.loc[m])}" for m in in_order(rows.index)]
        parts.append(f"{name} of P(coding): {', '.join(values)}")
    sure = genes["dnalm"].iloc[-1] if "dnalm" in genes else None
    if sure is not None and sure["count"]:
        right = f"{sure['observed']:.1%} have the right 3' end"
        parts.append(f"of {sure['count']:.0f} dnalm genes with a score of at least 0.9, {right}")
    return "Calibration on the test blocks. " + "; ".join(parts) + "."
