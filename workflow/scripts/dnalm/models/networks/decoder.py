"""Causal transformer with full attention (GPT: Radford et al. 2018; rotary positions: Su et al. 2021).

Time grows with the square of the length, memory with the length.

Shapes: B batch, L length, D width.
"""

from torch import Tensor, nn

from dnalm.models.config import ModelConfig
from dnalm.models.networks.full_attention import FullAttention, ResidualBlock
from dnalm.models.networks.network import Network


class Decoder(Network):
    """Every position reads all real ones before it, and itself if it is real."""

    causal = True

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.blocks = nn.ModuleList(
            ResidualBlock(config.width, FullAttention(config.width, config.heads, causal=True))
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """States (B, L, D)."""
        for block in self.blocks:
            x_BLD = block(x_BLD, real_BL)
        return self.norm(x_BLD)
