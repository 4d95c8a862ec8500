"""The hybrid network against a dense one, and its grid of patches."""

import numpy as np
import pytest
import torch
from helpers.dense import fed_forward, linear, normalised, numbers, residual_block, turned
from helpers.networks import CLOSE, TINY, assert_padding_changes_nothing, fresh, inputs, noise
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.errors import InputError
from dnalm.models.attention import rotary_rates
from dnalm.models.networks.full_attention import REACH
from dnalm.models.networks.hybrid import Hybrid


def convolved(x, real, layer):
    """One window: x plus a projection of the squared ReLU of a convolution over the real positions around each."""
    y = normalised(x, layer.norm) * real[:, None]
    weight, kernel = numbers(layer.conv.weight), layer.conv.kernel_size[0]
    hidden = np.tile(numbers(layer.conv.bias), (len(x), 1))
    for i in range(len(x)):
        for t in range(kernel):
            j = i + t - (kernel - 1) // 2
            if 0 <= j < len(x):
                hidden[i] += weight[:, :, t] @ y[j]
    return x + linear(np.maximum(hidden, 0) ** 2, layer.out)


def dense(net, x, real, downsample):
    """The real part of one window, whose first position is real: patch after patch."""
    x = convolved(x, real, net.stem)
    starts = range(0, len(x), downsample)
    patches = np.zeros((len(starts), downsample, x.shape[1]))
    for p, start in enumerate(starts):
        piece = x[start : start + downsample] * real[start : start + downsample, None]
        patches[p, : len(piece)] = piece
    rates = rotary_rates(x.shape[1] // TINY["heads"] // 2, REACH // downsample)
    allowed = np.array([[real[s : s + downsample].any() for s in starts]] * len(starts))
    y = linear(patches.reshape(len(starts), -1), net.down)
    for block in net.blocks:
        y = residual_block(y, block, allowed, lambda t: turned(t, rates, np.arange(len(t))))
    y = linear(normalised(y, net.norm_up), net.up).reshape(-1, x.shape[1])[: len(x)]
    x = convolved(x + y, real, net.tail)
    return normalised(fed_forward(x, net.feed_forward.norm, net.feed_forward.up, net.feed_forward.down), net.norm)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.sampled_from([1, 3, 9]), st.integers(0, 99))
def test_equals_a_dense_network(length, downsample, kernel, seed):
    net = fresh(Hybrid, seed, size=0.2, downsample=downsample, kernel=kernel)
    x, real = inputs(2, length, seed, hidden_share=0.3)
    real[:, 0] = True
    found = net(x, real).detach()
    for b in range(2):
        expected = dense(net, x[b].numpy(), real[b].numpy(), downsample)
        np.testing.assert_allclose(found[b, real[b]], expected[real[b].numpy()], atol=1e-8)


@pytest.mark.parametrize("left", range(10))
def test_the_grid_starts_at_the_first_real_position_whatever_stands_before_it(left):
    net = fresh(Hybrid, size=0.3, downsample=4)
    assert_padding_changes_nothing(net, 23, left, 0, hidden_share=0.0)
    assert_padding_changes_nothing(net, 23, left, left + 1)


def test_every_window_of_a_batch_has_its_own_grid():
    net = fresh(Hybrid, size=0.3)
    x, real = inputs(1, 20)
    batch, flags = noise(torch.zeros(5, 29, 16, dtype=x.dtype)), torch.zeros(5, 29, dtype=torch.bool)
    for b in range(5):
        batch[b, 2 * b : 2 * b + 20], flags[b, 2 * b : 2 * b + 20] = x, real
    states = net(batch, flags)[flags].view(5, 20, 16)
    torch.testing.assert_close(states, net(x, real).expand(5, -1, -1), **CLOSE)


def test_each_base_of_a_patch_has_a_state_of_its_own():
    net = fresh(Hybrid, size=0.3, kernel=1, downsample=4)
    states = net(torch.ones(1, 4, 16, dtype=torch.float64), torch.ones(1, 4, dtype=torch.bool))[0]
    assert torch.pdist(states).min() > 0.1


def test_distant_bases_meet_in_the_patches_alone():
    net = fresh(Hybrid, size=0.3)
    x, real = inputs(1, 101)
    (gradient,) = torch.autograd.grad(net(x.requires_grad_(), real)[0, 0].square().sum(), x)
    assert gradient[0, 100].abs().max() > 1e-9
    with torch.no_grad():
        net.up.weight.zero_()
    (gradient,) = torch.autograd.grad((net(x, real)[0, 0] ** 3).sum(), x)
    assert set(np.flatnonzero(gradient[0].abs().amax(-1).numpy())) == set(range(TINY["kernel"]))


def test_a_kernel_without_a_middle_is_refused():
    with pytest.raises(InputError, match="kernel 4 is even"):
        fresh(Hybrid, kernel=4)
