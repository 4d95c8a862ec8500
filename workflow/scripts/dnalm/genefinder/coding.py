"""Coding potential: interpolated Markov models of the three codon positions, learned on the genome at hand.

The chance of a base given the `ORDER` bases before it and its codon position (three-periodic models: Borodovsky and
McIninch 1993), with shorter contexts where the longer ones are rare (interpolation: Salzberg et al. 1998), against the
same model of the whole genome read from both strands, which holds every frame alike.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from dnalm.genefinder.candidates import Candidates
from dnalm.sequence.kmers import kmer_index

ORDER = 5
#: Weight of the shorter context, in counts.
PRIOR = 12.0
#: Longest gap of log-likelihoods of one base, in nats.
CLIP = 4.0


@njit(cache=True)
def _count_frames(index, first, last, counts):
    """Add the codon positions of spans that begin in frame to ``counts`` (3, contexts)."""
    for i in range(len(first)):
        phase = 0
        for p in range(first[i], last[i]):
            if index[p] >= 0:
                counts[phase, index[p]] += 1
            phase = phase + 1 if phase < 2 else 0


def interpolate(counts: np.ndarray, prior: float = PRIOR) -> np.ndarray:
    """Log-probabilities of the last base of every context, same shape (..., 4 ** (order + 1)) as the counts."""
    shape, values = counts.shape, counts.shape[-1]
    p = np.full((*shape[:-1], 1, 4), 0.25)
    contexts = 1
    while contexts < values:
        folded = counts.reshape(*shape[:-1], -1, contexts, 4).sum(-3)  # by the last bases of the context
        p = np.tile(p, (1,) * (len(shape) - 1) + (contexts // p.shape[-2], 1))
        p = (folded + prior * p) / (folded.sum(-1, keepdims=True) + prior)
        contexts *= 4
    return np.log(p).reshape(shape)


def expected_contexts(codons: np.ndarray) -> np.ndarray:
    """Shares of all contexts at the three codon positions, (3, 4 ** 6), when codons follow each other by chance.

    ``codons`` (64,) are the codons' shares.
    """
    c = codons.reshape(4, 4, 4)
    last_two, last = c.sum(0), c.sum((0, 1))
    first, first_two = c.sum((1, 2)), c.sum(2)
    return np.stack(
        [
            np.multiply.outer(np.multiply.outer(last_two, c), first).ravel(),
            np.multiply.outer(np.multiply.outer(last, c), first_two).ravel(),
            np.multiply.outer(c, c).ravel(),
        ]
    )


@dataclass(frozen=True)
class Background:
    """What coding models are measured against: ``logp`` of the whole genome from both strands, (contexts,).

    ``indices`` int32 (2, length) are the contexts of both texts, ``prior`` (3, contexts) the counts that every coding
    model begins with.
    """

    indices: np.ndarray
    logp: np.ndarray
    prior: np.ndarray

    @classmethod
    def of(cls, texts: np.ndarray, codons: np.ndarray) -> "Background":
        """That of a genome whose genes are expected to use ``codons`` (64,): how many of each stand in for genes."""
        indices = np.stack([kmer_index(text, ORDER + 1) for text in texts])
        counts = sum(np.bincount(index[index >= 0], minlength=4 ** (ORDER + 1)) for index in indices)
        total = codons.sum()
        return cls(indices, interpolate(counts.astype(np.float64)), total * expected_contexts(codons / total))

    def sums(self, gain: np.ndarray) -> list[np.ndarray]:
        """`running` sums of a gain over both texts."""
        return [running(index, gain) for index in self.indices]


def coding_gain(c: Candidates, which: np.ndarray, genome: Background) -> np.ndarray:
    """Log-likelihood gains (3, contexts) of codon positions over the whole genome, in nats.

    Counted in the candidates ``which``, without their stop codons, which all have.
    """
    counts = genome.prior.copy()
    for side in (0, 1):
        mine = which[c.side[which] == side]
        _count_frames(genome.indices[side], c.first[mine], c.last[mine] - 3, counts)
    return np.clip(interpolate(counts) - genome.logp, -CLIP, CLIP)


@njit(cache=True)
def running(index, gain):
    """Sums of gains up to every place, by the frame (place modulo 3) in which codons begin; (3, length + 1)."""
    out = np.zeros((3, len(index) + 1))
    for i in range(len(index)):
        for frame in range(3):
            value = gain[(i - frame) % 3, index[i]] if index[i] >= 0 else 0.0
            out[frame, i + 1] = out[frame, i] + value
    return out


def own_score(c: Candidates, sums) -> np.ndarray:
    """Summed gain of every candidate in its own frame, in nats, without the stop codon."""
    out = np.empty(len(c))
    for side in (0, 1):
        mine = c.side == side
        first, last = c.first[mine], c.last[mine] - 3
        out[mine] = sums[side][first % 3, last] - sums[side][first % 3, first]
    return out


def frame_scores(c: Candidates, sums) -> np.ndarray:
    """Summed gains of every candidate's span in all six frames, (n, 6): its own, the next two, the other strand's."""
    out = np.empty((len(c), 6))
    total = c.texts.shape[1]
    for side in (0, 1):
        mine = c.side == side
        first, last = c.first[mine], c.last[mine] - 3
        for shift in range(3):
            frame = (first + shift) % 3
            out[mine, shift] = sums[side][frame, last] - sums[side][frame, first]
            begin, end = total - last, total - first
            frame = (begin + shift) % 3
            out[mine, 3 + shift] = sums[1 - side][frame, end] - sums[1 - side][frame, begin]
    return out
