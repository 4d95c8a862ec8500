"""Selective state space model: a causal network whose state has a fixed size, whatever the length.

Every head keeps a matrix S that is multiplied by a decay and to which an outer product is added at each position, and
that is read with a vector; decay, input and reading depend on the position (Mamba: Gu & Dao 2023):

    S_i = exp(-dt_i a) S_(i-1) + dt_i x_i b_i^T          y_i = S_i c_i

The decay is one number per head and position (Mamba-2: Dao & Gu 2024), see `dnalm.models.networks.scan`. At a position
that is not real dt is 0, so the state passes it unchanged, and the short convolution before the recurrence reads 0.

Shapes: B batch, L length, D width, H heads, P = 2 D / H channels per head, N state size, K = taps - 1, J = 2 D + 2 N.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnalm.models.config import ModelConfig
from dnalm.models.networks.network import Network
from dnalm.models.networks.parts import PIECE, ShortConv, carried_in_pieces
from dnalm.models.networks.scan import selective_scan

TAPS = 4


class SSMBlock(nn.Module):
    """Pre-norm selective scan of 2 D channels with a gate, added to the residual stream."""

    def __init__(self, width: int, heads: int, state_size: int):
        super().__init__()
        self.heads, self.inner, self.state_size = heads, 2 * width, state_size
        self.sizes = [self.inner, self.inner + 2 * state_size, heads]
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, sum(self.sizes), bias=False)
        self.conv = ShortConv(self.sizes[1], TAPS)
        # At first the heads forget within about 10 to 1000 bases.
        steps = torch.logspace(-1, -3, heads)
        self.step_bias = nn.Parameter(steps + torch.log(-torch.expm1(-steps)))
        self.log_rate = nn.Parameter(torch.zeros(heads))
        self.skip = nn.Parameter(torch.ones(self.inner))
        self.out = nn.Linear(self.inner, width, bias=False)
        nn.init.zeros_(self.out.weight)

    def start(self, x_BLD: Tensor) -> tuple[Tensor, Tensor]:
        """State before the first position: inputs of the convolution (B, K, J) and S (B, H, P, N), all zeros."""
        batch = len(x_BLD)
        return (
            x_BLD.new_zeros(batch, TAPS - 1, self.sizes[1]),
            x_BLD.new_zeros(batch, self.heads, self.inner // self.heads, self.state_size),
        )

    def forward(self, x_BLD: Tensor, real_BL: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple]:
        """(B, L, D) and the state before it to (B, L, D) and the state after it."""
        tail, first = state
        unreal = ~real_BL.unsqueeze(-1)
        gate, xbc, step = self.project(self.norm(x_BLD)).split(self.sizes, dim=-1)
        xbc = xbc.masked_fill(unreal, 0)
        mixed = F.silu(self.conv(xbc, tail))
        x, b, c = mixed.split([self.inner, self.state_size, self.state_size], dim=-1)
        step = F.softplus(step + self.step_bias).masked_fill(unreal, 0)
        weighted = x.unflatten(-1, (self.heads, -1)) * step.unsqueeze(-1)
        y, last = selective_scan(-self.log_rate.exp() * step, weighted, b, c, first)
        y = (y.flatten(2) + self.skip * x) * F.silu(gate)
        tail = torch.cat([tail, xbc[:, 1 - TAPS :]], dim=1)[:, 1 - TAPS :]
        # Copied, because a view keeps all that it is a view of in memory.
        return x_BLD + self.out(y), (tail.clone(), last.clone())


class SSM(Network):
    """Selective state space blocks; ``config.heads`` decays, ``config.state_size`` hidden states per channel."""

    causal = True
    carries = True
    in_pieces = True

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.blocks = nn.ModuleList(
            SSMBlock(config.width, config.heads, config.state_size) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """States (B, L, D); see `Network.forward`."""
        return self.carry(x_BLD, real_BL)[0]

    def carry(self, x_BLD: Tensor, real_BL: Tensor, state=None) -> tuple[Tensor, list]:
        """States (B, L, D) and, per block, what `SSMBlock.forward` hands on; see `Network.carry`."""
        state = state or [block.start(x_BLD) for block in self.blocks]
        return carried_in_pieces(self._piece, x_BLD, real_BL, state, PIECE)

    def _piece(self, x_BLD, real_BL, state):
        """What `carry` gives, computed at once."""
        after = []
        for block, before in zip(self.blocks, state, strict=True):
            x_BLD, last = block(x_BLD, real_BL, before)
            after.append(last)
        return self.norm(x_BLD), after
