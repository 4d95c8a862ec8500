"""A training so small that the engine's tests can run it many times; also as a process of its own, to be killed."""

import contextlib
import json
import os
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dnalm.training import checkpoint
from dnalm.training.loop import TrainSettings, train

#: 60 steps, a validation after every seventh, a checkpoint after every step.
SETTINGS = {
    "bases_seen": 600, "validate_every": 70, "warmup_steps": 5, "learning_rate": 0.02, "patience": 99,
    "checkpoint_seconds": 0.0,
}  # fmt: skip


class ToyTask:
    """Noisy regression by a network with matrices, vectors, buffers and a frozen weight; ten "bases" a step.

    ``hook(place, step)`` is called before the loss and before the validation that follows ``step`` updates.
    """

    bases_per_step = 10
    digest = "toy"

    def __init__(self, seed=0, hook=None):
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
        self.model[3].bias.requires_grad_(False)
        self.seed, self.hook, self.step = seed, hook or (lambda place, step: None), 0
        self.target = torch.randn(6, 1, generator=torch.Generator().manual_seed(7))

    def batch(self, step):
        self.step = step
        return self._data(1000 * (self.seed + 1) + step)

    def _data(self, seed):
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(10, 6, generator=generator)
        return x, x @ self.target + 0.3 * torch.randn(10, 1, generator=generator)

    def loss(self, batch):
        self.hook("loss", self.step)
        error = F.mse_loss(self.model(batch[0]), batch[1])
        return error, {"error": error.item(), "share": 0.5}

    @torch.no_grad()
    def validate(self):
        self.hook("validate", self.step + 1)
        self.model.eval()
        x, y = self._data(5)
        error = F.mse_loss(self.model(x), y).item()
        return {"loss": error, "root": error**0.5}


def weights(task):
    """A copy of everything in the model."""
    return {name: t.clone() for name, t in task.model.state_dict().items()}


class Stop(Exception):
    """What a hook raises to break a training off."""


def raise_at(place, step):
    """A hook that breaks the training off."""

    def hook(here, now):
        if (here, now) == (place, step):
            raise Stop

    return hook


def run(folder, task=None, log=None, **settings):
    """Train with checkpoints in ``folder``: (task, result)."""
    task = task or ToyTask()
    result = train(task, TrainSettings(**{**SETTINGS, **settings}), folder, log)
    return task, result


def interrupt(folder, place, step, **settings):
    """Train until it breaks off."""
    with pytest.raises(Stop):
        run(folder, ToyTask(hook=raise_at(place, step)), **settings)


@contextlib.contextmanager
def quick():
    """Neither wait for the disk nor ask git: test_checkpoint.py does both, and these tests save a thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        patch.setattr(checkpoint, "software_facts", dict)
        yield


if __name__ == "__main__":
    state_dir, pause, settings = sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3])
    train(ToyTask(hook=lambda place, step: time.sleep(pause)), TrainSettings(**settings), state_dir)
