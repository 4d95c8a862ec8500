"""Long convolutions with gates: a causal network that reads any distance in time L log L (Hyena: Poli et al. 2023).

From three projections q, k, v of its input, each passed through a short causal convolution, a block computes

    y = q * (h * (k v))

where the products are elementwise and the convolution with the filter h is done by fast Fourier transforms. The filter
of every channel is a small network's function of the distance times an exponential decay. Distances are counted in
bases, not in shares of the window, so the states are the same in windows of any length. No later position enters a
state, but the rounding of a transform (1e-7 of the largest value in single precision) is spread over the window.

Shapes: B batch, L length, D width, E features of a distance.
"""

import math

import torch
from torch import Tensor, nn

from dnalm.models.config import ModelConfig
from dnalm.models.networks.full_attention import FeedForward
from dnalm.models.networks.network import Network
from dnalm.models.networks.parts import ShortConv, in_pieces, recomputed

TAPS = 3
HIDDEN = 32
VALUES = 2**20
"""Values of channels that are transformed together; more of them are slower, as they do not fit into a cache."""
OCTAVES = 16
"""The filters tell distances apart by periods of 2, 4, ..., 2**16 bases, and of 3 for the codon."""


def transform_length(least: int) -> int:
    """The smallest m 2^n of at least this, with m of 1, 3 or 5: a length that is fast to transform."""
    return min(m << (-(-least // m) - 1).bit_length() for m in (1, 3, 5))


def long_convolution(x_BLD: Tensor, filter_LD: Tensor) -> Tensor:
    """y_i = sum over j <= i of filter_(i - j) x_j, channel by channel (B, L, D)."""
    length = x_BLD.shape[1]
    size = transform_length(2 * length - 1)
    # Transforms along contiguous memory are several times faster.
    x, h = x_BLD.mT.contiguous(), filter_LD.mT.contiguous()
    channels = max(VALUES // (len(x) * length), 1)
    if channels >= x.shape[1]:
        return _transformed(x, h, size).mT
    groups = zip(x.split(channels, dim=1), h.split(channels), strict=True)
    return torch.cat([recomputed(_transformed, *group, size) for group in groups], dim=1).mT


def _transformed(x_BDL: Tensor, filter_DL: Tensor, size: int) -> Tensor:
    """The convolution as a product of transforms of ``size`` values."""
    spectrum = torch.fft.rfft(x_BDL, n=size) * torch.fft.rfft(filter_DL, n=size)
    return torch.fft.irfft(spectrum, n=size)[..., : x_BDL.shape[-1]]


class Filter(nn.Module):
    """The implicit filter: a network with sines over features of the distance, times a decay of its own per channel.

    The channels' half-lives run from 4 to 2^16 bases; the decays are scaled to the same sum of squares.
    """

    def __init__(self, width: int):
        super().__init__()
        self.mlp = nn.ModuleList(
            [nn.Linear(2 * (OCTAVES + 1) + 1, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, width, bias=False)]
        )
        self.register_buffer("half_lives", torch.logspace(2, OCTAVES, width, base=2.0), persistent=False)
        self.register_buffer("periods", torch.tensor([3.0, *(2.0**i for i in range(1, OCTAVES + 1))]), persistent=False)

    def features(self, distance_L: Tensor, dtype: torch.dtype) -> Tensor:
        """(L, E): the logarithm of the distance, and sine and cosine of every period."""
        # Whole turns are dropped in double precision: single precision is wrong far along a window.
        turns = (distance_L[:, None] / self.periods.double() % 1).to(dtype) * (2 * math.pi)
        size = (distance_L.log1p() / (OCTAVES * math.log(2))).to(dtype)
        return torch.cat([size[:, None], turns.sin(), turns.cos()], dim=1)

    def forward(self, distance_L: Tensor) -> Tensor:
        """The filters (L, D) at distances in bases, given in double precision."""
        first, second, last = self.mlp
        hidden = second(first(self.features(distance_L, last.weight.dtype)).sin()).sin()
        half_lives = self.half_lives.double()
        decay = torch.exp2(-distance_L[:, None] / half_lives) * (1 - torch.exp2(-2 / half_lives)).sqrt()
        return last(hidden) * decay.to(hidden.dtype)


class HyenaOperator(nn.Module):
    """The gated long convolution of the module's docstring, of order 2."""

    def __init__(self, width: int):
        super().__init__()
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.short = ShortConv(3 * width, TAPS)
        self.filter = Filter(width)
        self.skip = nn.Parameter(torch.ones(width))
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        unreal = ~real_BL.unsqueeze(-1)
        q, k, v = self.short(self.project(x_BLD).masked_fill(unreal, 0)).chunk(3, dim=-1)
        # Again, because the short convolution reaches into positions that are not real, and has a bias.
        u = (k * v).masked_fill(unreal, 0)
        distance = torch.arange(x_BLD.shape[1], dtype=torch.float64, device=x_BLD.device)
        return self.out(q * (long_convolution(u, in_pieces(self.filter, distance)) + self.skip * u))


class HyenaBlock(nn.Module):
    """Pre-norm operator and feed-forward, each added to the residual stream."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.operator = HyenaOperator(width)
        self.feed_forward = FeedForward(width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        x_BLD = x_BLD + self.operator(self.norm(x_BLD), real_BL)
        return in_pieces(self.feed_forward, x_BLD, dim=1)


class Hyena(Network):
    """``config.layers`` blocks of a gated long convolution and a feed-forward."""

    causal = True
    in_pieces = True

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.blocks = nn.ModuleList(HyenaBlock(config.width) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """States (B, L, D); see `Network.forward`."""
        for block in self.blocks:
            x_BLD = block(x_BLD, real_BL)
        return self.norm(x_BLD)
