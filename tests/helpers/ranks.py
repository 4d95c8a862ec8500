"""A training whose batches can be cut in parts, in one process or in several that talk to each other through gloo."""

import functools
import multiprocessing.forkserver
import os
import socket
import sys
import traceback
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dnalm.training.distributed import share
from dnalm.training.loop import TrainSettings, train

#: 20 steps of 8 windows of 12 bases, a validation (and so a row of the log) after every step.
SETTINGS = {
    "bases_seen": 20 * 96, "validate_every": 96, "warmup_steps": 3, "learning_rate": 0.03, "patience": 99,
    "checkpoint_seconds": 0.0,
}  # fmt: skip
SECONDS = 60


class Layer(nn.Module):
    """A block of the network below."""

    def __init__(self, width):
        super().__init__()
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.down(F.gelu(self.up(x)))


class Network(nn.Module):
    """Next base from this one and the one before it."""

    def __init__(self, width=8):
        super().__init__()
        self.embed = nn.Embedding(25, width)
        self.blocks = nn.ModuleList(Layer(width) for _ in range(2))
        self.head = nn.Linear(width, 4)

    def forward(self, codes):
        x = self.embed(codes[:, 1:-1] + 5 * codes[:, :-2])
        for block in self.blocks:
            x = block(x)
        return self.head(x)


class PartsTask:
    """Windows with very different shares of N, from none to nearly all; ``hook(place, step)`` as in `ToyTask`."""

    bases_per_step = 96
    digest = "parts"

    def __init__(self, hook=None, dtype=torch.float64):
        torch.manual_seed(0)
        self.model = Network().to(dtype)
        self.hook, self.step, self.seen = hook or (lambda place, step: None), 0, []

    def batch(self, step, part=0, parts=1):
        self.step = step
        codes = self._codes(step)
        self.seen.append((step, codes.tobytes()))
        return torch.from_numpy(codes[share(8, part, parts)])

    @staticmethod
    def _codes(step):
        rng = np.random.default_rng(step)
        codes = np.cumsum(rng.integers(0, 2, (8, 12)), axis=1) % 4
        return np.where(rng.random((8, 12)) < np.linspace(0, 0.8, 8)[:, None], 4, codes)

    def count(self, batch):
        return int((batch[:, 2:] < 4).sum())

    def loss(self, batch):
        self.hook("loss", self.step)
        nats = F.cross_entropy(self.model(batch).flatten(0, 1), batch[:, 2:].flatten(), ignore_index=4, reduction="sum")
        mean = nats / max(self.count(batch), 1)
        return mean, {"bits": mean.item() / np.log(2)}

    @torch.no_grad()
    def validate(self):
        self.hook("validate", self.step + 1)
        self.model.eval()
        return {"loss": self.loss(torch.from_numpy(self._codes(999)))[0].item()}


def run(folder, task=None, **settings):
    """Train with checkpoints in ``folder``: (task, result)."""
    task = task or PartsTask()
    return task, train(task, TrainSettings(**{**SETTINGS, **settings}), folder, folder / "log.csv")


def losses(result):
    """Loss of every step."""
    return np.array([row["train_loss"] for row in result.history])


def in_processes(function, *arguments, world=2):
    """``function(rank, *arguments)`` in ``world`` processes as torchrun would start them: what each returns.

    An exception is returned as a string; None stands for a process that was killed.
    """
    context = _forkserver()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pipes, workers = [], []
    for rank in range(world):
        here, there = context.Pipe(duplex=False)
        workers.append(context.Process(target=_work, args=(there, function, arguments, rank, world, port)))
        workers[-1].start()
        there.close()
        pipes.append(here)
    try:
        return [_received(pipe) for pipe in pipes]
    finally:
        for worker in workers:
            worker.join(SECONDS / 4)
            worker.kill()


@functools.cache
def _forkserver():
    """A process without threads that imports torch once; the others are its forks."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["helpers.ranks", "torch.distributed.fsdp", "torch._dynamo", "torch.distributed.tensor"]
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        multiprocessing.forkserver.ensure_running()
    return context


def _received(pipe):
    try:
        return pipe.recv() if pipe.poll(SECONDS) else "nothing came back"
    except EOFError:
        return None


def _work(pipe, function, arguments, rank, world, port):
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    # about views of outputs that are changed in place; nothing here does that
    warnings.filterwarnings("ignore", "FSDP2-wrapped module")
    try:
        pipe.send(function(rank, *arguments))
    except Exception:
        pipe.send(traceback.format_exc())
