"""The dilated convolutions against sums over their taps."""

import math

import numpy as np
import pytest
import torch
from helpers.dense import fed_forward, linear, normalised, numbers
from helpers.networks import fresh, inputs
from helpers.pieces import assert_same, states_and_gradients
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.errors import InputError
from dnalm.models.config import ModelConfig
from dnalm.models.networks import dilated_conv
from dnalm.models.networks.dilated_conv import DilatedConv, with_neighbours


def tap_by_tap(net, x, real):
    """States (L, D) of one window by the definition."""
    for b, block in enumerate(net.blocks):
        seen = normalised(x, block.norm) * real[:, None]
        weight, y = numbers(block.conv.weight)[:, :, 0], np.tile(numbers(block.conv.bias), (len(x), 1))
        middle = weight.shape[2] // 2
        for i in range(len(x)):
            for k in range(weight.shape[2]):
                j = i + (k - middle) * 2 ** (b % 6)
                if 0 <= j < len(x):
                    y[i] += weight[:, :, k] @ seen[j]
        phi = (1 + np.vectorize(math.erf)(y / math.sqrt(2))) / 2
        x = x + linear(y * phi, block.out)
        x = fed_forward(x, block.feed_forward.norm, block.feed_forward.up, block.feed_forward.down)
    return normalised(x, net.norm)


@pytest.mark.parametrize("length", [1, 2, 5, 40, 131])
@pytest.mark.parametrize(("kernel", "layers"), [(1, 1), (3, 8), (5, 2)])
def test_network_equals_its_definition(length, kernel, layers):
    net = fresh(DilatedConv, size=0.2, kernel=kernel, layers=layers)
    x, real = inputs(2, length, seed=length, hidden_share=0.3)
    found = net(x, real).detach().numpy()
    for i in range(2):
        np.testing.assert_allclose(found[i], tap_by_tap(net, x[i].numpy(), real[i].numpy()), atol=1e-9)


@pytest.mark.parametrize("piece", [3, 16, 99])
@pytest.mark.parametrize("kernel", [1, 3, 9])
def test_long_windows_are_computed_in_pieces_that_change_nothing(monkeypatch, piece, kernel):
    net = fresh(DilatedConv, size=0.3, kernel=kernel, layers=3)
    x, real = inputs(2, 100, hidden_share=0.2)
    expected = states_and_gradients(net, x, real)
    monkeypatch.setattr(dilated_conv, "PIECE", piece)
    assert_same(states_and_gradients(net, x, real), expected)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 60), st.integers(0, 9), st.integers(0, 20))
def test_pieces_know_their_neighbours_and_zeros_beyond_the_ends(length, reach, more):
    x = torch.arange(1, length + 1).view(1, -1, 1)
    around = np.pad(np.arange(1, length + 1), reach)
    size = max(reach + more, 1)
    pieces = x.split(size, dim=1)
    for i, piece in enumerate(pieces):
        found = with_neighbours(list(pieces), i, reach)[0, :, 0].numpy()
        np.testing.assert_array_equal(found, around[i * size : i * size + piece.shape[1] + 2 * reach])


def read_by(net, i, length):
    """Positions whose embeddings the state at i depends on."""
    x, real = inputs(1, length)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad((net(x, real)[0, i] ** 3).sum(), x)
    return set(np.flatnonzero(gradient[0].abs().amax(-1).numpy()))


@pytest.mark.parametrize(("layers", "dilations"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 4])])
def test_a_state_reads_what_its_taps_reach_and_nothing_else(layers, dilations):
    reach = {0}
    for d in dilations:
        reach = {r + s for r in reach for s in (-d, 0, d)}
    assert read_by(fresh(DilatedConv, size=0.3, kernel=3, layers=layers), 30, 60) == {30 + r for r in reach}


def test_dilations_double_up_to_32_and_start_again():
    net = fresh(DilatedConv, kernel=3, layers=8, size=0.2)
    assert [block.reach for block in net.blocks] == [1, 2, 4, 8, 16, 32, 1, 2]
    assert read_by(net, 100, 200) == set(range(100 - 66, 100 + 67))


def test_an_even_kernel_is_refused():
    with pytest.raises(InputError, match="kernel 8 is even"):
        DilatedConv(ModelConfig(kernel=8))
