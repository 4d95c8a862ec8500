"""Models of tokens: what is said of bases, that nothing leaks, and that both strands are read alike."""

import itertools
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.models import SMALL, perturbed, random_codes, tensor
from helpers.tokens import CAUSAL, KINDS, MASKED, SHAPE, token_model, tokenizer_of, with_base

from dnalm.errors import InputError
from dnalm.models import token_model as module
from dnalm.models.build import build_model, load_model
from dnalm.models.config import ModelConfig
from dnalm.models.token_model import TokenModel, spread, tokenise
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N, reverse_complement
from dnalm.sequence.batches import Batch
from dnalm.sequence.tokenizers import Tokens

EVERY = [*itertools.product(CAUSAL + MASKED, KINDS)]
SCORED = [(a, kind) for a, kind in itertools.product(MASKED, KINDS) if kind != "bpe"]
#: Far from the ends, where tokens of a strand and its complement are cut alike.
CODES = random_codes(1, 3, 30, n_share=0.03)


def windows_of(codes):
    codes = np.atleast_2d(codes)
    return Batch("", codes, np.full(codes.shape, -1), np.zeros(codes.shape, dtype=bool))


def asked(model, codes, base):
    """Log-probabilities (4,) of one base of one window."""
    return model.two_sided_at(windows_of(codes), np.array([base]))[0]


def tensors(codes, model):
    batch = tokenise(model.tokenizer, codes)
    return torch.from_numpy(batch.ids), torch.from_numpy(batch.real), batch.tokens


# Tokens of a batch


@pytest.mark.parametrize("kind", KINDS)
def test_windows_are_tokenised_one_by_one_and_padded(kind):
    tokenizer = tokenizer_of(kind, mask=True)
    codes = CODES.copy()
    codes[1, 4:] = N
    batch = tokenise(tokenizer, codes)
    for row, tokens in enumerate(batch.tokens):
        alone, count = tokenizer.encode(codes[row]), len(tokens.ids)
        np.testing.assert_array_equal(batch.ids[row, :count], alone.ids)
        assert (batch.ids[row, count:] == tokenizer.pad_id).all()
        np.testing.assert_array_equal(
            np.flatnonzero(batch.real[row]), np.flatnonzero(alone.ids != tokenizer.unknown_id)
        )


def test_states_of_tokens_are_spread_over_the_bases_that_they_cover():
    """Overlapping tokens are averaged, bases of no token are zero, padding goes nowhere."""
    tokens = [
        Tokens(np.zeros(3), np.array([0, 1, 4]), np.array([3, 4, 5])),
        Tokens(*(np.array([x]) for x in (0, 2, 4))),
    ]
    h = torch.arange(12.0).view(2, 3, 2)
    expected = torch.zeros(2, 6, 2)
    for row, t in enumerate(tokens):
        for base in range(6):
            over = [h[row, i] for i in range(len(t.ids)) if t.starts[i] <= base < t.ends[i]]
            expected[row, base] = torch.stack(over).mean(0) if over else 0
    torch.testing.assert_close(spread(h, tokens, 6), expected)


# States


@pytest.mark.parametrize(("architecture", "kind"), EVERY)
def test_states_change_places_on_the_other_strand(architecture, kind):
    model = token_model(architecture, kind)
    left, right = model.states(tensor(CODES))
    other_left, other_right = model.states(tensor(reverse_complement(CODES)))
    assert left.shape == right.shape == (*CODES.shape, model.width)
    assert not torch.allclose(left, right, atol=1e-3)
    torch.testing.assert_close(other_left, right.flip(1))
    torch.testing.assert_close(other_right, left.flip(1))


@pytest.mark.parametrize(("architecture", "kind"), EVERY)
def test_windows_of_a_batch_do_not_see_each_other_or_their_padding(architecture, kind):
    model = token_model(architecture, kind)
    codes = CODES.copy()
    codes[1, 9:12], codes[2] = N, 0  # other numbers of tokens
    together = model.states(tensor(codes))
    for row in range(3):
        for found, expected in zip(model.states(tensor(codes[row : row + 1])), together, strict=True):
            torch.testing.assert_close(found[0], expected[row])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", CAUSAL)
