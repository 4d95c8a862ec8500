import os

import pytest
from helpers.genomes import planted_genome

#: What tests expect to the bit was computed on a CPU.
os.environ["DNALM_DEVICE"] = "cpu"


@pytest.fixture(scope="session")
def planted():
    """A circular synthetic genome with genes, one of them across the origin."""
    return planted_genome()
