"""`dnalm.load`: sequences in, arrays out, both strands alike, long sequences like short ones."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers.models import SMALL, memory_of, perturbed, random_codes, repetitive_genome, small_model, tensor
from helpers.tokens import token_model

import dnalm
from dnalm import api
from dnalm.api import LanguageModel
from dnalm.errors import InputError
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N, decode, encode, reverse_complement

GENOME = repetitive_genome()
CAUSAL = dataclasses.replace(SMALL, objective="causal", memory_flanks=())
BARE = dataclasses.replace(SMALL, memory_orders=(), memory_flanks=())
MODELS = {
    "two_sided": lambda: small_model(GENOME),
    "no memory": lambda: perturbed(TwoSided(BARE)),
    "causal": lambda: perturbed(TwoSided(CAUSAL, memory_of(GENOME, config=CAUSAL))),
    "causal k-mers": lambda: token_model("ssm", "kmer"),
    "masked bases": lambda: token_model("transformer", "base"),
    "masked k-mers": lambda: token_model("local", "kmer_overlapping"),
}
CODES = random_codes(3, 60, n_share=0.03)


@pytest.fixture(params=MODELS)
def model(request):
    return LanguageModel(MODELS[request.param]())


def two_strands(codes):
    return codes, reverse_complement(codes)


def test_halves_of_an_embedding_change_places_on_the_other_strand(model):
    plus, minus = (model.embed(codes) for codes in two_strands(CODES))
    width = model.model.width
    assert plus.shape == (60, 2 * width) and plus.dtype == np.float32
    np.testing.assert_allclose(minus[::-1, width:], plus[:, :width], atol=1e-5)
    np.testing.assert_allclose(minus[::-1, :width], plus[:, width:], atol=1e-5)
    assert np.abs(plus).max() > 0.1


@pytest.mark.parametrize("name", ["two_sided", "no memory", "masked bases", "masked k-mers"])
def test_two_sided_logits_of_the_other_strand_are_the_complement(name):
    model = LanguageModel(MODELS[name]())
    plus, minus = (model.logits(codes) for codes in two_strands(CODES))
    np.testing.assert_allclose(minus[::-1, ::-1], plus, atol=1e-5)
    np.testing.assert_allclose(np.exp(plus[CODES < N]).sum(1), 1, atol=1e-5)


def test_both_strands_are_equally_likely(model):
    plus, minus = (model.log_likelihood(codes) for codes in two_strands(CODES))
    assert minus == pytest.approx(plus, rel=1e-5)
    assert plus < 0


def test_strings_arrays_and_case_are_the_same(model):
    expected = model.embed(CODES)
    for sequence in (decode(CODES), decode(CODES).lower(), decode(CODES).replace("T", "U"), CODES | 8, CODES.tolist()):
        np.testing.assert_array_equal(model.embed(sequence), expected)


def test_logits_are_the_outputs_of_the_model():
    for name in ("two_sided", "no memory", "causal"):
        made = MODELS[name]().eval()
        with torch.inference_mode():
            output = made(tensor(CODES[None]))
        expected = output.forward if name == "causal" else output.two_sided
        np.testing.assert_array_equal(LanguageModel(made).logits(CODES), expected[0].numpy())


def test_log_likelihood_is_the_sum_over_bases_of_both_directions():
    for name in ("two_sided", "causal"):
        made = MODELS[name]().eval()
        with torch.inference_mode():
            output = made(tensor(CODES[None]))
        total = 0.0
        for i, base in enumerate(CODES):
            if base < N:
                total += (output.forward[0, i, base].item() + output.reverse[0, i, base].item()) / 2
        assert LanguageModel(made).log_likelihood(CODES) == pytest.approx(total, rel=1e-5)


def test_log_likelihood_of_tokens_is_that_of_the_chain_rule():
    made = MODELS["causal k-mers"]()
    bits = [np.nansum(made.causal_bits(codes[None])) for codes in two_strands(CODES)]
    assert LanguageModel(made).log_likelihood(CODES) == pytest.approx(-np.mean(bits) * np.log(2))


def test_probabilities_of_all_short_sequences_sum_to_one():
    """A causal model of bases is a distribution over sequences of a length, read from one side."""
    model = MODELS["no memory"]().eval()
    codes = np.stack(np.meshgrid(*[range(4)] * 4, indexing="ij"), -1).reshape(-1, 4)
    with torch.inference_mode():
        logp = model(tensor(codes)).forward
    total = logp.gather(2, tensor(codes)[..., None]).sum((1, 2)).exp().sum().item()
    assert total == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", ["masked bases", "masked k-mers"])
def test_a_masked_model_asks_base_by_base(name):
    model, length = LanguageModel(MODELS[name]()), 40
    codes = random_codes(8, length)
    found = model.logits(codes)
    for base in range(4):
        changed = codes.copy()
        changed[17] = base
        np.testing.assert_allclose(model.logits(changed)[17], found[17], atol=1e-6)
    assert model.log_likelihood(codes) == pytest.approx(found[np.arange(length), codes].sum(), rel=1e-6)
    codes[5] = N
    assert np.isnan(model.logits(codes)[5]).all()
    assert np.isfinite(model.log_likelihood(codes))


@pytest.mark.parametrize("length", [401, 640, 1000])
def test_long_sequences_are_read_in_pieces_that_change_nothing(length, monkeypatch):
    """Margins of these small models' reach: 11 bases of network and 12 of memory."""
    codes = np.resize(GENOME.codes, length)
    for name in ("two_sided", "no memory", "causal"):
        model = LanguageModel(MODELS[name]())
        whole = model.embed(codes), model.logits(codes), model.log_likelihood(codes)
        monkeypatch.setattr(api, "STRIDE", 100)
        monkeypatch.setattr(api, "MARGIN", 40)
        pieces = [*api._pieces(codes)]
        assert len(pieces) == -(-length // 100) and max(len(piece) for piece, _ in pieces) <= 180
        for found, expected in zip((model.embed(codes), model.logits(codes)), whole[:2], strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-5)
        assert model.log_likelihood(codes) == pytest.approx(whole[2], rel=1e-5)
        monkeypatch.undo()


@pytest.mark.parametrize("length", [1, 100, 180, 181, 199, 200, 201, 280, 281])
def test_pieces_hold_every_base_once_in_order(length, monkeypatch):
    monkeypatch.setattr(api, "STRIDE", 100)
    monkeypatch.setattr(api, "MARGIN", 40)
    codes = np.arange(length)
    found = [piece[inner] for piece, inner in api._pieces(codes)]
    np.testing.assert_array_equal(np.concatenate(found), codes)
    for piece, inner in api._pieces(codes):
        assert inner.start == 0 if piece[0] == 0 else inner.start >= 40
        assert piece[-1] == length - 1 or len(piece) - inner.stop >= 40


def test_a_saved_model_is_loaded(model, tmp_path):
    if isinstance(model.model, TwoSided):
        model.model.save(tmp_path)
    else:
        model.model.float().save(tmp_path)
    again = dnalm.load(tmp_path)
    assert not again.model.training
    np.testing.assert_array_equal(again.embed(CODES), model.embed(CODES))
    assert again.log_likelihood(CODES) == model.log_likelihood(CODES)


def test_bad_input_is_refused(model, tmp_path):
    for sequence in ("", CODES[:0], CODES.reshape(2, 30)):
        with pytest.raises(InputError, match="an empty sequence, or more than one"):
            model.embed(sequence)
    with pytest.raises(InputError, match=r"no config\.json here"):
        dnalm.load(tmp_path / "nowhere")


def test_a_causal_model_of_kmers_has_no_logits_and_says_so():
    with pytest.raises(InputError, match="no distribution over single bases"):
        LanguageModel(MODELS["causal k-mers"]()).logits("ACGT")


def test_letters_that_are_no_bases_count_as_n(model):
    np.testing.assert_array_equal(model.embed("ACRTXA"), model.embed(encode("ACNTNA")))
