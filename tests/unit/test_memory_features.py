"""Counts to features, and leaving out the own copy, against definitions written out plainly."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.memory import VALUES, NgramMemory, prior_weight
from dnalm.models.memory.features import next_shorter_flanks, raw_block, smoothed_block
from dnalm.sequence.alphabet import N

DEFAULT_FLANKS = (
    (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8), (5, 12), (12, 5), (10, 10),
)  # fmt: skip


def random_counts(seed, *shape):
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.5, rng.integers(0, 30, shape), 0).astype(np.int32)


def test_back_off_by_its_formula():
    lengths, shorter = (2, 11, 12, 20), (-1, 0, 0, 2)
    counts = random_counts(1, 2, 3, 4, 4)
    counts[0, 0, 1:] = 0
    found = smoothed_block(counts, lengths, shorter)
    assert found.shape == (2, 3, 4, VALUES) and found.dtype == np.float32
    for place in np.ndindex(2, 3):
        p = {-1: [0.25] * 4}
        for k, (length, parent) in enumerate(zip(lengths, shorter, strict=True)):
            n, weight = [int(c) for c in counts[place][k]], prior_weight(length)
            p[k] = [(c + weight * q) / (sum(n) + weight) for c, q in zip(n, p[parent], strict=True)]
            expected = [math.log(4 * q) for q in p[k]] + [math.log(1 + sum(n))]
            np.testing.assert_allclose(found[*place, k], expected, atol=2e-6)


def test_probabilities_sum_to_one_and_unseen_contexts_repeat_what_they_back_off_to():
    counts = random_counts(2, 5, 7, 6, 4)
    counts[:, :, 3] = 0
    found = smoothed_block(counts, range(1, 7), np.arange(6) - 1)
    np.testing.assert_allclose(np.exp(found[..., :4]).sum(-1), 4, rtol=1e-5)
    np.testing.assert_array_equal(found[:, :, 3, :4], found[:, :, 2, :4])
    assert not found[:, :, 3, 4].any()
    assert not smoothed_block(np.zeros_like(counts), range(1, 7), np.arange(6) - 1).any()


def test_raw_blocks_hold_counts_and_their_sum():
    counts = random_counts(3, 2, 9, 3, 4)
    found = raw_block(counts)
    np.testing.assert_array_equal(found[..., :4], counts)
    np.testing.assert_array_equal(found[..., 4], counts.sum(-1))


def test_flanks_back_off_to_the_longest_inside_and_lean_the_same_way():
    backs_off = dict(
        zip(DEFAULT_FLANKS, [DEFAULT_FLANKS[i] if i >= 0 else None for i in next_shorter_flanks(DEFAULT_FLANKS)],
            strict=True)
    )  # fmt: skip
    assert backs_off[(1, 1)] is None
    assert backs_off[(2, 2)] == (1, 1)
    assert backs_off[(10, 10)] == (8, 8)
    assert backs_off[(12, 5)] == backs_off[(5, 12)] == (5, 5)


@pytest.mark.parametrize("flank", [(14, 9), (12, 12), (9, 6)])
def test_the_mirror_image_of_a_flank_backs_off_to_the_mirror_image(flank):
    flanks = sorted({*DEFAULT_FLANKS, flank, flank[::-1], (6, 9), (9, 6)}, key=lambda f: (sum(f), f))
    index = next_shorter_flanks(flanks)
    of = {f: flanks[i] for f, i in zip(flanks, index, strict=True) if i >= 0}
    assert of[flank[::-1]] == of[flank][::-1]
    assert all(i < j for j, i in enumerate(index))


def own_free_counts(codes, spans, t, contexts):
    """Counts in the contexts of position ``t``, over the n-grams on both strands that have no base at position t."""
    counts = np.zeros((len(contexts), 4))
    for start, end in spans:
        places = list(range(start, end))
        for order, strand in ((places, [int(codes[p]) for p in places]), (places[::-1], None)):
            text = strand or [3 - int(codes[p]) if codes[p] < N else N for p in order]
            for j, (left, right) in enumerate(contexts):
                before, after = list(codes[t - left : t]), list(codes[t + 1 : t + 1 + right])
                if N in before or N in after or t < left or t + right >= len(codes):
                    continue
                for p in range(left, len(text) - right):
                    covered = order[p - left : p + right + 1]
                    same = text[p - left : p] == before and text[p + 1 : p + 1 + right] == after
                    if same and text[p] < N and t not in covered:
                        counts[j, text[p]] += 1
    return counts


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_n_gram_with_the_base_itself_is_counted(data):
    """Few letters and short sequence: nearly every n-gram overlaps with a copy of itself."""
    letters = data.draw(st.sampled_from([(0, 3), (0, 1, 2), (0, 3, N)]))
    codes = np.array(data.draw(st.lists(st.sampled_from(letters), min_size=12, max_size=45)), np.uint8)
    cut = data.draw(st.integers(1, len(codes) - 1))
    spans = np.array([[0, cut], [cut, len(codes)]])
    orders, flanks = (1, 2, 4, 7), ((1, 1), (2, 2), (6, 6), (6, 5), (5, 6))
    memory = NgramMemory.from_genomes([SimpleNamespace(codes=codes, digest="g")], [spans], orders, flanks)
    found = memory.lookup(codes[None], ("g", np.arange(len(codes))[None]), raw=True)
    for t in data.draw(st.sets(st.integers(0, len(codes) - 1), min_size=1, max_size=4)):
        one_sided = own_free_counts(codes, spans, t, [(k, 0) for k in orders])
        np.testing.assert_array_equal(found.forward[0, t, :, :4], one_sided)
        after = own_free_counts(codes, spans, t, [(0, k) for k in orders])
        np.testing.assert_array_equal(found.reverse[0, len(codes) - 1 - t, :, 3::-1], after)
        np.testing.assert_array_equal(found.flanks[0, t, :, :4], own_free_counts(codes, spans, t, memory.flanks))
