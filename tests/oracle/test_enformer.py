"""Enformer against ``enformer-pytorch``, and against numbers that were made with it where it is not installed.

``python tests/oracle/test_enformer.py`` writes the numbers again, where ``enformer-pytorch`` 0.8 is installed.
"""

import importlib.util
import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from dnalm.errors import InputError
from dnalm.models.enformer import Attention, AttentionPool, Enformer, EnformerBackbone, relative_features

GOLDEN = Path(__file__).parents[1] / "golden" / "enformer.tsv"
HEADS = {"human": 5, "mouse": 3}
TINY = {"dim": 48, "depth": 2, "heads": 4, "target_length": 4, "attn_dim_key": 8, "output_heads": HEADS,
        "num_downsamples": 3, "dim_divisible_by": 8}  # fmt: skip
SHAPES = {
    "tiny": (TINY, 64),
    "odd lengths": (TINY | {"target_length": 3}, 77),
    "four halvings": (TINY | {"dim": 96, "heads": 8, "depth": 1, "num_downsamples": 4, "dim_divisible_by": 16}, 160),
    "no crop": (TINY | {"dim": 96, "heads": 2, "depth": 1, "target_length": -1}, 40),
}
EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES)
upstream = pytest.mark.skipif(
    not importlib.util.find_spec("enformer_pytorch"), reason="enformer-pytorch is not installed"
)


def weights_for(shapes):
    """Weights of these names and shapes, drawn name by name, so that they are the same in every implementation."""
    found = {}
    for name in sorted(shapes):
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        values = rng.standard_normal(shapes[name])
        if name.endswith("running_var"):
            values = 0.3 + values**2
        elif name.endswith("num_batches_tracked"):
            values = np.zeros(shapes[name], dtype=np.int64)
        elif len(shapes[name]) > 1:
            values = 2 * values / np.sqrt(np.prod(shapes[name][1:]))
        found[name] = torch.from_numpy(np.asarray(values)).to(torch.int64 if "num_batches" in name else torch.float32)
    return found


def weights_of(model):
    return weights_for({k: tuple(v.shape) for k, v in model.state_dict().items() if not k.startswith("_trunk")})


def ours(config):
    model = Enformer(config)
    model.load_state_dict(weights_of(model))
    return model.eval()


def window(length, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.choice(5, (2, length), p=[0.24] * 4 + [0.04]))


def checkpoint(folder, weights=None, **changes):
    (folder / "config.json").write_text(json.dumps({"model_type": "enformer", **TINY, **changes}))
    save_file(weights or weights_of(Enformer(TINY | changes)), folder / "model.safetensors")
    return folder


def theirs(config):
    from enformer_pytorch import Enformer as Upstream

    model = Upstream.from_hparams(**config)
    model.load_state_dict(weights_of(model), strict=False)
    return model.eval()


