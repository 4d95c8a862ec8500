"""The hashed memory against the exact one, and the rules of its table by hand."""

import hashlib
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest

from dnalm.errors import InputError
from dnalm.models.memory import HashedMemory, NgramMemory, hashed, memory_arrays, memory_from_arrays
from dnalm.models.memory.table import LARGEST, merge_tables
from dnalm.sequence.alphabet import N, reverse_complement

ORDERS = (1, 2, 3, 5, 8, 11, 14, 20)
FLANKS = ((1, 1), (2, 2), (5, 5), (6, 6), (9, 5), (5, 9))
SPANS = np.array([[0, 280], [290, 700]])
ROOMY = 1 << 21


def random_codes(seed, length):
    return np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8)


def genome_of(codes):
    return SimpleNamespace(codes=codes, digest=hashlib.sha256(codes.tobytes()).hexdigest()[:16])


def tricky_genome(seed):
    """Repeats, a homopolymer, an alternating run, palindromes, soft-masked bases and an N."""
    codes = random_codes(seed, 700)
    codes[100:160] = codes[300:360]
    codes[400:440] = reverse_complement(codes[20:60])
    codes[200:230] = 0
    codes[500:540] = np.tile([0, 3], 20)
    codes[600:610] = np.concatenate([codes[590:595], reverse_complement(codes[590:595])])
    codes[250] = N
    codes[40:120] |= 8
    return genome_of(codes)


def both(genome, spans=SPANS, budget=ROOMY):
    return (
        NgramMemory.from_genomes([genome], [spans], ORDERS, FLANKS),
        HashedMemory.from_genomes([genome], [spans], ORDERS, FLANKS, budget),
    )


