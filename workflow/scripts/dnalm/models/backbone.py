"""What every language model of bases promises to those who build on it, and the other strand.

Shapes: B batch, L length, D width.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from dnalm.models.config import ModelConfig
from dnalm.models.files import memory_tensors, write_tensors
from dnalm.models.memory import Features, Memory, NgramMemory


def complement_bases(x: Tensor) -> Tensor:
    """Swap A with T and C with G along the last axis (of size 4)."""
    return x.flip(-1)


def reverse_strand(codes_BL: Tensor) -> Tensor:
    """Reverse complement of codes 0..4; N stays N."""
    return torch.where(codes_BL < 4, 3 - codes_BL, codes_BL).flip(1)


def codes_tensor(codes: np.ndarray, device: torch.device | str) -> Tensor:
    """Base codes 0..4 as networks read them: int64, on their device."""
    return torch.from_numpy(codes.astype(np.int64)).to(device)


class Backbone(nn.Module):
    """A language model of bases as everything downstream sees it.

    Whatever the tokens inside, a backbone reads base codes and treats both strands alike: the states and predictions
    for the reverse complement are the reverse complement of the states and predictions.
    """

    strands: str
    """How the strands come to agree: by ``weights`` (one pass is symmetric) or ``averaged`` over two readings."""

    def __init__(self, config: ModelConfig, memory: Memory | None = None):
        super().__init__()
        self.config = config
        self.memory = memory or NgramMemory.empty(config.memory_orders, config.memory_flanks)

    @property
    def width(self) -> int:
        """Channels of a state."""
        return self.config.width

    @property
    def device(self) -> torch.device:
        """Where the weights are; tensors that go in must be there too."""
        return next(self.parameters()).device

    def lookup(self, codes: np.ndarray, origin=None) -> Features:
        """Memory features of windows (see `NgramMemory.lookup`)."""
        return self.memory.lookup(codes, origin)

    def attach(self, genomes) -> None:
        """Name genomes in which the memory may read around a base (see `HashedMemory.attach`)."""
        self.memory.attach(genomes)

    def states(self, codes_BL: Tensor, features: Features | None = None) -> tuple[Tensor, Tensor]:
        """Two states (B, L, D) of every base: read along the forward strand, and along the reverse strand.

        Both are in forward orientation; for the reverse complement they change places and are flipped.
        """
        raise NotImplementedError

    def save(self, folder) -> None:
        """Write ``config.json`` and ``model.safetensors`` (weights and memory) into ``folder``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.config.save(folder / "config.json")
        write_tensors(self.state_dict() | memory_tensors(self.memory), folder / "model.safetensors")
