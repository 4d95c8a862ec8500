"""A gene finder without a network: codon-position Markov models, a start weight matrix, the same decoder and programme.

Coding potential: order-5 Markov models of the three codon positions against non-coding sequence (the classical GeneMark
idea, Borodovsky & McIninch 1993), counted in the training blocks. Starts: the position weight matrix of
`dnalm.sequence.start_context`), as for the network. Both become the same evidence that the network gives, so that the
decoder and its fit on validation blocks are shared: the comparison is about what scores the bases.
"""

import numpy as np

from dnalm.io.labels import GeneLabels

ORDER, PSEUDO = 5, 1.0


def kmer_index(codes: np.ndarray, k: int) -> np.ndarray:
    """Index of the k-mer that ends at each base, -1 near an N or the beginning; int64 of shape (length,)."""
    index = np.zeros(len(codes), dtype=np.int64)
    valid = np.ones(len(codes), dtype=bool)
    for back in range(k):
        shifted = np.concatenate([np.full(back, 4), codes[: len(codes) - back]])
        index += 4**back * np.minimum(shifted, 3).astype(np.int64)
        valid &= shifted < 4
    return np.where(valid, index, -1)


def _indices(genome):
    """k-mer that ends at each base along the forward, then along the reverse strand, both in forward order."""
    codes = np.asarray(genome.codes) & 7
    yield kmer_index(codes, ORDER + 1)
    yield kmer_index(np.where(codes < 4, 3 - codes, 4)[::-1], ORDER + 1)[::-1]


def coding_gain(genome, labels: GeneLabels, training: np.ndarray) -> np.ndarray:
    """Log-likelihood ratio of a k-mer's last base under each codon position's model against the non-coding model.

    Float64 (k-mers, 3); ``training`` is a bool mask of global positions whose labels may be used.
    """
    counts = np.full((4, 4 ** (ORDER + 1)), PSEUDO)
    for side, index in enumerate(_indices(genome)):
        usable = training & labels.known & (index >= 0)
        for row, column in enumerate((0, *(1 + 3 * side + np.arange(3)))):
            counts[row] += np.bincount(index[usable & (labels.classes[:, column] == 1)], minlength=counts.shape[1])
    table = counts.reshape(4, -1, 4)
    logp = np.log(table / table.sum(2, keepdims=True)).reshape(4, -1)
    return (logp[1:] - logp[0]).T


def coding_odds(genome, gain: np.ndarray) -> np.ndarray:
    """`coding_gain` at every base, (length, 6), 0 where there is no k-mer.

    The 3 columns of the reverse strand are those of the reverse complement, in forward order.
    """
    return np.concatenate([np.where(i[:, None] >= 0, gain[i], 0.0) for i in _indices(genome)], axis=1)


def closed_form_predictions(genome, gain: np.ndarray):
    """Odds, starts and stops as the decoder wants them.

    Starts and stops say nothing; the start weight matrix reaches the decoder by itself.
    """
    nothing = np.zeros((len(genome.codes), 2), dtype=np.float32)
    return coding_odds(genome, gain), nothing, nothing
