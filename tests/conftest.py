import pytest
from helpers.genomes import planted_genome


@pytest.fixture(scope="session")
def planted():
    """A circular synthetic genome with genes, one of them across the origin."""
    return planted_genome()