def test_the_first_state_of_a_causal_model_knows_its_past_and_its_own_token(architecture, kind):
    model, codes = token_model(architecture, kind), random_codes(2, 30)
    ends = model.tokenizer.encode(codes)
    with torch.inference_mode():
        before = model.states(tensor(codes[None]))[0][0]
        changed = with_base(codes, 20, (codes[20] + 1) % 4)
        after = model.states(tensor(changed[None]))[0][0]
    assert not torch.allclose(before[20], after[20], atol=1e-3)
    same = _common_tokens(ends, model.tokenizer.encode(changed))
    first = 0 if same == 0 else int(ends.ends[same - 1] - (model.tokenizer.k - 1 if kind == "kmer_overlapping" else 0))
    assert first > 5
    torch.testing.assert_close(before[:first], after[:first])


def _common_tokens(a, b):
    """How many tokens two sequences begin with alike."""
    differ = [i for i, (x, y) in enumerate(zip(a.ids, b.ids, strict=False)) if x != y]
    return differ[0] if differ else min(len(a.ids), len(b.ids))


# Bits along a strand


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", CAUSAL)
def test_causal_bits_are_those_of_one_token_after_another(architecture, kind):
    """Every token is predicted by a run of its own that has nothing but the tokens before it."""
    model, codes = token_model(architecture, kind), random_codes(3, 1, 14)
    ids, _, (tokens,) = tensors(codes, model)
    nats = np.zeros(codes.shape[1])
    for t in range(ids.shape[1]):
        with torch.inference_mode():
            seen = F.pad(ids[:, :t], (1, 0), value=model.tokenizer.pad_id)
            real = F.pad(torch.ones(1, t, dtype=torch.bool), (1, 0))
            p = model.head(model.network(model.embed(seen), real))[0, -1].softmax(-1)
        cost, bases = -p[ids[0, t]].log().item(), np.arange(tokens.starts[t], tokens.ends[t])
        if kind == "kmer_overlapping" and t:
            possible = p[torch.from_numpy(model.tokenizer.continuations(ids[0, t - 1]))].sum()
            cost, bases = cost + possible.log().item(), bases[-1:]
        nats[bases] += cost / len(bases)
    np.testing.assert_allclose(model.causal_bits(codes)[0], nats / np.log(2), rtol=1e-9)


@pytest.mark.parametrize(("kind", "k"), [("base", 1), ("kmer", 2), ("kmer_overlapping", 2)])
def test_probabilities_of_all_sequences_sum_to_at_most_one(kind, k):
    """Short of one by what goes to special tokens and N; one if these are forbidden."""
    tokenizer = tokenizer_of(kind, k=max(k, 2))
    config = ModelConfig(**SHAPE, objective="causal", tokens=kind, vocabulary=tokenizer.vocab_size)
    model = perturbed(TokenModel(config, tokenizer), 1, 0.3).double()
    words = tokenizer._words
    real = [i for i, w in enumerate(words) if len(w) == k and set(w) <= set("ACGT")]
    codes = np.array([*itertools.product(range(4), repeat=4)], dtype=np.uint8)
    open_mass = np.exp2(-model.causal_bits(codes).sum(1)).sum()
    with torch.no_grad():
        model.head.bias[[i for i in range(len(words)) if i not in real]] = -1e4
    assert open_mass < 0.99
    assert np.exp2(-model.causal_bits(codes).sum(1)).sum() == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("architecture", CAUSAL)
