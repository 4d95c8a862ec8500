"""The network of long convolutions against sums over all pairs of positions."""

import copy

import numpy as np
import pytest
import torch
from helpers.dense import fed_forward, linear, normalised, numbers
from helpers.networks import fresh, inputs, noise
from helpers.pieces import assert_same, states_and_gradients
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.networks import hyena, parts


def implicit_filter(layer, length, octaves=16):
    """Filters (L, D), distance by distance."""
    width = len(layer.half_lives)
    half_lives = numbers(layer.half_lives)
    np.testing.assert_allclose(half_lives, 2 ** np.linspace(2, octaves, width), rtol=1e-6)
    out = np.zeros((length, width))
    for t in range(length):
        turns = 2 * np.pi * t / np.array([3, *(2**i for i in range(1, octaves + 1))])
        h = np.concatenate([[np.log(1 + t) / np.log(2**octaves)], np.sin(turns), np.cos(turns)])
        for k in (0, 1):
            h = np.sin(linear(h, layer.mlp[k]))
        out[t] = linear(h, layer.mlp[2]) * 0.5 ** (t / half_lives) * np.sqrt(1 - 0.5 ** (2 / half_lives))
    return out


def short(x, conv):
    taps = numbers(conv.weight).T
    past = np.concatenate([np.zeros((len(taps) - 1, x.shape[1])), x])
    return np.array([(taps * past[i : i + len(taps)]).sum(0) for i in range(len(x))]) + numbers(conv.bias)


def pair_by_pair(net, x, real):
    """States (L, D) of one window by the definition."""
    for block in net.blocks:
        layer = block.operator
        projected = linear(normalised(x, block.norm), layer.project) * real[:, None]
        q, k, v = np.split(short(projected, layer.short), 3, axis=1)
        u = k * v * real[:, None]
        h = implicit_filter(layer.filter, len(x))
        y = np.array([sum(h[i - j] * u[j] for j in range(i + 1)) for i in range(len(x))])
        x = x + linear(q * (y + numbers(layer.skip) * u), layer.out)
        x = fed_forward(x, block.feed_forward.norm, block.feed_forward.up, block.feed_forward.down)
    return normalised(x, net.norm)


@pytest.mark.parametrize("length", [1, 2, 3, 17, 64, 65])
def test_network_equals_its_definition(length):
    net = fresh(hyena.Hyena, size=0.3)
    x, real = inputs(3, length, seed=length, hidden_share=0.3)
    real[2] = False
    found = net(x, real).detach().numpy()
    for i in range(3):
        np.testing.assert_allclose(found[i], pair_by_pair(net, x[i].numpy(), real[i].numpy()), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(1, 130), st.integers(1, 5), st.integers(1, 400), st.integers(0, 99))
def test_long_convolution_is_a_convolution_in_groups_of_any_size(batch, length, width, values, seed):
    rng = np.random.default_rng(seed)
    x, h = rng.normal(size=(batch, length, width)), rng.normal(size=(length, width))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hyena, "VALUES", values)
        found = hyena.long_convolution(torch.from_numpy(x), torch.from_numpy(h)).numpy()
    for b in range(batch):
        for d in range(width):
            np.testing.assert_allclose(found[b, :, d], np.convolve(x[b, :, d], h[:, d])[:length], atol=1e-9)


def test_transforms_have_the_smallest_fast_length():
    fast = sorted(m << n for m in (1, 3, 5) for n in range(14))
    for least in range(1, 5000):
        assert hyena.transform_length(least) == next(f for f in fast if f >= least)


def test_long_windows_are_computed_in_pieces_that_change_nothing(monkeypatch):
    net = fresh(hyena.Hyena, size=0.3)
    x, real = inputs(2, 100, hidden_share=0.2)
    expected = states_and_gradients(net, x, real)
    monkeypatch.setattr(parts, "PIECE", 7)
    monkeypatch.setattr(hyena, "VALUES", 600)
    assert_same(states_and_gradients(net, x, real), expected, 1e-8)


def test_a_filter_is_the_same_in_windows_of_any_length_and_precision():
    layer = fresh(hyena.Hyena, size=0.3).blocks[0].operator.filter
    distance = torch.arange(300_000, dtype=torch.float64)
    whole = layer(distance)
    torch.testing.assert_close(layer(distance[:100]), whole[:100], atol=0, rtol=1e-10)
    torch.testing.assert_close(whole[:40].detach().numpy(), implicit_filter(layer, 40), atol=1e-13, rtol=1e-9)
    scale = whole.square().mean(0).sqrt() + whole[-1000:].abs().amax(0)
    single = copy.deepcopy(layer).float()(distance)
    assert single.dtype == torch.float32
    assert ((single - whole).abs()[-1000:] / scale).max() < 1e-3


def test_decays_of_all_channels_have_the_same_sum_of_squares():
    layer = hyena.Filter(3).double()
    with torch.no_grad():
        for linear_layer in layer.mlp[:2]:
            linear_layer.weight.zero_()
            linear_layer.bias.fill_(np.pi / 2)
        layer.mlp[2].weight.fill_(1 / hyena.HIDDEN)
        total = layer(torch.arange(2**19, dtype=torch.float64)).square().sum(0)
    torch.testing.assert_close(total, torch.ones_like(total), atol=1e-2, rtol=0)


def test_the_last_state_reads_the_first_position_of_a_long_window():
    net = fresh(hyena.Hyena, layers=1, size=0.3)
    x, real = inputs(1, 3000)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(net(x, real)[0, -1, 0], x)
    assert (gradient[0].abs().amax(-1) > 1e-9).all()


def test_in_single_precision_later_positions_change_no_more_than_rounding():
    net = fresh(hyena.Hyena).float()
    x, real = inputs(2, 500)
    changed = torch.cat([x[:, :250], noise(x[:, 250:])], dim=1)
    with torch.no_grad():
        found, expected = (net(t.float(), real)[:, :250] for t in (changed, x))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
