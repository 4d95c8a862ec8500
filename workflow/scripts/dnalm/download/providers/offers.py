"""What a provider says about a genome: the one interface of all of them.

A provider is a module with ``offers(source, settings)``: places that have the genome, each with a function that asks
the place which files these are.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dnalm.download.client import Client
from dnalm.download.faults import DownloadError
from dnalm.download.transfer import RemoteFile
from dnalm.io.remote import without_secrets


@dataclass(frozen=True)
class Plan:
    """The files of a genome at one place.

    Parameters
    ----------
    files : list of RemoteFile
    facts : dict
        What the provider says of the genome: release, assembly, ...
    unpack : callable or None
        ``unpack(folder, records)`` takes an archive apart and returns the records of the files that were in it.
    """

    files: list[RemoteFile]
    facts: dict = field(default_factory=dict)
    unpack: Callable[[Path, list[dict]], list[dict]] | None = None


@dataclass(frozen=True)
class Offer:
    """A place that has a genome.

    Parameters
    ----------
    base : str
        The base URL of the place.
    shown : str
        URL that a person would open.
    plan : callable
        ``plan(client)`` asks the place for the files; it raises DownloadError if it cannot.
    """

    base: str
    shown: str
    plan: Callable[[Client], Plan]


def checksums(client: Client, url: str, parse, name: str, kind: str) -> dict[str, str]:
    """The digest that a list of checksums at ``url`` has for ``name``; empty, with a word in the log, if it has none.

    Raises
    ------
    DownloadError
        If the place cannot be reached, rather than that it has no such list.
    """
    try:
        found = parse(client.text(url))
    except DownloadError as error:
        if error.kind != "missing":
            raise
        client.log.warning("%s is not there: %s cannot be compared with a checksum", without_secrets(url), name)
        return {}
    if name not in found:
        client.log.warning("%s has no checksum of %s", without_secrets(url), name)
        return {}
    return {kind: found[name]}


def pinned(source: dict, role: str) -> dict[str, str]:
    """Digests that the config asks of the sequence or of the annotation."""
    keys = {"sequence": {"sha256": "sha256", "md5": "md5"}, "annotation": {"annotation_sha256": "sha256"}}
    return {kind: source[key] for key, kind in keys.get(role, {}).items() if source.get(key)}
