"""A head that reads a stretch with the reference and with the alternative allele and says how likely it is harmful.

Shapes: B variants, L bases of a window, D backbone width.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnalm.models.backbone import Backbone
from dnalm.models.memory import Features

#: Bases beside the allele over which the change of the states is averaged.
AROUND = 16


class VariantModel(nn.Module):
    """A backbone with a head for variants; reads both strands with the same weights.

    Of the two windows of a variant the head sees, read along a strand, the state behind the allele, which has read all
    of it, how that differs between the alleles, and how much the states of the next `AROUND` bases differ; and the same
    read along the other strand. No annotation, position or consequence goes in.
    """

    def __init__(self, backbone: Backbone, width: int = 32):
        super().__init__()
        self.backbone = backbone
        inputs = 6 * backbone.width
        self.norm, self.enter, self.leave = nn.LayerNorm(inputs), nn.Linear(inputs, width), nn.Linear(width, 1)
        nn.init.zeros_(self.leave.weight)

    @property
    def device(self) -> torch.device:
        """Where the weights are; tensors that go in must be there too."""
        return self.backbone.device

    def forward(self, codes_BL: Tensor, features: Features | None, flank: int, ends_B2: Tensor) -> Tensor:
        """Logits (B,) that variants are harmful.

        Parameters
        ----------
        codes_BL : int64 (2 B, L)
            Windows of codes 0..4: all with the reference, then all with the alternative allele, which begins after
            ``flank`` bases.
        features : Features, optional
            Those of `Backbone.lookup`, in the same order.
        flank : int
        ends_B2 : int64 (B, 2)
            First base behind the reference and behind the alternative allele, counted in the window.
        """
        left, right = self.backbone.states(codes_BL, features)
        count = len(ends_B2)
        steps = torch.arange(AROUND, device=codes_BL.device)
        rows = torch.arange(count, device=codes_BL.device)[:, None]
        behind = [left[i * count : (i + 1) * count][rows, ends_B2[:, i : i + 1] + steps] for i in (0, 1)]
        before = [right[i * count : (i + 1) * count][rows, flank - 1 - steps] for i in (0, 1)]
        sides = [self._side(*states) for states in (behind, before)]
        both = torch.cat([torch.cat(sides, dim=-1), torch.cat(sides[::-1], dim=-1)])
        scores = self.leave(F.relu(self.enter(self.norm(both)))).squeeze(-1)
        return scores[:count] + scores[count:]

    @staticmethod
    def _side(reference_BAD: Tensor, alternative_BAD: Tensor) -> Tensor:
        """What is seen of one reading: (B, 3 D)."""
        change = alternative_BAD - reference_BAD
        return torch.cat([reference_BAD[:, 0], change[:, 0], change.abs().mean(1)], dim=-1)
