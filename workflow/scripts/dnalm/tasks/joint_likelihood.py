"""Joint likelihood of a stretch with and without a variant: how much less likely it makes the sequence as a whole.

The reading along one strand gives the likelihood of a sequence by the chain rule. A window round the variant is read
with the reference and with the alternative allele, on both strands, and the log-likelihoods are averaged over the
strands. The flanks are the same bases on both sides of the comparison. Alleles of different lengths have different
numbers of bases, each of which costs something even where nothing is wrong; that is taken out: every base that one
allele has more is paid back at the mean cost per base of the reference window.

Both windows are read as if the model's memory had never read the stretch of genome that they are from: else it would
know the reference by heart, call a deletion impossible, and expect a tandem duplication word for word.

A reference window is read once, however many alleles it is compared with. Few windows are read at once, all of one
length if there are enough: small batches stay in the cache of a core and are read faster than large ones.
"""

import numpy as np
import torch

from dnalm.io.fasta import Genome
from dnalm.models.backbone import codes_tensor
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N, bases, encode
from dnalm.sequence.batches import Batch, cut, with_allele

#: Bases on each side of a variant that are read, and windows that are read at once.
FLANK, BATCH = 256, 8


class JointLikelihood:
    """Log-likelihood ratios of variants of any kind by a model that reads both strands causally (`TwoSided`).

    ``flank`` bases are read on each side.
    """

    def __init__(self, model: TwoSided, genome: Genome, flank: int = FLANK):
        self.model, self.genome, self.flank = model.eval(), genome, flank

    def ratios(self, positions, reference: list[str], alternative: list[str], behind=None) -> np.ndarray:
        """Log-likelihood ratios (n,) in nats, alternative over reference; NaN where the window holds nothing but N.

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
        cost, count = self._read(np.concatenate([unique, places]), texts)
        own, alone = which.ravel(), slice(len(unique), None)
        with np.errstate(invalid="ignore", divide="ignore"):
            per_base = cost[own] / count[own]
            return (cost[own] - cost[alone]) + (count[alone] - count[own]) * per_base

    def _read(self, places: np.ndarray, alleles: list) -> tuple[np.ndarray, np.ndarray]:
        """`_cost` of all windows: ``places`` int64 (n, 3) are position, bases to replace, and whether behind a contig.

        ``alleles`` are codes, or None for the reference.
        """
        cost, count = np.empty(len(places)), np.empty(len(places), dtype=np.int64)
        size = np.array([p[1] if a is None else len(a) for p, a in zip(places, alleles, strict=True)], dtype=np.int64)
        order = np.lexsort((places[:, 0], size))
        for first in range(0, len(order), BATCH):
            some = order[first : first + BATCH]
            position, removed, behind = places[some].T
            whole = cut(self.genome, position - self.flank, 2 * self.flank + removed.max(), self.flank - behind)
            windows = np.stack(
                [self._window(whole, i, removed[i], alleles[n], size[some[-1]]) for i, n in enumerate(some)]
            )
            within = np.arange(whole.codes.shape[1]) < 2 * self.flank + removed[:, None]
            cost[some], count[some] = self._cost(windows, whole.keep(within))
        return cost, count

    def _window(self, whole: Batch, row: int, removed: int, allele, longest: int) -> np.ndarray:
        """Codes of one window, padded; those of the reference without an ``allele``."""
        given = None if allele is None else bases(allele)
        text, _ = with_allele(whole, row, self.flank, removed, given, self.flank)
        return np.pad(text, (0, 2 * self.flank + longest - len(text)), constant_values=N)

    @torch.inference_mode()
    def _cost(self, codes: np.ndarray, stretch: Batch):
        """Negative log-likelihood (windows,) in nats, mean of both strands, and the number of bases that it is of.

        What the memory has read of the stretch is not used.
        """
        tensor = codes_tensor(codes, self.model.device)
        features = self.model.memory.lookup(codes, flanks=False, without=stretch)
        both = self.model.one_sided(tensor, features)
        true = tensor.clamp(max=3).unsqueeze(2)
        both = (logp.gather(2, true).squeeze(2) for logp in both)
        cost = -sum(both).double() / 2
        known = tensor < 4
        return (cost * known).sum(1).numpy(force=True), known.sum(1).numpy(force=True)
