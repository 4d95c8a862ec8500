"""The layers of the attention networks in numpy, position by position, from their definitions.

Shapes: N members of one sequence, D width, H heads, E = D / H. Layers are the PyTorch ones whose weights are read.
"""

import math

import numpy as np


def numbers(tensor):
    """A tensor as numpy."""
    return tensor.detach().numpy()


def linear(x, layer):
    """Weights times x, plus the bias if there is one."""
    y = x @ numbers(layer.weight).T
    return y if layer.bias is None else y + numbers(layer.bias)


def normalised(x, layer):
    """Layer norm (Ba et al. 2016)."""
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * numbers(layer.weight) + numbers(layer.bias)


def fed_forward(x, norm, up, down):
    """x plus a squared-ReLU feed-forward of it."""
    return x + linear(np.maximum(linear(normalised(x, norm), up), 0) ** 2, down)


def turned(x, rates, positions):
    """Rotations as multiplication of complex numbers, whose parts are the first and the second half of the channels."""
    half = x.shape[-1] // 2
    z = (x[..., :half] + 1j * x[..., half:]) * np.exp(1j * np.asarray(positions)[:, None] * np.asarray(rates, float))
    return np.concatenate([z.real, z.imag], axis=-1)


def attention(x, layer, allowed, place=lambda t: t):
    """Every member i reads the members j where ``allowed[i, j]``; one that may read none gets 0.

    ``place`` gives queries and keys (N, E) of a head their positions.
    """
    size = x.shape[1] // layer.heads
    q, k, v = np.split(linear(x, layer.qkv), 3, axis=1)
    out = np.zeros_like(x)
    for h in range(layer.heads):
        mine = slice(h * size, (h + 1) * size)
        qh, kh = place(q[:, mine]), place(k[:, mine])
        for i in np.flatnonzero(allowed.any(1)):
            keys = np.flatnonzero(allowed[i])
            scores = np.exp(kh[keys] @ qh[i] / math.sqrt(size))
            out[i, mine] = scores / scores.sum() @ v[keys, mine]
    return linear(out, layer.out)


def residual_block(x, block, allowed, place=lambda t: t):
    """Pre-norm attention, then the feed-forward of `dnalm.models.networks.full_attention.ResidualBlock`."""
    x = x + attention(normalised(x, block.norm), block.mixer, allowed, place)
    return fed_forward(x, block.feed_forward.norm, block.feed_forward.up, block.feed_forward.down)
