"""The strand-symmetric two-sided language model.

One causal network (`Tower`) reads a window and its reverse complement with the same weights. At every base a small head
fuses what the two one-sided readings and the flanks in the n-gram memory say into P(base | everything but the base).
Both strands are treated alike by construction: the output for the reverse complement is the reverse complement of the
output. Every base is scored in one pass, and nothing ever sees the base it predicts.

Shapes: B batch, L length, D width, K memory orders, M memory flanks; 4 = bases A C G T.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dnalm.errors import InputError
from dnalm.models.attention import Block
from dnalm.models.config import ModelConfig
from dnalm.models.memory import VALUES, Features, NgramMemory


@dataclass
class Output:
    """Predictions for a batch of windows, all in forward orientation.

    ``forward`` and ``reverse`` (B, L, 4): log-probabilities of each base given only what stands before it on the
    forward strand, or only what stands after it. ``two_sided`` (B, L, 4): given everything else. ``left`` and ``right``
    (B, L, D): the two one-sided states behind them.
    """

    forward: Tensor
    reverse: Tensor
    two_sided: Tensor
    left: Tensor
    right: Tensor


def complement_bases(x: Tensor) -> Tensor:
    """Swap A with T and C with G along the last axis (of size 4)."""
    return x.flip(-1)


def reverse_strand(codes_BL: Tensor) -> Tensor:
    """Reverse complement of codes 0..4; N stays N."""
    return torch.where(codes_BL < 4, 3 - codes_BL, codes_BL).flip(1)


class Mixer(nn.Module):
    """Log-linear mixture of predicted distributions, weighted by a hidden state, plus the state's own vote.

    The gated form of logistic mixing (Mattern 2012): logits = sum_j g_j(h) log p_j + W h.
    """

    def __init__(self, width: int, sources: int):
        super().__init__()
        self.gates = nn.Linear(width, sources)
        self.vote = nn.Linear(width, 4)
        nn.init.zeros_(self.vote.weight)
        nn.init.zeros_(self.gates.weight)
        nn.init.constant_(self.gates.bias, 1.0 / max(sources, 1))

    def forward(self, h: Tensor, logp: Tensor) -> Tensor:
        """Logits (..., 4) from states (..., D) and log-probabilities (..., sources, 4)."""
        return self.vote(h) + (self.gates(h).unsqueeze(-2) @ logp).squeeze(-2)


class Tower(nn.Module):
    """Causal network: the state at base i knows the bases before i, and what the memory says after them."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.embed = nn.Embedding(5, config.width)
        self.remember = nn.Linear(len(config.memory_orders) * VALUES, config.width, bias=False)
        self.blocks = nn.ModuleList(
            Block(config.width, config.heads, config.attention_span) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width)
        self.mix = Mixer(config.width, len(config.memory_orders))

    def forward(self, codes_BL: Tensor, features_BLKV: Tensor) -> tuple[Tensor, Tensor]:
        """States (B, L, D) and logits (B, L, 4); both at i depend on codes before i only."""
        before = F.pad(codes_BL[:, :-1], (1, 0), value=4)
        x = self.embed(before) + self.remember(features_BLKV.flatten(2))
        for block in self.blocks:
            x = block(x, before < 4)
        h = self.norm(x)
        return h, self.mix(h, features_BLKV[..., :4])


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


