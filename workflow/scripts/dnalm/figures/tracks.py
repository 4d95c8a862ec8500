"""How well the user's own labels are found on the test blocks: precision against recall, one panel per track."""

import numpy as np
import pandas as pd

from dnalm.annotation.track_labels import TrackLabels
from dnalm.evaluate.tracks import bins_of
from dnalm.figures.style import COLUMN, FAINT, PAGE, SMALL, in_style, new_figure, pick, with_interval
from dnalm.figures.vocabulary import in_order, method_colour, method_label, method_marker
from dnalm.sequence.splits import split_intervals
from dnalm.tasks.track_calls import cut_out

#: Most panels side by side, and their height in inches.
ACROSS, HEIGHT = 3, 2.4


def precision_recall(values: np.ndarray, truth: np.ndarray) -> pd.DataFrame:
    """Precision and recall of bases for falling thresholds, one row per bin of `dnalm.evaluate.tracks.bins_of`."""
    bins = bins_of(values, truth)
    count = bins.max(initial=0) + 1
    called, found = (
        np.cumsum(np.bincount(bins, weights=w, minlength=count)[::-1]) for w in (np.ones(len(bins)), truth)
    )
    some = called > 0
    return pd.DataFrame({"recall": found[some] / max(truth.sum(), 1), "precision": found[some] / called[some]})


@in_style
def draw_track_precision_recall(genome, splits, labels: TrackLabels, probabilities: dict, metrics: pd.DataFrame):
    """Precision and recall of test bases, with the average precision of every method as the key of each panel.

    Parameters
    ----------
    probabilities : dict of method to (intervals, columns)
        In the positions of ``genome``.
    metrics : DataFrame
        Metrics of the annotate stage.

    Returns
    -------
    (Figure, DataFrame, str)
        The table has one row per point of a curve, with the columns track, method, recall, precision.
    """
    tracks = list(dict.fromkeys(name.rstrip("+-") for name in labels.names))
    blocks = split_intervals(genome, splits, "test")
    place = np.concatenate([np.arange(a, b) for a, b in blocks])
    known, methods, curves = labels.known[place], in_order(probabilities), {}
    for method in methods:
        columns = cut_out(*probabilities[method], blocks)
        for track in tracks:
            mine = labels.of_track(track)
            values = np.concatenate([columns[labels.names[i]][known] for i in mine])
            truth = np.concatenate([labels.truth[place, i][known] for i in mine])
            curves[track, method] = precision_recall(values, truth)
    scores = pick(metrics, split="test", metric="auprc").set_index(["stratum", "method"])
    across = min(len(tracks), ACROSS)
    rows = -(-len(tracks) // across)
    figure = new_figure(max(PAGE * across / ACROSS, COLUMN), rows * HEIGHT)
    axes = figure.subplots(rows, across, squeeze=False).ravel()
    for ax, track in zip(axes, tracks, strict=False):
        _panel(ax, track, {m: curves[track, m] for m in methods}, scores.loc[track])
    for ax in axes[len(tracks) :]:
        ax.set_visible(False)
    parts = [curve.assign(track=track, method=method) for (track, method), curve in curves.items()]
    table = pd.concat(parts, ignore_index=True)[["track", "method", "recall", "precision"]]
    return figure, table, _alt(tracks, methods, scores)


def _panel(ax, track: str, curves: dict[str, pd.DataFrame], scores: pd.DataFrame) -> None:
    """Curves of one track over the line of the prevalence."""
    prevalence = scores.loc["majority", "value"]
    ax.axhline(prevalence, color=method_colour("majority"), linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)
    for method, curve in curves.items():
        label = f"{method_label(method)} {scores.loc[method, 'value']:.3f}"
        ax.plot(
            curve["recall"], curve["precision"], color=method_colour(method), label=label, marker=method_marker(method),
            markevery=(max(len(curve) // 12, 1), max(len(curve) // 4, 1)), markersize=3.5, mec="white", mew=0.3,
            zorder=3 if method == "dnalm" else 2,
        )  # fmt: skip
    ax.plot([], [], color=method_colour("majority"), linestyle=(0, (3, 2)), label=f"Prevalence {prevalence:.3f}")
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Recall", ylabel="Precision", title=track)
    ax.grid(color=FAINT, linewidth=0.4)
    ax.set_axisbelow(True)
    ax.legend(fontsize=SMALL - 1, frameon=False, title="Average precision", title_fontsize=SMALL - 1, loc="best")


def _alt(tracks: list[str], methods: list[str], scores: pd.DataFrame) -> str:
    parts = []
    for track in tracks:
        told = [f"{method_label(m)} {with_interval(scores.loc[track, m])}" for m in [*methods, "majority"]]
        parts.append(f"{track}: {', '.join(told)}.")
    return "Precision against recall of labelled test bases; average precision of " + " ".join(parts)
