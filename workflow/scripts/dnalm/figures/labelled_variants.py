"""Variants with labels: how predictions of held-out groups rank them, what they are worth by consequence, and where."""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from dnalm.evaluate.bases import BINS, reliability
from dnalm.figures.style import FAINT, INK, PAGE, SMALL, in_style, new_figure, panel_letter, pick, with_interval
from dnalm.figures.vocabulary import STRATUM_LABELS, in_order, method_colour, method_label, method_marker

OURS, WITHOUT = "dnalm_labelled", "dnalm_labelled_no_conservation"
#: What is drawn beside ours, at most `MOST` of them, as far as it is there for every variant.
BESIDE = (
    "dnalm_labelled_no_language_model", "dnalm_labelled_no_embeddings", "dnalm_finetuned", "gene_chemistry",
    "gene_fitted", "consequence_order", "consequence_blosum62", "chemistry_fitted", "cadd", "phylop", "blosum62",
)  # fmt: skip
MOST = 6
#: Points of a curve that are kept in its table.
POINTS = 200
#: Colours of labels on the map.
HARMFUL, HARMLESS = "#AB2317", "#6A8FB8"
#: A stretch without variants that is longer than this many bases is cut out of the map.
CUT = 60
#: Cuts that are drawn as lines, if there are no more of them.
MOST_EDGES = 40


@in_style
def draw_labelled(table: pd.DataFrame, metrics: pd.DataFrame):
    """ROC, precision and recall, reliability, AUROC by consequence, and predictions along the genome.

    Parameters
    ----------
    table : DataFrame
        Predictions of `dnalm.tasks.labelled`.
    metrics : DataFrame
        Metrics of the same variants.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has the drawn points: panel, method, stratum, x, y, ci_low, ci_high.
    """
    methods = chosen(table)
    figure = new_figure(PAGE, 6.2)
    grid = figure.add_gridspec(3, 3, height_ratios=[2.1, 2.0, 1.5])
    roc, recall, calibration = (figure.add_subplot(grid[0, column]) for column in range(3))
    by_class, places = figure.add_subplot(grid[1, :]), figure.add_subplot(grid[2, :])
    drawn = [*_curves(roc, recall, table, methods), *_reliability(calibration, table, methods)]
    drawn += [*_by_class(by_class, metrics, methods), _map(places, table)]
    for ax, letter in zip((roc, recall, calibration, by_class, places), "abcde", strict=True):
        panel_letter(ax, letter)
    return figure, pd.concat(drawn, ignore_index=True), _alt(table, metrics, methods)


def chosen(table: pd.DataFrame) -> list[str]:
    """Ours, and the methods beside it that have a score for every variant."""
    there = [m for m in (OURS, WITHOUT, *BESIDE) if m in table and np.isfinite(table[m]).all()]
    if "consequence_order" in there:  # where consequences differ, chemistry alone is no rival
        there = [m for m in there if m not in ("chemistry_fitted", "blosum62")]
    return in_order(there[:MOST])


def _points(panel: str, method: str, x, y, **more) -> pd.DataFrame:
    return pd.DataFrame({"panel": panel, "method": method, "x": x, "y": y, **more})


def _thinned(*arrays):
    """At most `POINTS` of the points of a curve, its ends among them."""
    keep = np.unique(np.linspace(0, len(arrays[0]) - 1, POINTS).astype(int))
    return [array[keep] for array in arrays]


def _curves(roc, recall, table: pd.DataFrame, methods: list[str]):
    label = table["label"].to_numpy(bool)
    roc.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, zorder=0)
    recall.axhline(label.mean(), color=FAINT, linewidth=0.8, zorder=0)
    for method in reversed(methods):
        score, colour = table[method].to_numpy(), method_colour(method)
        wrong, right, _ = roc_curve(label, score, drop_intermediate=False)
        precise, found, _ = precision_recall_curve(label, score)
        text = f"{method_label(method)}, {roc_auc_score(label, score):.3f}"
        wrong, right = _thinned(wrong, right)
        found, precise = _thinned(found, precise)
        roc.plot(wrong, right, color=colour, linewidth=1, label=text)
        recall.plot(found, precise, color=colour, linewidth=1, label=f"{average_precision_score(label, score):.3f}")
        yield _points("roc", method, wrong, right)
        yield _points("precision_recall", method, found, precise)
    roc.set(xlabel="Harmless called harmful", ylabel="Harmful found", xlim=(0, 1), ylim=(0, 1.01), title="ROC")
    recall.set(xlabel="Recall", ylabel="Precision", xlim=(0, 1), ylim=(0, 1.01), title="Precision and recall")
    for ax in (roc, recall):
        handles, labels = ax.get_legend_handles_labels()
        place = "lower right" if ax is roc else "lower left"
        ax.legend(
            handles[::-1], labels[::-1], fontsize=SMALL - 2, loc=place, handlelength=1, edgecolor="none", framealpha=0.8
        )


