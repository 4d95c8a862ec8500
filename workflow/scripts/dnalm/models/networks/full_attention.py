"""Full attention, and the residual block around any mixer of positions.

Shapes: B batch, L length (queries), K keys, D width, H heads, E = D / H. ``real_BL`` is False at padding and at N.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnalm.models.attention import rotary, rotary_rates

HIDDEN = -3e4
"""Score of a key that may not be seen: its weight is exactly 0 in every precision, and half precision can hold it."""
REACH = 4096
"""Positions told apart by the slowest rotation of full attention, which itself has no limit."""


def attend(q_BHLE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor, seen_BK: Tensor, causal: bool = False) -> Tensor:
    """Softmax attention (B, H, L, E) over the keys where ``seen_BK``, if ``causal`` those up to the query's index.

    A query without any key to see gets a meaningless mean.
    """
    if seen_BK.all():
        return F.scaled_dot_product_attention(q_BHLE, k_BHKE, v_BHKE, is_causal=causal)
    q, k, v = with_flags(q_BHLE, k_BHKE, v_BHKE, seen_BK)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, scale=q_BHLE.shape[-1] ** -0.5)[..., :-1]


def with_flags(q_BHLE: Tensor, k_BHKE: Tensor, v_BHKE: Tensor, seen_BK: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values with one channel more, by which queries leave out the keys that are not ``seen_BK``.

    So no mask of L x K is ever made, and ``is_causal``, which excludes a mask, remains possible. The caller scales by
    the size of a head without that channel. Values get it too, since the fast kernels want them as wide as keys.
    """
    score = torch.where(seen_BK, 0.0, HIDDEN * q_BHLE.shape[-1] ** 0.5)[:, None, :, None].to(k_BHKE.dtype)
    k_BHKE = torch.cat([k_BHKE, score.expand(-1, k_BHKE.shape[1], -1, -1)], dim=-1)
    return F.pad(q_BHLE, (0, 1), value=1.0), k_BHKE, F.pad(v_BHKE, (0, 1))


class FullAttention(nn.Module):
    """Attention of every position to all real ones (Vaswani et al. 2017), or if ``causal`` to those up to itself.

    ``reach`` sets the slowest rotation (`dnalm.models.attention.rotary_rates`); None leaves positions unmarked.
    Where a position sees nothing, nothing is added.
    """

    def __init__(self, width: int, heads: int, causal: bool = False, reach: int | None = REACH):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)
        rates = None if reach is None else rotary_rates(width // heads // 2, reach)
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """Attention output of shape (B, L, D)."""
        qk, v = self.qkv(x_BLD).view(*x_BLD.shape[:2], 3, self.heads, -1).split([2, 1], dim=2)
        if self.rates is not None:
            qk = rotary(qk, self.rates)
        q, k, v = (t.squeeze(2).transpose(1, 2) for t in (*qk.split(1, dim=2), v))
        y = self.out(attend(q, k, v, real_BL, self.causal).transpose(1, 2).flatten(2))
        sees = real_BL.cumsum(1) > 0 if self.causal else real_BL.any(1, keepdim=True)
        return y.masked_fill(~sees[..., None], 0.0)


class FeedForward(nn.Module):
    """Pre-norm squared-ReLU feed-forward of four times the width (So et al. 2021), added to the residual stream."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        nn.init.zeros_(self.down.weight)

    def forward(self, x_BLD: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        return x_BLD + self.down(F.relu(self.up(self.norm(x_BLD))).square())


class ResidualBlock(nn.Module):
    """A pre-norm ``mixer`` of positions, called with (B, L, D) and flags (B, L), and a feed-forward."""

    def __init__(self, width: int, mixer: nn.Module):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.mixer = mixer
        self.feed_forward = FeedForward(width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        return self.feed_forward(x_BLD + self.mixer(self.norm(x_BLD), real_BL))
