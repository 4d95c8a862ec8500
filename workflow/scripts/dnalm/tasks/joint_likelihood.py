"""Joint likelihood of a stretch with and without a variant: how much less likely it makes the sequence as a whole.

The reading along one strand gives the likelihood of a sequence by the chain rule. A window round the variant is read
with the reference and with the alternative allele, on both strands, and the log-likelihoods are averaged over the
strands. The flanks are the same bases on both sides of the comparison. Alleles of different lengths have different
numbers of bases, each of which costs something even where nothing is wrong; that is taken out: every base that one
allele has more is paid back at the mean cost per base of the reference window.
"""

import numpy as np
import torch

from dnalm.io.fasta import Genome
from dnalm.models.backbone import codes_tensor
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N, bases, encode
from dnalm.sequence.batches import cut

#: Bases on each side of a variant that are read, and windows that are read at once.
FLANK, BATCH = 256, 32


class JointLikelihood:
    """Log-likelihood ratios of variants of any kind by a model that reads both strands causally (`TwoSided`).

    ``flank`` bases are read on each side.
    """

    def __init__(self, model: TwoSided, genome: Genome, flank: int = FLANK):
        self.model, self.genome, self.flank = model.eval(), genome, flank

    def ratios(self, positions, reference: list[str], alternative: list[str]) -> np.ndarray:
        """Log-likelihood ratios (n,) in nats, alternative over reference; NaN where the window holds nothing but N.

        ``positions`` (n,) are global positions of the first changed base, alleles are trimmed (either may be empty).
        """
        ratios = np.full(len(positions), np.nan, dtype=np.float64)
        size = np.array([max(len(r), len(a)) for r, a in zip(reference, alternative, strict=True)], dtype=np.int64)
        order = np.argsort(size, kind="stable")  # windows of one length side by side need little padding
        for first in range(0, len(order), BATCH):
            some = order[first : first + BATCH]
            alleles = [(reference[i], alternative[i]) for i in some]
            ratios[some] = self._batch(np.asarray(positions)[some], alleles)
        return ratios

    def _batch(self, positions, alleles) -> np.ndarray:
        longest = max(max(map(len, pair)) for pair in alleles)
        whole = cut(self.genome, positions - self.flank, 2 * self.flank + max(len(r) for r, _ in alleles), self.flank)
        codes, places = [], []
        for row, (ref, alt) in enumerate(alleles):
            for allele in (None, encode(alt)):
                text, place = self._window(whole, row, len(ref), allele, longest)
                codes.append(text)
                places.append(place)
        cost, count = self._cost(np.stack(codes), np.stack(places))
        cost, count = cost.reshape(-1, 2), count.reshape(-1, 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            per_base = cost[:, 0] / count[:, 0]
            return (cost[:, 0] - cost[:, 1]) + (count[:, 1] - count[:, 0]) * per_base

    def _window(self, whole, row: int, removed: int, allele, longest: int):
        """One window and the place of its bases in the genome, -1 for bases that an allele brings and for padding.

        Without an ``allele`` (codes) it is that of the reference; else ``removed`` bases make room for the allele.
        """
        flank, length = self.flank, 2 * self.flank + longest
        if allele is None:
            allele, where = whole.codes[row, flank : flank + removed], whole.positions[row, flank : flank + removed]
        else:
            allele = bases(allele)
            where = (
                whole.positions[row, flank : flank + removed] if len(allele) == removed else np.full(len(allele), -1)
            )
        right = slice(flank + removed, 2 * flank + removed)
        text = np.concatenate([whole.codes[row, :flank], allele, whole.codes[row, right]])
        place = np.concatenate([whole.positions[row, :flank], where, whole.positions[row, right]])
        return (
            np.pad(text, (0, length - len(text)), constant_values=N),
            np.pad(place, (0, length - len(place)), constant_values=-1),
        )

    @torch.inference_mode()
    def _cost(self, codes: np.ndarray, places: np.ndarray):
        """Negative log-likelihood (windows,) in nats, mean of both strands, and the number of bases that it is of."""
        tensor = codes_tensor(codes, self.model.device)
        both = self.model.one_sided(tensor, self.model.lookup(codes, (self.genome.digest, places)))
        true = tensor.clamp(max=3).unsqueeze(2)
        both = (logp.gather(2, true).squeeze(2) for logp in both)
        cost = -sum(both).double() / 2
        known = tensor < 4
        return (cost * known).sum(1).numpy(force=True), known.sum(1).numpy(force=True)
