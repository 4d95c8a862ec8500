"""Small genomes and models that the tests of the language model share."""

import dataclasses

import numpy as np
import torch

from dnalm.models.config import ModelConfig
from dnalm.models.memory import NgramMemory
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N
from helpers.genomes import genome_of

ORDERS = (1, 2, 3, 4, 5, 6, 8)
FLANKS = ((1, 1), (2, 2), (5, 5), (7, 5), (5, 7))
SMALL = ModelConfig(width=16, layers=2, heads=2, attention_span=6, memory_orders=ORDERS, memory_flanks=FLANKS)
#: Bases before its own that a one-sided state of `SMALL` reads without a memory.
REACH = SMALL.layers * (SMALL.attention_span - 1) + 1


def contigs_of(lengths, codes=None, circular=False, digest="digest"):
    """A genome whose ``codes`` are cut into contigs of these lengths, with the same digest whatever they hold."""
    codes = np.zeros(sum(lengths), dtype=np.uint8) if codes is None else codes
    genome = genome_of(*np.split(codes, np.cumsum(lengths)[:-1]), circular=circular)
    return dataclasses.replace(genome, digest=digest)


def random_codes(seed, *shape, n_share=0.0):
    """Uniform bases with a share of N, uint8."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, shape)
    return np.where(rng.random(shape) < n_share, N, codes).astype(np.uint8)


def perturbed(model, seed=0, size=0.1):
    """Noise on every parameter: the zeros of a fresh model hide most mistakes."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p += size * torch.randn(p.shape, generator=noise)
    return model.eval()


def memory_of(genome, intervals=None, config=SMALL):
    """A memory of global intervals of a genome, by default all of it."""
    spans = np.array([[0, len(genome.codes)]]) if intervals is None else np.asarray(intervals)
    return NgramMemory.from_genomes([genome], [spans], config.memory_orders, config.memory_flanks)


def repetitive_genome(seed=5, length=600):
    """Random bases, two N, and a mutated repeat, so that long contexts have counts beyond their own."""
    codes = random_codes(seed, length)
    half = length // 2
    codes[half:] = codes[: length - half]
    changed = np.random.default_rng(seed).choice(np.arange(half, length), half // 8, replace=False)
    codes[changed] = (codes[changed] + 1) % 4
    codes[[70, half + 40]] = N
    return contigs_of([length], codes)


def small_model(genome=None, intervals=None, seed=0, config=SMALL):
    """A perturbed model, with a memory of ``genome`` if there is one."""
    torch.manual_seed(seed)
    return perturbed(TwoSided(config, memory_of(genome, intervals, config) if genome else None), seed)


def tensor(codes):
    """Codes as the models want them."""
    return torch.from_numpy(np.asarray(codes).astype(np.int64))
