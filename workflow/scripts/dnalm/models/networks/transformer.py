"""Bidirectional transformer with full attention (BERT: Devlin et al. 2019), with the norms before each layer.

Time grows with the square of the length, memory with the length.

Shapes: B batch, L length, D width.
"""

import torch
from torch import Tensor, nn

from dnalm.errors import InputError
from dnalm.models.config import ModelConfig
from dnalm.models.networks.full_attention import REACH, FullAttention, ResidualBlock
from dnalm.models.networks.network import Network

POSITIONS = ("rotary", "sinusoidal")


def first_real(real_BL: Tensor) -> Tensor:
    """Index of the first real position of every window, (B,); 0 where there is none."""
    return real_BL.to(torch.uint8).argmax(1)


def sinusoids(position_BL: Tensor, width: int, dtype: torch.dtype) -> Tensor:
    """Waves of periods from 2 pi to 20,000 pi, (B, L, D): sines in even channels, cosines in odd ones."""
    rates = 10_000.0 ** -(torch.arange(0, width, 2, dtype=torch.float64, device=position_BL.device) / width)
    angles = position_BL[..., None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(2).to(dtype)


class Transformer(Network):
    """Every position reads all real ones.

    ``config.positions`` is ``rotary`` (Su et al. 2021) or ``sinusoidal`` (Vaswani et al. 2017): waves added to the
    input, counted from the first real position so that padding does not shift them.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        if config.positions not in POSITIONS:
            raise InputError(
                f"no positions {config.positions!r}", "pretrain.positions", f"Choose from {', '.join(POSITIONS)}"
            )
        self.sinusoidal = config.positions == "sinusoidal"
        reach = None if self.sinusoidal else REACH
        self.blocks = nn.ModuleList(
            ResidualBlock(config.width, FullAttention(config.width, config.heads, reach=reach))
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """States (B, L, D)."""
        if self.sinusoidal:
            position_BL = torch.arange(x_BLD.shape[1], device=x_BLD.device) - first_real(real_BL)[:, None]
            x_BLD = x_BLD + sinusoids(position_BL, x_BLD.shape[2], x_BLD.dtype)
        for block in self.blocks:
            x_BLD = block(x_BLD, real_BL)
        return self.norm(x_BLD)
