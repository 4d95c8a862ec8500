"""From probabilities of labels to intervals.

A base is called where the probability reaches the threshold of its label, which is chosen on validation blocks for the
best F1 of bases. Then runs of called bases with short gaps between them are joined, and short runs are dropped. In mode
``multi_class`` a base can be called as its most probable label alone, and no gap is closed over a base of another one.
"""

import itertools
import logging

import numpy as np
import pandas as pd

from dnalm.annotation.bed import runs_of
from dnalm.annotation.track_labels import TrackLabels, label_names
from dnalm.sequence.splits import split_intervals

log = logging.getLogger(__name__)
#: Thresholds that are tried, at quantiles of the probabilities of labelled validation bases.
TRIED = 100


def true_runs(mask: np.ndarray) -> np.ndarray:
    """Runs of true values: int64 (runs, 2), start and end."""
    edges = runs_of(mask)
    spans = np.stack([edges[:-1], edges[1:]], axis=1)
    return spans[mask[spans[:, 0]]] if len(mask) else spans


def call(probability: np.ndarray, threshold: float, merge_gap: int, min_length: int, other=None) -> np.ndarray:
    """Intervals (n, 2) of a stretch of neighbouring bases.

    Parameters
    ----------
    probability : float (length,)
    threshold : float
        The least probability of a called base.
    merge_gap, min_length : int
        Runs with at most ``merge_gap`` bases between them are one; then those shorter than ``min_length`` are dropped.
    other : bool (length,), optional
        Bases that belong to another label.
    """
    other = np.zeros(len(probability), dtype=bool) if other is None else other
    runs = true_runs((probability >= threshold) & ~other)
    if not len(runs):
        return runs
    taken = np.concatenate([[0], np.cumsum(other)])
    before, after = runs[:-1, 1], runs[1:, 0]
    apart = (after - before > merge_gap) | (taken[after] > taken[before])
    starts, ends = np.concatenate([[True], apart]), np.concatenate([apart, [True]])
    joined = np.stack([runs[starts, 0], runs[ends, 1]], axis=1)
    return joined[joined[:, 1] - joined[:, 0] >= min_length]


def others(columns: dict[str, np.ndarray], settings: dict) -> dict[str, np.ndarray | None]:
    """Of every label, the bases whose most probable label is another one; None where labels are independent."""
    if settings["mode"] != "multi_class":
        return dict.fromkeys(columns)
    values = np.stack(list(columns.values()))
    best = np.where(values.max(0) >= 1 - values.sum(0), values.argmax(0), -1)  # -1: most probably without a label
    return {name: (best != i) & (best >= 0) for i, name in enumerate(columns)}


def call_bases(intervals: np.ndarray, columns: dict[str, np.ndarray], thresholds: dict[str, float], settings: dict):
    """Called intervals of every label, {name: int64 (n, 2)}, counted through the columns, none across two intervals."""
    taken = others(columns, settings)
    return {name: _call_label(intervals, columns, name, thresholds[name], settings, taken[name]) for name in columns}


def _call_label(intervals, columns, name: str, threshold: float, settings: dict, taken) -> np.ndarray:
    """Called intervals of one label; ``taken`` are the bases of others, or None."""
    edges, track = np.concatenate([[0], np.cumsum(intervals[:, 1] - intervals[:, 0])]), name.rstrip("+-")
    rule = [settings["tracks"][track][key] for key in ("merge_gap", "min_length")]
    pieces = [
        a + call(columns[name][a:b], threshold, *rule, None if taken is None else taken[a:b])
        for a, b in itertools.pairwise(edges)
    ]
    return np.concatenate([np.zeros((0, 2), dtype=np.int64), *pieces])


def covered(spans: np.ndarray, length: int) -> np.ndarray:
    """Bool (length,): whether a place lies in one of the intervals, which do not overlap."""
    steps = np.zeros(length + 1, dtype=np.int8)
    steps[spans[:, 0]] += 1
    np.subtract.at(steps, spans[:, 1], 1)
    return np.cumsum(steps[:-1]).astype(bool)


def held_out(genome, splits: pd.DataFrame) -> np.ndarray:
    """Global positions (n, 2) of validation and test blocks, sorted."""
    blocks = np.concatenate([split_intervals(genome, splits, split) for split in ("validation", "test")])
    return blocks[np.argsort(blocks[:, 0])]


