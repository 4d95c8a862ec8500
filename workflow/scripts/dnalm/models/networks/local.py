"""Bidirectional local attention and a few global tokens (Longformer: Beltagy et al. 2020; BigBird: Zaheer et al. 2020).

Each position attends to the ``attention_span`` positions on both sides, itself, and ``global_tokens`` learned tokens;
these attend to everything. One softmax holds both. Time and memory are linear in the length.

Shapes: B batch, L length, D width, H heads, E = D / H, G global tokens, S span, C chunks of S positions.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnalm.models.attention import rotary, rotary_rates
from dnalm.models.config import ModelConfig
from dnalm.models.networks.full_attention import ResidualBlock, with_flags
from dnalm.models.networks.network import Network


class LocalAttention(nn.Module):
    """Attention over a sequence whose first ``tokens`` members are global, in chunks of ``span`` positions.

    Half of the channels of each head carry the rotation by which positions know their distance. Global tokens have no
    place: in that half their queries and keys are 0, and the other half alone compares them with positions.
    """

    def __init__(self, width: int, heads: int, span: int, tokens: int):
        super().__init__()
        self.heads, self.span, self.tokens = heads, span, tokens
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)
        self.scale = (width // heads) ** -0.5
        self.turned = 2 * -(-width // heads // 4)
        self.register_buffer("rates", rotary_rates(self.turned // 2, span), persistent=False)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """Attention output for G global tokens and L positions, (B, G + L, D); the tokens' flags must be True."""
        length = x_BLD.shape[1] - self.tokens
        chunk = min(self.span, length)
        pad = (chunk, chunk + -length % chunk)
        seen_tokens, seen = real_BL.split([self.tokens, length], dim=1)
        tokens, places = self.qkv(x_BLD).unflatten(2, (3, self.heads, -1)).split([self.tokens, length], dim=1)
        tokens, places = self._unplaced(tokens).transpose(1, 3), self._turned(places).transpose(1, 3)
        # A chunk more on either side, so that each has two neighbours.
        places = with_flags(*F.pad(places, (0, 0, *pad)).unbind(2), F.pad(seen, pad))
        tokens = with_flags(*tokens.unbind(2), seen_tokens)
        y = self._near(places, tokens, chunk)[:, :, :length]
        if self.tokens:
            k, v = (torch.cat(t, dim=2) for t in zip(tokens[1:], places[1:], strict=True))
            y = torch.cat([F.scaled_dot_product_attention(tokens[0], k, v, scale=self.scale), y], dim=2)
        return self.out(y[..., :-1].transpose(1, 2).flatten(2))

    def _turned(self, qkv_BL3HE: Tensor) -> Tensor:
        """Queries and keys with their first channels rotated."""
        qk, v = qkv_BL3HE.split([2, 1], dim=2)
        turned, plain = qk.split([self.turned, qk.shape[-1] - self.turned], dim=-1)
        return torch.cat([torch.cat([rotary(turned, self.rates), plain], dim=-1), v], dim=2)

    def _unplaced(self, qkv_BG3HE: Tensor) -> Tensor:
        """Queries and keys without their first channels."""
        qk, v = qkv_BG3HE.split([2, 1], dim=2)
        return torch.cat([F.pad(qk[..., self.turned :], (self.turned, 0)), v], dim=2)

    def _near(self, places: tuple, tokens: tuple, chunk: int) -> Tensor:
        """Attention output of the positions in chunks 1 ... C of 0 ... C + 1, (B, H, C * S, E)."""
        q, *keys_values = (t.unflatten(2, (-1, chunk)) for t in places)
        q = q[:, :, 1:-1]
        k, v = (
            torch.cat(
                [t[:, :, :-2], t[:, :, 1:-1], t[:, :, 2:], g[:, :, None].expand(-1, -1, q.shape[2], -1, -1)], dim=3
            )
            for t, g in zip(keys_values, tokens[1:], strict=True)
        )
        # Chunks take the place of heads, since they already lie side by side in memory.
        q, k, v = (t.flatten(0, 1) for t in (q, k, v))
        band = self._band(chunk, q).expand(len(q), 1, -1, -1)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=band, scale=self.scale)
        return y.unflatten(0, (-1, self.heads)).flatten(2, 3)

    def _band(self, chunk: int, like: Tensor) -> Tensor:
        """Scores (S, 3 S + G) to add: 0 for a key within the span or a global token, else minus infinity."""
        q = torch.arange(chunk, device=like.device)[:, None] + chunk
        k = torch.arange(3 * chunk, device=like.device)
        far = F.pad((k - q).abs() > self.span, (0, self.tokens), value=False)
        return torch.zeros_like(far, dtype=like.dtype).masked_fill(far, float("-inf"))


class Local(Network):
    """Residual blocks of `LocalAttention`; the global tokens pass through them beside the positions."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(config.global_tokens, config.width))
        self.blocks = nn.ModuleList(
            ResidualBlock(
                config.width,
                LocalAttention(config.width, config.heads, config.attention_span, config.global_tokens),
            )
            for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)

    def forward(self, x_BLD: Tensor, real_BL: Tensor) -> Tensor:
        """States (B, L, D)."""
        count = len(self.tokens)
        x = torch.cat([self.tokens.expand(len(x_BLD), -1, -1), x_BLD], dim=1)
        real = F.pad(real_BL, (count, 0), value=True)
        for block in self.blocks:
            x = block(x, real)
        return self.norm(x[:, count:])
