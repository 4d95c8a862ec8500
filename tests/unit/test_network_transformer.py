"""The bidirectional transformer against a dense one, with both kinds of positions."""

import math

import numpy as np
import pytest
import torch
from helpers.dense import normalised, residual_block, turned
from helpers.networks import (
    CLOSE,
    TINY,
    assert_backward_is_deterministic,
    assert_gradients_are_right,
    assert_padding_changes_nothing,
    fresh,
    inputs,
)

from dnalm.errors import InputError
from dnalm.models.attention import rotary_rates
from dnalm.models.networks.full_attention import REACH
from dnalm.models.networks.transformer import Transformer, sinusoids

RATES = rotary_rates(TINY["width"] // TINY["heads"] // 2, REACH)
POSITIONS = pytest.mark.parametrize("positions", ["rotary", "sinusoidal"])


def wave(position, channel, width):
    """Vaswani et al. 2017, section 3.5."""
    angle = position / 10_000 ** (channel // 2 * 2 / width)
    return math.cos(angle) if channel % 2 else math.sin(angle)


def dense(net, x, real, positions):
    """One window: a position reads all real ones."""
    length, width = x.shape
    allowed = np.broadcast_to(real, (length, length))
    if positions == "sinusoidal":
        start = np.flatnonzero(real)[0]
        x = x + np.array([[wave(i - start, c, width) for c in range(width)] for i in range(length)])
    for block in net.blocks:
        place = lambda t: turned(t, RATES, np.arange(len(t))) if positions == "rotary" else t  # noqa: E731
        x = residual_block(x, block, allowed, place)
    return normalised(x, net.norm)


@POSITIONS
@pytest.mark.parametrize(("length", "hidden"), [(1, 0.0), (2, 0.0), (40, 0.0), (40, 0.3)])
def test_equals_a_dense_network(positions, length, hidden):
    net = fresh(Transformer, size=0.3, positions=positions)
    x, real = inputs(3, length, seed=length, hidden_share=hidden)
    if hidden:
        real[1, :7] = False
    found = net(x, real).detach()
    for b in range(3):
        np.testing.assert_allclose(found[b], dense(net, x[b].numpy(), real[b].numpy(), positions), atol=1e-9)


def test_waves_are_those_of_the_paper():
    found = sinusoids(torch.tensor([[0, 1, 50_000]]), 6, torch.float64)[0]
    expected = [[wave(p, c, 6) for c in range(6)] for p in (0, 1, 50_000)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_sinusoidal_positions_pass_what_rotary_ones_pass():
    net = fresh(Transformer, positions="sinusoidal")
    for left, right in [(0, 7), (7, 0), (64, 3)]:
        assert_padding_changes_nothing(net, 23, left, right)
    assert_gradients_are_right(Transformer, positions="sinusoidal")
    assert_backward_is_deterministic(net)


@POSITIONS
def test_order_matters_and_only_through_the_positions(positions):
    net = fresh(Transformer, size=0.3, positions=positions)
    x, real = inputs(1, 12)
    swapped = x[:, [1, 0, *range(2, 12)]]
    assert (net(x, real) - net(swapped, real))[:, 2:].abs().max() > 1e-3


def test_rotary_states_do_not_depend_on_where_the_sequence_stands():
    net = fresh(Transformer, size=0.3)
    x, real = inputs(1, 10)
    far, flags = torch.zeros(1, 2010, 16, dtype=x.dtype), torch.zeros(1, 2010, dtype=torch.bool)
    far[:, 2000:], flags[:, 2000:] = x, real
    torch.testing.assert_close(net(far, flags)[:, 2000:], net(x, real), **CLOSE)


def test_unknown_positions_are_refused_by_name():
    with pytest.raises(InputError, match=r"no positions 'learned'.*rotary, sinusoidal"):
        fresh(Transformer, positions="learned")
