"""How patiently to download, and where from: the config's section ``download`` and the environment.

Environment variables: ``DNALM_MIRROR_<SERVICE>`` (base URLs, separated by blanks) beats the config, which beats the
providers' own addresses; ``NCBI_API_KEY`` and ``NCBI_EMAIL`` introduce you to NCBI.
"""

import os
from dataclasses import dataclass, field

#: Base URLs of the services, in the order in which they are tried.
SERVICES = {
    "ncbi": ("https://ftp.ncbi.nlm.nih.gov/genomes/all", "ftp://ftp.ncbi.nlm.nih.gov/genomes/all"),
    "ncbi_datasets": ("https://api.ncbi.nlm.nih.gov/datasets/v2",),
    "ncbi_entrez": ("https://eutils.ncbi.nlm.nih.gov/entrez/eutils",),
    "ensembl": ("https://ftp.ensembl.org/pub", "ftp://ftp.ensembl.org/pub"),
    "ensembl_genomes": ("https://ftp.ensemblgenomes.ebi.ac.uk/pub", "ftp://ftp.ensemblgenomes.ebi.ac.uk/pub"),
    "ucsc": ("https://hgdownload.soe.ucsc.edu/goldenPath", "https://hgdownload2.soe.ucsc.edu/goldenPath"),
    "s3": (),
}


@dataclass(frozen=True)
class Settings:
    """Patience and places; times in seconds."""

    mirrors: dict[str, list[str]] = field(default_factory=dict)
    #: Tries in a row that bring nothing new; a try that brings a megabyte starts the count again.
    attempts: int = 6
    #: Tries of one file in all.
    most_attempts: int = 60
    #: First pause, doubled each time up to the longest.
    backoff: float = 1.0
    longest_backoff: float = 60.0
    #: Longest pause that a server may ask for, and sum of all pauses.
    longest_wait: float = 600.0
    patience: float = 3600.0
    connect_timeout: float = 20.0
    read_timeout: float = 60.0
    #: Fewer bytes a second than this, over ``read_timeout``, count as a broken connection.
    slowest: float = 500.0

    def bases(self, service: str) -> list[str]:
        """Base URLs of a service, without a slash at the end."""
        told = os.environ.get(f"DNALM_MIRROR_{service.upper()}", "").split() or self.mirrors.get(service)
        return [base.rstrip("/") for base in told or SERVICES[service]]


def settings_of(section: dict | None) -> Settings:
    """Settings of the config's section ``download``."""
    section = section or {}
    told = {key: section[key] for key in ("attempts", "backoff", "read_timeout") if section.get(key) is not None}
    mirrors = {key: urls for key, urls in (section.get("mirrors") or {}).items() if urls}
    return Settings(mirrors=mirrors, connect_timeout=min(20.0, told.get("read_timeout", 20.0)), **told)
