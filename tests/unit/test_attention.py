"""Sliding attention against a dense implementation written from its definition."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from helpers.models import perturbed
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.attention import Block, SlidingAttention, rotary, rotary_rates


def dense_attention(layer, x, keys):
    """Position by position: softmax over the allowed keys, rotations as complex numbers."""
    length, width = x.shape
    size = width // layer.heads
    q, k, v = (x @ w.T for w in np.split(layer.qkv.weight.detach().numpy(), 3))
    rates = rotary_rates(size // 2, layer.span).numpy().astype(float)
    turns = np.exp(1j * np.arange(length)[:, None] * rates)
    out = np.zeros((length, width))
    for h in range(layer.heads):
        mine = slice(h * size, (h + 1) * size)
        qh, kh = (t[:, mine][:, : size // 2] + 1j * t[:, mine][:, size // 2 :] for t in (q, k))
        qh, kh = qh * turns, kh * turns
        for i in range(length):
            allowed = [j for j in range(max(0, i - layer.span + 1), i + 1) if keys[j] or j == i]
            scores = np.array([(qh[i] * kh[j].conj()).sum().real for j in allowed]) / math.sqrt(size)
            weights = np.exp(scores - scores.max())
            out[i, mine] = (weights / weights.sum()) @ v[allowed][:, mine]
    return out @ layer.out.weight.detach().numpy().T


def attention(span, heads=2, width=16, seed=0):
    torch.manual_seed(seed)
    return perturbed(SlidingAttention(width, heads, span), seed, 0.3).double()


def states(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 99), st.sampled_from([1, 2, 4]))
def test_equals_dense_attention(span, length, seed, heads):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(3, length, 16))
    keys = rng.random((3, length)) < 0.8
    keys[2] = False
    layer = attention(span, heads, seed=seed)
    with torch.inference_mode():
        found = layer(torch.from_numpy(x), torch.from_numpy(keys)).numpy()
    for b in range(3):
        np.testing.assert_allclose(found[b], dense_attention(layer, x[b], keys[b]), atol=1e-9)


def test_a_length_that_is_no_multiple_of_the_span_needs_no_padding_by_the_caller():
    layer = attention(8)
    x, keys = states(2, 29, 16), torch.ones(2, 29, dtype=torch.bool)
    whole = layer(x, keys)
    assert whole.shape == x.shape
    for length in (1, 5, 8, 9, 16, 23):
        torch.testing.assert_close(layer(x[:, :length], keys[:, :length]), whole[:, :length], atol=1e-9, rtol=0)


def test_only_the_distance_between_positions_counts():
    layer = attention(8)
    x = states(1, 20, 16)
    keys = torch.ones(1, 53, dtype=torch.bool)
    keys[:, :33] = False
    shifted = layer(torch.cat([states(1, 33, 16, seed=1), x], dim=1), keys)[:, 33:]
    torch.testing.assert_close(shifted, layer(x, keys[:, 33:]), atol=1e-9, rtol=0)


def test_a_position_reads_the_span_before_it_and_nothing_else():
    layer = attention(5)
    x = states(1, 23, 16).requires_grad_()
    keys = torch.ones(1, 23, dtype=torch.bool)
    keys[0, 9] = False
    for i in (0, 3, 9, 12, 22):
        (gradient,) = torch.autograd.grad(layer(x, keys)[0, i].square().sum(), x)
        read = {j for j in range(23) if gradient[0, j].any()}
        assert read == {j for j in range(max(0, i - 4), i + 1) if j != 9 or i == 9}


def test_without_any_key_a_position_reads_itself():
    layer = attention(4, heads=1)
    x = states(1, 10, 16)
    values = x @ layer.qkv.weight[32:].T
    alone = layer(x, torch.zeros(1, 10, dtype=torch.bool))
    torch.testing.assert_close(alone, values @ layer.out.weight.T, atol=1e-9, rtol=0)


def test_rates_hold_the_codon_and_a_geometric_range_up_to_four_spans():
    periods = 2 * math.pi / rotary_rates(16, 128).numpy()
    np.testing.assert_allclose(periods[:4], 3.0, rtol=1e-6)
    np.testing.assert_allclose(periods[4:], np.geomspace(2, 512, 12), rtol=1e-5)


def test_rotation_keeps_lengths_and_turns_codon_dimensions_once_in_three_bases():
    x = states(2, 12, 2, 3, 8)
    turned = rotary(x, rotary_rates(4, 16))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(turned[:, ::3, :, :, [0, 4]], x[:, ::3, :, :, [0, 4]], atol=1e-5, rtol=0)
    assert not torch.allclose(turned[:, 1], x[:, 1], atol=0.1)


def test_far_along_a_window_attention_is_as_precise_as_at_its_start():
    layer = attention(64).float()
    x = states(1, 128, 16).float()
    keys = torch.ones(1, 200_000, dtype=torch.bool)
    far = layer(F.pad(x, (0, 0, keys.shape[1] - 128, 0)), keys)[:, -64:]
    torch.testing.assert_close(far, layer(x, keys[:, :128])[:, -64:], atol=1e-5, rtol=0)


def test_a_fresh_block_adds_nothing_that_depends_on_its_input():
    x = torch.randn(2, 11, 16, generator=torch.Generator().manual_seed(0))
    block = Block(16, 2, 4)
    torch.testing.assert_close(block(x, torch.ones(2, 11, dtype=torch.bool)), x + block.down.bias)


def test_block_is_pre_norm_attention_then_squared_relu():
    block = perturbed(Block(16, 2, 4), 1, 0.3).double()
    x, keys = states(2, 11, 16), states(2, 11) < 0.5

    def normalised(t, norm):
        centred = t - t.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias

    y = x + block.attention(normalised(x, block.norm_attention), keys)
    hidden = (normalised(y, block.norm_forward) @ block.up.weight.T + block.up.bias).clamp(min=0) ** 2
    expected = y + hidden @ block.down.weight.T + block.down.bias
    torch.testing.assert_close(block(x, keys), expected, atol=1e-9, rtol=0)


def test_single_precision_is_close_to_double():
    layer = attention(6)
    x, keys = states(2, 40, 16), torch.ones(2, 40, dtype=torch.bool)
    expected = layer(x, keys)
    found = layer.float()(x.float(), keys)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, atol=1e-3, rtol=0)
