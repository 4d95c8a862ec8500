"""Has the training genome the k bases around a change, as the change leaves them? Looking up, and no model."""

import numpy as np

#: Bases of a word in whose middle the change stands.
K = 21


def words_at(genome, position: np.ndarray, alt: np.ndarray | None = None, k: int = K) -> np.ndarray:
    """Words of ``k`` bases around global positions (n,), int64: the smaller of both strands; -1 where one is cut short.

    That is at an N and at the end of a contig.

    ``alt`` bases 0..3 (n,) take the middle; without it the words are the genome's own.
    """
    offset, length = (genome.contigs[name].to_numpy(np.int64) for name in ("offset", "length"))
    contig, half, codes = np.searchsorted(offset, position, side="right") - 1, k // 2, np.asarray(genome.codes)
    known = (position - half >= offset[contig]) & (position + half < (offset + length)[contig])
    forward, backward = np.zeros((2, len(position)), dtype=np.int64)
    for step in range(-half, half + 1):
        code = codes[np.clip(position + step, 0, len(codes) - 1)] & 7
        code = alt if step == 0 and alt is not None else code
        known &= code < 4
        forward = 4 * forward + (code & 3)
        backward += (3 - (code & 3).astype(np.int64)) << (2 * (step + half))
    return np.where(known, np.minimum(forward, backward), -1)


def unseen_words(genome, training: np.ndarray, position: np.ndarray, alt: np.ndarray, k: int = K) -> np.ndarray:
    """1 where no word of the training positions (bool (length,)) is the one that a change leaves, 0 elsewhere.

    A training word lies in training positions from end to end. Words that cannot be read count as seen.
    """
    count = np.concatenate([[0], np.cumsum(~training)])
    middle = np.arange(k // 2, len(training) - k // 2)
    middle = middle[count[middle + k // 2 + 1] == count[middle - k // 2]]
    seen, new = np.unique(words_at(genome, middle, k=k)), words_at(genome, position, alt, k)
    return ((new >= 0) & ~np.isin(new, seen)).astype(np.float64)
