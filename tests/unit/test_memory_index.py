"""The rank index of the exact memory against counting every place of the text."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.memory import NgramMemory, index_bytes
from dnalm.models.memory.index import BLOCK, build_ranks
from dnalm.sequence.alphabet import N, reverse_complement

ORDERS = (1, 2, 3, 6, 7, 12, 13, 20)
FLANKS = ((1, 1), (2, 2), (4, 4), (6, 6), (7, 5), (5, 7))


def memory_of(*pieces):
    codes = np.concatenate(pieces).astype(np.uint8)
    ends = np.cumsum([len(p) for p in pieces])
    spans = np.array([(end - len(p), end) for p, end in zip(pieces, ends, strict=True)])
    return NgramMemory.from_genomes([SimpleNamespace(codes=codes, digest="g")], [spans], ORDERS, FLANKS)


def count(pieces, before, after):
    """How often each base stands between two tuples of bases, on both strands of all pieces."""
    counts = np.zeros(4)
    for strand in [s for piece in pieces for s in (piece, reverse_complement(np.asarray(piece, np.uint8)))]:
        letters = "".join("ACGTN"[c] for c in strand)
        for c, base in enumerate("ACGT"):
            word = "".join("ACGT"[b] for b in before) + base + "".join("ACGT"[b] for b in after)
            counts[c] += sum(letters.startswith(word, i) for i in range(len(letters)))
    return counts


def by_hand(pieces, window, t, left, right):
    gram = window[t - left : t + right + 1]
    if t < left or t + right >= len(window) or N in (*gram[:left], *gram[left + 1 :]):
        return np.zeros(4)
    return count(pieces, gram[:left], gram[left + 1 :])


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_counts_are_those_of_all_places(data):
    letters = data.draw(st.sampled_from([(0,), (0, 3), (0, 1, 2, 3), (0, 2, N), (0, 1, 2, 3, N)]))
    sequence = st.lists(st.sampled_from(letters), min_size=1, max_size=80)
    pieces = data.draw(st.lists(sequence, min_size=1, max_size=3))
    window = data.draw(st.sampled_from(pieces)) + data.draw(st.lists(st.sampled_from(letters), max_size=8))
    found = memory_of(*pieces).lookup(np.array([window], np.uint8), raw=True)
    for t in data.draw(st.sets(st.integers(0, len(window) - 1), min_size=1, max_size=5)):
        for j, k in enumerate(ORDERS):
            np.testing.assert_array_equal(found.forward[0, t, j, :4], by_hand(pieces, window, t, k, 0))
        for j, (left, right) in enumerate(sorted(FLANKS, key=lambda f: (sum(f), f))):
            np.testing.assert_array_equal(found.flanks[0, t, j, :4], by_hand(pieces, window, t, left, right))


@pytest.mark.parametrize("rows", [BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK, 4 * BLOCK + 7])
def test_ranks_at_the_ends_of_blocks(rows):
    text = np.random.default_rng(rows).integers(0, 5, rows).astype(np.uint8)
    text[0] = text[-1] = N
    ranks, first = build_ranks(text, 9)
    places = sorted(range(rows), key=lambda p: [(text[p - i] + 1) % 5 if i <= p else 0 for i in range(1, 13)])
    column = text[places]
    for row in range(rows + 1):
        entry = ranks[row // BLOCK]
        below = [bin(int(e) & (1 << row % BLOCK) - 1).count("1") for e in entry]
        expected = [(column[:row] == base).sum() for base in range(4)]
        assert [int(e >> np.uint64(32)) + bits for e, bits in zip(entry, below, strict=True)] == expected
    near = [text[p - 1] if p else N for p in places]
    assert list(first) == [near.index(c) if c in near else first[c] for c in range(4)] + [rows]


def test_a_long_repeat_is_counted_in_full():
    """A homopolymer of 50 000 bases: every context has tens of thousands of places."""
    memory = memory_of(np.zeros(50_000, np.uint8))
    found = memory.lookup(np.zeros((1, 60), np.uint8), raw=True)
    assert [row[0] for row in found.forward[0, 40]] == [50_000 - k for k in ORDERS]
    assert [row[0] for row in found.flanks[0, 30]] == [50_000 - sum(f) for f in memory.flanks]


@pytest.mark.parametrize("bases", [50, 3000, 100_000])
def test_the_index_is_as_large_as_it_says(bases):
    memory = memory_of(np.random.default_rng(1).integers(0, 4, bases))
    held = sum(value.nbytes for value in vars(memory).values() if isinstance(value, np.ndarray))
    assert held == index_bytes(bases)
    assert index_bytes(10**6) == pytest.approx(5 * 10**6, rel=0.001)
