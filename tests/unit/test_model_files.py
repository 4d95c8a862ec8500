"""Models on disk: what is saved is what is loaded, other files are refused, ids mean the same everywhere."""

import hashlib
import json
import os
from dataclasses import asdict

import numpy as np
import pytest
import torch
from helpers.models import SMALL, contigs_of, memory_of, perturbed, random_codes, repetitive_genome, small_model, tensor
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer

from dnalm.errors import InputError
from dnalm.models.config import ModelConfig
from dnalm.models.memory import NgramMemory
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import decode, encode
from dnalm.sequence.tokenizers import base_tokenizer

GENOME = repetitive_genome()


def assert_same_model(a, b, codes, origin=None):
    with torch.inference_mode():
        x, y = (model.eval()(tensor(codes), model.lookup(codes, origin)) for model in (a, b))
    for name in ("forward", "reverse", "two_sided", "left", "right"):
        assert torch.equal(getattr(x, name), getattr(y, name)), name


@pytest.mark.parametrize("genome", [None, GENOME], ids=["no memory", "memory"])
def test_a_saved_model_predicts_the_same(tmp_path, genome):
    model = small_model(genome)
    model.save(tmp_path / "new" / "folder")
    loaded = TwoSided.load(tmp_path / "new" / "folder")
    assert loaded.config == model.config
    assert_same_model(model, loaded, random_codes(1, 2, 50, n_share=0.05))
    positions = np.arange(300, 370)[None]
    assert_same_model(model, loaded, GENOME.codes[None, 300:370], (GENOME.digest, positions))


def test_a_memory_of_several_genomes_keeps_their_places(tmp_path):
    genomes = [contigs_of([300], random_codes(i, 300), digest=f"digest{i}") for i in range(3)]
    spans = [np.array([[0, 100], [150, 290]]), np.empty((0, 2), np.int64), np.array([[20, 220]])]
    memory = NgramMemory.from_genomes(genomes, spans, SMALL.memory_orders, SMALL.memory_flanks)
    model = perturbed(TwoSided(SMALL, memory))
    model.save(tmp_path)
    loaded = TwoSided.load(tmp_path)
    assert loaded.memory.digests == ["digest0", "digest1", "digest2"]
    np.testing.assert_array_equal(loaded.memory.segments, memory.segments)
    np.testing.assert_array_equal(loaded.memory.sequence, memory.sequence)
    for i in (0, 2):
        where = np.arange(160, 210)[None]
        assert_same_model(model, loaded, genomes[i].codes[where], (f"digest{i}", where))


def test_the_file_holds_the_weights_and_the_training_sequence_only(tmp_path):
    model = small_model(GENOME, [[0, 200], [400, 600]])
    model.save(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        names, metadata = set(file.keys()), file.metadata()
        sequence = file.get_tensor("memory.sequence").numpy()
        weights = {name: file.get_tensor(name) for name in names if not name.startswith("memory.")}
    assert metadata["format"] == "pt"
    assert weights.keys() == dict(model.named_parameters()).keys()
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters())
    stored = "".join(decode(sequence).split("N"))
    assert stored == decode(np.concatenate([GENOME.codes[:200], GENOME.codes[400:]])).replace("N", "")


def test_saving_twice_gives_the_same_bytes(tmp_path):
    model = small_model(GENOME)
    digests = set()
    for i in range(20):
        model.save(tmp_path / str(i))
        digests.add(hashlib.sha256((tmp_path / str(i) / "model.safetensors").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_config_is_read_back_and_names_itself_for_other_tools(tmp_path):
    SMALL.save(tmp_path / "config.json")
    record = json.loads((tmp_path / "config.json").read_text())
    assert record["model_type"] == "dnalm"
    assert record["architectures"] == ["DnalmModel"]
    assert ModelConfig.load(tmp_path / "config.json") == SMALL
    assert hash(ModelConfig.load(tmp_path / "config.json")) == hash(SMALL)


def test_config_keeps_what_it_does_not_know_out(tmp_path):
    record = {**asdict(SMALL), "transformers_version": "9.9", "torch_dtype": "float32"}
    (tmp_path / "config.json").write_text(json.dumps(record))
    assert ModelConfig.load(tmp_path / "config.json") == SMALL


@pytest.mark.parametrize(("width", "heads"), [(16, 3), (6, 2), (15, 1)])
def test_a_width_that_heads_cannot_share_is_refused(width, heads):
    with pytest.raises(InputError, match=f"width {width} cannot be shared by {heads} heads.*multiple"):
        ModelConfig(width=width, heads=heads)


def other_safetensors(path):
    save_file({"weight": torch.zeros(3)}, path, {"format": "pt"})


def other_safetensors_without_metadata(path):
    save_file({"weight": torch.zeros(3)}, path)


def garbage(path):
    path.write_bytes(b"<html>not found</html>")


def cut_short(path):
    small_model(GENOME).save(path.parent)
    path.write_bytes(path.read_bytes()[:-100])


def nothing(path):
    path.unlink(missing_ok=True)


BAD = [other_safetensors, other_safetensors_without_metadata, garbage, cut_short, nothing]


@pytest.mark.parametrize("damage", BAD, ids=lambda f: f.__name__)
def test_a_file_that_is_no_model_is_refused_with_its_path(tmp_path, damage):
    SMALL.save(tmp_path / "config.json")
    damage(tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"model\.safetensors: not a model of dnalm .*run the workflow again"):
        TwoSided.load(tmp_path)


@pytest.mark.parametrize("text", [None, "{", "[]", '{"width": 16}'], ids=["missing", "cut short", "a list", "no keys"])
def test_a_config_that_cannot_be_read_is_refused_with_its_path(tmp_path, text):
    if text:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json"):
        TwoSided.load(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path):
    small_model().save(tmp_path)
    ModelConfig(**{**asdict(SMALL), "width": 32}).save(tmp_path / "config.json")
    with pytest.raises(InputError, match="size mismatch"):
        TwoSided.load(tmp_path)


def test_flanks_without_their_mirror_image_are_refused():
    with pytest.raises(InputError, match="mirror image"):
        TwoSided(ModelConfig(memory_flanks=((5, 5), (7, 5))))


def test_loading_does_not_depend_on_the_random_state(tmp_path):
    model = small_model(GENOME)
    model.save(tmp_path)
    torch.manual_seed(99)
    assert_same_model(model, TwoSided.load(tmp_path), random_codes(2, 1, 30))


def test_token_ids_are_the_codes_that_the_model_embeds(tmp_path):
    base_tokenizer().save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    text = "ACGTNacgtnRYKU"
    ids = tokenizer.encode(text).ids
    np.testing.assert_array_equal(ids, encode(text) & 7)
    model = small_model()
    assert tokenizer.get_vocab_size() == model.tower.embed.num_embeddings == 5
    with torch.inference_mode():
        output = model(torch.tensor([ids]))
    assert output.two_sided.shape == (1, len(text), 4)


def test_a_memory_is_looked_up_where_it_was_made():
    """The digest of a genome ties a window to its own occurrence; another genome's window is not its own."""
    memory = memory_of(GENOME)
    codes, positions = GENOME.codes[None, 100:150], np.arange(100, 150)[None]
    own = memory.lookup(codes, (GENOME.digest, positions))
    other = memory.lookup(codes, ("another digest", positions))
    assert (other.forward[..., 4] >= own.forward[..., 4]).all()
    assert (other.forward[..., 4] > own.forward[..., 4]).any()


def test_others_may_read_a_model_as_far_as_the_umask_allows(tmp_path):
    before = os.umask(0o027)
    try:
        small_model().save(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == 0o640
