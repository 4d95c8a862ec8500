"""Model files: ``config.json`` and ``model.safetensors`` (weights, and the sequence that the memory holds)."""

import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from dnalm.errors import InputError
from dnalm.models.config import ModelConfig
from dnalm.models.memory import Memory, memory_arrays, memory_from_arrays


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
    save_file({name: t.cpu().contiguous() for name, t in tensors.items()}, path, {"format": "pt"})
    mask = os.umask(0)
    os.umask(mask)
    Path(path).chmod(0o666 & ~mask)


def memory_tensors(memory: Memory) -> dict[str, Tensor]:
    """The tensors that a memory is stored as."""
    return {name: torch.from_numpy(array.copy()) for name, array in memory_arrays(memory).items()}


def read_tensors(path, config: ModelConfig) -> tuple[dict[str, Tensor], Memory]:
    """Weights and memory from a safetensors file."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        kept = {name: tensors.pop(name).numpy() for name in list(tensors) if name.startswith("memory.")}
        return tensors, memory_from_arrays(kept, config.memory_orders, config.memory_flanks)
    except Exception as error:
        raise InputError(
            f"not a model of dnalm ({error})", str(path), "Delete it and run the workflow again"
        ) from error
