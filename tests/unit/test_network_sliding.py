"""The sliding network against a dense one, and how it goes on from window to window."""

import numpy as np
import pytest
import torch
from helpers.dense import attention, fed_forward, normalised, turned
from helpers.networks import CLOSE, TINY, assert_carry_equals_whole, fresh, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.attention import rotary_rates
from dnalm.models.networks.sliding import Sliding

SPAN = TINY["attention_span"]
HALF = TINY["width"] // TINY["heads"] // 2


def dense(net, x, real, span=SPAN):
    """One window: a position reads itself and the real ones among the ``span - 1`` before it."""
    i, j = np.indices((len(x), len(x)))
    allowed = (j <= i) & (j > i - span) & (real | (i == j))
    for block in net.blocks:
        place = lambda t: turned(t, rotary_rates(HALF, span), np.arange(len(t)))  # noqa: E731
        x = x + attention(normalised(x, block.norm_attention), block.attention, allowed, place)
        x = fed_forward(x, block.norm_forward, block.up, block.down)
    return normalised(x, net.norm)


@pytest.mark.parametrize("length", [1, 2, SPAN - 1, SPAN, SPAN + 1, 40])
def test_equals_a_dense_network(length):
    net = fresh(Sliding, size=0.3)
    x, real = inputs(3, length, seed=length, hidden_share=0.3)
    real[2] = False
    found = net(x, real).detach()
    for b in range(3):
        np.testing.assert_allclose(found[b], dense(net, x[b].numpy(), real[b].numpy()), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 40), st.sets(st.integers(1, 39), max_size=12), st.integers(1, 9))
def test_pieces_of_any_length_give_what_the_whole_gives(length, cuts, span):
    net = fresh(Sliding, size=0.3, attention_span=span)
    assert_carry_equals_whole(net, length, tuple(sorted(c for c in cuts if c < length)))


def test_the_state_has_the_same_size_however_much_was_read():
    net = fresh(Sliding)
    x, real = inputs(2, 100)
    state, sizes = None, []
    for i in range(0, 100, 25):
        _, state = net.carry(x[:, i : i + 25], real[:, i : i + 25], state)
        sizes.append([t.shape[1] for past in state for t in past])
    assert sizes == [[SPAN - 1] * 4] * 4
    assert all(t.untyped_storage().nbytes() == t.nbytes for past in state for t in past)


def test_a_window_without_its_state_is_read_differently():
    net = fresh(Sliding)
    x, real = inputs(1, 20)
    _, state = net.carry(x[:, :10], real[:, :10])
    following = net.carry(x[:, 10:], real[:, 10:], state)[0]
    assert (following - net(x[:, 10:], real[:, 10:])).abs().max() > 1e-3


def test_single_bases_one_at_a_time_are_read_like_a_window():
    net = fresh(Sliding, size=0.3)
    x, real = inputs(2, 30, hidden_share=0.2)
    states, state = [], None
    with torch.no_grad():
        for i in range(30):
            found, state = net.carry(x[:, i : i + 1], real[:, i : i + 1], state)
            states.append(found)
        torch.testing.assert_close(torch.cat(states, dim=1), net(x, real), **CLOSE)


def test_long_windows_in_pieces_give_the_same_states_and_gradients(monkeypatch):
    net = fresh(Sliding, size=0.3)
    x, real = inputs(2, 40, seed=3, hidden_share=0.2)
    results = []
    for length in (40, 7):
        monkeypatch.setattr("dnalm.models.networks.sliding.LONG", length)
        net.zero_grad()
        leaf = x.clone().requires_grad_()
        y = net(leaf, real)
        y.square().sum().backward()
        results.append([y.detach(), leaf.grad, *(p.grad.clone() for p in net.parameters())])
    for whole, pieces in zip(*results, strict=True):
        torch.testing.assert_close(pieces, whole, atol=1e-9, rtol=1e-9)
