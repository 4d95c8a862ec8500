import os

import pytest
import torch
from helpers.genomes import planted_genome
from helpers.pretend import pretend

from dnalm.training import devices

#: What tests expect to the bit was computed on a CPU.
os.environ["DNALM_DEVICE"] = "cpu"


@pytest.fixture(scope="session")
def planted():
    """A circular synthetic genome with genes, one of them across the origin."""
    return planted_genome()


@pytest.fixture
def own_switches(monkeypatch):
    """Trainings and `dnalm.training.devices.placed` turn these for the whole process."""
    before = torch.are_deterministic_algorithms_enabled()
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    torch.use_deterministic_algorithms(False)
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture
def elsewhere(monkeypatch):
    """Inside of it a device is chosen whose tensors do not mix with those of the CPU."""
    with pretend() as device:
        monkeypatch.setattr(devices, "chosen_device", lambda wanted=None: device)
        yield device
