"""The word of the branch point: the one word whose presence before an acceptor says most.

Introns of yeasts have a branch point that hardly varies (TACTAAC; Langford & Gallwitz 1983), some dozens of bases
before the acceptor, where a weight matrix with fixed columns cannot find it. Here it is found by counting: of all words
of `WORD` letters, the one for which the likelihood of the training acceptors, present or absent, rises most over that
of chance. Where introns have no such word, what is found says little, and its log-ratios are small.
"""

from dataclasses import dataclass

import numpy as np

from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.kmers import kmer_index
from dnalm.sequence.start_context import PSEUDO

#: Letters of the word; bases before the acceptor's last base where it may begin, the nearest and the farthest.
WORD, NEAR, FAR = 7, 12, 80


@dataclass(frozen=True)
class BranchPoint:
    """``word`` (its k-mer index) and the log-ratios that it is ``present`` or ``absent``, acceptors against chance."""

    word: int
    present: float
    absent: float

    def scores(self, codes: np.ndarray) -> np.ndarray:
        """Log-ratio of an acceptor at each base of a contig, float32 (length, 2) for both strands."""
        out = np.empty((len(codes), 2), dtype=np.float32)
        for side, text in enumerate(_strands(codes)):
            seen = np.concatenate([[0], np.cumsum(_words(text) == self.word)])
            place = np.arange(len(text))
            near, far = np.maximum(place - NEAR + 1, 0), np.maximum(place - FAR, 0)
            score = np.where(seen[near] > seen[far], self.present, self.absent)
            out[:, side] = score if side == 0 else score[::-1]
        return out


def branch_point(genome, acceptors, usable: np.ndarray) -> BranchPoint:
    """The branch point of the true ``acceptors`` (rows of bool (length, 2)) among the ``usable`` bases (bool mask).

    Chance is the share of windows that would hold a word by its frequency on both strands of the usable bases.
    """
    often, found, introns = np.full(4**WORD, PSEUDO), np.zeros(4**WORD), 0
    for c in genome.contigs.itertuples(index=False):
        span = slice(c.offset, c.offset + c.length)
        allowed, real = usable[span], acceptors[span] & usable[span, None]
        for side, text in enumerate(_strands(genome.contig_codes(c.contig))):
            words, known = _words(text), allowed[:: 1 if side == 0 else -1]
            often += np.bincount(words[known & (words >= 0)], minlength=4**WORD)
            for place in np.flatnonzero(real[:: 1 if side == 0 else -1, side]):
                window = words[max(place - FAR, 0) : max(place - NEAR + 1, 0)]
                found[np.unique(window[window >= 0])] += 1
                introns += 1
    chance = 1 - (1 - often / often.sum()) ** (FAR - NEAR + 1)
    share = (found + PSEUDO * chance) / (introns + PSEUDO)
    present, absent = np.log(share / chance), np.log((1 - share) / (1 - chance))
    word = int(np.argmax(found * present + (introns - found) * absent))
    return BranchPoint(word, float(present[word]), float(absent[word]))


def _strands(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    codes = np.asarray(codes) & 7
    return codes, reverse_complement(codes)


def _words(text: np.ndarray) -> np.ndarray:
    """Index of the word that begins at each base, -1 where there is none."""
    return np.append(kmer_index(text, WORD)[WORD - 1 :], np.full(min(WORD - 1, len(text)), -1))
