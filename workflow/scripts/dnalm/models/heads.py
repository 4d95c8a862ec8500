"""Heads on top of a backbone.

Shapes: B batch, L length, D backbone width, W head width, Q codons = L / 3.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dnalm.models.backbone import Backbone, reverse_strand
from dnalm.models.memory import Features
from dnalm.sequence.gene_structure import PARTS, SITES

#: First guess of the site logits: about one candidate start or stop codon in a hundred is the real one.
RARE = -4.0


@dataclass(frozen=True)
class Targets:
    """What a head says of every base: the ``parts`` of a gene that it may belong to, and ``sites``, on each strand."""

    parts: tuple[str, ...]
    sites: tuple[str, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """None, then the parts of the forward and of the reverse strand."""
        return ("none", *(f"{strand}{part}" for strand in "+-" for part in self.parts))

    @property
    def scores(self) -> int:
        """Scores of a base that is read along one strand."""
        return 1 + len(self.parts) + len(self.sites)


#: Genes in one piece: codon position 1, 2, 3; genes with introns: the classes of `dnalm.sequence.gene_structure`.
GENES, STRUCTURES = Targets(("1", "2", "3"), ("start", "stop")), Targets(PARTS, SITES)
#: Classes of a base for genes in one piece.
CLASSES = GENES.classes


@dataclass
class GeneOutput:
    """Predictions for a batch of windows, in forward orientation.

    ``classes`` (B, L, classes): log-probabilities of the classes of the `Targets`. ``sites``: by name, logits (B, L, 2)
    that a gene on the forward (0) or reverse (1) strand has a site here: the first base of its start codon, the last
    base of its stop codon, the first (donor) or last base (acceptor) of an intron.
    """

    classes: Tensor
    sites: dict[str, Tensor]

    starts = property(lambda self: self.sites["start"])
    stops = property(lambda self: self.sites["stop"])


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
    """Per-base labels from one-sided states, read along one strand; those of genes unless told otherwise.

    A convolution over bases (ribosome binding site, start and stop context), then dilated convolutions over patches of
    three bases (reading frame, codon usage), then back to bases. The patches need not be in frame: every patch predicts
    the codon position of each of its bases. Of the ``outputs`` the last ``rare`` ones begin at `RARE`.
    """

    def __init__(
        self, backbone_width: int, width: int = 96, base_width: int = 48, dilations=(1, 2, 4, 8, 16, 32),
        outputs: int = GENES.scores, rare: int = len(GENES.sites),
    ):  # fmt: skip
        super().__init__()
        self.enter = nn.Linear(2 * backbone_width + 5, base_width)
        self.local = nn.ModuleList(ConvBlock(base_width, 11, 1) for _ in range(2))
        self.patch = nn.Linear(3 * base_width, width)
        self.blocks = nn.ModuleList(ConvBlock(width, 5, d) for d in dilations)
        self.unpatch = nn.Linear(width, 3 * base_width)
        self.norm = nn.LayerNorm(base_width)
        self.leave = nn.Linear(base_width, outputs)
        with torch.no_grad():
            self.leave.bias[outputs - rare :] = RARE

    def forward(self, near: Tensor, far: Tensor, codes_BL: Tensor) -> Tensor:
        """Scores (B, L, outputs), of genes: none, parts, sites; L must be a multiple of 3.

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


class LabelModel(nn.Module):
    """A backbone with a head for labels of every base; reads both strands with the same weights.

    ``outputs`` and ``rare`` are those of the `GeneHead`. A kind of labels is a subclass with a `forward`.
    """

    def __init__(self, backbone: Backbone, outputs: int, rare: int):
        super().__init__()
        self.backbone, self.head = backbone, GeneHead(backbone.width, outputs=outputs, rare=rare)

    @property
    def device(self) -> torch.device:
        """Where the weights are; tensors that go in must be there too."""
        return self.backbone.device

    def both_strands(self, codes_BL: Tensor, features: Features | None) -> tuple[Tensor, Tensor]:
        """What the head says of every base read along the forward and along the reverse strand.

        Both of shape (B, L, outputs) and in forward orientation; of the reverse complement they change places and turn.
        """
        left, right = self.backbone.states(codes_BL, features)
        near, far = torch.cat([left, right.flip(1)]), torch.cat([right, left.flip(1)])
        scores = self.head(near, far, torch.cat([codes_BL, reverse_strand(codes_BL)]))
        return scores[: len(codes_BL)], scores[len(codes_BL) :].flip(1)


class GeneModel(LabelModel):
    """A backbone with a head for genes: in one piece, or with introns."""

    def __init__(self, backbone: Backbone, targets: Targets = GENES):
        super().__init__(backbone, targets.scores, rare=len(targets.sites))
        self.targets = targets

    def forward(self, codes_BL: Tensor, features: Features | None = None) -> GeneOutput:
        """Predictions for windows of codes 0..4, int64 of shape (B, L) with L a multiple of 3."""
        ahead, behind = self.both_strands(codes_BL, features)
        parts = slice(1, 1 + len(self.targets.parts))
        logits = torch.cat([ahead[..., :1] + behind[..., :1], ahead[..., parts], behind[..., parts]], dim=-1)
        sites = {
            name: torch.stack([ahead[..., i], behind[..., i]], dim=-1)
            for i, name in enumerate(self.targets.sites, parts.stop)
        }
        return GeneOutput(logits.log_softmax(-1), sites)


class TrackModel(LabelModel):
    """A backbone with a head for C labels of the user's own.

    Parameters
    ----------
    labels : int
        C. With ``stranded`` the labels come in pairs: of a track on the forward strand, and on the reverse strand.
    stranded : bool
        Without it, what is said reading either strand is averaged: the reverse complement has the same labels.
    exclusive : bool
        One class per base, none or a label (softmax), instead of labels that say nothing of each other (sigmoids).
    """

    def __init__(self, backbone: Backbone, labels: int, stranded: bool = False, exclusive: bool = False):
        outputs = labels // 2 if stranded else labels
        super().__init__(backbone, outputs + exclusive, rare=outputs)
        self.stranded, self.exclusive = stranded, exclusive

    def forward(self, codes_BL: Tensor, features: Features | None = None) -> Tensor:
        """Logits (B, L, C), or (B, L, 1 + C) with that of no label first; L a multiple of 3."""
        ahead, behind = self.both_strands(codes_BL, features)
        mean = (ahead + behind) / 2
        if not self.stranded:
            return mean
        first = int(self.exclusive)
        pairs = torch.stack([ahead[..., first:], behind[..., first:]], dim=-1).flatten(2)
        return torch.cat([mean[..., :first], pairs], dim=-1)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities (..., C) of the labels from what `forward` gives."""
        return logits.softmax(-1)[..., 1:] if self.exclusive else logits.sigmoid()
