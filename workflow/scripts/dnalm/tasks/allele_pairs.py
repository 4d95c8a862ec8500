"""Windows round variants, read with the reference and with the alternative allele.

Both are read as if the model's memory had never read the stretch of genome that they are from: else it would know the
reference by heart, call a deletion impossible, and expect a tandem duplication word for word.

A reference window is read once, however many alleles it is compared with. Few windows are read at once, all of one
length if there are enough: small batches stay in the cache of a core and are read faster than large ones.
"""

import numpy as np

from dnalm.io.fasta import Genome
from dnalm.sequence.alphabet import N, bases, encode
from dnalm.sequence.batches import Batch, cut, with_allele

#: Windows that are read at once.
BATCH = 8


class AllelePairs:
    """Reads both windows of variants of any kind; what is kept of a window is up to the subclass (`_of`).

    ``flank`` bases of ``genome`` are read on each side.
    """

    def __init__(self, genome: Genome, flank: int):
        self.genome, self.flank = genome, flank

    def pairs(self, positions, reference: list[str], alternative: list[str], behind=None) -> list[tuple]:
        """What `_of` keeps, each as two arrays (n, ...): of the reference and of the alternative allele; n is not 0.

        ``positions`` (n,) are global positions of the first changed base, alleles are trimmed (either may be empty).
        ``behind`` (bool (n,)) says which are insertions behind the last base of a contig; by default none, and such a
        position is the first one of the next contig.
        """
        positions = np.asarray(positions, dtype=np.int64)
        behind = np.zeros(len(positions), dtype=bool) if behind is None else np.asarray(behind)
        removed = np.array([len(allele) for allele in reference], dtype=np.int64)
        places = np.stack([positions, removed, behind], axis=1).reshape(-1, 3)
        unique, which = np.unique(places, axis=0, return_inverse=True)
        texts = [None] * len(unique) + [encode(allele) for allele in alternative]
        found = self._read(np.concatenate([unique, places]), texts)
        return [(kept[which.ravel()], kept[len(unique) :]) for kept in found]

    def _of(self, codes: np.ndarray, stretch: Batch, sizes: np.ndarray) -> tuple[np.ndarray, ...]:
        """What is kept, arrays (windows, ...), of windows of ``codes`` with alleles of ``sizes`` bases.

        They are from a ``stretch`` of the genome that the memory must not have read.
        """
        raise NotImplementedError

    def _read(self, places: np.ndarray, alleles: list) -> list[np.ndarray]:
        """`_of` of all windows: ``places`` int64 (n, 3) are position, bases to replace, and whether behind a contig.

        ``alleles`` are codes, or None for the reference.
        """
        size = np.array([p[1] if a is None else len(a) for p, a in zip(places, alleles, strict=True)], dtype=np.int64)
        order, found = np.lexsort((places[:, 0], size)), []
        for first in range(0, len(order), BATCH):
            some = order[first : first + BATCH]
            position, removed, behind = places[some].T
            whole = cut(self.genome, position - self.flank, 2 * self.flank + removed.max(), self.flank - behind)
            windows = [self._window(whole, i, removed[i], alleles[n], size[some[-1]]) for i, n in enumerate(some)]
            within = np.arange(whole.codes.shape[1]) < 2 * self.flank + removed[:, None]
            found.append(self._of(np.stack(windows), whole.keep(within), size[some]))
        back = np.argsort(order)
        return [np.concatenate(parts)[back] for parts in zip(*found, strict=True)]

    def _window(self, whole: Batch, row: int, removed: int, allele, longest: int) -> np.ndarray:
        """Codes of one window, padded; those of the reference without an ``allele``."""
        given = None if allele is None else bases(allele)
        text, _ = with_allele(whole, row, self.flank, removed, given, self.flank)
        return np.pad(text, (0, 2 * self.flank + longest - len(text)), constant_values=N)
