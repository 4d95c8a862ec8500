"""Masking: what is hidden is asked for, and what is asked for is hidden."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.errors import InputError
from dnalm.sequence.alphabet import N, encode
from dnalm.sequence.tokenizers import (
    SequenceTokenizer,
    base_tokenizer,
    bpe_tokenizer,
    kmer_overlapping_tokenizer,
    kmer_tokenizer,
)
from dnalm.training.masking import mask_tokens

TOKENIZERS = {
    "base": SequenceTokenizer(base_tokenizer(mask=True)),
    "overlapping 3": SequenceTokenizer(kmer_overlapping_tokenizer(3)),
    "overlapping 6": SequenceTokenizer(kmer_overlapping_tokenizer(6)),
    "kmer": SequenceTokenizer(kmer_tokenizer(3)),
    "bpe": SequenceTokenizer(bpe_tokenizer([encode("TATAATGCGGCGCCACGT" * 20)], 30)),
}
EVERY = pytest.mark.parametrize("name", list(TOKENIZERS))
OVERLAPPING = pytest.mark.parametrize("name", ["overlapping 3", "overlapping 6"])


def windows(tokenizer, seed, count, length, n_share=0.0, left=0):
    """Tokens of random windows of differing lengths, padded on both sides to the same number of tokens."""
    rng = np.random.default_rng(seed)
    rows = []
    for b in range(count):
        codes = rng.integers(0, 4, max(length - 3 * b, 1))
        rows.append(tokenizer.encode(np.where(rng.random(len(codes)) < n_share, N, codes).astype(np.uint8)).ids)
    width = max(map(len, rows)) + left
    ids = np.full((count, width), tokenizer.pad_id)
    real = np.zeros((count, width), dtype=bool)
    for b, row in enumerate(rows):
        shift = left if b % 2 else 0
        ids[b, shift : shift + len(row)], real[b, shift : shift + len(row)] = row, True
    return ids, real


def bases_told(row, shown, tokenizer):
    """Bases, by their place in the window, that the tokens at ``shown`` tell; for overlapping k-mers."""
    return {i + j for i in np.flatnonzero(shown & (row != tokenizer.unknown_id)).tolist() for j in range(tokenizer.k)}


@EVERY
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.integers(1, 60), st.floats(0.01, 0.9), st.sampled_from([0.0, 0.2]), st.integers(0, 3))
def test_every_target_is_masked_and_nothing_else_changes(name, seed, length, rate, n_share, left):
    tokenizer = TOKENIZERS[name]
    ids, real = windows(tokenizer, seed, 3, length, n_share, left)
    before = ids.copy(), real.copy()
    inputs, targets = mask_tokens(ids, real, tokenizer, rate, np.random.default_rng(seed))
    assert (inputs[targets] == tokenizer.mask_id).all()
    np.testing.assert_array_equal(inputs[~targets], ids[~targets])
    told = real & (ids != tokenizer.unknown_id)
    assert not (targets & ~told).any()
    np.testing.assert_array_equal(targets.any(axis=1), told.any(axis=1))
    np.testing.assert_array_equal((ids, real), before)


@OVERLAPPING
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 999), st.integers(1, 50), st.floats(0.01, 0.6), st.sampled_from([0.0, 0.1]), st.integers(0, 3))
def test_every_target_covers_a_base_that_no_visible_token_tells(name, seed, length, rate, n_share, left):
    tokenizer = TOKENIZERS[name]
    ids, real = windows(tokenizer, seed, 3, length, n_share, left)
    _, targets = mask_tokens(ids, real, tokenizer, rate, np.random.default_rng(seed))
    for row, exists, target in zip(ids, real, targets, strict=True):
        visible = bases_told(row, exists & ~target, tokenizer)
        for i in np.flatnonzero(target).tolist():
            assert set(range(i, i + tokenizer.k)) - visible


@OVERLAPPING
def test_a_single_choice_hides_a_base_and_what_lies_between_it_and_a_near_end(name):
    tokenizer = TOKENIZERS[name]
    k = tokenizer.k
    ids, real = windows(tokenizer, 0, 1, 30)
    runs = set()
    for seed in range(300):
        _, targets = mask_tokens(ids, real, tokenizer, 1e-6, np.random.default_rng(seed))
        masked = np.flatnonzero(targets[0]).tolist()
        assert masked == list(range(masked[0], masked[-1] + 1))
        hidden = bases_told(ids[0], real[0], tokenizer) - bases_told(ids[0], real[0] & ~targets[0], tokenizer)
        runs.add((min(hidden), max(hidden), len(hidden), len(masked)))
    left = {(0, b, b + 1, b + 1) for b in range(k)}
    right = {(29 - b, 29, b + 1, b + 1) for b in range(k)}
    assert runs == left | right | {(b, b, 1, k) for b in range(k, 30 - k)}


@pytest.mark.parametrize("name", ["base", "kmer", "bpe"])
@pytest.mark.parametrize("rate", [0.1, 0.15, 0.5])
def test_the_share_is_exact_in_each_window(name, rate):
    tokenizer = TOKENIZERS[name]
    ids, real = windows(tokenizer, 1, 4, 400)
    told = (real & (ids != tokenizer.unknown_id)).sum(axis=1)
    _, targets = mask_tokens(ids, real, tokenizer, rate, np.random.default_rng(0))
    np.testing.assert_array_equal(targets.sum(axis=1), np.rint(told * rate))


@OVERLAPPING
@pytest.mark.parametrize("rate", [0.05, 0.15, 0.3])
def test_the_share_of_overlapping_kmers_is_that_of_independent_bases(name, rate):
    tokenizer = TOKENIZERS[name]
    ids, real = windows(tokenizer, 2, 8, 5000)
    _, targets = mask_tokens(ids, real, tokenizer, rate, np.random.default_rng(0))
    assert targets.sum() / real.sum() == pytest.approx(1 - (1 - rate / tokenizer.k) ** tokenizer.k, rel=0.02)


@EVERY
def test_every_token_is_chosen_equally_often(name):
    tokenizer = TOKENIZERS[name]
    ids, real = windows(tokenizer, 3, 1, 40)
    rng = np.random.default_rng(0)
    draws = sum(mask_tokens(ids, real, tokenizer, 0.2, rng)[1][0].astype(int) for _ in range(2000))
    inner = draws[tokenizer.k : -tokenizer.k] if name.startswith("overlapping") else draws
    # five standard deviations of a binomial
    assert abs(inner - inner.mean()).max() < 5 * np.sqrt(inner.mean())


@EVERY
def test_the_result_is_a_function_of_the_generator(name):
    tokenizer = TOKENIZERS[name]
    ids, real = windows(tokenizer, 4, 4, 200)
    first, again, other = (mask_tokens(ids, real, tokenizer, 0.15, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first[1] != other[1]).any()
    assert (first[1][0] != first[1][1]).any()


def test_windows_without_a_token_that_tells_something_stay_as_they_are():
    for tokenizer in TOKENIZERS.values():
        ids = np.full((2, 12), tokenizer.unknown_id)
        inputs, targets = mask_tokens(ids, np.ones((2, 12), dtype=bool), tokenizer, 0.5, np.random.default_rng(0))
        np.testing.assert_array_equal(inputs, ids)
        assert not targets.any()


def test_a_mask_and_a_share_are_needed():
    ids, real = np.zeros((1, 5), dtype=np.int64), np.ones((1, 5), dtype=bool)
    with pytest.raises(InputError, match="no \\[MASK\\]"):
        mask_tokens(ids, real, SequenceTokenizer(base_tokenizer()), 0.15, np.random.default_rng(0))
    for rate in (0.0, 1.0, -1, 15):
        with pytest.raises(InputError, match="share of"):
            mask_tokens(ids, real, TOKENIZERS["base"], rate, np.random.default_rng(0))
