"""Which codons mean the same, learned from a genome without labels: a score for changes in predicted reading frames.

Two codons of one amino acid stand in the same surroundings. A helix turns once in 3.6 residues, so that the residue
four places on touches this one. Pairs of codons at this distance are counted in reading frames that the genome itself
gave, and compared with pairs at `FAR` distances, which know how genes differ in composition but nothing of residues
that touch. Codons that keep the same company in this sense are near each other: cosine distance of the first dimensions
of the log-ratios (a spectral embedding of a word-context matrix: Levy and Goldberg 2014).

What is known beforehand, and what is not. No genetic code, no annotation and no consequence enters the distance. It
does know that codons are triplets, and its frames come from open reading frames: **which codons end a gene is given to
the finder**. That codons which are never seen inside of frames (the stop codons) are harmful is hence no discovery; the
baseline `codon_unseen` does the same. The self-trained finder also begins with reading frames whose translation has the
amino acids of the average protein (`dnalm.genefinder.seed`); that chooses frames, and reaches the distance only through
them. The constants here were settled on *Escherichia coli* K-12 with the genetic code in view.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.variants.codon_frames import CodonFrames

log = logging.getLogger(__name__)
#: Distance in codons whose pairs tell what a codon is for, and those that it is compared with.
NEAR, FAR = 4, tuple(range(12, 41))
#: Dimensions that distances are measured in, and pairs that every cell is thought to have had before any was counted.
DIMENSIONS, PSEUDOCOUNT = 8, 5.0
#: Weight of the mean distance of the changed codon position; changes of one position are ranked by their own distance.
PLACE_WEIGHT = 2.0
#: Distance of codons that are never seen; cosine distances end there.
UNSEEN = 2.0
#: Below so many codons the distance is mostly noise.
FEW = 300_000


@dataclass(frozen=True)
class CodonDistance:
    """What a genome's frames say about its codons.

    ``distance`` (64, 64) from 0 (same company) to `UNSEEN`; ``places`` (3,) mean distance of a change at each codon
    position; ``counts`` (64,) codons it learned from; ``neutral`` the median score of changes in frames, which changes
    outside of all frames get.
    """

    distance: np.ndarray
    places: np.ndarray
    counts: np.ndarray
    neutral: float

    @classmethod
    def learn(cls, genome, frames, training: np.ndarray | None = None, shuffle: int | None = None) -> "CodonDistance":
        """Learn from the codons of gene calls, their first and last one left out.

        Parameters
        ----------
        genome : dnalm.io.fasta.Genome
        frames : CodonFrames or table of calls
            See `CodonFrames.of`.
        training : bool (length,), optional
            Global positions to learn from; all by default. A codon counts where all of its bases may.
        shuffle : int, optional
            A control: put the codons of each call into random order first, with this seed.
        """
        frames = CodonFrames.of(genome, frames) if isinstance(frames, pd.DataFrame) else frames
        codons = np.where(frames.edge, -1, frames.codons)
        if training is not None:
            around = frames.middle[:, None] + np.array([-1, 0, 1])
            codons = np.where(np.asarray(training)[around % len(training)].all(1), codons, -1)
        if shuffle is not None:
            codons = codons[np.lexsort((np.random.default_rng(shuffle).random(len(codons)), frames.call))]
        counts = np.bincount(codons[codons >= 0], minlength=64).astype(np.float64)
        if counts.sum() < FEW:
            log.warning("codon distance from %d codons: expect little below %d", counts.sum(), FEW)
        near = count_pairs(codons, frames.call, NEAR)
        return cls.of_counts(near, sum(count_pairs(codons, frames.call, offset) for offset in FAR), counts)

    @classmethod
    def of_counts(cls, near: np.ndarray, far: np.ndarray, counts: np.ndarray) -> "CodonDistance":
        """From pairs (64, 64) at `NEAR` and `FAR` distances, first codon by second, and codon counts (64,)."""
        seen = counts > 0
        distance = np.full((64, 64), UNSEEN)
        distance[np.ix_(seen, seen)] = cosine_distance(company(near, far, counts)[seen])
        np.fill_diagonal(distance, 0.0)
        places = _place_means(distance, counts)
        every = np.array([(c, a) for c, a, _ in changes() if seen[c]], dtype=np.int64).reshape(-1, 2)
        score = _with_places(distance, places)[every[:, 0], every[:, 1]]
        return cls(distance, places, counts, weighted_median(score, counts[every[:, 0]]))

    @property
    def score(self) -> np.ndarray:
        """Scores (64, 64) of one codon becoming another, higher for worse.

        The distance, and `PLACE_WEIGHT` times the mean distance of the changed position (of several the largest).
        """
        return _with_places(self.distance, self.places)

    def score_substitutions(self, frames: CodonFrames, position: np.ndarray, alt: np.ndarray) -> np.ndarray:
        """Scores (n,) of substitutions: global positions (n,), and bases (n,) 0..3 on the forward strand."""
        before, after = frames.codon[position].astype(np.int64), frames.alternative(position, alt)
        return np.where(before >= 0, self.score[np.maximum(before, 0), np.maximum(after, 0)], self.neutral)


def count_pairs(codons: np.ndarray, call: np.ndarray, offset: int) -> np.ndarray:
    """Pairs of codons of one call that stand ``offset`` apart, float64 (64, 64): first by second; -1 does not count."""
    first, second = codons[:-offset], codons[offset:]
    kept = (first >= 0) & (second >= 0) & (call[:-offset] == call[offset:])
    return np.bincount(64 * first[kept] + second[kept], minlength=4096).reshape(64, 64).astype(np.float64)


def company(near: np.ndarray, far: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Coordinates (64, `DIMENSIONS`) of the codons: what stands near them more often than the far pairs explain.

    Columns are the other codon of a pair, before and after; rare ones weigh less, by the root of their share.
    """
    seen, share = counts > 0, counts / max(counts.sum(), 1.0)
    expected = far * near.sum() / max(far.sum(), 1.0)
    ratio = np.log((near + PSEUDOCOUNT) / (expected + PSEUDOCOUNT))
    table = np.concatenate([ratio * np.sqrt(share), ratio.T * np.sqrt(share)], axis=1)[seen]
    weight = np.sqrt(share[seen])[:, None]
    left, size, _ = np.linalg.svd(table * weight, full_matrices=False)
    out = np.zeros((64, DIMENSIONS))
    found = (left * size / np.maximum(weight, 1e-12))[:, :DIMENSIONS]
    out[seen, : found.shape[1]] = found
    return out


