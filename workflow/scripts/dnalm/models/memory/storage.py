"""Memories as named arrays, beside the weights of a model."""

import numpy as np

from dnalm.errors import InputError
from dnalm.models.memory.base import Memory
from dnalm.models.memory.exact import NgramMemory
from dnalm.models.memory.hashed import HashedMemory

PREFIX = "memory."


def memory_arrays(memory: Memory) -> dict[str, np.ndarray]:
    """All that `memory_from_arrays` needs, by names that start with ``memory.``.

    The digests are bytes in an array because safetensors writes several strings of a header in random order.
    """
    arrays = {
        "digests": np.frombuffer(",".join(memory.digests).encode(), dtype=np.uint8).copy(),
        "segments": memory.segments,
        **memory.tensors(),
    }
    return {PREFIX + name: array for name, array in arrays.items()}


def memory_from_arrays(arrays: dict[str, np.ndarray], orders, flanks) -> Memory:
    """The memory of `memory_arrays`, exact or hashed; other names in ``arrays`` are not looked at.

    Raises
    ------
    InputError
        If an array is missing.
    """
    mine = {name.removeprefix(PREFIX): array for name, array in arrays.items() if name.startswith(PREFIX)}
    hashed = "table" in mine
    missing = {"digests", "segments", *(("short", "table") if hashed else ("sequence",))} - mine.keys()
    if missing:
        names = ", ".join(sorted(PREFIX + name for name in missing))
        raise InputError(f"a memory without {names}", "", "Save the model again")
    digests = [d for d in mine["digests"].tobytes().decode().split(",") if d]
    if hashed:
        short, table = mine["short"].view(np.uint32), mine["table"].view(np.uint64)
        return HashedMemory(short, table, mine["segments"], digests, orders, flanks)
    return NgramMemory(mine["sequence"], mine["segments"], digests, orders, flanks)