def _reliability(ax, table: pd.DataFrame, methods: list[str]):
    label = table["label"].to_numpy(np.float64)
    ax.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, zorder=0)
    for method in [m for m in methods if m in (OURS, WITHOUT)]:
        bins = reliability(table[method].to_numpy(np.float64), label)
        there = bins[:, 2] > 0
        x, y, count = bins[there].T
        ax.plot(x, y, color=method_colour(method), linewidth=0.8)
        ax.scatter(x, y, s=4 + 40 * count / count.max(), color=method_colour(method), zorder=3, linewidths=0)
        yield _points("reliability", method, x, y, count=count, bin=np.arange(BINS)[there])
    ax.set(xlabel="Predicted probability of harm", ylabel="Share that is harmful", xlim=(0, 1), ylim=(0, 1.01))
    ax.set_title("Calibration (size: variants)")


def _by_class(ax, metrics: pd.DataFrame, methods: list[str]):
    test = pick(metrics, metric="auroc", method=methods)
    strata = [s for s in dict.fromkeys(test["stratum"]) if s != "answered"]
    strata = [s for s in strata if "_within_" not in s or s.startswith(("all_", "missense_"))]
    ax.axhline(0.5, color=FAINT, linewidth=0.8, zorder=0)
    for i, method in enumerate(methods):
        rows = pick(test, method=method).set_index("stratum").reindex(strata)
        x = np.arange(len(strata)) + (i - (len(methods) - 1) / 2) * 0.8 / len(methods)
        colour = method_colour(method)
        ax.vlines(x, rows["ci_low"], rows["ci_high"], color=colour, linewidth=0.9)
        ax.plot(x, rows["value"], method_marker(method), color=colour, mec="white", mew=0.3, label=method_label(method))
        yield _points(
            "auroc", method, x, rows["value"].to_numpy(), stratum=strata, ci_low=rows["ci_low"].to_numpy(),
            ci_high=rows["ci_high"].to_numpy(), count=rows["n"].to_numpy(),
        ).dropna(subset=["y"])  # fmt: skip
    names = [_stratum_name(s) for s in strata]
    ax.set(xticks=range(len(strata)), ylabel="AUROC", xlim=(-0.6, len(strata) - 0.4), ylim=(None, 1.01))
    ax.set_xticklabels(names, rotation=25, ha="right", fontsize=SMALL - 0.5)
    ax.set_title("By consequence, and within groups")


def _stratum_name(stratum: str) -> str:
    name, within, what = stratum.partition("_within_")
    known = {"all": "All variants", "macro": "Mean of consequences"} | {"missense": STRATUM_LABELS["missense"]}
    known |= {"trna": "tRNA", "rrna": "rRNA", "undecided": "Undecided by consequence"}
    text = known.get(name, name.replace("_", " ").capitalize())
    return f"{text}, within {what}s" if within else text


def _map(ax, table: pd.DataFrame) -> pd.DataFrame:
    """Predictions along the genome; long stretches without variants are cut out."""
    contig = pd.factorize(table["contig"])[0]
    ordered = table.iloc[np.lexsort((table["position"], contig))]
    place, label = ordered["position"].to_numpy(), ordered["label"].to_numpy(bool)
    steps = np.diff(place, prepend=place[:1])
    steps[np.diff(np.sort(contig), prepend=0) > 0] = CUT + 1  # from one contig to the next
    x = np.cumsum(np.where(steps > CUT, CUT // 3, steps))
    edges = x[steps > CUT]
    for edge in edges if len(edges) <= MOST_EDGES else ():
        ax.axvline(edge - CUT / 6, color=FAINT, linewidth=0.5, zorder=0)
    for is_harmful, colour, name in ((False, HARMLESS, "harmless"), (True, HARMFUL, "harmful")):
        mine = label == is_harmful
        ax.scatter(x[mine], ordered[OURS].to_numpy()[mine], s=3, color=colour, label=name, linewidths=0, alpha=0.7)
    ax.set(xticks=[], ylim=(-0.02, 1.02), ylabel="Predicted\nprobability of harm", xlim=(x.min() - 5, x.max() + 5))
    told = "; grey lines: cut out" if len(edges) <= MOST_EDGES else ""
    ax.set_xlabel(f"Position in the genome, without long stretches that have no variants{told}")
    ax.legend(fontsize=SMALL - 1, frameon=False, loc="upper left", bbox_to_anchor=(0, 1.2), ncols=2, labelcolor=INK)
    stratum = np.where(label, "harmful", "harmless")
    return _points("map", OURS, place, ordered[OURS].to_numpy(), stratum=stratum)


def _alt(table: pd.DataFrame, metrics: pd.DataFrame, methods: list[str]) -> str:
    rows = pick(metrics, metric="auroc", stratum="all", method=methods).set_index("method")
    told = ", ".join(f"{method_label(m)} {with_interval(rows.loc[m])}" for m in methods if m in rows.index)
    harmful = int(table["label"].sum())
    return f"{len(table)} variants with a label, {harmful} harmful, each predicted from other groups. AUROC: {told}."
