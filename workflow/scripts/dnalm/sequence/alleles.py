"""Alleles as arrays: many short sequences of different lengths in one array, trimmed, checked and named by kind.

Trimming is the parsimony of Tan et al. 2015 (Bioinformatics 31:2202) without left alignment: the longest common suffix
goes first, then the longest common prefix. Unlike in a VCF no base is left as an anchor: an insertion has no reference
base, a deletion no alternative one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numba import njit

from dnalm.sequence.alphabet import N, bases, encode

#: Kinds of alleles; `kinds` gives indices into it.
KINDS = ("snv", "mnv", "insertion", "deletion", "indel")
SNV, MNV, INSERTION, DELETION, INDEL = range(5)
#: What `reference_states` says of an allele and the genome at its place.
EQUAL, AMBIGUOUS, DIFFERENT, NOWHERE = range(4)
_TAB = 9


@dataclass(frozen=True)
class Sequences:
    """Upper-case sequences end to end.

    ``letters`` is uint8; sequence i is ``letters[starts[i] : ends[i]]`` and ``texts[i]``. A character that is not ASCII
    is a question mark.
    """

    letters: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    texts: list[str]

    @classmethod
    def of(cls, texts: Sequence[str], between: str = "\t") -> "Sequences":
        """Pack strings that hold no tab; each can be several, with ``between`` between them. At least one is needed."""
        raw = "\t".join(texts).replace(between, "\t").encode("ascii", "replace").upper()
        letters = np.frombuffer(raw, dtype=np.uint8)
        tabs = np.flatnonzero(letters == _TAB)
        return cls(letters, np.r_[0, tabs + 1], np.r_[tabs, len(letters)], raw.decode("ascii").split("\t"))

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> np.ndarray:
        """Letters of every sequence, int64 (n,)."""
        return self.ends - self.starts

    @cached_property
    def codes(self) -> np.ndarray:
        """Codes of ``letters``, 0..3 for A C G T and N for everything else, U and tabs included."""
        codes = bases(encode(self.letters.tobytes()))
        codes[self.letters == ord("U")] = N
        return codes

    @property
    def ambiguous(self) -> np.ndarray:
        """Whether a sequence is empty or holds anything but A C G T, bool (n,)."""
        strange = np.concatenate([[0], np.cumsum(self.codes == N)])
        return (strange[self.ends] > strange[self.starts]) | (self.lengths == 0)


def trim(ref: Sequences, alt: Sequences, record: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Letters that a reference and an alternative allele share.

    Parameters
    ----------
    ref : Sequences
        Reference alleles, one per record.
    alt : Sequences
        Alternative alleles, n of them.
    record : ndarray
        Index into ``ref`` for each alternative allele, int64 (n,).

    Returns
    -------
    tuple of two int64 arrays (n,)
        Letters to cut at the left and at the right. Their sum is at most the length of the shorter allele.
    """
    left, right = np.zeros(len(alt), dtype=np.int64), np.zeros(len(alt), dtype=np.int64)
    _trim(
        ref.letters, ref.starts[record], ref.ends[record], alt.letters, alt.starts, alt.ends, left, right,
    )  # fmt: skip
    return left, right


@njit(cache=True)
def _trim(ref, ref_starts, ref_ends, alt, alt_starts, alt_ends, left, right):
    for i in range(len(left)):
        a, a_end, b, b_end = ref_starts[i], ref_ends[i], alt_starts[i], alt_ends[i]
        while a_end > a and b_end > b and ref[a_end - 1] == alt[b_end - 1]:
            a_end, b_end = a_end - 1, b_end - 1
        right[i] = ref_ends[i] - a_end
        while a < a_end and b < b_end and ref[a] == alt[b]:
            a, b = a + 1, b + 1
        left[i] = a - ref_starts[i]


def kinds(ref_lengths: np.ndarray, alt_lengths: np.ndarray) -> np.ndarray:
    """Indices into `KINDS` for trimmed lengths, int8 (n,); -1 where nothing is left of both alleles."""
    found = np.full(len(ref_lengths), INDEL, dtype=np.int8)
    found[ref_lengths == alt_lengths] = MNV
    found[(ref_lengths == 1) & (alt_lengths == 1)] = SNV
    found[ref_lengths == 0] = INSERTION
    found[alt_lengths == 0] = DELETION
    found[(ref_lengths == 0) & (alt_lengths == 0)] = -1
    return found


def reference_states(codes: np.ndarray, positions: np.ndarray, ref: Sequences) -> np.ndarray:
    """Compare reference alleles with the genome.

    Parameters
    ----------
    codes : ndarray
        Codes of the genome, soft-mask bits allowed.
    positions : ndarray
        Index into ``codes`` of each allele's first base, int64 (n,); negative if it has no place. The caller sees to it
        that the alleles end within ``codes``.

    Returns
    -------
    ndarray
        uint8 (n,): NOWHERE; DIFFERENT if two letters of A C G T differ; else AMBIGUOUS if either side holds another
        letter; else EQUAL.
    """
    states = np.empty(len(ref), dtype=np.uint8)
    _reference_states(np.asarray(codes), positions, ref.codes, ref.starts, ref.ends, states)
    return states


@njit(cache=True)
def _reference_states(codes, positions, ref, starts, ends, states):
    for i in range(len(states)):
        states[i] = EQUAL if positions[i] >= 0 else NOWHERE
        if positions[i] < 0:
            continue
        for k in range(ends[i] - starts[i]):
            there, mine = codes[positions[i] + k] & 7, ref[starts[i] + k]
            if there >= N or mine >= N:
                states[i] = AMBIGUOUS
            elif there != mine:
                states[i] = DIFFERENT
                break
