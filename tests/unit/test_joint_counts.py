"""Joint ratios by counting, against the mixture's bits of whole sequences."""

import numpy as np
import pytest
import torch
from helpers.genomes import genome_of
from helpers.models import random_codes

from dnalm.baselines.flanks import FLANKS
from dnalm.baselines.markov import LN2_BITS, ORDERS, count_around
from dnalm.baselines.mixture import Mixture
from dnalm.models.memory import NgramMemory
from dnalm.sequence.alphabet import encode
from dnalm.tasks.joint_counts import CountedLikelihood

FLANK = 60


@pytest.fixture(scope="module")
def counted():
    genome = genome_of(np.tile(random_codes(1, 300), 3), name="read")
    mixture = Mixture([8.0] * len(ORDERS))
    with torch.no_grad():
        mixture.by_match += 0.1 * torch.randn(mixture.by_match.shape, generator=torch.Generator().manual_seed(0))
    return genome, mixture, NgramMemory.from_genomes([genome], [np.array([[0, 900]])], ORDERS, FLANKS)


def cost(mixture, memory, codes):
    """Nats of a whole sequence, mean of both directions."""
    pieces = count_around(memory, genome_of(codes, name="window"), np.array([[0, len(codes)]]))
    return sum(np.nansum(bits) for piece in pieces for bits in mixture.bits(piece).values()) / 2 * LN2_BITS


@pytest.mark.parametrize(("ref", "alt"), [("x", ""), ("xxx", ""), ("", "GATTACA"), ("x", "y")])
def test_as_the_bits_of_both_sequences(counted, ref, alt):
    read, mixture, memory = counted
    genome = genome_of(np.concatenate([read.codes[40:400], random_codes(2, 200)]))
    place, removed = 200, len(ref)
    alt = "ACGT"[(genome.codes[place] + 1) % 4] if alt == "y" else alt
    before, there, after = np.split(genome.codes[place - FLANK : place + removed + FLANK], [FLANK, FLANK + removed])
    old, new = np.concatenate([before, there, after]), np.concatenate([before, encode(alt), after])
    own, other = cost(mixture, memory, old), cost(mixture, memory, new)
    want = own - other + (len(new) - len(old)) * own / len(old)
    joint = CountedLikelihood(mixture, memory, genome, FLANK)
    got = joint.ratios([place], ["".join("ACGT"[c] for c in there)], [alt])
    assert got[0] == pytest.approx(want, abs=1e-4) and abs(want) > 0.01
