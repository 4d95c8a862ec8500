"""Models of dnalm as models of ``transformers``: exports against the model itself, and against stock GPT-NeoX."""

import numpy as np
import pytest
import torch
import transformers
from helpers.models import perturbed, random_codes, repetitive_genome, small_model, tensor

from dnalm.errors import InputError
from dnalm.models.build import build_model
from dnalm.models.config import ModelConfig
from dnalm.models.hub import DnalmModel, HubBackbone, export, to_gpt_neox
from dnalm.sequence.alphabet import N, decode
from dnalm.sequence.tokenizers import SequenceTokenizer, base_tokenizer, bpe_tokenizer, kmer_overlapping_tokenizer

transformers.logging.disable_progress_bar()
CLOSE = {"atol": 2e-5, "rtol": 1e-4}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    model = small_model(repetitive_genome())
    export(model, base_tokenizer(), folder)
    return folder, model


def test_an_export_holds_the_weights_once(exported, tmp_path):
    folder, model = exported
    assert {p.name for p in folder.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    model.save(tmp_path)
    assert (folder / "model.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


@torch.inference_mode()
def test_auto_classes_read_an_export(exported):
    folder, model = exported
    config = transformers.AutoConfig.from_pretrained(folder)
    assert config.shape == model.config
    assert (config.hidden_size, config.vocab_size, config.num_hidden_layers) == (16, 5, 2)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = transformers.AutoModel.from_pretrained(folder)
    assert not found.training
    texts = [decode(row) for row in random_codes(0, 2, 40, n_share=0.1)] + ["ACGTN" * 3]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    # Padding is N, which would be harmless without the mask.
    ids = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, 0)
    output = found(ids, attention_mask=batch["attention_mask"])
    for row, text in enumerate(texts):
        codes = torch.tensor([["ACGTN".index(letter) for letter in text]])
        wanted, read = model(codes), slice(0, len(text))
        torch.testing.assert_close(output.logits[row, read], wanted.two_sided[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(output.forward_logits[row, read], wanted.forward[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(output.reverse_logits[row, read], wanted.reverse[0], atol=1e-5, rtol=0)
        states = torch.cat([wanted.left, wanted.right], -1)[0]
        torch.testing.assert_close(output.last_hidden_state[row, read], states, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_predictions_are_bit_for_bit_those_of_the_model(exported):
    folder, model = exported
    codes = tensor(random_codes(1, 2, 50, n_share=0.05))
    assert torch.equal(DnalmModel.from_pretrained(folder)(codes).logits, model(codes).two_sided)
    bare = small_model()
    assert not torch.allclose(model(codes).two_sided, bare(codes).two_sided, atol=1e-2), "the memory has no say"


@torch.inference_mode()
def test_an_export_survives_save_pretrained(exported, tmp_path):
    folder, model = exported
    transformers.AutoModel.from_pretrained(folder).save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    codes = tensor(random_codes(2, 1, 30))
    assert torch.equal(transformers.AutoModel.from_pretrained(tmp_path)(codes).logits, model(codes).two_sided)


def test_a_fresh_model_starts_as_dnalm_starts_it(exported):
    config = transformers.AutoConfig.from_pretrained(exported[0])
    torch.manual_seed(5)
    found = transformers.AutoModel.from_config(config)
    torch.manual_seed(5)
    wanted = build_model(config.shape)
    assert all(torch.equal(a, b) for a, b in zip(found.model.parameters(), wanted.parameters(), strict=True))


def test_a_folder_without_a_model_is_named(exported, tmp_path):
    (tmp_path / "config.json").write_bytes((exported[0] / "config.json").read_bytes())
    with pytest.raises(InputError, match="no model of dnalm"):
        transformers.AutoModel.from_pretrained(tmp_path)


def plain_model(architecture, tokenizer, seed=0, **changes):
    """A model without a memory, with noise on every parameter."""
    tokenizer = SequenceTokenizer(tokenizer)
    objective = "causal" if architecture == "decoder" else "masked"
    shape = {
        "architecture": architecture, "objective": objective, "tokens": tokenizer.kind, "width": 16, "layers": 2,
        "heads": 2, "vocabulary": tokenizer.vocab_size, "memory_orders": (), "memory_flanks": (),
    }  # fmt: skip
    torch.manual_seed(seed)
    return perturbed(build_model(ModelConfig(**shape | changes), tokenizer=tokenizer), seed, 0.3)


@pytest.fixture(scope="module")
def encoder():
    return plain_model("transformer", base_tokenizer(mask=True))


@torch.inference_mode()
def test_a_model_over_tokens_is_exported_too(encoder, tmp_path):
    export(encoder, encoder.tokenizer, tmp_path)
    found = transformers.AutoModel.from_pretrained(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = "ACGT" + tokenizer.mask_token + "ANNC"
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    assert ids.tolist() == [[0, 1, 2, 3, 5, 0, 4, 4, 1]]
    assert torch.equal(found(ids).logits, encoder(ids, ids != N))


@torch.inference_mode()
def test_an_encoder_equals_a_stock_gpt_neox(encoder, tmp_path):
    to_gpt_neox(encoder).save_pretrained(tmp_path)
    stock = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert type(stock).__module__ == "transformers.models.gpt_neox.modeling_gpt_neox"
    ids = tensor(random_codes(3, 3, 70, n_share=0.1))
    ids[:, ::7] = 5
    real = ids != N
    wanted = encoder(ids, real)
    found = stock(ids, attention_mask=real.long()).logits.log_softmax(-1)
    torch.testing.assert_close(found[real], wanted[real], **CLOSE)
    assert wanted[real].std() > 0.3
    whole = ids.masked_fill(~real, 2)
    torch.testing.assert_close(stock(whole).logits.log_softmax(-1), encoder(whole, whole < 9), **CLOSE)


@torch.inference_mode()
def test_states_of_the_stock_encoder_are_those_of_the_encoder(encoder, tmp_path):
    plain = plain_model("transformer", base_tokenizer(mask=True))
    plain.head.bias.data.zero_()
    export(plain, plain.tokenizer, tmp_path)
    to_gpt_neox(plain).save_pretrained(tmp_path)
    backbone = HubBackbone(tmp_path)
    assert not backbone.causal
    codes = tensor(random_codes(4, 2, 50))
    torch.testing.assert_close(backbone.states(codes), plain.states(codes), **CLOSE)


@torch.inference_mode()
def test_a_decoder_of_tokens_equals_a_stock_gpt_neox_from_its_first_token_on():
    model = plain_model("decoder", bpe_tokenizer([random_codes(0, 4000)], 15))
    ids = torch.from_numpy(np.random.default_rng(0).integers(5, 15, (2, 40)))
    wanted = model(ids, torch.ones_like(ids, dtype=torch.bool))
    found = _begun(to_gpt_neox(model), ids, model.tokenizer.pad_id)
    torch.testing.assert_close(found.log_softmax(-1)[:, 1:-1], wanted[:, 1:], **CLOSE)


@torch.inference_mode()
def test_a_decoder_of_bases_equals_a_stock_gpt_neox_from_its_first_base_on():
    model = plain_model("decoder", base_tokenizer())
    codes = tensor(random_codes(6, 2, 40))
    found = _begun(to_gpt_neox(model), codes, N)[..., :4]
    torch.testing.assert_close(found.log_softmax(-1)[:, 1:-1], model(codes).forward[:, 1:], **CLOSE)


def _begun(stock, ids, begin):
    """Logits after a token that is not read."""
    whole = torch.nn.functional.pad(ids, (1, 0), value=begin)
    mask = torch.ones_like(whole)
    mask[:, 0] = 0
    return stock(whole, attention_mask=mask).logits


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: plain_model("transformer", base_tokenizer(mask=True), positions="sinusoidal"), "sinusoidal positions"),
        (lambda: plain_model("local", base_tokenizer(mask=True)), "architecture local"),
        (lambda: plain_model("decoder", base_tokenizer(), memory_orders=(2,)), "1 memory orders"),
        (lambda: small_model(), "objective two_sided"),
        (lambda: plain_model("decoder", kmer_overlapping_tokenizer(3)), "biases of 69 tokens do not fit into 16"),
    ],
)  # fmt: skip
def test_what_no_stock_class_computes_is_refused(model, message):
    with pytest.raises(InputError, match=message):
        to_gpt_neox(model())
