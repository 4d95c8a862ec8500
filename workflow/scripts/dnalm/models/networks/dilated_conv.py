"""Dilated convolutions over both sides of a position, as in GPN (Benegas et al. 2023).

Residual blocks of a convolution and a feed-forward. The taps of the convolutions lie 1, 2, 4, ..., 32 and then again 1,
2, ... bases apart, so a few blocks read hundreds of bases, in time and memory linear in the length. Positions that are
not real are zeros to every convolution, just like what lies outside the window.

Shapes: B batch, L length, D width, R = kernel // 2 * dilation, the reach of a convolution to either side.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnalm.errors import InputError
from dnalm.models.config import ModelConfig
from dnalm.models.networks.full_attention import FeedForward
from dnalm.models.networks.network import Network
from dnalm.models.networks.parts import PIECE, recomputed

DILATIONS = (1, 2, 4, 8, 16, 32)


class ConvBlock(nn.Module):
    """Pre-norm convolution, GELU and projection, then a feed-forward, each added to the residual stream."""

    def __init__(self, width: int, kernel: int, dilation: int):
        super().__init__()
        self.dilation, self.reach = dilation, kernel // 2 * dilation
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv2d(width, width, (1, kernel), dilation=(1, dilation))
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)
        self.feed_forward = FeedForward(width)

    def forward(self, x_BLD: Tensor, real_BL1: Tensor) -> Tensor:
        """(B, R + L + R, D) and flags (B, R + L + R, 1), with R positions beyond either end, to (B, L, D)."""
        seen = self.norm(x_BLD).masked_fill(~real_BL1, 0)
        # As an image of one row with the channels last: faster on a CPU than a convolution in 1-D.
        y = self.conv(seen.transpose(1, 2).unsqueeze(2)).squeeze(2).transpose(1, 2)
        kept = x_BLD[:, self.reach : x_BLD.shape[1] - self.reach]
        return self.feed_forward(kept + self.out(F.gelu(y)))


def with_neighbours(pieces: list[Tensor], i: int, reach: int) -> Tensor:
    """Piece i of (B, L, D) with ``reach`` positions of the pieces beside it, or zeros beyond the ends of the window.

    Every piece but the last one must have ``reach`` positions.
    """
    left = [p[:, p.shape[1] - reach :] for p in pieces[max(i - 1, 0) : i]]
    right = [p[:, :reach] for p in pieces[i + 1 : i + 2]]
    missing = reach - sum(p.shape[1] for p in right)
    return F.pad(torch.cat([*left, pieces[i], *right], dim=1), (0, 0, 0 if left else reach, missing))


class DilatedConv(Network):
    """``config.layers`` blocks of convolutions over ``config.kernel`` bases (an odd number)."""

    in_pieces = True

    def __init__(self, config: ModelConfig):
        super().__init__()
        if config.kernel % 2 == 0:
            raise InputError(
                f"kernel {config.kernel} is even, so it has no base in its middle",
                "pretrain.kernel",
                "Choose an odd number of bases",
            )
        self.blocks = nn.ModuleList(
            ConvBlock(config.width, config.kernel, DILATIONS[i % len(DILATIONS)]) for i in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """States (B, L, D); see `Network.forward`."""
        size = max(PIECE, *(block.reach for block in self.blocks))
        pieces, flags = list(x_BLD.split(size, dim=1)), list(real_BL.unsqueeze(-1).split(size, dim=1))
        for block in self.blocks:
            inputs = [[with_neighbours(t, i, block.reach) for t in (pieces, flags)] for i in range(len(pieces))]
            pieces = [recomputed(block, *t) if len(inputs) > 1 else block(*t) for t in inputs]
        return torch.cat([self.norm(x) for x in pieces], dim=1)
