"""The decoder and its attention without a mask, against dense ones."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.dense import normalised, residual_block, turned
from helpers.networks import CLOSE, TINY, fresh, inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.attention import rotary_rates
from dnalm.models.networks.decoder import Decoder
from dnalm.models.networks.full_attention import REACH, attend

RATES = rotary_rates(TINY["width"] // TINY["heads"] // 2, REACH)


def dense(net, x, real):
    """One window: a position reads the real ones up to itself."""
    allowed = np.tri(len(x), dtype=bool) & real
    for block in net.blocks:
        x = residual_block(x, block, allowed, lambda t: turned(t, RATES, np.arange(len(t))))
    return normalised(x, net.norm)


@pytest.mark.parametrize(("length", "hidden"), [(1, 0.0), (2, 0.5), (40, 0.0), (40, 0.3)])
def test_equals_a_dense_network(length, hidden):
    net = fresh(Decoder, size=0.3)
    x, real = inputs(3, length, seed=length, hidden_share=hidden)
    if hidden:
        real[1, : length // 2] = False
        real[2] = False
    found = net(x, real).detach()
    for b in range(3):
        np.testing.assert_allclose(found[b], dense(net, x[b].numpy(), real[b].numpy()), atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(0, 999), st.booleans(), st.sampled_from([0.0, 0.3]))
def test_attention_by_flags_equals_attention_by_mask(length, seed, causal, hidden):
    rng = np.random.default_rng(seed)
    q, k, v = torch.from_numpy(5 * rng.normal(size=(3, 2, 3, length, 4)))
    _, seen = inputs(2, length, seed, hidden)
    seen[:, 0] = True
    mask = seen[:, None, None].expand(-1, -1, length, -1)
    mask = mask & torch.ones(length, length, dtype=torch.bool).tril() if causal else mask
    weights = (q @ k.mT / math.sqrt(4)).masked_fill(~mask, -math.inf).softmax(-1)
    torch.testing.assert_close(attend(q, k, v, seen, causal), weights @ v, **CLOSE)


def test_hidden_keys_have_no_weight_at_all_even_in_single_precision():
    q, k, v = torch.randn(3, 1, 1, 600, 4, generator=torch.Generator().manual_seed(0))
    seen = torch.arange(600)[None] >= 300
    found = attend(q, k, v.masked_fill(~seen[0, :, None], 1e30), seen)
    shown = F.scaled_dot_product_attention(q, k[:, :, 300:], v[:, :, 300:])
    torch.testing.assert_close(found, shown, atol=1e-5, rtol=0)


def test_a_state_depends_on_everything_before_it_however_far():
    net = fresh(Decoder, size=0.3)
    x, real = inputs(1, 300)
    (gradient,) = torch.autograd.grad(net(x.requires_grad_(), real)[0, -1, 0], x)
    assert (gradient[0].abs().amax(-1) > 1e-12).all()
