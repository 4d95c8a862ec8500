"""Joint likelihood of a stretch with and without a variant by counting: the Markov mixture of both directions."""

import numpy as np

from dnalm.baselines.markov import LN2_BITS, Counted
from dnalm.baselines.mixture import Mixture
from dnalm.io.fasta import Genome
from dnalm.models.memory import NgramMemory
from dnalm.sequence.batches import Batch
from dnalm.tasks.joint_likelihood import FLANK, JointRatios


class CountedLikelihood(JointRatios):
    """`JointRatios` of the same windows as `dnalm.tasks.joint_likelihood.JointLikelihood`, by the mixture.

    ``memory`` has the counts of `dnalm.baselines.markov.ORDERS`.
    """

    def __init__(self, mixture: Mixture, memory: NgramMemory, genome: Genome, flank: int = FLANK):
        super().__init__(genome, flank)
        self.mixture, self.memory = mixture, memory

    def _of(self, codes: np.ndarray, stretch: Batch, sizes: np.ndarray):
        found = self.memory.lookup(codes, raw=True, flanks=False, without=stretch)
        cost = np.empty(len(codes))
        for i, window in enumerate(codes):
            reverse = found.reverse[i, ::-1, :, 3::-1]
            counted = Counted(window, found.forward[i, :, :, :4], reverse, found.flanks[i])
            cost[i] = sum(np.nansum(bits) for bits in self.mixture.bits(counted).values()) / 2 * LN2_BITS
        return cost, (codes < 4).sum(1)
