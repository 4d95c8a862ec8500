"""Time and memory of a training step of every architecture, against the length of its window.

Each point is a process of its own, so that its peak memory is its own: ``python -m dnalm.tasks.context_cost NAME
LENGTH`` trains steps on one window and prints the time and the memory that they took.
"""

import argparse
import contextlib
import json
import logging
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dnalm.io.provenance import peak_memory_mb
from dnalm.models.config import ModelConfig
from dnalm.models.networks import NETWORKS
from dnalm.models.token_model import TokenModel
from dnalm.sequence.tokenizers import SequenceTokenizer, base_tokenizer
from dnalm.training.objectives import token_objective
from dnalm.training.sharding import recomputed

log = logging.getLogger(__name__)
#: Where the package lies, for the processes that are started.
LIBRARY = Path(__file__).parents[2]
#: A point that takes longer than this (seconds) or more than this (MB) is the last of its curve.
MOST_SECONDS, MOST_MB = 240, 14_000
#: Bases of the first step, more than a network computes at once.
WARM = 4096
#: Steps are repeated until they took this long, so that short windows are timed well.
LEAST_SECONDS = 1.0


def measure(architecture: str, length: int, width: int = 64, layers: int = 2) -> dict:
    """Seconds of a training step per base, and bytes per base above the process without a window.

    Blocks are computed again in the backward pass, as one would train long windows (``activation_checkpointing``), if
    the network does not do so by itself. A step on a short window comes first, which loads what every step needs.
    """
    torch.set_num_threads(1)
    torch.manual_seed(1)
    causal = NETWORKS[architecture].causal
    tokenizer = SequenceTokenizer(base_tokenizer(mask=not causal))
    config = ModelConfig(
        architecture=architecture, objective="causal" if causal else "masked", width=width, layers=layers,
        vocabulary=tokenizer.vocab_size, memory_orders=(), memory_flanks=(),
    )  # fmt: skip
    model = TokenModel(config, tokenizer)
    ids = torch.from_numpy(np.random.default_rng(1).integers(0, 4, (1, length)))
    with contextlib.nullcontext() if model.network.in_pieces else recomputed(model):
        _step(model, ids[:, :WARM])
        _forget_peak()
        before, times = peak_memory_mb(), []
        while not times or sum(times) < LEAST_SECONDS:
            times.append(_step(model, ids))
    memory = (peak_memory_mb() - before) * 1024**2
    seconds = float(np.median(times)) / length
    return {"seconds_per_base": seconds, "bytes_per_base": memory / length, "peak_mb": peak_memory_mb()}


def _step(model: TokenModel, ids) -> float:
    """CPU seconds of a forward and a backward pass."""
    begin = time.process_time()
    loss, _ = token_objective(model, ids, torch.ones_like(ids, dtype=torch.bool), ids, torch.ones(ids.shape))
    loss.backward()
    return time.process_time() - begin


def _forget_peak() -> None:
    """Let the peak begin at what is in memory now (Linux)."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def context_costs(lengths: list[int]) -> pd.DataFrame:
    """One row per architecture and length: ``seconds_per_base``, ``bytes_per_base``, ``peak_mb``; ``why`` it ended."""
    rows = []
    for name in NETWORKS:
        for length in sorted(lengths):
            row = {"architecture": name, "length": length, **_apart(name, length)}
            rows.append(row)
            log.info("%s at %d bases: %s", name, length, row)
            if row["why"]:
                break
    return pd.DataFrame(rows)


def _apart(name: str, length: int) -> dict:
    nothing = {"seconds_per_base": np.nan, "bytes_per_base": np.nan, "peak_mb": np.nan}
    command = [sys.executable, "-m", __spec__.name, name, str(length)]
    library = {"PYTHONPATH": os.pathsep.join(filter(None, [str(LIBRARY), os.environ.get("PYTHONPATH")]))}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=MOST_SECONDS, preexec_fn=_limit, env=os.environ | library
        )
    except subprocess.TimeoutExpired:
        return {**nothing, "why": f"longer than {MOST_SECONDS} s"}
    if done.returncode:
        told = (done.stderr.splitlines() or [f"exit status {done.returncode}"])[-1]
        scarce = any(word in told for word in ("MemoryError", "allocate memory"))
        return {**nothing, "why": f"more than {MOST_MB} MB" if scarce else told[-200:]}
    return {**json.loads(done.stdout.splitlines()[-1]), "why": ""}


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MOST_MB * 1024**2, MOST_MB * 1024**2))


def main() -> None:
    """Measure one point and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("architecture", choices=sorted(NETWORKS))
    parser.add_argument("length", type=int)
    options = parser.parse_args()
    print(json.dumps(measure(options.architecture, options.length)))


if __name__ == "__main__":
    main()
