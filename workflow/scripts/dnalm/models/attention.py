"""Causal attention within a sliding span, and the block built on it.

Shapes: B batch, L length, D width, H heads, E = D / H, S span, C = L / S chunks.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rotary_rates(half: int, span: int) -> Tensor:
    """Angles per base, (half,): a quarter turn with the codon (period 3), the rest range from 2 to 4 x span bases.

    The usual rates start at one radian (period 6.3), too slow to tell the three codon positions apart.
    """
    codon = max(half // 4, 1)
    slow = torch.linspace(math.log(2.0), math.log(4.0 * span), half - codon).exp()
    return 2 * math.pi / torch.cat([torch.full((codon,), 3.0), slow])


def rotary(x_BLNHE: Tensor, rates: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021) along the second axis: attention sees relative positions only."""
    # Double precision: a million bases along, a single-precision angle is wrong by a tenth of a radian.
    angles = torch.arange(x_BLNHE.shape[1], dtype=torch.float64, device=x_BLNHE.device)[:, None] * rates.double()
    cos, sin = (t.to(x_BLNHE.dtype)[:, None, None] for t in (angles.cos(), angles.sin()))
    a, b = x_BLNHE.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class SlidingAttention(nn.Module):
    """Each position attends to itself and to the ``span - 1`` positions before it.

    Computed in chunks of ``span`` (a chunk sees itself and the one before), so time and memory grow linearly with the
    length, and a window of any length can be scored with what was learned on short ones.
    """

    def __init__(self, width: int, heads: int, span: int):
        super().__init__()
        self.heads, self.span = heads, span
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)
        self.register_buffer("rates", rotary_rates(width // heads // 2, span), persistent=False)

    def forward(self, x_BLD: Tensor, keys_BL: Tensor) -> Tensor:
        """Attention output of shape (B, L, D); ``keys_BL`` is False where a position may not be looked at."""
        return self._attend(self._project(x_BLD), keys_BL)

    def carry(self, x_BLD: Tensor, keys_BL: Tensor, past=None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Attention output of a window that goes on after ``past``, and the past of the next window.

        The past holds the projections (B, up to S - 1, 3, H, E) of the last positions and which of them may be looked
        at. They are kept unrotated: only distances count, so each window may turn them from a zero of its own.
        """
        length = x_BLD.shape[1]
        qkv = self._project(x_BLD)
        if past is not None:
            qkv, keys_BL = torch.cat([past[0], qkv], dim=1), torch.cat([past[1], keys_BL], dim=1)
        start = max(qkv.shape[1] - (self.span - 1), 0)
        # Copies: a view would keep the whole window in memory.
        rest = qkv[:, start:].clone(), keys_BL[:, start:].clone()
        return self._attend(qkv, keys_BL)[:, qkv.shape[1] - length :], rest

    def _project(self, x_BLD: Tensor) -> Tensor:
        """Queries, keys and values, (B, L, 3, H, E)."""
        return self.qkv(x_BLD).view(*x_BLD.shape[:2], 3, self.heads, -1)

    def _attend(self, qkv_BL3HE: Tensor, keys_BL: Tensor) -> Tensor:
        batch, length = keys_BL.shape
        span = min(self.span, length)
        pad = -length % span
        qk, v = qkv_BL3HE.split([2, 1], dim=2)
        q, k = rotary(qk, self.rates).transpose(1, 3).unbind(2)
        v = v.squeeze(2).transpose(1, 2)
        if pad:
            q, k, v = (F.pad(t, (0, 0, 0, pad)) for t in (q, k, v))
        chunks = (length + pad) // span
        k, v = (_with_previous_chunk(t, chunks, span) for t in (k, v))
        q = q.reshape(batch, self.heads, chunks, span, -1).transpose(1, 2)
        mask = _mask(F.pad(keys_BL, (0, pad)), chunks, span)
        y = F.scaled_dot_product_attention(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), attn_mask=mask)
        y = y.view(batch, chunks, self.heads, span, -1).transpose(2, 3).reshape(batch, chunks * span, -1)
        return self.out(y[:, :length])


def _with_previous_chunk(t_BHLE: Tensor, chunks: int, span: int) -> Tensor:
    """(B, C, H, 2S, E): each chunk preceded by the one before it (zeros before the first)."""
    t = t_BHLE.reshape(*t_BHLE.shape[:2], chunks, span, -1)
    before = F.pad(t[:, :, :-1], (0, 0, 0, 0, 1, 0))
    return torch.cat([before, t], dim=3).transpose(1, 2)


def _mask(keys_BL: Tensor, chunks: int, span: int) -> Tensor:
    """Boolean (B * C, 1, S, 2S): within the span, not in the future, not a forbidden key; itself always."""
    q = torch.arange(span, device=keys_BL.device)[:, None] + span
    k = torch.arange(2 * span, device=keys_BL.device)[None]
    band = (k <= q) & (k > q - span)
    keys = keys_BL.view(-1, chunks, span)
    keys = torch.cat([F.pad(keys[:, :-1], (0, 0, 1, 0)), keys], dim=2)
    return ((band & keys[:, :, None]) | (k == q)).flatten(0, 1)[:, None]


class Block(nn.Module):
    """Pre-norm attention and a squared-ReLU feed-forward (So et al. 2021), each added to the residual stream."""

    def __init__(self, width: int, heads: int, span: int):
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = SlidingAttention(width, heads, span)
        self.norm_forward = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        nn.init.zeros_(self.down.weight)

    def forward(self, x_BLD: Tensor, keys_BL: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        return self._feed_forward(x_BLD + self.attention(self.norm_attention(x_BLD), keys_BL))

    def carry(self, x_BLD: Tensor, keys_BL: Tensor, past=None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The same for a window that goes on after ``past``, and the past of the next; see `SlidingAttention.carry`."""
        y_BLD, past = self.attention.carry(self.norm_attention(x_BLD), keys_BL, past)
        return self._feed_forward(x_BLD + y_BLD), past

    def _feed_forward(self, x_BLD: Tensor) -> Tensor:
        return x_BLD + self.down(F.relu(self.up(self.norm_forward(x_BLD))).square())
