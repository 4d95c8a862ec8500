"""Checkpoints of ``transformers`` as backbones.

The oracle is ``transformers`` itself: tiny checkpoints are made with its own classes in the formats that are on the
hub, and read window by window with the upstream model and the tokens that the papers describe.
"""

import ast
import json
import re
import socket
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from helpers.models import random_codes, tensor
from helpers.pretend import pretend
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import dnalm
from dnalm.errors import InputError
from dnalm.models import hub
from dnalm.models.backbone import reverse_strand
from dnalm.models.hub import HubBackbone, TokenReader
from dnalm.sequence.alphabet import N, decode
from dnalm.sequence.tokenizers import bpe_tokenizer

transformers.logging.disable_progress_bar()
SIZE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
LOUD = {"initializer_range": 0.5}
"""Weights so large that a wrong token or position is seen in every state."""
CLOSE = {"atol": 2e-5, "rtol": 1e-4}
DNABERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
KMERS = ["".join(word) for word in product("ATCG", repeat=3)]
SIXMERS = ["".join(word) for word in product("ATCG", repeat=6)]


def word_level(folder, words, unknown, special=None):
    """A ``tokenizer.json`` of single letters, with special tokens around a sequence if they are given."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    if special:
        tokens = [(token, words.index(token)) for token in special]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{special[0]} $A {special[1]}", special_tokens=tokens
        )
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token=unknown, pad_token=words[0])
    wrapped.save_pretrained(folder)


def dnabert(folder):
    words = [*DNABERT, *KMERS]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": false}')
    config = transformers.BertConfig(vocab_size=len(words), max_position_embeddings=60, **SIZE, **LOUD)
    return transformers.BertForMaskedLM(config)


def nucleotide_transformer(folder):
    words = ["<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>", *SIXMERS, *"ATCGN"]
    (folder / "vocab.txt").write_text("\n".join(words))
    (folder / "tokenizer_config.json").write_text('{"eos_token": null, "tokenizer_class": "EsmTokenizer"}')
    config = transformers.EsmConfig(
        vocab_size=len(words), pad_token_id=1, mask_token_id=2, max_position_embeddings=42, token_dropout=False,
        emb_layer_norm_before=False, **SIZE, **LOUD,
    )  # fmt: skip
    return transformers.EsmForMaskedLM(config)


def modern_bert(folder):
    word_level(folder, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"ACGTN"], "[UNK]", ("[CLS]", "[SEP]"))
    special = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    config = transformers.ModernBertConfig(
        vocab_size=10, max_position_embeddings=80, local_attention=8, initializer_cutoff_factor=2.0, **special, **SIZE,
        **LOUD,
    )  # fmt: skip
    return transformers.ModernBertForMaskedLM(config)


def llama(folder):
    tokenizer = bpe_tokenizer([random_codes(0, 4000)], 40)
    vocabulary = tokenizer.get_vocab()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", vocabulary["[CLS]"])]
    )
    wrapped = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]")
    wrapped.save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=40,
        max_position_embeddings=80,
        num_key_value_heads=1,
        pad_token_id=vocabulary["[PAD]"],
        **SIZE,
        **LOUD,
    )
    return transformers.LlamaForCausalLM(config)


def gpt_neox(folder):
    word_level(folder, [*"NACGT"], "N")
    config = transformers.GPTNeoXConfig(vocab_size=5, max_position_embeddings=80, **SIZE, **LOUD)
    return transformers.GPTNeoXForCausalLM(config)


def gpt2(folder):
    word_level(folder, ["<unk>", *"acgtn"], "<unk>")
    config = transformers.GPT2Config(vocab_size=6, n_positions=80, n_embd=16, n_layer=2, n_head=2, **LOUD)
    return transformers.GPT2LMHeadModel(config)


def pieces(pattern):
    return lambda text: [(m.group(), *m.span()) for m in re.finditer(pattern, text)]


def kmers(text):
    return [(text[i : i + 3], i, i + 3) for i in range(len(text) - 2)] or [(text, 0, len(text))]


def greedy_pairs(text):
    """Tokens of `llama`: its own tokenizer, since what it merges is nobody's definition."""
    tokenizer = bpe_tokenizer([random_codes(0, 4000)], 40)
    found = tokenizer.encode(text)
    return [(token, *span) for token, span in zip(found.tokens, found.offsets, strict=True)]


