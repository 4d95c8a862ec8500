"""The n-gram memory against brute-force recounts."""

from types import SimpleNamespace

import numpy as np
import pytest

from dnalm.models.memory import HashedMemory, NgramMemory, prior_weight
from dnalm.sequence.alphabet import N, reverse_complement
from dnalm.sequence.batches import Batch

ORDERS = (1, 2, 3, 5, 8, 11, 14)
FLANKS = ((1, 1), (2, 2), (5, 5), (6, 6), (9, 5), (5, 9))


def tricky_genome(seed, length=700):
    """Random bases with repeats, homopolymers, palindromes and an N, where leave-one-out goes wrong first."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, length).astype(np.uint8)
    codes[100:160] = codes[300:360]
    codes[400:440] = reverse_complement(codes[20:60])
    codes[200:230] = 0
    codes[500:540] = np.tile([0, 3], 20)
    codes[600:610] = np.concatenate([codes[590:595], reverse_complement(codes[590:595])])
    codes[250] = N
    return SimpleNamespace(codes=codes, digest=f"g{seed}")


def at(genome, start, window):
    return genome.digest, np.arange(start, start + window.shape[-1])[None]


def strands(genome, intervals):
    for start, end in intervals:
        places = np.arange(start, end)
        yield genome.codes[start:end], places
        yield reverse_complement(genome.codes[start:end]), places[::-1]


def recount(genome, intervals, left, right, own):
    """Counts of the centre base by context string, over n-grams that do not cover the global position ``own``."""
    counts = {}
    for text, places in strands(genome, intervals):
        for p in range(left, len(text) - right):
            gram = text[p - left : p + right + 1]
            if (gram > 3).any() or own in places[p - left : p + right + 1]:
                continue
            context = (*gram[:left], -1, *gram[left + 1 :])
            counts.setdefault(context, np.zeros(4))[gram[left]] += 1
    return counts


def expected(counts_by_length, contexts, weights):
    prior, blocks = np.full(4, 0.25), []
    for counts, context, weight in zip(counts_by_length, contexts, weights, strict=True):
        n = counts.get(context, np.zeros(4)) if context else np.zeros(4)
        prior = (n + weight * prior) / (n.sum() + weight)
        blocks.append(np.append(np.log(prior * 4), np.log1p(n.sum())))
    return np.array(blocks)


def context_of(window, t, left, right):
    gram = window[max(t - left, 0) : t + right + 1]
    if t - left < 0 or t + right >= len(window):
        return None
    context = (*gram[:left], -1, *gram[left + 1 :])
    return None if any(c > 3 for c in context) else context


def stretches(genome, *positions):
    """Stretches of a genome as a batch, padded to one length."""
    longest = max(map(len, positions))
    places = np.array([np.pad(place, (0, longest - len(place)), constant_values=-1) for place in positions])
    codes = np.where(places >= 0, genome.codes[places] & 7, N).astype(np.uint8)
    return Batch(genome.digest, codes, places, np.zeros(codes.shape, dtype=bool))


STRETCHES = {  # inside the first interval; from one interval over the gap into the next; both ends; round the origin
    "inside": np.arange(110, 150), "over a gap": np.arange(270, 330), "first": np.arange(20),
    "last": np.arange(660, 700), "origin": np.r_[680:700, 0:30], "low complexity": np.arange(195, 240),
    "one base": np.arange(520, 521),
    "unread": np.arange(281, 289), "padding": np.empty(0, dtype=int),
}  # fmt: skip


@pytest.mark.parametrize("made", [NgramMemory.from_genomes, lambda *a: HashedMemory.from_genomes(*a, 1 << 21)])
@pytest.mark.parametrize("least", [1, 3, 8])
def test_a_stretch_that_is_left_out_was_never_counted(made, least):
    genome, intervals = tricky_genome(4), np.array([[0, 280], [290, 700]])
    orders = tuple(k for k in ORDERS if k >= least)
    memory = made([genome], [intervals], orders, FLANKS)
    rng = np.random.default_rng(0)
    windows = np.stack([
        np.concatenate([genome.codes[a : a + 40], rng.integers(0, 4, 5), genome.codes[a - 10 : a + 30]]) & 7
        for a in (110, 280, 10, 640, 660, 190, 500, 270, 300)
    ]).astype(np.uint8)  # fmt: skip
    found = memory.lookup(windows, raw=True, flanks=False, without=stretches(genome, *STRETCHES.values()))
    changed = 0
    for row, (name, stretch) in enumerate(STRETCHES.items()):
        read = np.zeros(len(genome.codes) + 2, dtype=int)
        for start, end in intervals:
            read[1 + start : 1 + end] = 1
        read[1 + stretch] = 0
        kept = np.flatnonzero(np.diff(read)).reshape(-1, 2)
        assert row or len(kept) == 3
        apart = [part for a, b in kept for part in ([(a, b)] if not a < 280 < b else [(a, 280), (280, b)])]
        never = made([genome], [np.array(apart)], orders, FLANKS).lookup(windows[row : row + 1], raw=True, flanks=False)
        before = memory.lookup(windows[row : row + 1], raw=True, flanks=False)
        for side in ("forward", "reverse"):
            np.testing.assert_array_equal(getattr(found, side)[row], getattr(never, side)[0], err_msg=name)
            changed += (getattr(found, side)[row] != getattr(before, side)[0]).any()
    assert changed == 2 * (len(STRETCHES) - 2)


def test_a_stretch_is_left_out_in_place_of_an_origin():
    genome = tricky_genome(0)
    memory = NgramMemory.from_genomes([genome], [np.array([[0, 700]])], ORDERS, FLANKS)
    window, stretch = genome.codes[None, 100:180], stretches(genome, np.arange(100, 180))
    with pytest.raises(ValueError, match="one-sided"):
        memory.lookup(window, without=stretch)
    with pytest.raises(ValueError, match="origin"):
        memory.lookup(window, at(genome, 100, window), flanks=False, without=stretch)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("strand", [1, -1])
def test_lookup_equals_a_recount_without_the_own_occurrence(seed, strand):
    genome = tricky_genome(seed)
    intervals = np.array([[0, 280], [290, 700]])
    memory = NgramMemory.from_genomes([genome], [intervals], ORDERS, FLANKS)
    start, length = 190, 80
    window = genome.codes[start : start + length]
    window = window if strand > 0 else reverse_complement(window)
    found = memory.lookup(window[None], (genome.digest, np.arange(start, start + length)[None, ::strand], [strand]))
    rng = np.random.default_rng(seed)
    for t in rng.choice(length, 12, replace=False):
        own = start + t if strand > 0 else start + length - 1 - t
        inside = any(a <= own < b for a, b in intervals)
        own = own if inside else -1
        by_order = [recount(genome, intervals, k, 0, own) for k in ORDERS]
        weights = [prior_weight(k) for k in ORDERS]
        contexts = [context_of(window, t, k, 0) for k in ORDERS]
        np.testing.assert_allclose(found.forward[0, t], expected(by_order, contexts, weights), atol=1e-6)
        flipped = reverse_complement(window)
        contexts = [context_of(flipped, length - 1 - t, k, 0) for k in ORDERS]
        np.testing.assert_allclose(found.reverse[0, length - 1 - t], expected(by_order, contexts, weights), atol=1e-6)
        for j, (lo, hi) in enumerate(memory.flanks):
            n = recount(genome, intervals, lo, hi, own).get(context_of(window, t, lo, hi), np.zeros(4))
            assert found.flanks[0, t, j, 4] == pytest.approx(np.log1p(n.sum()), abs=1e-6), (t, lo, hi)


def test_flank_probabilities_are_those_of_a_recount():
    genome = tricky_genome(7)
    intervals = np.array([[0, 700]])
    memory = NgramMemory.from_genomes([genome], [intervals], ORDERS, FLANKS)
    found = memory.lookup(genome.codes[None, 100:180], (genome.digest, np.arange(100, 180)[None]))
    symmetric = [(1, 1), (2, 2), (5, 5), (6, 6)]
    columns = [memory.flanks.index(f) for f in symmetric]
    for t in (10, 25, 40, 60):
        window = genome.codes[100:180]
        counts = [recount(genome, intervals, lo, hi, 100 + t) for lo, hi in symmetric]
        contexts = [context_of(window, t, lo, hi) for lo, hi in symmetric]
        weights = [prior_weight(lo + hi) for lo, hi in symmetric]
        np.testing.assert_allclose(found.flanks[0, t, columns], expected(counts, contexts, weights), atol=1e-6)


def test_without_origin_nothing_is_left_out():
    genome = tricky_genome(1)
    memory = NgramMemory.from_genomes([genome], [np.array([[0, 700]])], ORDERS, FLANKS)
    window = genome.codes[None, 300:360]
    kept = memory.lookup(window).forward[0, 30, :, 4]
    left_out = memory.lookup(window, at(genome, 300, window)).forward[0, 30, :, 4]
    assert (kept > left_out).all()
    other = memory.lookup(window, ("another genome", np.arange(300, 360)[None])).forward[0, 30, :, 4]
    np.testing.assert_array_equal(kept, other)


def test_both_strands_see_the_same_memory():
    genome = tricky_genome(2)
    memory = NgramMemory.from_genomes([genome], [np.array([[50, 650]])], ORDERS, FLANKS)
    window = genome.codes[None, 100:200]
    plus = memory.lookup(window, at(genome, 100, window))
    minus = memory.lookup(reverse_complement(window), (genome.digest, np.arange(200, 100, -1)[None] - 1, [-1]))
    np.testing.assert_array_equal(plus.forward, minus.reverse)
    np.testing.assert_array_equal(plus.reverse, minus.forward)
    mirror = [memory.flanks.index((r, lo)) for lo, r in memory.flanks]
    flipped = minus.flanks[:, ::-1][:, :, mirror][..., [3, 2, 1, 0, 4]]
    np.testing.assert_allclose(plus.flanks, flipped, atol=1e-6)


def test_the_queried_base_is_not_looked_at():
    """Changing a base of the window may not change that base's own features (its neighbours' may)."""
    genome = tricky_genome(3)
    memory = NgramMemory.from_genomes([genome], [np.array([[0, 700]])], ORDERS, FLANKS)
    window = genome.codes[300:360].copy()
    origin = at(genome, 300, window)
    before = memory.lookup(window[None], origin)
    for t in (20, 31, 44):
        changed = window.copy()
        changed[t] = (changed[t] + 1) % 4
        after = memory.lookup(changed[None], origin)
        np.testing.assert_array_equal(before.forward[0, t], after.forward[0, t])
        np.testing.assert_array_equal(before.reverse[0, 59 - t], after.reverse[0, 59 - t])
        np.testing.assert_array_equal(before.flanks[0, t], after.flanks[0, t])


def test_empty_memory_and_bad_flanks():
    memory = NgramMemory.empty(ORDERS, FLANKS)
    found = memory.lookup(np.zeros((2, 30), np.uint8))
    assert found.forward.shape == (2, 30, len(ORDERS), 5)
    assert not found.forward.any() and not found.flanks.any()
    with pytest.raises(ValueError, match="mirror image"):
        NgramMemory.empty(ORDERS, [(6, 8)])
    with pytest.raises(ValueError, match="at least 5"):
        NgramMemory.empty(ORDERS, [(3, 8), (8, 3)])


def test_orders_shorter_than_the_dense_table():
    """The table of short contexts reaches further than the longest order that is asked for."""
    codes = np.random.default_rng(4).integers(0, 4, 20_000).astype(np.uint8)
    genome = SimpleNamespace(codes=codes, digest="g")
    short, long = (
        NgramMemory.from_genomes([genome], [np.array([[0, 20_000]])], orders, ((1, 1),))
        for orders in ((1, 2, 3), (1, 2, 3, 12))
    )
    window = codes[None, 500:700]
    found = (m.lookup(window, at(genome, 500, window)) for m in (short, long))
    one, two = (f.forward[:, :, :3] for f in found)
    np.testing.assert_array_equal(one, two)