def test_bits_do_not_depend_on_later_tokens(architecture, kind):
    model, codes = token_model(architecture, kind), random_codes(4, 40)
    before, tokens = model.causal_bits(codes[None])[0], model.tokenizer.encode(codes)
    for place in (39, 31, 24):
        changed = with_base(codes, place, (codes[place] + 2) % 4)
        after = model.causal_bits(changed[None])[0]
        same = _common_tokens(tokens, model.tokenizer.encode(changed))
        settled = int(tokens.ends[same - 1])
        assert settled >= place - 8
        np.testing.assert_allclose(after[:settled], before[:settled], rtol=1e-9)
        assert not np.isclose(after[settled:], before[settled:], rtol=1e-3).all()


@pytest.mark.parametrize("kind", KINDS)
def test_n_has_no_bits_and_the_bases_round_it_have(kind):
    codes = random_codes(5, 1, 30)
    codes[0, [10, 11]] = N
    bits = token_model("ssm", kind).causal_bits(codes)[0]
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(bits)), [10, 11])


# Bases given all others


@pytest.mark.parametrize(("architecture", "kind"), SCORED)
def test_a_base_never_sees_itself(architecture, kind):
    model, codes = token_model(architecture, kind), random_codes(6, 33)
    for place in (0, 1, 15, 16, 17, 31, 32):
        found = [asked(model, with_base(codes, place, base), place) for base in range(4)]
        np.testing.assert_allclose(found, [found[0]] * 4, rtol=1e-9)
        assert np.exp(found[0]).sum() == pytest.approx(1)


@pytest.mark.parametrize(("architecture", "kind"), SCORED)
def test_a_base_sees_both_of_its_sides(architecture, kind):
    model, codes = token_model(architecture, kind), random_codes(7, 33)
    here = asked(model, codes, 16)
    for place in (12, 15, 17, 20):
        changed = with_base(codes, place, (codes[place] + 1) % 4)
        assert not np.allclose(asked(model, changed, 16), here, atol=1e-4), place


