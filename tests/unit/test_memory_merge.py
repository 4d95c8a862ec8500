"""Memories of several genomes: who is left out where, merging, and counting another genome instead."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from dnalm.errors import InputError
from dnalm.models.memory import HashedMemory, NgramMemory
from dnalm.sequence.alphabet import reverse_complement

ORDERS = (1, 2, 4, 8, 11, 14)
FLANKS = ((1, 1), (2, 2), (6, 6), (8, 5), (5, 8))
BUDGET = 1 << 21
SPANS = [np.array([[0, 200], [260, 600]]), np.array([[30, 500]]), np.array([[0, 350], [350, 600]])]


def random_codes(seed, length):
    return np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8)


def genome_of(codes):
    return SimpleNamespace(codes=codes, digest=hashlib.sha256(codes.tobytes()).hexdigest()[:16])


def exact(genomes, spans):
    return NgramMemory.from_genomes(genomes, spans, ORDERS, FLANKS)


def hashed(genomes, spans):
    return HashedMemory.from_genomes(genomes, spans, ORDERS, FLANKS, BUDGET)


def three_genomes():
    """Random genomes that share a stretch of 80 bases, on the other strand in the third."""
    shared = random_codes(9, 80)
    codes = [random_codes(seed, 600) for seed in range(3)]
    codes[0][300:380], codes[1][100:180], codes[2][400:480] = shared, shared, reverse_complement(shared)
    return [genome_of(c) for c in codes]


def same(one, other):
    for name in ("forward", "reverse", "flanks"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def looked_up(memory, genome, start, stop, raw=True):
    return memory.lookup(genome.codes[None, start:stop] & 7, (genome.digest, np.arange(start, stop)[None]), raw)


@pytest.mark.parametrize("build", [exact, hashed])
def test_a_base_is_left_out_of_its_own_genome_alone(build):
    genomes = three_genomes()
    assert len({g.digest for g in genomes}) == 3
    together = build(genomes, SPANS)
    assert together.digests == [g.digest for g in genomes]
    assert together.bases == 540 + 470 + 600
    for place, genome in zip((300, 100, 400), genomes, strict=True):
        alone = [build([g], [s]) for g, s in zip(genomes, SPANS, strict=True)]
        parts = [looked_up(memory, genome, place, place + 80) for memory in alone]
        found = looked_up(together, genome, place, place + 80)
        for name in ("forward", "reverse", "flanks"):
            summed = sum(getattr(part, name) for part in parts)
            np.testing.assert_array_equal(getattr(found, name), summed)
        # the two other copies of the shared stretch are seen, its own is not
        assert found.forward[0, 40, ORDERS.index(14), 4] == 2


@pytest.mark.parametrize("build", [exact, hashed])
def test_merging_is_the_same_as_counting_together(build):
    genomes = three_genomes()
    a = build(genomes[:2], SPANS[:2])
    b = build([genomes[2], genomes[1]], [SPANS[2], np.array([[0, 30], [500, 600]])])
    merged = a.merged(b)
    together = build(genomes, [SPANS[0], np.array([[30, 500], [0, 30], [500, 600]]), SPANS[2]])
    assert sorted(merged.digests) == sorted(together.digests)
    assert merged.bases == together.bases == a.bases + b.bases
    for genome in genomes:
        same(looked_up(merged, genome, 0, 600), looked_up(together, genome, 0, 600))


@pytest.mark.parametrize("build", [exact, hashed])
def test_what_cannot_be_merged(build):
    genomes = three_genomes()
    memory = build(genomes[:1], SPANS[:1])
    with pytest.raises(InputError, match=r"bases 199 to 201 of genome .* are in both"):
        memory.merged(build(genomes[:1], [np.array([[199, 201]])]))
    assert memory.merged(build(genomes[:1], [np.array([[200, 260]])])).bases == 600
    with pytest.raises(InputError, match="different contexts"):
        memory.merged(NgramMemory.from_genomes(genomes[:1], SPANS[:1], ORDERS[:-1], FLANKS))


@pytest.mark.parametrize("build", [exact, hashed])
def test_recounting_replaces_the_training_genome(build):
    old, new, _ = three_genomes()
    memory = build([old], [SPANS[0]]).recounted(new, SPANS[1])
    fresh = build([new], [SPANS[1]])
    assert memory.digests == [new.digest]
    same(looked_up(memory, new, 50, 250), looked_up(fresh, new, 50, 250))
    window = old.codes[None, 0:150]
    same(memory.lookup(window, (old.digest, np.arange(150)[None])), memory.lookup(window))