def same(one, other):
    for name in ("forward", "reverse", "flanks"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("strand", [1, -1])
@pytest.mark.parametrize("raw", [True, False])
def test_a_roomy_table_gives_the_counts_of_the_exact_memory(seed, strand, raw):
    genome = tricky_genome(seed)
    exact, table = both(genome)
    # every kind of context is there: plain counts for short ones, the hash table for long ones
    assert table.short.any() and table.table.any()
    for start, stop in ((0, 150), (150, 330), (480, 700)):
        window, places = genome.codes[None, start:stop] & 7, np.arange(start, stop)[None, ::strand]
        window = window if strand > 0 else reverse_complement(window)
        origin = genome.digest, places, [strand]
        same(exact.lookup(window, raw=raw), table.lookup(window, raw=raw))
        same(exact.lookup(window, origin, raw), table.lookup(window, origin, raw))


def test_what_is_left_out_is_read_from_the_genome_not_from_the_window():
    genome = tricky_genome(5)
    exact, table = both(genome)
    window, origin = genome.codes[None, 190:310].copy(), (genome.digest, np.arange(190, 310)[None])
    window[0, [15, 30]], window[0, 70:75] = (window[0, [15, 30]] + 1) % 4, N
    same(exact.lookup(window, origin), table.lookup(window, origin))
    holes = np.where(window < 4, origin[1], -1)
    same(exact.lookup(window, (genome.digest, holes)), table.lookup(window, (genome.digest, holes)))


def test_without_the_genome_what_is_left_out_is_right_away_from_the_ends_of_the_window():
    genome = tricky_genome(2)
    exact, table = both(genome)
    loaded = memory_from_arrays(memory_arrays(table), ORDERS, FLANKS)
    window, origin = genome.codes[None, 290:700], (genome.digest, np.arange(290, 700)[None])
    same(exact.lookup(window, origin), loaded.lookup(window, origin))
    window, origin = genome.codes[None, 210:520], (genome.digest, np.arange(210, 520)[None])
    one, other = exact.lookup(window, origin).forward, loaded.lookup(window, origin).forward
    differing = np.flatnonzero((one != other).any((0, 2, 3)))
    assert len(differing) and (np.minimum(differing, 309 - differing) <= 20).all()
    loaded.attach([genome])
    same(exact.lookup(window, origin), loaded.lookup(window, origin))


@pytest.mark.parametrize("piece", [1, 7, 64, 279])
def test_counting_in_pieces_changes_nothing(monkeypatch, piece):
    genome = tricky_genome(3)
    whole = both(genome)[1]
    monkeypatch.setattr(hashed, "PIECE", piece)
    pieces = both(genome)[1]
    np.testing.assert_array_equal(whole.short, pieces.short)
    np.testing.assert_array_equal(np.sort(whole.table, axis=1), np.sort(pieces.table, axis=1))


def test_memory_does_not_grow_with_the_sequence(monkeypatch, tmp_path):
    monkeypatch.setattr(hashed, "PIECE", 4096)
    peaks = []
    for size in (20_000, 160_000):
        random_codes(1, size).tofile(tmp_path / str(size))
        genome = SimpleNamespace(codes=np.memmap(tmp_path / str(size), np.uint8, "r"), digest=str(size))
        tracemalloc.start()
        HashedMemory.from_genomes([genome], [np.array([[0, size]])], ORDERS, FLANKS, 1 << 18)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 10_000


def test_counts_stop_at_the_largest_and_plain_ones_do_not():
    genome = genome_of(np.zeros(LARGEST + 500, np.uint8))
    exact, table = both(genome, np.array([[0, LARGEST + 500]]))
    window = np.zeros((1, 50), np.uint8)
    one, other = exact.lookup(window, raw=True).forward[0, 30], table.lookup(window, raw=True).forward[0, 30]
    plain = [ORDERS.index(k) for k in ORDERS if k <= 5]
    np.testing.assert_array_equal(one[plain], other[plain])
    assert (other[len(plain) + 1 :, 0] == LARGEST).all()
    assert (one[len(plain) + 1 :, 0] > LARGEST).all()


@pytest.mark.parametrize("budget", [2000, 10_000, 300_001, ROOMY])
def test_the_budget_is_kept_and_used(budget):
    memory = HashedMemory.from_genomes([tricky_genome(0)], [SPANS], ORDERS, FLANKS, budget)
    assert budget - 64 < memory.budget_bytes <= budget
    assert memory.recounted(tricky_genome(1), SPANS).budget_bytes == memory.budget_bytes


def test_a_table_that_is_far_too_small_keeps_what_is_frequent_and_never_counts_below_zero():
    codes = random_codes(1, 6000)
    word = random_codes(2, 30)
    for start in range(0, 6000, 300):
        codes[start : start + 30] = word
    genome, spans = genome_of(codes), np.array([[0, 6000]])
    exact, table = both(genome, spans, 40_000)
    assert (table.table > 0).all()
    window, origin = codes[None, 3000:3200], (genome.digest, np.arange(3000, 3200)[None])
    one, other = exact.lookup(window, raw=True).forward, table.lookup(window, raw=True).forward
    kept = other[0, 20:30, ORDERS.index(14) :, 4] / one[0, 20:30, ORDERS.index(14) :, 4]
    assert (kept > 0.8).mean() > 0.8
    # what stands once in the genome has mostly been lost
    lost = other[0, 60:, ORDERS.index(14) :, 4] < one[0, 60:, ORDERS.index(14) :, 4]
    assert lost.mean() > 0.5
    left_out = table.lookup(window, origin, raw=True)
    assert all((block >= 0).all() for block in (left_out.forward, left_out.reverse, left_out.flanks))


def slot(tag, *counts):
    return sum((c << 12 * base for base, c in enumerate(counts)), tag << 48)


@pytest.mark.parametrize(
    ("bucket", "new", "expected"),
    [
        # the same context: counts add up, each up to its own limit
        ([slot(7, 1, 2, 3, 4)], slot(7, 10, 0, 0, 5), [slot(7, 11, 2, 3, 9)]),
        ([slot(7, 4000, 5, 0, 0)], slot(7, 4000, 5, 0, 1), [slot(7, LARGEST, 10, 0, 1)]),
        # room: the first empty slot
        ([slot(7, 1, 0, 0, 0)], slot(8, 0, 0, 0, 1), [slot(7, 1, 0, 0, 0), slot(8, 0, 0, 0, 1)]),
        # full: the poorest gives way to what was seen as often, and stays before what was seen less
        ([slot(i, 0, 3, 0, i % 3 + 1) for i in range(1, 9)], slot(9, 4, 0, 0, 0), "third"),
        ([slot(i, 0, 3, 0, i % 3 + 1) for i in range(1, 9)], slot(9, 3, 0, 0, 0), "none"),
    ],
)
def test_rules_of_a_bucket(bucket, new, expected):
    if isinstance(expected, str):
        expected = [*bucket[:2], new, *bucket[3:]] if expected == "third" else bucket
    table, other = np.zeros((3, 8), np.uint64), np.zeros((3, 8), np.uint64)
    table[1, : len(bucket)], other[1, 0] = bucket, new
    merge_tables(table, other)
    assert list(table[1]) == expected + [0] * (8 - len(expected))
    assert not table[[0, 2]].any()


def test_a_count_of_other_sizes_cannot_be_merged():
    one, other = (both(tricky_genome(i), budget=b)[1] for i, b in enumerate((ROOMY, ROOMY // 2)))
    with pytest.raises(InputError, match="different size"):
        one.merged(other)


@pytest.mark.parametrize("kind", [0, 1])
def test_saving_and_loading_gives_the_same_memory(kind):
    genome, other = tricky_genome(6), tricky_genome(7)
    memory = both(genome)[kind]
    memory = memory.merged(both(other)[kind])
    arrays = {"weights": np.zeros(3), **memory_arrays(memory)}
    assert all(array.dtype in (np.uint8, np.int32, np.int64) for array in memory_arrays(memory).values())
    loaded = memory_from_arrays(arrays, ORDERS, FLANKS)
    assert type(loaded) is type(memory) and loaded.digests == memory.digests
    np.testing.assert_array_equal(loaded.segments, memory.segments)
    window, origin = other.codes[None, 290:700], (other.digest, np.arange(290, 700)[None])
    same(memory.lookup(window, origin), loaded.lookup(window, origin))


def test_the_longest_contexts_of_all():
    genome, orders, flanks = tricky_genome(4), (1, 29, 30, 31), ((1, 1), (15, 15), (16, 15), (15, 16))
    exact = NgramMemory.from_genomes([genome], [SPANS], orders, flanks)
    table = HashedMemory.from_genomes([genome], [SPANS], orders, flanks, ROOMY)
    window, origin = genome.codes[None, 300:420], (genome.digest, np.arange(300, 420)[None])
    same(exact.lookup(window, raw=True), table.lookup(window, raw=True))
    same(exact.lookup(window, origin, raw=True), table.lookup(window, origin, raw=True))


def test_errors_say_what_is_wrong():
    genome = tricky_genome(0)
    with pytest.raises(InputError, match="more than 31 bases"):
        HashedMemory.from_genomes([genome], [SPANS], (1, 32), FLANKS, ROOMY)
    with pytest.raises(InputError, match="40 bytes are no room"):
        HashedMemory.from_genomes([genome], [SPANS], ORDERS, FLANKS, 40)
    arrays = memory_arrays(both(genome)[1])
    del arrays["memory.short"]
    with pytest.raises(InputError, match=r"without memory\.short"):
        memory_from_arrays(arrays, ORDERS, FLANKS)
