"""Parts that the networks without attention share.

Shapes: B batch, L length, C channels, K = taps - 1.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

PIECE = 2048
"""Positions of a long window that are computed at once: what that takes fits into a cache and is used again."""


def recomputed(function, *inputs):
    """``function(*inputs)``, whose intermediate results are computed again for its gradient instead of being kept.

    Takes up to half as much time again, and a fraction of the memory. In windows of 100,000 positions even time is won,
    because a CPU is slowed down far more by memory that it touches for the first time.
    """
    return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)


def in_pieces(function, x: Tensor, dim: int = 0) -> Tensor:
    """``function(x)`` of one that treats all positions along ``dim`` alike, `recomputed` a piece at a time if long."""
    pieces = x.split(PIECE, dim)
    return function(x) if len(pieces) == 1 else torch.cat([recomputed(function, p) for p in pieces], dim)


def carried_in_pieces(step, x_BLD: Tensor, real_BL: Tensor, state, size: int):
    """States and last state of ``step(x, real, state)``, of a long window piece by piece, `recomputed`.

    Each piece of ``size`` positions goes on from the state that the one before it left.
    """
    if x_BLD.shape[1] <= size:
        return step(x_BLD, real_BL, state)
    done = []
    for x, real in zip(x_BLD.split(size, dim=1), real_BL.split(size, dim=1), strict=True):
        y, state = recomputed(step, x, real, state)
        done.append(y)
    return torch.cat(done, dim=1), state


class ShortConv(nn.Module):
    """Causal depthwise convolution: every channel is a weighted sum of its last ``taps`` values, plus a bias."""

    def __init__(self, channels: int, taps: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, taps).uniform_(-1, 1) * taps**-0.5)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x_BLC: Tensor, before_BKC: Tensor | None = None) -> Tensor:
        """(B, L, C) to (B, L, C); ``before_BKC`` are the K inputs before the window, by default zeros."""
        channels, taps = self.weight.shape
        x = F.pad(x_BLC, (0, 0, taps - 1, 0)) if before_BKC is None else torch.cat([before_BKC, x_BLC], dim=1)
        # As an image of one row with the channels last: several times faster on a CPU than a convolution in 1-D.
        y = F.conv2d(x.transpose(1, 2).unsqueeze(2), self.weight[:, None, None], self.bias, groups=channels)
        return y.squeeze(2).transpose(1, 2)
