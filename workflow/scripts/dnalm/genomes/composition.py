"""What a sequence is made of, counted as it goes by: letters, case, stretches of N; and contigs that occur twice."""

from collections import defaultdict
from hashlib import sha256

import numpy as np
from numba import njit

from dnalm.sequence.alphabet import N, reverse_complement

BASES = "ACGTU"
#: Letters that stand for several bases, without N.
AMBIGUOUS = "RYSWKMBDHV"


@njit(cache=True)
def _count(letters, counts, runs):
    """Add uint8 ``letters`` to ``counts`` (256,) and ``runs``: stretches of N, the longest, that which goes on."""
    for letter in letters:
        counts[letter] += 1
        if letter == 78 or letter == 110:
            runs[2] += 1
            if runs[2] == 1:
                runs[0] += 1
            runs[1] = max(runs[1], runs[2])
        else:
            runs[2] = 0


class Composition:
    """Letters of a contig whose pieces are added in order, or the sum of several contigs."""

    def __init__(self):
        self.letters = np.zeros(256, dtype=np.int64)
        self._runs = np.zeros(3, dtype=np.int64)

    def add(self, piece: bytes) -> None:
        """Count the next piece of the contig."""
        _count(np.frombuffer(piece, dtype=np.uint8), self.letters, self._runs)

    @classmethod
    def total(cls, parts) -> "Composition":
        """That of several contigs together."""
        whole = cls()
        for part in parts:
            whole.letters += part.letters
            whole._runs[0] += part.n_runs
            whole._runs[1] = max(whole.longest_n_run, part.longest_n_run)
        return whole

    @property
    def n_runs(self) -> int:
        """Stretches of the letter N."""
        return int(self._runs[0])

    @property
    def longest_n_run(self) -> int:
        """Bases of the longest of them."""
        return int(self._runs[1])

    def of(self, letters: str) -> int:
        """How often letters occur in either case."""
        return int(self.letters[list((letters + letters.lower()).encode())].sum())

    def record(self) -> dict:
        """The numbers as they stand in the data card.

        ``n`` counts all that a model reads as N: N itself and the letters that stand for several bases. Stretches of N
        are of the letter N alone.
        """
        length, known = int(self.letters.sum()), self.of(BASES)
        lower = int(self.letters[ord("a") : ord("z") + 1].sum())
        return {
            "gc": round(self.of("GC") / max(known, 1), 6), "n": length - known, "n_runs": self.n_runs,
            "longest_n_run": self.longest_n_run, "soft_masked_share": round(lower / max(length, 1), 6),
        }  # fmt: skip

    def ambiguous(self) -> dict[str, int]:
        """How often each letter occurs that stands for several bases, N left out."""
        return {letter: count for letter in AMBIGUOUS if (count := self.of(letter))}

    def soft_mask(self) -> str:
        """``none`` (no lower case), ``all lower case`` (a habit, and no mask), or ``yes``.

        N and ambiguous letters do not count: gaps are often upper case in files of lower case.
        """
        lower = int(sum(self.letters[ord(x.lower())] for x in BASES))
        if not lower:
            return "none"
        return "all lower case" if lower == self.of(BASES) else "yes"


def twins(codes: np.ndarray, contigs) -> list[list[str]]:
    """Names of contigs with the same sequence, or with its reverse complement, in groups; letter case does not count.

    Parameters
    ----------
    codes : (bases,) uint8
        Contigs end to end, as in ``codes.npy``.
    contigs : DataFrame
        contig, offset, length. Only contigs that share their length with another are read.
    """
    lengths = contigs["length"].to_numpy()
    values, counts = np.unique(lengths, return_counts=True)
    shared = contigs[np.isin(lengths, values[counts > 1])]
    found: dict[bytes, list[str]] = defaultdict(list)
    for name, offset, length in zip(shared["contig"], shared["offset"], shared["length"], strict=True):
        text = codes[offset : offset + length] & 7
        if (text < N).any():  # stretches of N alone are equal and say nothing
            both = (sha256(text.tobytes()).digest(), sha256(reverse_complement(text).tobytes()).digest())
            found[min(both)].append(name)
    return [names for names in found.values() if len(names) > 1]
