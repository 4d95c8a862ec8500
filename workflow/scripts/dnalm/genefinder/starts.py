"""What is in front of a real start codon: a few motifs at a few distances, learned on the genome at hand.

A mixture, fitted by expectation maximisation: either no motif, or one of `MOTIFS` position weight matrices of width
`WIDTH` at one of the distances `NEAR` .. `FAR` (the ribosome binding site's; Shine and Dalgarno 1974), against the
genome's base composition. Beside it the start codons' shares, and a position weight matrix of fixed places, in which
whatever has a constant distance shows up (leaderless starts, first codons).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from dnalm.genefinder.candidates import Candidates
from dnalm.sequence.kmers import kmer_index

#: Bases in front of a start codon and from its first base on that are looked at.
UPSTREAM, DOWNSTREAM = 40, 18
WIDTH, NEAR, FAR, MOTIFS = 6, 3, 15, 2
ROUNDS = 12
#: Rows at a time, so that memory stays flat.
ROWS = 65_536
PSEUDO = 1.0


@njit(cache=True)
def _surroundings(texts, side, first, before, after):
    out = np.full((len(first), before + after), 4, dtype=np.uint8)
    for i in range(len(first)):
        for j in range(before + after):
            p = first[i] - before + j
            if 0 <= p < texts.shape[1]:
                out[i, j] = texts[side[i], p]
    return out


def surroundings(c: Candidates) -> np.ndarray:
    """Bases around the start of every candidate, uint8 (n, UPSTREAM + DOWNSTREAM)."""
    return _surroundings(c.texts, c.side, c.first, UPSTREAM, DOWNSTREAM)


@njit(cache=True)
def _motif_terms(around, matrices, weights, out):
    """Likelihood ratio of every (motif, distance) of every row, times its prior; out (n, motifs, distances)."""
    motifs, width, _ = matrices.shape
    distances = weights.shape[1]
    for i in range(len(around)):
        for d in range(distances):
            begin = UPSTREAM - NEAR - d - width
            for m in range(motifs):
                ratio = weights[m, d]
                for j in range(width):
                    base = around[i, begin + j]
                    if base < 4:
                        ratio *= matrices[m, j, base]
                out[i, m, d] = ratio


@dataclass
class StartModel:
    """Fitted start model.

    ``matrices`` are likelihood ratios (motifs, WIDTH, 4), ``weights`` priors (motifs, distances).
    ``none`` is the prior of no motif, ``codons`` the log-ratio by codon index (64,), ``places`` log-ratios of fixed
    places (UPSTREAM + DOWNSTREAM, 5).
    """

    matrices: np.ndarray
    weights: np.ndarray
    none: float
    codons: np.ndarray
    places: np.ndarray

    def motif(self, around: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(log-ratio, best motif, its distance in bases) of every row of `surroundings`."""
        value, best = np.empty(len(around)), np.empty(len(around), dtype=np.int64)
        for low in range(0, len(around), ROWS):
            part = around[low : low + ROWS]
            terms = np.empty((len(part), *self.weights.shape))
            _motif_terms(part, self.matrices, self.weights, terms)
            flat = terms.reshape(len(part), -1)
            value[low : low + ROWS] = np.log(self.none + flat.sum(1))
            best[low : low + ROWS] = flat.argmax(1)
        return value, best // self.weights.shape[1], NEAR + best % self.weights.shape[1]

    def parts(self, c: Candidates, around: np.ndarray, index: np.ndarray) -> dict[str, np.ndarray]:
        """Log-ratios of the candidates ``index``: motif, codon, and fixed places.

        ``before`` are all places in front of the codon, ``far`` those that no motif covers, ``behind`` those after it.
        """
        rows = around[index]
        places = self.places[np.arange(rows.shape[1]), rows]
        far = places[:, : UPSTREAM - FAR - WIDTH + 2].sum(1) + places[:, UPSTREAM - 2 : UPSTREAM].sum(1)
        return {
            "motif": self.motif(rows)[0], "far": far, "before": places[:, :UPSTREAM].sum(1),
            "behind": places[:, UPSTREAM + 3 :].sum(1),
            "codon": np.where(c.codon[index] >= 0, self.codons[c.codon[index]], 0.0),
        }  # fmt: skip