def summary(model_outputs, embeddings):
    """Some numbers of every output: name -> values."""
    found = {"embeddings": embeddings[:, :, ::17].flatten()}
    found |= {name: track.flatten() for name, track in model_outputs.items()}
    return {name: values[:: max(len(values) // 24, 1)][:24].tolist() for name, values in found.items()}


def golden():
    lines = [line.split("\t") for line in GOLDEN.read_text().splitlines()[1:]]
    return {(shape, output): [float(v) for v in values.split(",")] for shape, output, values in lines}


@EVERY_SHAPE
@torch.inference_mode()
def test_outputs_are_the_numbers_that_enformer_pytorch_gave(shape):
    config, length = SHAPES[shape]
    model, codes = ours(config), window(length)
    for name, values in summary(model(codes), model.embeddings(codes)).items():
        np.testing.assert_allclose(values, golden()[shape, name], rtol=1e-4, atol=1e-3)


@upstream
@EVERY_SHAPE
@torch.inference_mode()
def test_outputs_equal_those_of_enformer_pytorch(shape):
    config, length = SHAPES[shape]
    model, oracle, codes = ours(config), theirs(config), window(length, seed=1)
    tracks, embeddings = oracle(codes, return_embeddings=True)
    rounding = 1e-6 * embeddings.abs().max().item()
    torch.testing.assert_close(model.embeddings(codes), embeddings, rtol=1e-6, atol=rounding)
    torch.testing.assert_close(model(codes), dict(tracks), rtol=1e-6, atol=rounding)


@upstream
def test_training_gives_the_gradients_of_enformer_pytorch():
    config, length = SHAPES["tiny"]
    config = config | {"dropout_rate": 0.0, "attn_dropout": 0.0, "pos_dropout": 0.0}
    gradients = []
    for model in (ours(config), theirs(config)):
        sum(track.log().sum() for track in model.train()(window(length)).values()).backward()
        gradients.append({k: p.grad for k, p in model.named_parameters() if not k.startswith("_trunk")})
    assert all(g.abs().sum() > 0 for g in gradients[0].values())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-3)


@EVERY_SHAPE
def test_outputs_on_another_device_are_the_same(shape):
    from helpers.pretend import pretend  # not found where this file is run as a program

    config, length = SHAPES[shape]
    model, codes = ours(config), window(length)
    with torch.no_grad():
        expected = model(codes)
        with pretend() as device:
            found = model.to(device)(codes.to(device))
            assert {track.device for track in found.values()} == {device}
            found = {name: track.cpu() for name, track in found.items()}
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@upstream
def test_gamma_features_over_distances_are_the_table_of_the_original_weights():
    from enformer_pytorch.modeling_enformer import TF_GAMMAS

    found = relative_features(1536, 192, over_distances=True)[:, 64:96]
    # lgamma(4096) in single precision, with which the table was made, is off by 0.002
    torch.testing.assert_close(found, TF_GAMMAS, atol=2.5e-3, rtol=0)
    assert (found - TF_GAMMAS).abs().mean() < 1e-5


def test_gamma_features_are_one_where_they_are_largest():
    count = 4
    gamma = slice(2 * count, 3 * count)
    over_distances = relative_features(40, 6 * count, over_distances=True)[:, gamma]
    over_features = relative_features(40, 6 * count)[:, gamma]
    torch.testing.assert_close(over_distances.amax(0), torch.ones(count))
    torch.testing.assert_close(over_features.amax(1), torch.ones(79))
    assert not torch.allclose(over_distances, over_features, atol=0.1)


def test_relative_features_from_their_definition():
    bins, count = 12, 2
    found = relative_features(bins, 6 * count).numpy()
    for row, distance in enumerate(range(1 - bins, bins)):
        for j, half_life in enumerate((8.0, bins)):
            assert found[row, j] == pytest.approx(0.5 ** (abs(distance) / half_life), rel=1e-5)
        for j, reach in enumerate((1, 3)):
            assert found[row, count + j] == (abs(distance) < reach)
        np.testing.assert_allclose(found[row, 3 * count :], np.sign(distance) * found[row, : 3 * count])


def test_attention_reads_the_feature_of_key_minus_query():
    config = Enformer(TINY).config
    layer = Attention(config).eval()
    x, bins, heads, key = torch.randn(1, 7, 48), 7, 4, 8
    features = relative_features(bins, 12)
    out = torch.zeros(bins, 48)
    q, k = (f(x)[0].view(bins, heads, key) for f in (layer.to_q, layer.to_k))
    v, rel = layer.to_v(x)[0].view(bins, heads, 12), layer.to_rel_k(features).view(-1, heads, key)
    for h in range(heads):
        content, position = layer.rel_content_bias[0, h, 0], layer.rel_pos_bias[0, h, 0]
        for i in range(bins):
            query = q[i, h] / key**0.5
            scores = [(query + content) @ k[j, h] + (query + position) @ rel[j - i + bins - 1, h] for j in range(bins)]
            out[i, 12 * h : 12 * h + 12] = torch.stack(scores).softmax(0) @ v[:, h]
    torch.testing.assert_close(layer(x)[0], layer.to_out(out), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 9, 10])
def test_pooling_is_the_weighted_mean_of_neighbours(length):
    pool = AttentionPool(6)
    torch.nn.init.normal_(pool.to_attn_logits.weight)
    x, matrix = torch.randn(2, 6, length), pool.to_attn_logits.weight[:, :, 0, 0]
    found = pool(x)
    assert found.shape == (2, 6, (length + 1) // 2)
    for i in range(found.shape[-1]):
        pair = x[..., 2 * i : 2 * i + 2]
        wanted = (pair * (matrix @ pair).softmax(-1)).sum(-1)
        torch.testing.assert_close(found[..., i], wanted, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_averaged_tracks_of_the_other_strand_are_the_same_backwards(tmp_path):
    backbone = EnformerBackbone(checkpoint(tmp_path))
    codes = window(64)
    other = torch.where(codes < 4, 3 - codes, codes).flip(1)
    plain, averaged, flipped = backbone.tracks(codes), backbone.tracks(codes, True), backbone.tracks(other, True)
    assert set(averaged) == set(HEADS)
    for name, track in averaged.items():
        assert track.shape == (2, 4, HEADS[name])
        torch.testing.assert_close(flipped[name].flip(1), track, atol=1e-5, rtol=1e-5)
        by_hand = (plain[name] + backbone.tracks(other)[name].flip(1)) / 2
        torch.testing.assert_close(track, by_hand)
        assert not torch.allclose(plain[name], track, atol=1e-2)


@torch.inference_mode()
def test_tracks_are_the_heads_on_the_embeddings(tmp_path):
    backbone = EnformerBackbone(checkpoint(tmp_path))
    weights = weights_of(backbone.model)
    embeddings = backbone.embeddings(window(64))
    assert embeddings.shape == (2, 4, backbone.width) and backbone.bin_size == 8
    for name, track in backbone.tracks(window(64)).items():
        wanted = F.softplus(embeddings @ weights[f"_heads.{name}.0.weight"].T + weights[f"_heads.{name}.0.bias"])
        torch.testing.assert_close(track, wanted)


@torch.inference_mode()
def test_every_layout_of_the_weights_is_read(tmp_path):
    names = {"stem.": "_trunk.1.", "conv_tower.": "_trunk.2.", "transformer.": "_trunk.4."}
    names["final_pointwise."] = "_trunk.6."
    weights = weights_of(Enformer(TINY))
    second = {}
    for name, tensor in weights.items():
        first = next((f for f in names if name.startswith(f)), "")
        second[names.get(first, "") + name.removeprefix(first)] = tensor
    wanted = EnformerBackbone(checkpoint(tmp_path)).embeddings(window(64))
    for tensors in (second, weights | second):
        (tmp_path / "model.safetensors").unlink(missing_ok=True)
        torch.save(tensors, tmp_path / "pytorch_model.bin")
        assert torch.equal(EnformerBackbone(tmp_path).embeddings(window(64)), wanted)


@torch.inference_mode()
def test_the_normalisation_of_the_gamma_features_can_be_chosen(tmp_path):
    checkpoint(tmp_path, use_tf_gamma=True)
    chosen = EnformerBackbone(tmp_path).embeddings(window(64))
    assert torch.equal(EnformerBackbone(tmp_path, tf_gamma=True).embeddings(window(64)), chosen)
    assert not torch.allclose(EnformerBackbone(tmp_path, tf_gamma=False).embeddings(window(64)), chosen, atol=1e-3)


def test_a_window_that_is_too_short_names_the_length_that_is_needed(tmp_path):
    backbone = EnformerBackbone(checkpoint(tmp_path))
    with pytest.raises(InputError, match=r"3 bins, but the model predicts 4 bins.*32 bases"):
        backbone.tracks(window(24))


@pytest.mark.parametrize("changes", [{"dim": 50}, {"heads": 5}, {"num_downsamples": 2}, {"dim_divisible_by": 7}])
def test_shapes_that_no_enformer_has_are_refused(changes):
    with pytest.raises(InputError, match="no Enformer"):
        Enformer(TINY | changes)


class Payload:
    def __reduce__(self):
        return (Path.touch, (Path("run_by_the_pickle"),))


def test_a_pickle_is_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps({"stem.0.weight": Payload()}, protocol=2))
    with pytest.raises(InputError, match="no readable"):
        EnformerBackbone(tmp_path)
    assert not (tmp_path / "run_by_the_pickle").exists()


def test_files_that_are_missing_or_do_not_fit_are_named(tmp_path):
    with pytest.raises(InputError, match=r"config\.json: not the config"):
        EnformerBackbone(tmp_path)
    checkpoint(tmp_path, weights_of(Enformer(TINY | {"depth": 1})))
    with pytest.raises(InputError, match="do not belong together"):
        EnformerBackbone(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"no readable model\.safetensors"):
        EnformerBackbone(tmp_path)


@torch.inference_mode()
def write_golden():
    rows = ["shape\toutput\tvalues"]
    for shape, (config, length) in SHAPES.items():
        tracks, embeddings = theirs(config)(window(length), return_embeddings=True)
        for name, values in summary(tracks, embeddings).items():
            rows.append(f"{shape}\t{name}\t{','.join(f'{v:.6g}' for v in values)}")
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    write_golden()