class TwoSided(nn.Module):
    """The language model with its memory; see the module's docstring."""

    def __init__(self, config: ModelConfig, memory: NgramMemory | None = None):
        super().__init__()
        self.config = config
        self.memory = memory or NgramMemory.empty(config.memory_orders, config.memory_flanks)
        self.tower = Tower(config)
        self.fusion = Fusion(config)

    @property
    def width(self) -> int:
        """Channels of one one-sided state."""
        return self.config.width

    def lookup(self, codes: np.ndarray, origin=None) -> Features:
        """Memory features of windows (see `NgramMemory.lookup`)."""
        return self.memory.lookup(codes, origin)

    def forward(self, codes_BL: Tensor, features: Features | None = None) -> Output:
        """Predictions for windows of codes 0..4 (N and padding are 4), int64 of shape (B, L).

        ``features`` are those of `lookup`; without them they are looked up with nothing left out.
        """
        left, right, ahead, behind, (own, other, flanks) = self._read(codes_BL, features)
        logp_right = complement_bases(other[..., :4].flip(1))
        fused = self.fusion(left, right, own[..., :4], logp_right, flanks)
        return Output(ahead.log_softmax(-1), behind.log_softmax(-1), fused.log_softmax(-1), left, right)

    def states(self, codes_BL: Tensor, features: Features | None = None) -> tuple[Tensor, Tensor]:
        """The two one-sided states (B, L, D) alone, which is all that a downstream head needs."""
        return self._read(codes_BL, features)[:2]

    def _read(self, codes_BL, features):
        """Read both strands: states and logits in forward orientation, and the memory features as tensors."""
        features = features or self.lookup(codes_BL.numpy(force=True).astype(np.uint8))
        own, other, flanks = (
            torch.as_tensor(f, device=codes_BL.device, dtype=self.fusion.join.weight.dtype)
            for f in (features.forward, features.reverse, features.flanks)
        )
        count = len(codes_BL)
        h, logits = self.tower(torch.cat([codes_BL, reverse_strand(codes_BL)]), torch.cat([own, other]))
        behind = complement_bases(logits[count:].flip(1))
        return h[:count], h[count:].flip(1), logits[:count], behind, (own, other, flanks)

    def save(self, folder) -> None:
        """Write ``config.json`` and ``model.safetensors`` (weights and memory) into ``folder``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.config.save(folder / "config.json")
        tensors = {k: v.contiguous() for k, v in self.state_dict().items()}
        write_tensors(tensors | memory_tensors(self.memory), folder / "model.safetensors")

    @classmethod
    def load(cls, folder) -> "TwoSided":
        """Read what `save` wrote."""
        config = ModelConfig.load(Path(folder) / "config.json")
        tensors, memory = read_tensors(Path(folder) / "model.safetensors", config)
        model = cls(config, memory)
        load_weights(model, tensors, folder)
        return model


def load_weights(model: nn.Module, tensors: dict[str, Tensor], folder) -> None:
    """Give ``model`` the weights of `read_tensors`."""
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise InputError(
            f"weights and config.json do not belong together ({error})", str(folder), "Run the workflow again"
        ) from error


def write_tensors(tensors: dict[str, Tensor], path) -> None:
    """Write a safetensors file that others may read as far as the umask allows; the library makes it private."""
    save_file(tensors, path, {"format": "pt"})
    mask = os.umask(0)
    os.umask(mask)
    Path(path).chmod(0o666 & ~mask)


def memory_tensors(memory: NgramMemory) -> dict[str, Tensor]:
    """The tensors that a memory is stored as.

    The digests are bytes in a tensor because safetensors writes several strings of a header in random order.
    """
    return {
        "memory.digests": torch.tensor(list(",".join(memory.digests).encode()), dtype=torch.uint8),
        "memory.sequence": torch.from_numpy(memory.sequence.copy()),
        "memory.segments": torch.from_numpy(memory.segments.copy()),
    }


def read_tensors(path, config: ModelConfig) -> tuple[dict[str, Tensor], NgramMemory]:
    """Weights and memory from a safetensors file."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        digests, sequence, segments = (
            tensors.pop(f"memory.{name}").numpy() for name in ("digests", "sequence", "segments")
        )
    except Exception as error:
        raise InputError(
            f"not a model of dnalm ({error})", str(path), "Delete it and run the workflow again"
        ) from error
    known = [d for d in digests.tobytes().decode().split(",") if d]
    return tensors, NgramMemory(sequence, segments, known, config.memory_orders, config.memory_flanks)
