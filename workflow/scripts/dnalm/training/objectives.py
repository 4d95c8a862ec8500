"""What a language model is trained to do."""

import math

import torch.nn.functional as F
from torch import Tensor

from dnalm.models.backbone import Output

#: Nats in a bit.
LN2 = math.log(2.0)


def negative_log_likelihood(logp_BL4: Tensor, codes_BL: Tensor) -> Tensor:
    """Mean over A C G T of ``-log p`` of the true base, in nats; N and padding (code 4) do not count; 0 without any."""
    total = F.nll_loss(logp_BL4.flatten(0, 1), codes_BL.flatten(), ignore_index=4, reduction="sum")
    return total / (codes_BL < 4).sum().clamp(min=1)


def two_sided_objective(output: Output, codes_BL: Tensor) -> tuple[Tensor, dict[str, float]]:
    """Causal plus two-sided negative log-likelihood in nats per base, and both in bits per base.

    The causal part is the mean of both reading directions.
    """
    ahead = negative_log_likelihood(output.forward, codes_BL)
    behind = negative_log_likelihood(output.reverse, codes_BL)
    causal, two_sided = (ahead + behind) / 2, negative_log_likelihood(output.two_sided, codes_BL)
    metrics = {"bits_per_base": causal.item() / LN2, "bits_per_base_two_sided": two_sided.item() / LN2}
    return causal + two_sided, metrics
