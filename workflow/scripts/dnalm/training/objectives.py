"""What a language model is trained to do.

Every loss is a weighted mean over bases or tokens in nats. N and padding never count; soft-masked bases (repeats) count
with a weight, so that a genome full of repeats does not train on them alone.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from dnalm.models.two_sided import Output

#: Nats in a bit.
LN2 = math.log(2.0)


def negative_log_likelihood(logp_BLV: Tensor, targets_BL: Tensor, weights_BL: Tensor) -> Tensor:
    """Weighted sum of ``-log p`` of the true tokens in nats; targets without weight may be any valid index."""
    nats = F.nll_loss(logp_BLV.flatten(0, 1), targets_BL.flatten(), reduction="none")
    return (nats.view_as(targets_BL) * weights_BL).sum()


def base_weights(codes_BL: Tensor, soft_BL: Tensor | None = None, soft_weight: float = 1.0) -> Tensor:
    """Weight of every base in the loss: 0 for N and padding, ``soft_weight`` for soft-masked ones, else 1; float32."""
    weights = (codes_BL < 4).float()
    return weights if soft_BL is None else torch.where(soft_BL, soft_weight * weights, weights)


def two_sided_objective(output: Output, codes_BL: Tensor, weights_BL: Tensor | None = None):
    """Causal plus (if the model has it) two-sided negative log-likelihood.

    Returns the loss in nats per base, and both in bits per base; the causal part is the mean of both reading
    directions. ``weights_BL`` are those of `base_weights`.
    """
    weights_BL = base_weights(codes_BL) if weights_BL is None else weights_BL
    targets, total = codes_BL.clamp(max=3), weights_BL.sum().clamp(min=1e-9)
    ahead, behind = (negative_log_likelihood(p, targets, weights_BL) / total for p in (output.forward, output.reverse))
    loss = (ahead + behind) / 2
    metrics = {"bits_per_base": loss.item() / LN2}
    if output.two_sided is not None:
        two_sided = negative_log_likelihood(output.two_sided, targets, weights_BL) / total
        metrics["bits_per_base_two_sided"] = two_sided.item() / LN2
        loss = loss + two_sided
    return loss, metrics


def token_objective(model, inputs_BT: Tensor, real_BT: Tensor, targets_BT: Tensor, weights_BT: Tensor):
    """Weighted negative log-likelihood of tokens: the loss in nats per token, and the same in bits.

    The chunks of the head are computed again in the backward pass, so that the log-probabilities of a large vocabulary
    over a long window are never all in memory.
    """
    nats = model.nats(inputs_BT, real_BT, targets_BT, weights_BT)
    loss = nats / weights_BT.sum().clamp(min=1e-9)
    return loss, {"bits_per_token": loss.item() / LN2}
