"""A reader that knows the true sequence, and so says of every base of a sample what should be there."""

import numpy as np

from dnalm.sequence.alphabet import decode
from dnalm.variants.repairs import Reading

WORD = 12


class Knowing:
    """Log-probabilities of the base after, and before, each word of a true text; uniform where the word is unknown."""

    def __init__(self, truth: str, word: int = WORD):
        self.word = word
        self.after, self.before = {}, {}
        for i in range(len(truth) - word):
            self.after[truth[i : i + word]] = truth[i + word]
            self.before[truth[i + 1 : i + 1 + word]] = truth[i]

    def _logp(self, base):
        p = np.full(4, 0.25) if base is None else np.where(np.arange(4) == "ACGT".index(base), 0.97, 0.01)
        return np.log(p)

    def reading(self, text: str, start: int = 0) -> Reading:
        """All of one contig."""
        k, n = self.word, len(text)
        ahead = [self._logp(self.after.get(text[i - k : i]) if i >= k else None) for i in range(n)]
        behind = [self._logp(self.before.get(text[i + 1 : i + 1 + k])) for i in range(n)]
        ahead, behind = (np.array(logp, dtype=np.float32) for logp in (ahead, behind))
        first = np.arange(n) == 0
        codes = np.array(["ACGTN".index(letter) for letter in text], dtype=np.uint8)
        return Reading(start, codes, first, ahead + behind, ahead, behind)

    def parts(self, genome, size: int):
        """A genome in pieces of ``size`` bases, whatever contigs they are of."""
        whole = [
            self.reading(decode(genome.codes[c.offset : c.offset + c.length] & 7)) for c in genome.contigs.itertuples()
        ]
        names = ("codes", "first", "between", "ahead", "behind")
        joined = {name: np.concatenate([getattr(r, name) for r in whole]) for name in names}
        for start in range(0, len(genome.codes), size):
            yield Reading(start, **{name: values[start : start + size] for name, values in joined.items()})


class Trusting:
    """Stands for a joint likelihood that knows the true text: how many more words are known with the repair."""

    def __init__(self, genome, truth: str, word: int = WORD):
        self.genome, self.word = genome, word
        self.known = {truth[i : i + word] for i in range(len(truth) - word + 1)}

    def ratios(self, positions, reference, alternative):
        return np.array([self._ratio(*row) for row in zip(positions, reference, alternative, strict=True)])

    def _ratio(self, position, ref, alt):
        start = max(0, position - 2 * self.word)
        text = decode(self.genome.codes[start : position + 2 * self.word] & 7)
        at = position - start
        return float(self._count(text[:at] + alt + text[at + len(ref) :]) - self._count(text))

    def _count(self, text):
        return sum(text[i : i + self.word] in self.known for i in range(len(text) - self.word + 1))