def by_contig(genome, intervals: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """Values over ``intervals`` as one array for every contig, NaN where there is none."""
    whole = np.full(len(genome.codes), np.nan, dtype=np.float32)
    whole[np.concatenate([np.arange(a, b) for a, b in intervals])] = values
    return {c.contig: whole[c.offset : c.offset + c.length] for c in genome.contigs.itertuples(index=False)}


def cut_out(intervals: np.ndarray, columns: dict[str, np.ndarray], wanted: np.ndarray) -> dict[str, np.ndarray]:
    """Values of the bases of ``wanted`` (n, 2) out of columns over ``intervals`` (in any order) that cover them."""
    intervals = np.asarray(intervals)
    first = np.concatenate([[0], np.cumsum(intervals[:, 1] - intervals[:, 0])])[:-1]
    order = np.argsort(intervals[:, 0])
    which = order[np.searchsorted(intervals[order, 0], wanted[:, 0], side="right") - 1]
    if (wanted[:, 1] > intervals[which, 1]).any():
        raise ValueError("the columns do not cover all wanted bases")
    start = first[which] + wanted[:, 0] - intervals[which, 0]
    spans = zip(start, start + wanted[:, 1] - wanted[:, 0], strict=True)
    place = np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in spans)])
    return {name: values[place] for name, values in columns.items()}


def choose_thresholds(genome, splits, labels: TrackLabels, probabilities, settings: dict) -> dict[str, float]:
    """The threshold of every label with the best F1 of bases, called as they will be, on the validation blocks.

    Parameters
    ----------
    probabilities : (intervals, columns)
        In the positions of ``genome``; they cover the validation blocks.
    """
    blocks = split_intervals(genome, splits, "validation")
    place = np.concatenate([np.arange(a, b) for a, b in blocks])
    columns, known, chosen = cut_out(*probabilities, blocks), labels.known[place], {}
    taken = others(columns, settings)
    for name, true in zip(labels.names, labels.truth[place].T, strict=True):
        tried = np.unique(np.quantile(columns[name][true], np.linspace(0, 1, TRIED), method="lower"))
        scores = []
        for threshold in tried:
            called = covered(_call_label(blocks, columns, name, threshold, settings, taken[name]), len(place))
            both = (called & true & known).sum()
            scores.append(2 * both / max((called & known).sum() + (true & known).sum(), 1))
        best = int(np.argmax(scores))
        chosen[name] = float(tried[best])
        log.info("%s: threshold %.4g, F1 of validation bases %.3f", name, tried[best], scores[best])
    return chosen


def called_table(genome, splits, intervals, columns, thresholds: dict, settings: dict) -> dict[str, pd.DataFrame]:
    """BED tables of the called intervals of every track: contig, start, end, name, score, strand, probability, split.

    ``probability`` is the mean over the interval, ``score`` the same in thousandths, ``split`` is train if the interval
    touches a training block.
    """
    found, begin = call_bases(intervals, columns, thresholds, settings), intervals[:, 0]
    edges = np.concatenate([[0], np.cumsum(intervals[:, 1] - intervals[:, 0])])
    seen = np.zeros(len(genome.codes), dtype=bool)
    for start, end in split_intervals(genome, splits, "train"):
        seen[start:end] = True
    rows: dict[str, list] = {track: [] for track in settings["tracks"]}
    for label in label_names(settings["tracks"], settings["stranded"]):
        track, strand = label.rstrip("+-"), label[len(label.rstrip("+-")) :] or "."
        which = np.searchsorted(edges, found[label][:, 0], side="right") - 1
        for (a, b), i in zip(found[label], which, strict=True):
            place, mean = begin[i] + a - edges[i], float(columns[label][a:b].mean())
            contig, start = genome.locate(place)
            split = "train" if seen[place : place + b - a].any() else "held_out"
            rows[track].append((contig, start, start + b - a, track, round(1000 * mean), strand, f"{mean:.4f}", split))
    head = ["contig", "start", "end", "name", "score", "strand", "probability", "split"]
    return {track: pd.DataFrame(some, columns=head) for track, some in rows.items()}
