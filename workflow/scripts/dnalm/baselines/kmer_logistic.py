"""The honest opponent of a network for labels of the user's own: logistic regression on k-mers around a base.

The features of a base are the counts of the k-mers in a window around it, as read along the strand of a stranded label
(that of the reverse strand as its reverse complement), and of k-mers and their reverse complements together
for other labels. The log-odds of all bases are then a moving sum of one weight per k-mer.

The regression learns from labelled and other training bases in equal numbers; the intercept is corrected for that
(King and Zeng 2001, Political Analysis 9:137), so that probabilities are those of the genome. The window and the
strength of the ridge penalty are chosen on validation blocks, by average precision.
"""

import itertools
import logging
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from dnalm.annotation.track_labels import TrackLabels
from dnalm.sequence.kmers import kmer_index
from dnalm.sequence.splits import split_intervals

log = logging.getLogger(__name__)
K = 5
#: Bases of the window; odd.
WINDOWS = (31, 101, 301)
#: Inverse strengths of the ridge penalty; neighbouring bases say much the same, so that strong ones are among them.
STRENGTHS = (0.001, 0.1)
#: Training bases of each kind, labelled and not.
SAMPLE = 8000
#: Validation bases that a choice is made on.
JUDGED = 200_000


def reverse_kmers(k: int) -> np.ndarray:
    """Index of the reverse complement of every k-mer."""
    index, out = np.arange(4**k), np.zeros(4**k, dtype=np.int64)
    for place in range(k):
        out += (3 - index // 4**place % 4) * 4 ** (k - 1 - place)
    return out


class Kmers:
    """The k-mers of a genome: ``starts`` int64 (length,), the index of the one that begins at every base.

    It is -1 where the k-mer holds an N or passes the contig's end.
    """

    def __init__(self, genome):
        self.starts = np.full(len(genome.codes), -1, dtype=np.int64)
        self.edges = np.append(genome.contigs["offset"].to_numpy(), len(genome.codes))
        for start, end in itertools.pairwise(self.edges):
            codes = np.asarray(genome.codes[start:end]) & 7
            self.starts[start : max(end - K + 1, start)] = kmer_index(codes, K)[K - 1 :]

    def window(self, place: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
        """First k-mer of the window around every base, and last + 1; no window leaves its contig."""
        contig = np.searchsorted(self.edges, place, side="right") - 1
        first = np.maximum(place - window // 2, self.edges[contig])
        return first, np.maximum(np.minimum(place + window // 2 - K + 2, self.edges[contig + 1]), first)

    def counts(self, place: np.ndarray, window: int, reverse: np.ndarray, both: bool) -> np.ndarray:
        """K-mer counts float32 (bases, 4**K) of windows, read on the strand of each; ``both`` adds the other strand."""
        size, back, (first, last) = 4**K, reverse_kmers(K), self.window(place, window)
        inside = first[:, None] + np.arange(window)
        found = np.where(inside < last[:, None], self.starts[np.minimum(inside, len(self.starts) - 1)], -1)
        found = np.where(reverse[:, None] & (found >= 0), back[found], found)
        flat = np.arange(len(place))[:, None] * (size + 1) + np.where(found >= 0, found, size)
        table = np.bincount(flat.ravel(), minlength=len(place) * (size + 1)).reshape(len(place), size + 1)
        table = table[:, :size].astype(np.float32)
        return table + table[:, back] if both else table


@dataclass(frozen=True)
class KmerLogistic:
    """The regression of one track on one window; ``weights`` (4**K,) are log-odds per k-mer, read forward."""

    window: int
    weights: np.ndarray
    intercept: float

    def probability(self, kmers: Kmers, place: np.ndarray, strand: str) -> np.ndarray:
        """Probabilities of the bases at ``place``; for strand ``-`` the window is read on the other strand."""
        weights = self.weights[reverse_kmers(K)] if strand == "-" else self.weights
        total = np.concatenate([[0.0], np.cumsum(np.where(kmers.starts >= 0, weights[kmers.starts], 0.0))])
        first, last = kmers.window(place, self.window)
        return expit(self.intercept + total[last] - total[first])


def fit_track(kmers: Kmers, truth: np.ndarray, training: np.ndarray, window: int, strength: float, seed: int):
    """Learn one track.

    Parameters
    ----------
    truth : bool (genome length, 1 or 2)
        Labels of the track; two columns are those of the forward and the reverse strand.
    training : int64 (n,)
        Positions of training bases with known labels.

    Returns
    -------
    KmerLogistic
    """
    rng, target, stranded = np.random.default_rng([seed, 303]), truth[training].T.ravel(), truth.shape[1] > 1
    place, reverse = np.tile(training, truth.shape[1]), np.repeat(np.arange(truth.shape[1]), len(training)) > 0
    kinds = [np.flatnonzero(target), np.flatnonzero(~target)]
    chosen = [np.sort(rng.choice(kind, min(SAMPLE, len(kind)), replace=False)) for kind in kinds]
    rows = np.concatenate(chosen)
    features = kmers.counts(place[rows], window, reverse[rows], both=not stranded)
    model = LogisticRegression(C=strength, max_iter=1000).fit(features, target[rows])
    shift = np.log(len(kinds[0]) / len(kinds[1])) - np.log(len(chosen[0]) / len(chosen[1]))
    weights = model.coef_[0] if stranded else model.coef_[0] + model.coef_[0][reverse_kmers(K)]
    return KmerLogistic(window, weights, float(model.intercept_[0] + shift))


def kmer_logistic(genome, splits, labels: TrackLabels, tracks, intervals: np.ndarray, seed: int):
    """Probabilities of every label over ``intervals`` (n, 2), float32 columns by name.

    Learned on the training blocks; window and penalty of every track are chosen on the validation blocks.
    """
    kmers, position = Kmers(genome), {}
    for split in ("train", "validation"):
        place = np.concatenate([np.arange(a, b) for a, b in split_intervals(genome, splits, split)])
        position[split] = place[labels.known[place]]
    judged = position["validation"][:: max(1, len(position["validation"]) // JUDGED)]
    wanted = np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in intervals)])
    columns = {}
    for track in tracks:
        mine = labels.of_track(track)
        truth = labels.truth[:, mine]
        choices = list(itertools.product(WINDOWS, STRENGTHS))
        models = [fit_track(kmers, truth, position["train"], *choice, seed) for choice in choices]
        scores = [_precision(model, kmers, judged, truth) for model in models]
        best = int(np.argmax(scores))
        told = (track, *choices[best], scores[best])
        log.info("%s: window %d and strength %g, average precision of validation bases %.4f", *told)
        for i, strand in zip(mine, "+-", strict=False):
            columns[labels.names[i]] = models[best].probability(kmers, wanted, strand).astype(np.float32)
    return columns


def _precision(model: KmerLogistic, kmers, place, truth: np.ndarray) -> float:
    """Average precision over the bases at ``place``, of all strands together; 0 where none is labelled."""
    target = truth[place].T.ravel()
    values = [model.probability(kmers, place, strand) for strand, _ in zip("+-", truth.T, strict=False)]
    return float(average_precision_score(target, np.concatenate(values))) if target.any() else 0.0
