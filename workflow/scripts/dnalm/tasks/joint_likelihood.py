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
from dnalm.sequence.batches import Batch
from dnalm.tasks.allele_pairs import AllelePairs

#: Bases on each side of a variant that are read.
FLANK = 256


class JointRatios(AllelePairs):
    """Log-likelihood ratios of variants of any kind; `_of` gives the cost of a window in nats, and its known bases."""

    def ratios(self, positions, reference: list[str], alternative: list[str], behind=None) -> np.ndarray:
        """Log-likelihood ratios (n,) in nats, alternative over reference; NaN where the window holds nothing but N.

        The variants are those of `AllelePairs.pairs`.
        """
        if not len(positions):
            return np.zeros(0)
        cost, count = self.pairs(positions, reference, alternative, behind)
        with np.errstate(invalid="ignore", divide="ignore"):
            per_base = cost[0] / count[0]
            return (cost[0] - cost[1]) + (count[1] - count[0]) * per_base


class JointLikelihood(JointRatios):
    """`JointRatios` by a model that reads both strands causally (`TwoSided`)."""

    def __init__(self, model: TwoSided, genome: Genome, flank: int = FLANK):
        super().__init__(genome, flank)
        self.model = model.eval()

    @torch.inference_mode()
    def _of(self, codes: np.ndarray, stretch: Batch, sizes: np.ndarray):
        """Negative log-likelihood (windows,) in nats, mean of both strands, and the number of bases that it is of."""
        tensor = codes_tensor(codes, self.model.device)
        features = self.model.memory.lookup(codes, flanks=False, without=stretch)
        both = self.model.one_sided(tensor, features)
        true = tensor.clamp(max=3).unsqueeze(2)
        both = (logp.gather(2, true).squeeze(2) for logp in both)
        cost = -sum(both).double() / 2
        known = tensor < 4
        return (cost * known).sum(1).numpy(force=True), known.sum(1).numpy(force=True)
