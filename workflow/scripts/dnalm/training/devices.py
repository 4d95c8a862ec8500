"""Where models work: on a GPU if there is one, else on the CPU. The machine decides, and never a study.

The environment variable ``DNALM_DEVICE`` overrides this: ``cpu``, ``cuda`` (under torchrun every process takes the GPU
of its LOCAL_RANK), ``cuda:N`` or ``auto``. Models are moved in the few places that build or load them for work; tensors
follow the model.
"""

import functools
import logging
import os
import re

import torch
from torch import nn

from dnalm.errors import InputError

log = logging.getLogger(__name__)
VARIABLE = "DNALM_DEVICE"


def chosen_device(wanted=None) -> torch.device:
    """The device that is ``wanted`` (a name or a device), by default that of `VARIABLE`; logged once.

    Raises
    ------
    InputError
        If there is no such device here.
    """
    where = VARIABLE if wanted is None else "device"
    name = str(wanted or os.environ.get(VARIABLE) or "auto")
    if name == "mps":
        raise InputError("the GPU of a Mac has no double precision, which positions are computed in", where, "Use cpu")
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise InputError(f"{name!r} is no device", where, "Use auto, cpu, cuda, or cuda:N for GPU number N")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device("cpu") if name == "cpu" else _gpu(name, where)
    _tell(description(device))
    return device


def _gpu(name: str, where: str) -> torch.device:
    """GPU of a name ``cuda`` or ``cuda:N``, if it is there and no other process of this training takes it."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise InputError(
            f"{name}, and PyTorch sees no GPU here", where, "Use cpu, or install a CUDA build of torch and a driver"
        )
    number = name.partition(":")[2]
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    if number and processes > 1:
        raise InputError(f"{processes} processes would share {name}", where, "Use cuda, so that each takes its own GPU")
    index = int(number or os.environ.get("LOCAL_RANK", 0))
    if index >= count:
        raise InputError(
            f"no GPU number {index}: PyTorch sees {count}, counted from 0", where,
            "Choose another, start one process per GPU, or use cpu",
        )  # fmt: skip
    # cuBLAS reads this when it is first used; without it sums are not the same in every run, and PyTorch refuses them.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return torch.device("cuda", index)


def description(device: torch.device) -> str:
    """``cpu``, or the number and the name of a GPU: what logs and run facts say."""
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else str(device)


@functools.cache
def _tell(device: str) -> None:
    log.info("models work on %s", device)


def placed(model: nn.Module) -> nn.Module:
    """The model on the chosen device, for work whose results are kept: they come out the same in every run there."""
    device = chosen_device()
    if device.type != "cpu":  # on a CPU only training needs it, which asks for it
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.allow_tf32 = False  # float32 means float32, in convolutions too
    return model.to(device)
