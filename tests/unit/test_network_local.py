"""Local attention with global tokens against a dense implementation."""

import numpy as np
import pytest
import torch
from helpers.dense import normalised, numbers, residual_block, turned
from helpers.networks import (
    TINY,
    assert_batch_independent,
    assert_hidden_positions_change_nothing,
    assert_padding_changes_nothing,
    fresh,
    inputs,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.attention import rotary_rates
from dnalm.models.networks.local import Local

SPAN = TINY["attention_span"]


def dense(net, x, real, span):
    """One window, after its global tokens: these read and are read by all, others read what is near."""
    count, size = len(net.tokens), x.shape[1] // net.blocks[0].mixer.heads
    half = 2 * ((size + 3) // 4)
    members, length = count + len(x), len(x)

    def place(t):
        near = turned(t[count:, :half], rotary_rates(half // 2, span), np.arange(length))
        return np.concatenate([np.concatenate([np.zeros((count, half)), near]), t[:, half:]], axis=1)

    i, j = np.indices((members, members))
    allowed = (i < count) | (j < count) | (abs(i - j) <= span)
    allowed &= np.concatenate([np.ones(count, bool), real])
    x = np.concatenate([numbers(net.tokens), x])
    for block in net.blocks:
        x = residual_block(x, block, allowed, place)
    return normalised(x, net.norm)[count:]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(1, 40), st.integers(0, 3), st.sampled_from([1, 2, 4, 8]), st.integers(0, 99))
def test_equals_a_dense_network(span, length, tokens, heads, seed):
    net = fresh(Local, seed, size=0.3, attention_span=span, global_tokens=tokens, heads=heads)
    x, real = inputs(3, length, seed, hidden_share=0.3)
    real[2] = True
    found = net(x, real).detach()
    for b in range(3):
        expected = dense(net, x[b].numpy(), real[b].numpy(), span)
        np.testing.assert_allclose(found[b, real[b]], expected[real[b].numpy()], atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, SPAN - 1, SPAN, SPAN + 1, 2 * SPAN + 1, 5 * SPAN])
def test_equals_a_dense_network_around_multiples_of_the_span(length):
    net = fresh(Local, size=0.3)
    x, real = inputs(1, length)
    found = net(x, real).detach()
    np.testing.assert_allclose(found[0], dense(net, x[0].numpy(), real[0].numpy(), SPAN), atol=1e-9)


def read_by(net, length, i):
    """Positions that the state at ``i`` depends on."""
    x, real = inputs(1, length)
    states = net(x.requires_grad_(), real)[0, i]
    (gradient,) = torch.autograd.grad((states * torch.arange(1, states.numel() + 1)).sum(), x)
    return set(np.flatnonzero(gradient[0].abs().amax(-1).numpy()))


def test_without_global_tokens_a_state_reads_the_span_on_both_sides_in_every_layer():
    net = fresh(Local, size=0.3, global_tokens=0)
    for i in (0, 20, 45, 59):
        assert read_by(net, 60, i) == set(range(max(0, i - 2 * SPAN), min(60, i + 2 * SPAN + 1)))


def test_global_tokens_bring_everything_within_two_layers():
    assert read_by(fresh(Local, size=0.3), 60, 3) == set(range(60))
    one_layer = fresh(Local, size=0.3, layers=1)
    assert read_by(one_layer, 60, 3) == set(range(3 + SPAN + 1))


def test_without_global_tokens_the_promises_hold():
    net = fresh(Local, global_tokens=0)
    assert_padding_changes_nothing(net, 23, 5, 9)
    assert_hidden_positions_change_nothing(net)
    assert_batch_independent(net)


def bytes_kept(net, length):
    """Memory that the backward pass of a window needs."""
    kept = {}

    def keep(t):
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage()
        return t

    x, real = inputs(1, length)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        net(x.float(), real)
    return sum(storage.nbytes() for storage in kept.values())


def test_memory_is_linear_in_the_length():
    net = fresh(Local, attention_span=16).float()
    assert bytes_kept(net, 8000) < 4.1 * bytes_kept(net, 2000)
