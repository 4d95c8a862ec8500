"""Who has genomes, and how their files are called there."""

from dnalm.download.providers import ensembl, ncbi, ucsc, url
from dnalm.download.providers.offers import Offer
from dnalm.download.settings import Settings

PROVIDERS = {"ncbi": ncbi, "ensembl": ensembl, "ucsc": ucsc, "url": url}


def offers(kind: str, source: dict, settings: Settings) -> list[Offer]:
    """Places that have a genome, the preferred one first (see `dnalm.download.providers.offers.Offer`)."""
    return PROVIDERS[kind].offers(source, settings)