@pytest.mark.parametrize(("architecture", "kind"), SCORED)
def test_the_other_strand_says_the_complement(architecture, kind):
    model, place = token_model(architecture, kind), np.array([3, 14, 29])
    found = model.two_sided_at(windows_of(CODES), place)
    other = model.two_sided_at(windows_of(reverse_complement(CODES)), 29 - place)
    np.testing.assert_allclose(other, found[:, ::-1], rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize("kind", ["base", "kmer", "kmer_overlapping"])
def test_two_sided_probabilities_are_those_of_the_masked_tokens(kind):
    """By hand, from letters: mask what covers the base, compare the four words that could stand there."""
    model, codes, place = token_model("transformer", kind), random_codes(8, 24), 11
    tokenizer, votes = model.tokenizer, []
    for read, at, turn in ((codes, place, 1), (reverse_complement(codes), 12, -1)):
        ids, real, (tokens,) = tensors(read[None], model)
        over = [t for t in range(len(tokens.ids)) if tokens.starts[t] <= at < tokens.ends[t]]
        assert len(over) == {"base": 1, "kmer": 1, "kmer_overlapping": 3}[kind]
        masked = ids.clone()
        masked[0, over] = tokenizer.mask_id
        with torch.inference_mode():
            logp = model(masked, real)[0]
        rows = []
        for t in over:
            word, i = tokenizer._words[tokens.ids[t]], at - tokens.starts[t]
            row = [logp[t, tokenizer._words.index(word[:i] + letter + word[i + 1 :])] for letter in "ACGT"]
            rows.append(torch.stack(row))
        votes.append(torch.stack(rows).mean(0).log_softmax(-1).numpy()[::turn])
    expected = torch.from_numpy(votes[0] + votes[1]).div(2).log_softmax(-1)
    np.testing.assert_allclose(asked(model, codes, place), expected, rtol=1e-9)


def test_an_n_is_not_predicted_and_its_neighbours_are():
    codes = random_codes(9, 2, 20)
    codes[0, 10] = N
    for kind in ("base", "kmer", "kmer_overlapping"):
        found = token_model("local", kind).two_sided_at(windows_of(codes), np.array([10, 10]))
        assert np.isnan(found[0]).all() and np.isfinite(found[1]).all()
        assert np.isfinite(asked(token_model("local", kind), codes[0], 9)).all()


def test_byte_pairs_have_no_distribution_of_a_base_given_all_others():
    with pytest.raises(InputError, match="byte pairs give no distribution"):
        asked(token_model("transformer", "bpe"), CODES[0], 5)


# The loss


def loss_and_gradients(model, ids, real, weights):
    model.zero_grad()
    total = model.nats(ids, real, ids, weights)
    total.backward()
    return total.item(), [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize(("architecture", "kind"), [("two_sided", "kmer"), ("transformer", "kmer_overlapping")])
def test_nats_in_chunks_are_those_of_the_whole(architecture, kind, monkeypatch):
    model = token_model(architecture, kind)
    ids, real, _ = tensors(CODES, model)
    weights = real * torch.rand(ids.shape, generator=torch.Generator().manual_seed(1)).double()
    weights[0, 3:6] = 0
    whole, gradients = loss_and_gradients(model, ids, real, weights)
    logp = model(ids, real).gather(2, ids[..., None])[..., 0]
    assert whole == pytest.approx(-(logp * weights).sum().item(), rel=1e-9)
    monkeypatch.setattr(module, "CHUNK", 5)
    chunked, others = loss_and_gradients(model, ids, real, weights)
    assert chunked == pytest.approx(whole, rel=1e-12)
    for a, b in zip(gradients, others, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_a_batch_of_n_alone_costs_nothing():
    model = token_model("ssm", "kmer")
    ids, real, _ = tensors(np.full((2, 9), N, dtype=np.uint8), model)
    assert not real.any()
    total, gradients = loss_and_gradients(model, ids, real, real.double())
    assert total == 0 and not any(g.any() for g in gradients)


# Building, saving, loading


@pytest.mark.parametrize(("architecture", "kind"), EVERY)
def test_a_saved_model_comes_back(architecture, kind, tmp_path):
    model = token_model(architecture, kind).float()
    model.save(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", "model.safetensors", "tokenizer.json"}
    if architecture in CAUSAL and kind == "base":
        return  # `build_model` makes a `TwoSided` of it
    again = load_model(tmp_path)
    assert type(again) is TokenModel and not again.training
    assert again.config == model.config
    assert again.tokenizer.kind == kind
    for name, t in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], t), name
    with torch.inference_mode():
        for a, b in zip(again.states(tensor(CODES)), model.states(tensor(CODES)), strict=True):
            assert torch.equal(a, b)


def test_a_causal_model_of_bases_is_two_sided_without_fusion(tmp_path):
    config = ModelConfig(**{**SHAPE, "memory_orders": (1, 2)}, objective="causal")
    model = build_model(config)
    assert isinstance(model, TwoSided) and model.fusion is None
    model.save(tmp_path)
    assert isinstance(load_model(tmp_path), TwoSided)
    assert build_model(SMALL).fusion is not None


def test_a_tokenizer_that_is_missing_or_of_another_model_is_refused(tmp_path):
    model = token_model("ssm", "kmer")
    model.save(tmp_path)
    tokenizer_of("kmer_overlapping").save(tmp_path / "tokenizer.json")
    with pytest.raises(InputError, match=r"a tokenizer of 69 kmer_overlapping tokens with a model of 75 kmer tokens"):
        load_model(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(InputError, match="kmer tokens without its tokenizer"):
        load_model(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path):
    token_model("ssm", "kmer").save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "layers": 2}))
    with pytest.raises(InputError, match="do not belong together"):
        load_model(tmp_path)


@pytest.mark.parametrize(("architecture", "objective"), [("ssm", "masked"), ("transformer", "causal")])
def test_architecture_and_objective_must_fit(architecture, objective):
    config = ModelConfig(**SHAPE, architecture=architecture, objective=objective, tokens="kmer", vocabulary=75)
    with pytest.raises(InputError, match=f"architecture {architecture} does not go with objective {objective}"):
        build_model(config, tokenizer=tokenizer_of("kmer"))
