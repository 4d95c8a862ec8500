"""The strand-symmetric two-sided language model.

One causal network (`Tower`) reads a window and its reverse complement with the same weights. At every base a small head
fuses what the two one-sided readings and the flanks in the n-gram memory say into P(base | everything but the base).
Both strands are treated alike by construction: the output for the reverse complement is the reverse complement of the
output. Every base is scored in one pass, and nothing ever sees the base it predicts.

Shapes: B batch, L length, D width, K memory orders, M memory flanks; 4 = bases A C G T.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from dnalm.errors import InputError
from dnalm.models.backbone import Backbone, codes_tensor, complement_bases, reverse_strand
from dnalm.models.config import ModelConfig
from dnalm.models.files import load_weights, read_tensors
from dnalm.models.memory import VALUES, Features, Memory
from dnalm.models.networks import build_network
from dnalm.sequence.batches import Batch
from dnalm.sequence.frames import open_frames

#: Brings the logarithms of distances to the size of the other inputs.
FRAME_SCALE = 0.3
#: Bases of a window that are fused at a time.
PIECE = 16_384


@dataclass
class Output:
    """Predictions for a batch of windows, all in forward orientation.

    ``forward`` and ``reverse`` (B, L, 4): log-probabilities of each base given only what stands before it on the
    forward strand, or only what stands after it. ``two_sided`` (B, L, 4): given everything else, None for a model with
    the objective ``causal``. ``left`` and ``right`` (B, L, D): the two one-sided states behind them.
    """

    forward: Tensor
    reverse: Tensor
    two_sided: Tensor | None
    left: Tensor
    right: Tensor


class Mixer(nn.Module):
    """Log-linear mixture of predicted distributions, weighted by a hidden state, plus the state's own vote.

    The gated form of logistic mixing (Mattern 2012): logits = sum_j g_j(h) log p_j + W h.
    """

    def __init__(self, width: int, sources: int):
        super().__init__()
        self.vote = nn.Linear(width, 4)
        nn.init.zeros_(self.vote.weight)
        self.gates = nn.Linear(width, sources) if sources else None
        if sources:
            nn.init.zeros_(self.gates.weight)
            nn.init.constant_(self.gates.bias, 1.0 / sources)

    def forward(self, h: Tensor, logp: Tensor) -> Tensor:
        """Logits (..., 4) from states (..., D) and log-probabilities (..., sources, 4)."""
        if not self.gates:
            return self.vote(h)
        return self.vote(h) + (self.gates(h).unsqueeze(-2) @ logp).squeeze(-2)


class Tower(nn.Module):
    """Causal network: the state at base i knows the bases before i, and what the memory says after them."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.embed = nn.Embedding(5, config.width)
        contexts = len(config.memory_orders)
        self.remember = nn.Linear(contexts * VALUES, config.width, bias=False) if contexts else None
        self.frames = nn.Linear(6, config.width, bias=False) if config.stops else None
        self.network = build_network(config)
        if not self.network.causal:
            raise InputError(
                f"{config.architecture} reads both sides of a base at once",
                "pretrain.architecture",
                "Use objective masked with it, or a causal architecture",
            )
        self.mix = Mixer(config.width, len(config.memory_orders))

    def forward(self, codes_BL, features_BLKV, frames_BL6, carried: int = 0) -> tuple[Tensor, Tensor]:
        """States (B, L, D) and logits (B, L, 4); both at i depend on codes before i only.

        ``features_BLKV`` are those of the memory, ``frames_BL6`` the distances of `open_frames` (None without stops).
        The first ``carried`` bases are read without gradients and only their state is handed on; they are in neither
        output.
        """
        before = F.pad(codes_BL[:, :-1], (1, 0), value=4)
        x = self.embed(before)
        if self.remember:
            x = x + self.remember(features_BLKV.flatten(2))
        if self.frames:
            x = x + self.frames(torch.log1p(frames_BL6) * FRAME_SCALE)
        if not carried:
            h = self.network(x, before < 4)
            return h, self.mix(h, features_BLKV[..., :4])
        with torch.no_grad():
            _, state = self.network.carry(x[:, :carried], before[:, :carried] < 4)
        h, _ = self.network.carry(x[:, carried:], before[:, carried:] < 4, state)
        return h, self.mix(h, features_BLKV[:, carried:, :, :4])