def cosine_distance(x: np.ndarray) -> np.ndarray:
    """1 - cosine of all pairs of rows, (n, n); 1 where a row is zero."""
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return 1 - np.clip(x @ x.T, -1, 1)


def changes() -> list[tuple[int, int, int]]:
    """All changes of one base of a codon: codon, codon after it, changed position."""
    units = (16, 4, 1)
    return [
        (c, c + (base - c // unit % 4) * unit, place)
        for c in range(64)
        for place, unit in enumerate(units)
        for base in range(4)
        if base != c // unit % 4
    ]


def changed_places() -> np.ndarray:
    """Which positions differ between two codons, bool (64, 64, 3)."""
    letters = np.arange(64)[:, None] // np.array([16, 4, 1]) % 4
    return letters[:, None] != letters[None]


def _place_means(distance: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean distance (3,) of changes at each codon position between codons that occur, weighted by the codon's count."""
    known = np.array([(c, a, p) for c, a, p in changes() if counts[c] > 0 and counts[a] > 0], dtype=np.int64)
    before, after, place = known.reshape(-1, 3).T
    total = np.bincount(place, counts[before], minlength=3)
    return np.bincount(place, counts[before] * distance[before, after], minlength=3) / np.maximum(total, 1)


def _of_place(places: np.ndarray) -> np.ndarray:
    """The mean distance that belongs to each change of a codon, (64, 64): of several positions the largest."""
    return np.where(changed_places(), places, 0.0).max(-1)


def _with_places(distance: np.ndarray, places: np.ndarray) -> np.ndarray:
    return distance + PLACE_WEIGHT * _of_place(places)


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Smallest value that has half of the weight at or below it; 0 of nothing."""
    if not np.sum(weights) > 0:
        return 0.0
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= np.sum(weights) / 2
    return float(values[order][np.argmax(reached)])
