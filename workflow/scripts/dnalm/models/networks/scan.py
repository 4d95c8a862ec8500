"""Linear recurrences with a scalar decay per head, computed exactly with matrix products.

Within chunks of Q positions the recurrence is a product with the matrix of all decays from j to i; the last states of
the chunks follow a recurrence of the same kind, Q times shorter (state space duality: Dao & Gu 2024). Only sums of
log-decays, which are never positive, are exponentiated: nothing overflows, however strong the decay or long the window.

Shapes: B batch, L length, H heads, P channels per head, N state size, C chunks of Q positions, F features.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

CHUNK = 32
"""Positions per chunk; on a CPU 16 to 64 are about equally fast."""


def _chunked(t_BL: Tensor, chunk: int) -> Tensor:
    """(B, L, ...) to (B, C, Q, ...), with zeros at the end where the last chunk is not full."""
    chunk = min(chunk, t_BL.shape[1])
    t_BL = F.pad(t_BL, (0, 0) * (t_BL.dim() - 2) + (0, -t_BL.shape[1] % chunk))
    return t_BL.unflatten(1, (-1, chunk))


def _decays(log_BCQH: Tensor) -> tuple[Tensor, Tensor]:
    """Log-decays (B, C, H, Q) from before a chunk to i, and decays (B, C, H, Q, Q) from j to i, 0 where j > i."""
    chunk = log_BCQH.shape[2]
    upper = torch.ones(chunk, chunk, dtype=log_BCQH.dtype, device=log_BCQH.device).triu()
    # A product instead of `cumsum`, which has no deterministic form on GPUs.
    total_BCHQ = log_BCQH.transpose(2, 3) @ upper
    future = torch.full_like(upper, -math.inf).triu(1)
    return total_BCHQ, (total_BCHQ.unsqueeze(-1) - total_BCHQ.unsqueeze(-2) + future).exp()


def linear_scan(log_BLH: Tensor, u_BLHF: Tensor, first_BHF: Tensor, chunk: int = CHUNK) -> Tensor:
    """All S_i = exp(log_i) S_(i-1) + u_i, (B, L, H, F), from S_(-1) = ``first_BHF``; log_i must not be positive.

    In chunks, whose last states follow the same recurrence: log(L) / log(chunk) levels, time linear in L.
    """
    length = u_BLHF.shape[1]
    total_BCHQ, decay = _decays(_chunked(log_BLH, chunk))
    inside = decay @ _chunked(u_BLHF, chunk).transpose(2, 3)
    before = first_BHF.unsqueeze(1)
    if inside.shape[1] > 1:
        ends = linear_scan(total_BCHQ[:, :-1, :, -1], inside[:, :-1, :, -1], first_BHF, chunk)
        before = torch.cat([before, ends], dim=1)
    states = inside + total_BCHQ.exp().unsqueeze(-1) * before.unsqueeze(3)
    return states.transpose(2, 3).flatten(1, 2)[:, :length]


def selective_scan(
    log_BLH: Tensor, x_BLHP: Tensor, b_BLN: Tensor, c_BLN: Tensor, first_BHPN: Tensor, chunk: int = CHUNK
) -> tuple[Tensor, Tensor]:
    """y_i = S_i c_i (B, L, H, P) with S_i = exp(log_i) S_(i-1) + x_i b_i^T, and the last S (B, H, P, N).

    ``log_BLH`` are the logarithms of the decays, never positive; ``first_BHPN`` is the state before the window.
    """
    length = x_BLHP.shape[1]
    total_BCHQ, decay = _decays(_chunked(log_BLH, chunk))
    x = _chunked(x_BLHP, chunk).transpose(2, 3)
    b, c = (_chunked(t, chunk).unsqueeze(2) for t in (b_BLN, c_BLN))
    added = x.mT @ (b * decay[..., -1, :, None])
    ends = linear_scan(total_BCHQ[..., -1], added.flatten(3), first_BHPN.flatten(2), chunk).view_as(added)
    before = torch.cat([first_BHPN.unsqueeze(1), ends[:, :-1]], dim=1)
    y = (c @ b.mT * decay) @ x + (c * total_BCHQ.exp().unsqueeze(-1)) @ before.mT
    return y.transpose(2, 3).flatten(1, 2)[:, :length], ends[:, -1]
