"""From tokens to bases, against a joint distribution over all sequences that can be summed by brute force."""

import itertools
import math

import numpy as np
import pytest
import torch

from dnalm.errors import InputError
from dnalm.models.token_bases import causal_bits, two_sided_base_logp, two_sided_positions
from dnalm.sequence.alphabet import decode, encode
from dnalm.sequence.tokenizers import (
    SequenceTokenizer,
    base_tokenizer,
    bpe_tokenizer,
    kmer_overlapping_tokenizer,
    kmer_tokenizer,
)

LENGTH = 6
TOKENIZERS = {
    "base": SequenceTokenizer(base_tokenizer(mask=True)),
    "overlapping": SequenceTokenizer(kmer_overlapping_tokenizer(3)),
    "kmer": SequenceTokenizer(kmer_tokenizer(4)),
    "bpe": SequenceTokenizer(bpe_tokenizer([encode("TATAATGCGGCGCCACGT" * 20)], 20)),
}
SEQUENCES = np.array(list(itertools.product(range(4), repeat=LENGTH)), dtype=np.uint8)
JOINT = np.random.default_rng(0).dirichlet(np.full(len(SEQUENCES), 0.3))
JOINT = JOINT / 2 + 0.5 / len(JOINT)
IDS = {name: np.stack([TOKENIZERS[name].encode(s).ids for s in SEQUENCES]) for name in ("base", "overlapping", "kmer")}
SOME = [7, 1300, 2511, 3901]


def ideal(name, tokens, at, visible):
    """Log-probabilities (V,) of token ``at`` given the tokens at ``visible``, summed over all sequences."""
    same = (IDS[name][:, list(visible)] == tokens.ids[list(visible)]).all(axis=1)
    p = np.bincount(IDS[name][same, at], JOINT[same], minlength=TOKENIZERS[name].vocab_size)
    with np.errstate(divide="ignore"):
        return torch.from_numpy(np.log(p / p.sum()))


def base_given_the_others(codes, base):
    """Natural logarithms of P(A C G T at ``base`` | the other bases)."""
    same = (np.delete(SEQUENCES, base, 1) == np.delete(codes, base)).all(1)
    p = JOINT[same][np.argsort(SEQUENCES[same][:, base])]
    return np.log(p / p.sum())


def random_logp(tokenizer, *shape, seed=0):
    noise = torch.randn(*shape, tokenizer.vocab_size, generator=torch.Generator().manual_seed(seed)).double()
    return (2 * noise).log_softmax(-1)


def word_ids(tokenizer):
    return {word: i for i, word in enumerate(tokenizer._words)}


# --- causal ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["base", "overlapping", "kmer"])
@pytest.mark.parametrize("which", SOME)
def test_an_ideal_model_pays_minus_log2_of_the_joint_probability(name, which):
    tokens = TOKENIZERS[name].encode(SEQUENCES[which])
    logp = torch.stack([ideal(name, tokens, t, range(t)) for t in range(len(tokens.ids))])
    bits = causal_bits(logp, tokens, TOKENIZERS[name])
    assert bits.shape == (LENGTH,)
    assert bits.sum().item() == pytest.approx(-math.log2(JOINT[which]), rel=1e-9)


@pytest.mark.parametrize("which", SOME)
def test_overlapping_kmers_give_the_bits_of_single_bases(which):
    """After the first k-mer each base costs what it costs a model of bases, whatever impossible k-mers got."""
    bits = {}
    for name in ("base", "overlapping"):
        tokens = TOKENIZERS[name].encode(SEQUENCES[which])
        logp = torch.stack([ideal(name, tokens, t, range(t)) for t in range(len(tokens.ids))])
        if name == "overlapping":
            junk = random_logp(TOKENIZERS[name], len(logp) - 1).exp()
            for row, before, noise in zip(logp[1:], tokens.ids[:-1], junk, strict=True):
                noise[TOKENIZERS[name].continuations(before)] = 0.0
                row[:] = (0.3 * row.exp() + noise).log()
        bits[name] = causal_bits(logp, tokens, TOKENIZERS[name])
    torch.testing.assert_close(bits["overlapping"][3:], bits["base"][3:])
    torch.testing.assert_close(bits["overlapping"][:3], bits["base"][:3].mean().expand(3))


