"""Causal network of sliding-window attention (Beltagy et al. 2020), the reader of the two-sided model.

A position looks back ``attention_span`` bases in every layer, so time and memory are linear in the length, and windows
of any length can be read with what was learned on short ones.

Shapes: B batch, L length, D width.
"""

from torch import Tensor, nn

from dnalm.models.attention import Block
from dnalm.models.config import ModelConfig
from dnalm.models.networks.network import Network
from dnalm.models.networks.parts import carried_in_pieces

LONG = 8192
"""Positions of a long window that are computed at once, each piece from the state of the one before."""


class Sliding(Network):
    """Blocks of `dnalm.models.attention` and a norm; a position that is not real still reads itself."""

    causal = True
    carries = True
    in_pieces = True

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.attention_span) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """States (B, L, D)."""
        if x_BLD.shape[1] > LONG:
            return carried_in_pieces(self.carry, x_BLD, real_BL, None, LONG)[0]
        for block in self.blocks:
            x_BLD = block(x_BLD, real_BL)
        return self.norm(x_BLD)

    def carry(self, x_BLD: Tensor, real_BL: Tensor, state: list | None = None) -> tuple[Tensor, list]:
        """States (B, L, D), and the next state: of each layer the past of `dnalm.models.attention.Block.carry`.

        Gradients flow through the state unless the caller detaches its tensors.
        """
        pasts = state or [None] * len(self.blocks)
        following = []
        for block, past in zip(self.blocks, pasts, strict=True):
            x_BLD, past = block.carry(x_BLD, real_BL, past)
            following.append(past)
        return self.norm(x_BLD), following