KINDS = {  # name: (checkpoint, tokens of a text, tokens before, tokens after)
    "dnabert": (dnabert, kmers, ["[CLS]"], ["[SEP]"]),
    "nucleotide_transformer": (nucleotide_transformer, pieces("[ACGT]{6}|."), ["<cls>"], []),
    "modern_bert": (modern_bert, pieces("."), ["[CLS]"], ["[SEP]"]),
    "llama": (llama, greedy_pairs, ["[CLS]"], []),
    "gpt_neox": (gpt_neox, pieces("."), [], []),
    "gpt2": (gpt2, pieces("."), [], []),
}
EVERY_KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Folder and upstream model of every kind."""
    found = {}
    for kind, (make, *_) in KINDS.items():
        folder = tmp_path_factory.mktemp(kind)
        torch.manual_seed(1)
        model = make(folder).eval()
        model.save_pretrained(folder)
        found[kind] = folder, model
    return found


@pytest.fixture(scope="session")
def backbones(checkpoints):
    return {kind: HubBackbone(folder) for kind, (folder, _) in checkpoints.items()}


def windows(seed=0, length=37):
    """Three windows: plain, with N inside and at an end, and a short one between padding."""
    codes = random_codes(seed, 3, length)
    codes[1, [11, 12, 20]] = N
    codes[1, :3] = N
    codes[2, :9] = codes[2, 22:] = N
    return codes


def by_hand(kind, model, backbone, codes):
    """States (L, D) of one window, read alone: upstream model, tokens from their definition, mean by counting."""
    _, cut, before, after = KINDS[kind]
    real = np.flatnonzero(codes < N)
    text = decode(codes[real[0] : real[-1] + 1])
    vocabulary = backbone.reader.tokenizer.get_vocab()
    unknown = backbone.reader.tokenizer.unk_token_id
    cut_text = cut(text)
    words = [*before, *(word for word, _, _ in cut_text), *after]
    if kind == "gpt2":
        words = [word.lower() for word in words]
    ids = torch.tensor([[vocabulary.get(word, unknown) for word in words]])
    h = model.base_model(ids).last_hidden_state[0, len(before) :]
    found = torch.zeros(len(codes), h.shape[-1])
    for base in range(len(text)):
        covering = [h[t] for t, (_, start, end) in enumerate(cut_text) if start <= base < end]
        found[real[0] + base] = torch.stack(covering).mean(0)
    return found


@EVERY_KIND
@torch.inference_mode()
def test_hidden_states_and_logits_are_those_of_the_upstream_class(kind, checkpoints, backbones):
    _, model = checkpoints[kind]
    ids = torch.from_numpy(np.random.default_rng(0).integers(2, model.config.vocab_size, (2, 20)))
    mask = torch.ones_like(ids)
    mask[1, 15:] = 0
    for attention_mask in (None, mask):
        upstream = model(ids, attention_mask=attention_mask, output_hidden_states=True)
        assert torch.equal(backbones[kind].logits(ids, attention_mask), upstream.logits)
        assert torch.equal(backbones[kind].hidden(ids, attention_mask), upstream.hidden_states[-1])


@EVERY_KIND
@torch.inference_mode()
def test_states_are_the_mean_over_the_tokens_of_both_strands(kind, checkpoints, backbones):
    codes = windows()
    left, right = backbones[kind].states(tensor(codes))
    flipped = reverse_strand(tensor(codes)).numpy().astype(np.uint8)
    for row in range(3):
        wanted = by_hand(kind, checkpoints[kind][1], backbones[kind], codes[row])
        torch.testing.assert_close(left[row], wanted, **CLOSE)
        wanted = by_hand(kind, checkpoints[kind][1], backbones[kind], flipped[row]).flip(0)
        torch.testing.assert_close(right[row], wanted, **CLOSE)


@EVERY_KIND
@torch.inference_mode()
def test_swapping_the_strands_swaps_the_states(kind, backbones):
    codes = tensor(windows(seed=3))
    left, right = backbones[kind].states(codes)
    other_left, other_right = backbones[kind].states(reverse_strand(codes))
    torch.testing.assert_close(other_left, right.flip(1), **CLOSE)
    torch.testing.assert_close(other_right, left.flip(1), **CLOSE)
    assert (left - right)[0].abs().max() > 0.1


@EVERY_KIND
def test_states_on_another_device_are_the_same(kind, checkpoints):
    backbone, codes = HubBackbone(checkpoints[kind][0]), tensor(windows(seed=3))
    with torch.no_grad():
        expected = backbone.states(codes)
        with pretend() as device:
            found = backbone.to(device).states(codes.to(device))
            assert backbone.device == found[0].device == found[1].device == device
            found = [states.cpu() for states in found]
    torch.testing.assert_close(found, list(expected), **CLOSE)


@EVERY_KIND
@torch.inference_mode()
def test_padding_changes_no_state(kind, backbones):
    codes = random_codes(4, 2, 25)
    alone = backbones[kind].states(tensor(codes))
    padded = np.full((4, 40), N, dtype=np.uint8)
    padded[0, 13:38], padded[1, :25], padded[2] = codes[0], codes[1], random_codes(5, 40)
    inside = backbones[kind].states(tensor(padded))
    for found, wanted in zip(inside, alone, strict=True):
        torch.testing.assert_close(found[0, 13:38], wanted[0], **CLOSE)
        torch.testing.assert_close(found[1, :25], wanted[1], **CLOSE)
        assert (found[0, :13] == 0).all() and (found[0, 38:] == 0).all()
        assert (found[3] == 0).all(), "a window without a base"


@EVERY_KIND
def test_gradients_flow_and_a_window_without_a_base_spoils_none(kind, backbones):
    codes = windows(seed=6)
    codes[1] = N
    left, right = backbones[kind].states(tensor(codes))
    backbones[kind].zero_grad()
    (left * right).sum().backward()
    body = dict(backbones[kind].model.base_model.named_parameters())
    for name, p in body.items():
        if "contact_head" not in name:
            assert p.grad is not None and p.grad.isfinite().all(), name
            assert p.grad.abs().sum() > 0 or "key.bias" in name, name


@EVERY_KIND
@torch.inference_mode()
def test_what_was_saved_is_read_again(kind, backbones, tmp_path):
    backbones[kind].save(tmp_path)
    again = HubBackbone(tmp_path)
    for found, wanted in zip(again.states(tensor(windows())), backbones[kind].states(tensor(windows())), strict=True):
        assert torch.equal(found, wanted)
    assert again.describe() == backbones[kind].describe() | {"name": str(tmp_path)}


@pytest.mark.parametrize(
    ("kind", "bases", "tokens"),
    [("dnabert", 60, 60), ("nucleotide_transformer", 6 * 39, 40), ("modern_bert", 78, 80), ("gpt2", 80, 80)],
)
@torch.inference_mode()
def test_windows_that_are_too_long_are_refused(kind, bases, tokens, backbones):
    assert backbones[kind].longest == tokens
    assert backbones[kind].states(tensor(random_codes(7, 1, bases)))[0].isfinite().all()
    with pytest.raises(InputError, match=rf"window of {bases + 6} bases has \d+ tokens, but the model reads {tokens}"):
        backbones[kind].states(tensor(random_codes(7, 1, bases + 6)))


def test_causal_models_are_known_and_described(backbones):
    causal = {kind for kind, backbone in backbones.items() if backbone.causal}
    assert causal == {"llama", "gpt_neox", "gpt2"}
    assert backbones["dnabert"].describe()["tokens"] == "overlapping 3-mers"
    assert backbones["gpt2"].describe() | {"width": 16, "layers": 2, "vocabulary": 6, "class": "GPT2LMHeadModel"} == (
        backbones["gpt2"].describe()
    )
    assert backbones["llama"].lookup(windows()) is None
    json.dumps([backbone.describe() for backbone in backbones.values()])


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 13])
@torch.inference_mode()
def test_short_windows_are_covered(length, backbones):
    codes = tensor(random_codes(8, 1, length))
    for kind, backbone in backbones.items():
        assert (backbone.states(codes)[0].abs().sum(-1) > 0).all(), kind


def test_nothing_is_asked_of_the_network(checkpoints, monkeypatch):
    def refuse(*args):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    HubBackbone(checkpoints["dnabert"][0], offline=False)
    with pytest.raises(
        InputError, match=r"nowhere/nothing: neither a folder nor in the cache.*config\.json.*offline=F"
    ):
        HubBackbone("nowhere/nothing")


def test_an_id_is_fetched_if_that_is_allowed(checkpoints, monkeypatch):
    asked = []

    def fetch(name, **options):
        asked.append((name, options["revision"], options["local_files_only"], options["allow_patterns"]))
        return str(checkpoints["gpt2"][0])

    monkeypatch.setattr(hub, "snapshot_download", fetch)
    assert HubBackbone("someone/gpt2", revision="abc", offline=False).describe()["revision"] == "abc"
    assert asked == [("someone/gpt2", "abc", False, hub.FILES)]


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_others_is_not_run_unless_it_is_trusted(name, checkpoints, tmp_path):
    _copy(checkpoints["dnabert"][0], tmp_path)
    record = json.loads((tmp_path / name).read_text())
    (tmp_path / name).write_text(json.dumps(record | {"auto_map": {"AutoModelForMaskedLM": "code.Model"}}))
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    with pytest.raises(InputError, match=f"{name}.*trust_remote_code"):
        HubBackbone(tmp_path)
    assert not (tmp_path / "run").exists()


def test_trusted_code_is_run(checkpoints, tmp_path, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    folder = tmp_path / "checkpoint"
    _copy(checkpoints["dnabert"][0], folder)
    record = json.loads((folder / "config.json").read_text())
    record["auto_map"] = {"AutoModelForMaskedLM": "modeling.Doubled"}
    (folder / "config.json").write_text(json.dumps(record))
    (folder / "modeling.py").write_text(
        "from transformers import BertForMaskedLM\n\n\n"
        "class Doubled(BertForMaskedLM):\n"
        "    def forward(self, *args, **options):\n"
        "        found = super().forward(*args, **options)\n"
        "        found.logits = 2 * found.logits\n"
        "        return found\n"
    )
    ids = torch.arange(5, 25)[None]
    with torch.inference_mode():
        found = HubBackbone(folder, trust_remote_code=True).logits(ids)
        torch.testing.assert_close(found, 2 * checkpoints["dnabert"][1](ids).logits)


def _copy(source, target):
    target.mkdir(exist_ok=True)
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", None, "cannot load"),
        ("config.json", "{", r"config\.json.*JSON"),
        ("config.json", '{"model_type": "unheard_of", "architectures": ["XForCausalLM"]}', "cannot load"),
        ("config.json", {"architectures": ["BertForSequenceClassification"]}, "not a language model"),
        ("config.json", {"architectures": None}, "not a language model"),
        ("config.json", {"num_hidden_layers": 3}, r"no weights for bert\.encoder\.layer\.2.*tensors in all"),
        ("model.safetensors", None, r"cannot load.*model\.safetensors"),
        ("vocab.txt", None, r"vocab\.txt"),
        ("vocab.txt", "\n".join([*DNABERT, *SIXMERS]), "ids up to 4100, but the model has 69"),
        ("tokenizer_config.json", '{"do_lower_case": true}', r"does not know A C G T.*do_lower_case"),
    ],
)
def test_checkpoints_that_cannot_be_used_say_why(name, text, message, checkpoints, tmp_path):
    _copy(checkpoints["dnabert"][0], tmp_path)
    path = tmp_path / name
    if text is None:
        path.unlink()
    else:
        path.write_text(text if isinstance(text, str) else json.dumps(json.loads(path.read_text()) | text))
    with pytest.raises(InputError, match=message):
        HubBackbone(tmp_path)


def test_a_run_of_n_is_one_unknown_token_of_a_slow_tokenizer(checkpoints, tmp_path):
    folder = checkpoints["nucleotide_transformer"][0]
    words = (folder / "vocab.txt").read_text().splitlines()[:-1]  # without N
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    reader = TokenReader(transformers.EsmTokenizer(str(tmp_path / "vocab.txt"), eos_token=None))
    codes = random_codes(9, 30)
    codes[7:11] = N
    tokens = reader(codes)
    np.testing.assert_array_equal(tokens.starts, [0, 0, 6, 7, 11, 17, 23, 29])
    np.testing.assert_array_equal(tokens.ends, [0, 6, 7, 11, 17, 23, 29, 30])
    assert tokens.ids[3] == words.index("<unk>")


def test_only_the_hub_needs_transformers():
    users = set()
    for path in Path(dnalm.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(n.split(".")[0] == "transformers" or n.startswith("dnalm.models.export") for n in names):
                users.add(path.name)
    assert users == {"hub.py", "export.py"}
