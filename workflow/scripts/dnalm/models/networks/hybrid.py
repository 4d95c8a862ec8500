"""Convolutions over bases around attention at low resolution (Enformer: Avsec et al. 2021; U-Net: Ronneberger 2015).

    bases -> stem -+-------------------- skip --------------------+-> tail -> feed-forward -> norm
                   +-> patches of R bases -> attention -> bases --+

Attention costs R^2 times less than over bases. The grid of patches starts at the first real position of each window,
and positions that are not real count as 0 in a patch: so padding, on either side and by any amount, changes nothing.

Shapes: B batch, L length, D width, R bases per patch (``config.downsample``), P patches.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnalm.errors import InputError
from dnalm.models.config import ModelConfig
from dnalm.models.networks.full_attention import REACH, FeedForward, FullAttention, ResidualBlock
from dnalm.models.networks.network import Network
from dnalm.models.networks.transformer import first_real


class Convolution(nn.Module):
    """Pre-norm convolution over ``kernel`` bases, squared ReLU and projection, added to the residual stream."""

    def __init__(self, width: int, kernel: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, kernel, padding="same")
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D); positions that are not real are read as 0."""
        seen = self.norm(x_BLD).masked_fill(~real_BL[..., None], 0.0)
        return x_BLD + self.out(F.relu(self.conv(seen.transpose(1, 2))).square().transpose(1, 2))


class Hybrid(Network):
    """Stem, attention over patches, and a tail that joins both resolutions."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        if config.kernel % 2 == 0:
            raise InputError(
                f"kernel {config.kernel} is even, so it has no base in its middle",
                "pretrain.kernel",
                "Choose an odd number of bases",
            )
        width, self.downsample = config.width, config.downsample
        reach = max(REACH // self.downsample, 1)
        self.stem = Convolution(width, config.kernel)
        self.down = nn.Linear(self.downsample * width, width)
        self.blocks = nn.ModuleList(
            ResidualBlock(width, FullAttention(width, config.heads, reach=reach)) for _ in range(config.layers)
        )
        self.norm_up = nn.LayerNorm(width)
        self.up = nn.Linear(width, self.downsample * width)
        nn.init.zeros_(self.up.weight)
        self.tail = Convolution(width, config.kernel)
        self.feed_forward = FeedForward(width)
        self.norm = nn.LayerNorm(width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """States (B, L, D)."""
        length = x_BLD.shape[1]
        first_B = first_real(real_BL)
        x, real = _rolled(x_BLD, -first_B), _rolled(real_BL[..., None], -first_B).squeeze(2)
        pad = -length % self.downsample
        x, real = F.pad(x, (0, 0, 0, pad)), F.pad(real, (0, pad))
        x = self.stem(x, real)
        x = self.feed_forward(self.tail(x + self._coarse(x, real), real))
        return self.norm(_rolled(x[:, :length], first_B))

    def _coarse(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """What attention over patches adds to each base, (B, L, D); L must be a multiple of R."""
        patches = (-1, self.downsample)
        y = self.down(x_BLD.masked_fill(~real_BL[..., None], 0.0).unflatten(1, patches).flatten(2))
        real_BP = real_BL.unflatten(1, patches).any(2)
        for block in self.blocks:
            y = block(y, real_BP)
        return self.up(self.norm_up(y)).unflatten(2, (self.downsample, -1)).flatten(1, 2)


def _rolled(t_BLD: Tensor, shift_B: Tensor) -> Tensor:
    """Each window shifted to the right by its own amount; what leaves at one end comes in at the other."""
    if not shift_B.any():
        return t_BLD
    source_BL = (torch.arange(t_BLD.shape[1], device=t_BLD.device) - shift_B[:, None]) % t_BLD.shape[1]
    return t_BLD.gather(1, source_BL[..., None].expand_as(t_BLD))
