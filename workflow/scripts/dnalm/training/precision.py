"""Number formats: float32, or matrix products in bfloat16 where that is faster.

Weights, their gradients, the optimiser and all validations stay in float32; only the forward pass of a training step
and its backward pass use bfloat16, through PyTorch's autocast (mixed precision: Micikevicius et al. 2018; bfloat16,
which has the range of float32 and therefore needs no loss scaling: Kalamkar et al. 2019).
"""

import contextlib
import logging
import time

import torch

from dnalm.errors import InputError

log = logging.getLogger(__name__)
PRECISIONS = ("auto", "float32", "bfloat16")

#: Seconds that the probe spends on each format, and the side of its matrices.
PROBE_SECONDS, PROBE_SIDE = 0.025, 256


def choose_precision(wanted: str, device="cpu") -> str:
    """``float32`` or ``bfloat16``; ``auto`` is decided by what the device can do, and logged.

    On a GPU ``auto`` means bfloat16 if the hardware has it. On a CPU both are tried for some milliseconds: without
    instructions for it bfloat16 is many times slower, although it works.
    """
    if wanted not in PRECISIONS:
        raise InputError(f"precision is {wanted!r}", "precision", f"Use one of {', '.join(PRECISIONS)}")
    if wanted != "auto":
        return wanted
    if torch.device(device).type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
        reason = f"the GPU {'has' if fast else 'lacks'} bfloat16"
    else:
        plain, brain = (product_seconds(dtype, device) for dtype in (torch.float32, torch.bfloat16))
        fast = brain < plain
        reason = f"a product of matrices takes {1e3 * plain:.3g} ms in float32, {1e3 * brain:.3g} ms in bfloat16"
    chosen = "bfloat16" if fast else "float32"
    log.info("precision auto: %s (%s)", chosen, reason)
    return chosen


def product_seconds(dtype: torch.dtype, device="cpu") -> float:
    """Least time of a matrix product, over `PROBE_SECONDS` and at least two tries (the first one sets things up)."""
    a = torch.ones(PROBE_SIDE, PROBE_SIDE, dtype=dtype, device=device)
    begin, times = time.perf_counter(), []
    while len(times) < 2 or time.perf_counter() - begin < PROBE_SECONDS:
        start = time.perf_counter()
        torch.mm(a, a)
        times.append(time.perf_counter() - start)
    return min(times)


def autocast(precision: str, device="cpu"):
    """Context in which a training step computes its loss."""
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(device).type, torch.bfloat16)