@pytest.mark.parametrize("name", list(TOKENIZERS))
@pytest.mark.parametrize(
    "text", ["ACGTTGCATATAATGGCGCC", "NNACGTNTTGCANNCANGGCGCCATN", "ACGTANNNN", "N", "NN", "A", "AC", "ACG", "ANA"]
)
def test_each_token_pays_for_its_own_bases_and_n_for_nothing(name, text):
    """Token by token in plain words."""
    tokenizer = TOKENIZERS[name]
    ids = word_ids(tokenizer)
    tokens = tokenizer.encode(encode(text))
    logp = random_logp(tokenizer, len(tokens.ids), seed=len(text))
    expected, before = [math.nan] * len(text), None
    for t, (start, end) in enumerate(zip(tokens.starts, tokens.ends, strict=True)):
        word = text[start:end]
        if word not in ids or word == "N":
            before = None
            continue
        p = logp[t].exp()
        if name == "overlapping" and before:
            share = p[ids[word]] / sum(p[ids[before[1:] + letter]] for letter in "ACGT")
            expected[end - 1] = -math.log2(share)
        else:
            expected[start:end] = [-math.log2(p[ids[word]]) / len(word)] * len(word)
        before = word
    np.testing.assert_allclose(causal_bits(logp, tokens, tokenizer).numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("name", list(TOKENIZERS))
def test_an_empty_sequence_costs_nothing(name):
    tokens = TOKENIZERS[name].encode(encode(""))
    assert causal_bits(random_logp(TOKENIZERS[name], 0), tokens, TOKENIZERS[name]).shape == (0,)


@pytest.mark.parametrize("name", list(TOKENIZERS))
def test_n_leaves_no_nan_in_the_gradient(name):
    tokens = TOKENIZERS[name].encode(encode("ACGTNNACGGTA"))
    logits = random_logp(TOKENIZERS[name], len(tokens.ids)).requires_grad_()
    causal_bits(logits.log_softmax(-1), tokens, TOKENIZERS[name]).nansum().backward()
    assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0


# --- two-sided ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["base", "overlapping", "kmer"])
@pytest.mark.parametrize("which", SOME)
def test_an_ideal_masked_model_gives_the_base_given_all_others(name, which):
    tokenizer, codes = TOKENIZERS[name], SEQUENCES[which]
    tokens = tokenizer.encode(codes)
    positions = two_sided_positions(tokens, np.arange(LENGTH), tokenizer)
    logits = torch.zeros(*positions.shape, tokenizer.vocab_size, dtype=torch.float64)
    for base, row in enumerate(positions):
        visible = [t for t in range(len(tokens.ids)) if t not in row]
        for c, t in enumerate(row):
            if t >= 0:
                # a constant is added, since logits are not normalised
                logits[base, c] = ideal(name, tokens, t, visible) + base - c
    found = two_sided_base_logp(logits, tokens, np.arange(LENGTH), tokenizer)
    expected = [base_given_the_others(codes, base) for base in range(LENGTH)]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("name", ["base", "overlapping", "kmer"])
@pytest.mark.parametrize("text", ["ACGTTGCATAT", "NNACGTNTTGCANNCANGGCAT", "ACNT", "A", "N", "ANA"])
def test_any_masked_model_is_read_as_defined(name, text):
    """Token by token in plain words, with several bases at once, in any order and repeated."""
    tokenizer = TOKENIZERS[name]
    ids = word_ids(tokenizer)
    tokens = tokenizer.encode(encode(text))
    asked = np.random.default_rng(1).integers(0, len(text), 30)
    positions = two_sided_positions(tokens, asked, tokenizer)
    logits = 3 * random_logp(tokenizer, *positions.shape, seed=2) + 5
    found = two_sided_base_logp(logits, tokens, asked, tokenizer).numpy()
    for base, row, scores, answer in zip(asked, positions, logits, found, strict=True):
        bases = [set(range(*span)) for span in zip(tokens.starts, tokens.ends, strict=True)]
        known = [t for t, i in enumerate(tokens.ids) if set(tokenizer._words[i]) <= set("ACGT")]
        over = [t for t in known if base in bases[t]]
        assert [t for t in row if t >= 0] == over
        if not over:
            assert np.isnan(answer).all()
            continue
        told = set().union(*(bases[t] for t in known if t not in over))
        most = max(len(bases[t] - told) for t in over)
        votes = []
        for t, logit in zip(row, scores, strict=True):
            if t >= 0 and len(bases[t] - told) == most:
                word, place = tokenizer._words[tokens.ids[t]], base - tokens.starts[t]
                options = [word[:place] + letter + word[place + 1 :] for letter in "ACGT"]
                p = np.exp([logit[ids[w]] for w in options])
                votes.append(np.log(p / p.sum()))
        mean = np.exp(np.mean(votes, axis=0))
        np.testing.assert_allclose(answer, np.log(mean / mean.sum()), rtol=1e-9)


def test_masking_the_positions_hides_the_base_and_what_lies_between_it_and_a_near_end():
    tokenizer = TOKENIZERS["overlapping"]
    tokens = tokenizer.encode(encode("ACGGTTCA"))
    hidden = [{0}, {0, 1}, {0, 1, 2}, {3}, {4}, {5, 6, 7}, {6, 7}, {7}]
    for base, row in enumerate(two_sided_positions(tokens, np.arange(8), tokenizer)):
        shown = [t for t in range(len(tokens.ids)) if t not in row]
        told = {b for t in shown for b in range(tokens.starts[t], tokens.ends[t])}
        assert set(range(8)) - told == hidden[base]


def test_where_no_token_covers_the_logits_do_not_matter():
    tokenizer = TOKENIZERS["overlapping"]
    tokens = tokenizer.encode(encode("ACGTT"))
    positions = two_sided_positions(tokens, np.arange(5), tokenizer)
    logits = random_logp(tokenizer, *positions.shape)
    other = logits.clone()
    other[torch.from_numpy(positions < 0)] = math.nan
    assert positions.tolist() == [[0, -1, -1], [0, 1, -1], [0, 1, 2], [1, 2, -1], [2, -1, -1]]
    first, second = (two_sided_base_logp(x, tokens, np.arange(5), tokenizer) for x in (logits, other))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["base", "overlapping", "kmer"])
def test_no_question_has_no_answer(name):
    tokenizer = TOKENIZERS[name]
    tokens = tokenizer.encode(encode("ACGTT"))
    positions = two_sided_positions(tokens, np.array([], dtype=int), tokenizer)
    assert two_sided_base_logp(random_logp(tokenizer, *positions.shape), tokens, [], tokenizer).shape == (0, 4)


def test_byte_pairs_have_no_two_sided_prediction():
    tokenizer = TOKENIZERS["bpe"]
    tokens = tokenizer.encode(encode("TATAATGC"))
    assert decode(encode("TATAATGC")) == tokenizer.decode(tokens.ids)
    with pytest.raises(InputError, match=r"tokens\.kind: byte pairs"):
        two_sided_positions(tokens, np.arange(8), tokenizer)
    with pytest.raises(InputError, match=r"tokens\.kind: byte pairs"):
        two_sided_base_logp(random_logp(tokenizer, 8, 1), tokens, np.arange(8), tokenizer)
