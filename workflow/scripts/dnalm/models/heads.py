"""Heads on top of a backbone.

Shapes: B batch, L length, D backbone width, W head width, Q codons = L / 3.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnalm.models.backbone import Backbone, reverse_strand
from dnalm.models.memory import Features

#: Classes of a base: non-coding, then codon position 1, 2, 3 on the forward and on the reverse strand.
CLASSES = ("none", "+1", "+2", "+3", "-1", "-2", "-3")


#: First guess of the start and stop logits: about one candidate codon in a hundred is the real one.
RARE = -4.0


@dataclass
class GeneOutput:
    """Predictions for a batch of windows, in forward orientation.

    ``classes`` (B, L, 7): log-probabilities of `CLASSES`. ``starts`` and ``stops`` (B, L, 2): logits that a gene on the
    forward (0) or reverse (1) strand has the first base of its start codon, or the last base of its stop codon, here.
    """

    classes: Tensor
    starts: Tensor
    stops: Tensor


class ConvBlock(nn.Module):
    """Residual dilated convolution, pre-norm; (B, Q, W) to the same."""

    def __init__(self, width: int, kernel: int, dilation: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)

    def forward(self, x_BQW: Tensor, real_BQ1: Tensor) -> Tensor:
        """Same shape; positions where ``real_BQ1`` is 0 give nothing to their neighbours."""
        y = self.conv((self.norm(x_BQW) * real_BQ1).transpose(1, 2)).transpose(1, 2)
        return x_BQW + self.out(F.relu(y))


class GeneHead(nn.Module):
    """Per-base gene labels from one-sided states, read along one strand.

    A convolution over bases (ribosome binding site, start and stop context), then dilated convolutions over patches of
    three bases (reading frame, codon usage), then back to bases. The patches need not be in frame: every patch predicts
    the codon position of each of its bases.
    """

    def __init__(self, backbone_width: int, width: int = 96, base_width: int = 48, dilations=(1, 2, 4, 8, 16, 32)):
        super().__init__()
        self.enter = nn.Linear(2 * backbone_width + 5, base_width)
        self.local = nn.ModuleList(ConvBlock(base_width, 11, 1) for _ in range(2))
        self.patch = nn.Linear(3 * base_width, width)
        self.blocks = nn.ModuleList(ConvBlock(width, 5, d) for d in dilations)
        self.unpatch = nn.Linear(width, 3 * base_width)
        self.norm = nn.LayerNorm(base_width)
        self.leave = nn.Linear(base_width, 6)
        with torch.no_grad():
            self.leave.bias[4:] = RARE

    def forward(self, near: Tensor, far: Tensor, codes_BL: Tensor) -> Tensor:
        """Scores (B, L, 6): none, codon position 1, 2, 3, start, stop; L must be a multiple of 3.

        ``near`` and ``far`` (B, L, D) are the readings along this strand and against it.
        """
        real = (codes_BL < 4).unsqueeze(-1).to(near.dtype)
        x = self.enter(torch.cat([near, far, F.one_hot(codes_BL, 5).to(near.dtype)], dim=-1)) * real
        for block in self.local:
            x = block(x, real)
        batch, length, _ = x.shape
        z = self.patch(x.reshape(batch, length // 3, -1))
        codons = real.view(batch, length // 3, 3).amax(2, keepdim=True)
        for block in self.blocks:
            z = block(z, codons)
        return self.leave(self.norm(x + self.unpatch(z).view(batch, length, -1)))


class GeneModel(nn.Module):
    """A backbone with a gene head; reads both strands with the same weights."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone
        self.head = GeneHead(backbone.width)

    @property
    def device(self) -> torch.device:
        """Where the weights are; tensors that go in must be there too."""
        return self.backbone.device

    def forward(self, codes_BL: Tensor, features: Features | None = None) -> GeneOutput:
        """Predictions for windows of codes 0..4, int64 of shape (B, L) with L a multiple of 3."""
        left, right = self.backbone.states(codes_BL, features)
        near, far = torch.cat([left, right.flip(1)]), torch.cat([right, left.flip(1)])
        scores = self.head(near, far, torch.cat([codes_BL, reverse_strand(codes_BL)]))
        ahead, behind = scores[: len(codes_BL)], scores[len(codes_BL) :].flip(1)
        logits = torch.cat([ahead[..., :1] + behind[..., :1], ahead[..., 1:4], behind[..., 1:4]], dim=-1)
        starts, stops = (torch.stack([ahead[..., i], behind[..., i]], dim=-1) for i in (4, 5))
        return GeneOutput(logits.log_softmax(-1), starts, stops)