class Fusion(nn.Module):
    """Two one-sided states and the memory's flanks to P(base | both sides), the same from both strands."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        flanks = tuple(sorted((tuple(f) for f in config.memory_flanks), key=lambda f: (sum(f), f)))
        self.mirror = [flanks.index((r, left)) for left, r in flanks]
        sources = 2 * len(config.memory_orders) + len(flanks)
        self.join = nn.Linear(2 * config.width + len(flanks) * VALUES, 2 * config.width)
        self.mix = Mixer(2 * config.width, sources)

    def one_strand(self, near, far, logp_near, logp_far, flanks) -> Tensor:
        """Logits (B, L, 4) read from one strand; ``near`` is the reading along this strand."""
        hidden = F.relu(self.join(torch.cat([near, far, flanks.flatten(2)], dim=-1))).square()
        return self.mix(hidden, torch.cat([logp_near, logp_far, flanks[..., :4]], dim=2))

    def forward(self, left, right, logp_left, logp_right, flanks) -> Tensor:
        """Symmetrised logits (B, L, 4) in forward orientation; all inputs are in forward orientation."""
        flipped = flanks[:, :, self.mirror]
        flipped = torch.cat([complement_bases(flipped[..., :4]), flipped[..., 4:]], dim=-1)
        plus = self.one_strand(left, right, logp_left, logp_right, flanks)
        minus = self.one_strand(right, left, complement_bases(logp_right), complement_bases(logp_left), flipped)
        return plus + complement_bases(minus)


class TwoSided(Backbone):
    """The language model with its memory; see the module's docstring."""

    strands = "weights"

    def __init__(self, config: ModelConfig, memory: Memory | None = None):
        super().__init__(config, memory)
        self.tower = Tower(config)
        self.fusion = Fusion(config) if config.objective == "two_sided" else None

    def lookup(self, codes: np.ndarray, origin=None) -> Features:
        """Memory features of windows (see `NgramMemory.lookup`)."""
        return self.memory.lookup(codes, origin)

    def forward(self, codes_BL: Tensor, features: Features | None = None, carried: int = 0) -> Output:
        """Predictions for windows of codes 0..4 (N and padding are 4), int64 of shape (B, L).

        ``features`` are those of `lookup`; without them they are looked up with nothing left out. With ``carried`` the
        windows are longer by that many bases on each side, which are read only for the state that they leave behind
        (networks that ``carry`` only), and the predictions are those of the bases between.
        """
        left, right, ahead, behind, (own, other, flanks) = self._read(codes_BL, features, carried)
        fused = None
        if self.fusion:
            logp_right = complement_bases(other[..., :4].flip(1))
            fused = self._fuse(left, right, own[..., :4], logp_right, flanks).log_softmax(-1)
        return Output(ahead.log_softmax(-1), behind.log_softmax(-1), fused, left, right)

    def _fuse(self, *inputs) -> Tensor:
        """The fusion of all bases; in long windows a piece at a time, computed again in the backward pass."""
        pieces = list(zip(*(t.split(PIECE, dim=1) for t in inputs), strict=True))
        if len(pieces) == 1:
            return self.fusion(*inputs)
        return torch.cat([checkpoint(self.fusion, *piece, use_reentrant=False) for piece in pieces], dim=1)

    def states(self, codes_BL: Tensor, features: Features | None = None) -> tuple[Tensor, Tensor]:
        """The two one-sided states (B, L, D) alone, which is all that a downstream head needs."""
        return self._read(codes_BL, features)[:2]

    def one_sided(self, codes_BL: Tensor, features: Features | None = None) -> tuple[Tensor, Tensor]:
        """``forward`` and ``reverse`` of `Output` alone, which is all that a likelihood by the chain rule needs.

        Nor does it need the flanks in ``features``.
        """
        _, _, ahead, behind, _ = self._read(codes_BL, features)
        return ahead.log_softmax(-1), behind.log_softmax(-1)

    @torch.inference_mode()
    def two_sided_at(self, windows: Batch, base_B: np.ndarray) -> np.ndarray:
        """Log-probabilities (B, 4) of A C G T at one base of each window, given all its other bases."""
        codes = codes_tensor(windows.codes, self.device)
        logp = self(codes, self.lookup(windows.codes, windows.origin)).two_sided
        return logp[np.arange(len(codes)), base_B].numpy(force=True)

    def _read(self, codes_BL, features, carried: int = 0):
        """Read both strands: states and logits in forward orientation, and the memory features as tensors."""
        features = features or self.lookup(codes_BL.numpy(force=True).astype(np.uint8))
        own, other, flanks = (
            torch.as_tensor(f, device=codes_BL.device, dtype=self.tower.embed.weight.dtype)
            for f in (features.forward, features.reverse, features.flanks)
        )
        count, length = codes_BL.shape
        reach = length - carried  # each strand is read up to the last base that is asked for
        codes = torch.cat([codes_BL, reverse_strand(codes_BL)])[:, :reach]
        frames = self._frames(codes, own.dtype) if self.config.stops else None
        h, logits = self.tower(codes, torch.cat([own, other])[:, :reach], frames, carried)
        behind = complement_bases(logits[count:].flip(1))
        own, other, flanks = (t[:, carried:reach] for t in (own, other, flanks))
        return h[:count], h[count:].flip(1), logits[:count], behind, (own, other, flanks)

    def _frames(self, codes_BL, dtype) -> Tensor:
        distances = open_frames(codes_BL.numpy(force=True).astype(np.uint8), self.config.stops)
        return torch.from_numpy(distances).to(codes_BL.device, dtype)

    @classmethod
    def load(cls, folder) -> "TwoSided":
        """Read what `save` wrote."""
        config = ModelConfig.load(Path(folder) / "config.json")
        tensors, memory = read_tensors(Path(folder) / "model.safetensors", config)
        model = cls(config, memory)
        load_weights(model, tensors, folder)
        return model