def composition(around: np.ndarray) -> np.ndarray:
    """Shares of the four bases in front of start codons."""
    counts = np.bincount(around[:, : UPSTREAM - NEAR].ravel(), minlength=5)[:4] + 1.0
    return counts / counts.sum()


def fit_starts(around: np.ndarray, codon: np.ndarray, real, other, old: StartModel | None = None) -> StartModel:
    """Fit to the rows ``real`` of ``around``, against the rows ``other``, which are no starts or hardly ever.

    ``old`` is a model to go on from; else the motifs begin at the words that are most enriched.
    """
    mine, rest = around[real], around[other]
    share = composition(mine)
    if old is None:
        matrices = _first_motifs(mine, rest) / share
        weights, none = np.full((MOTIFS, FAR - NEAR + 1), 0.5 / (MOTIFS * (FAR - NEAR + 1))), 0.5
    else:
        matrices, weights, none = old.matrices, old.weights, old.none
    for _ in range(ROUNDS):
        terms = np.empty((len(mine), *weights.shape))
        _motif_terms(mine, matrices, weights, terms)
        terms /= none + terms.sum((1, 2), keepdims=True)
        counts = np.zeros_like(matrices)
        for d in range(weights.shape[1]):
            begin = UPSTREAM - NEAR - d - WIDTH
            for j in range(WIDTH):
                column = mine[:, begin + j]
                for base in range(4):
                    counts[:, j, base] += terms[column == base, :, d].sum(0)
        matrices = (counts + 4 * share) / (counts.sum(2, keepdims=True) + 4) / share
        weights = (terms.sum(0) + 0.1) / (len(mine) + 1)
        none = max(1 - weights.sum(), 0.02)
    codons = np.zeros(64)
    for index in np.unique(codon[codon >= 0]):
        codons[index] = np.log(((codon[real] == index).sum() + PSEUDO) / (len(mine) + 3 * PSEUDO))
        codons[index] -= np.log(((codon[other] == index).sum() + PSEUDO) / (len(rest) + 3 * PSEUDO))
    return StartModel(matrices, weights, none, codons, _fixed_places(mine, rest))


def _fixed_places(mine, rest) -> np.ndarray:
    """Log-ratio of the bases at every place between real starts and the others, (places, 5); N gives 0."""
    out = np.zeros((mine.shape[1], 5))
    for place in range(mine.shape[1]):
        real = np.bincount(mine[:, place], minlength=5)[:4]
        every = np.bincount(rest[:, place], minlength=5)[:4] + 1.0
        every /= every.sum()
        out[place, :4] = np.log((real + 20 * every) / (real.sum() + 20) / every)
    return out


def _first_motifs(mine, rest) -> np.ndarray:
    """Position shares (motifs, WIDTH, 4) around the words that real starts have most in excess."""
    words = [_word_counts(a[:, UPSTREAM - FAR - WIDTH : UPSTREAM - NEAR]) for a in (mine, rest)]
    expected = (words[1] + 1.0) * words[0].sum() / (words[1].sum() + 4.0**WIDTH)
    excess = words[0] * np.log((words[0] + 1.0) / (expected + 1.0))
    motifs = []
    for _ in range(MOTIFS):
        word = int(excess.argmax())
        letters = [word // 4 ** (WIDTH - 1 - j) % 4 for j in range(WIDTH)]
        motif = np.full((WIDTH, 4), 0.1)
        motif[np.arange(WIDTH), letters] = 0.7
        motifs.append(motif)
        for other in range(len(excess)):  # words that share a piece with this one are the same motif
            if _alike(letters, [other // 4 ** (WIDTH - 1 - j) % 4 for j in range(WIDTH)]):
                excess[other] = -1
    return np.stack(motifs)


def _alike(a: list[int], b: list[int]) -> bool:
    """Whether two words share four bases in a row at some shift of up to two."""
    for shift in range(-2, 3):
        run = 0
        for i in range(len(a)):
            same = 0 <= i + shift < len(b) and a[i] == b[i + shift]
            run = run + 1 if same else 0
            if run >= 4:
                return True
    return False


def _word_counts(windows: np.ndarray) -> np.ndarray:
    apart = np.pad(windows, ((0, 0), (0, 1)), constant_values=4)  # no word spans two windows
    index = kmer_index(apart.ravel(), WIDTH)
    return np.bincount(index[index >= 0], minlength=4**WIDTH).astype(float)
