"""A gene finder without a network: codon-position Markov models, a start weight matrix, the same decoder and programme.

Coding potential: order-5 Markov models of the three codon positions against non-coding sequence (the classical GeneMark
idea, Borodovsky & McIninch 1993), counted in the training blocks. Starts: the position weight matrix of
`dnalm.sequence.start_context`), as for the network. Both become the same evidence that the network gives, so that the
decoder and its fit on validation blocks are shared: the comparison is about what scores the bases.
"""

import numpy as np

from dnalm.annotation.labels import GeneLabels
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.kmers import kmer_index

ORDER, PSEUDO = 5, 1.0


def coding_gain(genome, members, usable: np.ndarray, classes: int = 3, shrink: float = 0.0) -> np.ndarray:
    """Log-likelihood ratios (k-mers, 3) of a base under each codon position's model against the non-coding model.

    Parameters
    ----------
    members : callable
        ``members(span, column)`` is a bool mask of the bases in a global slice that are of one class alone: 0 non-
        coding, 1 to 3 the codon positions of the forward and 4 to 6 of the reverse strand.
    usable : bool (length,)
        Positions whose labels may be counted.
    classes : int
        Classes of each strand, if there are more than the codon positions; as many columns are returned.
    shrink : float
        Counts that the next shorter context is worth, 0 for `PSEUDO` of every base (`shrunk`).
    """
    counts = np.full((1 + classes, 4 ** (ORDER + 1)), 0.0 if shrink else PSEUDO)
    for c in genome.contigs.itertuples(index=False):
        span = slice(c.offset, c.offset + c.length)
        codes = np.asarray(genome.codes[span]) & 7
        for side in (0, 1):
            index = _strand_index(codes, side)
            here = usable[span] & (index >= 0)
            for row, column in enumerate((0, *(1 + classes * side + np.arange(classes)))):
                counts[row] += np.bincount(index[here & members(span, column)], minlength=counts.shape[1])
    table = counts.reshape(1 + classes, -1, 4)
    logp = np.log(shrunk(table, shrink) if shrink else table / table.sum(2, keepdims=True)).reshape(1 + classes, -1)
    return (logp[1:] - logp[0]).T


def shrunk(counts: np.ndarray, weight: float) -> np.ndarray:
    """Probabilities (rows, contexts, 4) of a base from its counts after every context, those of few shrunk.

    Each context gets ``weight`` counts more, spread as the context without its first base says, and so on down to none
    (MacKay & Peto 1995; the interpolated Markov models of Salzberg et al. 1998 have the same aim).
    """
    rows, contexts, _ = counts.shape
    if contexts == 1:
        return (counts + PSEUDO) / (counts + PSEUDO).sum(2, keepdims=True)
    shorter = shrunk(counts.reshape(rows, 4, contexts // 4, 4).sum(1), weight)
    return (counts + weight * np.tile(shorter, (1, 4, 1))) / (counts.sum(2, keepdims=True) + weight)


def score_coding(codes: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """The ratios of `coding_gain` for every base, (length, 2 x its columns); 0 near an N or the beginning.

    The columns of the reverse strand are those of the reverse complement, in forward order.
    """
    indices = (_strand_index(codes, side) for side in (0, 1))
    return np.concatenate([np.where(index[:, None] >= 0, gain[index], 0.0) for index in indices], axis=1)


def _strand_index(codes: np.ndarray, side: int) -> np.ndarray:
    """`kmer_index` of codes 0..4 read along a strand, in forward order."""
    if side == 0:
        return kmer_index(codes, ORDER + 1)
    return kmer_index(reverse_complement(codes), ORDER + 1)[::-1]


def genes_gain(genome, labels: GeneLabels, training: np.ndarray) -> np.ndarray:
    """`coding_gain` of labelled genes, counted where ``training`` (bool mask of global positions) allows it."""
    return coding_gain(genome, lambda span, column: labels.classes[span, column] == 1, training & labels.known)


def coding_odds(genome, gain: np.ndarray) -> np.ndarray:
    """`score_coding` of all contigs, (length, 6)."""
    contigs = genome.contigs["contig"]
    return np.concatenate([score_coding(np.asarray(genome.contig_codes(name)) & 7, gain) for name in contigs])


def closed_form_predictions(genome, gain: np.ndarray):
    """Odds, starts and stops as the decoder wants them.

    Starts and stops say nothing; the start weight matrix reaches the decoder by itself.
    """
    nothing = np.zeros((len(genome.codes), 2), dtype=np.float32)
    return coding_odds(genome, gain), nothing, nothing
