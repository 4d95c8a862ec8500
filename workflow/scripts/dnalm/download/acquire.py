"""A genome's files, from the cache or from whoever has them."""

import contextlib
import json
import logging
import os
import shutil
import time
from pathlib import Path

from dnalm.download.client import Client
from dnalm.download.faults import DownloadError
from dnalm.download.locks import locked
from dnalm.download.providers import offers
from dnalm.download.providers.offers import Offer
from dnalm.download.providers.url import annotation_file
from dnalm.download.settings import Settings
from dnalm.download.transfer import fetch
from dnalm.io.provenance import sha256_of
from dnalm.io.remote import KEYS, kind_of, shown, source_key, wanted
from dnalm.io.tables import atomic_path, write_json

log = logging.getLogger(__name__)
RECORD = "download.json"
#: Failures that another place may not have.
ELSEWHERE = ("unreachable", "missing", "refused", "damaged")


def cache_folder() -> Path:
    """Where downloads are kept: the folder of the environment variable DNALM_CACHE, else one below results/."""
    return Path(os.environ.get("DNALM_CACHE") or "results/downloads/.cache")


def acquire(source: dict, cache: Path, settings: Settings) -> Path:
    """The folder with a genome's files and their ``download.json``; what is there already is verified again.

    Parameters
    ----------
    source : dict
        The genome's config.
    cache : Path
        Folder of all downloads; each source has a folder of its own in it.

    Raises
    ------
    DownloadError
        If no place has the genome, or none can be reached.
    """
    folder = cache / source_key(source)
    try:
        with locked(folder):
            if not verified(folder):
                _fetch_all(source, folder, settings)
    except OSError as error:
        if _differing(folder) == []:
            log.info("%s cannot be written, but is complete", folder)  # of somebody else, or read-only
            return folder
        raise DownloadError("local", f"cannot write here ({error.strerror})", str(folder),
                            "Set DNALM_CACHE to a folder that you may write") from error  # fmt: skip
    return folder


def verified(folder: Path) -> bool:
    """Whether a folder holds what its record says, byte for byte."""
    differing = _differing(folder)
    if differing is None:
        return False
    for path in differing:
        told = "is not what was downloaded" if path.is_file() else "is gone"
        log.warning("%s %s: it is fetched again", path, told)
        path.unlink(missing_ok=True)
    if differing:
        (folder / RECORD).unlink()
        return False
    log.info("%s: all files are here already", folder)
    return True


def _differing(folder: Path) -> list[Path] | None:
    """Files of a record that are gone, or not what it says of them; None without a record."""
    record = _record_of(folder)
    if record is None:
        return None

    def same(file: dict) -> bool:
        path = folder / file["name"]
        return path.is_file() and path.stat().st_size == file["bytes"] and sha256_of(path) == file["sha256"]

    return [folder / file["name"] for file in record["files"] if not same(file)]


def _record_of(folder: Path) -> dict | None:
    """The record of a folder; None where there is none, or one that says nothing of files."""
    with contextlib.suppress(OSError, ValueError):
        record = json.loads((folder / RECORD).read_text())
        return record if isinstance(record, dict) and record.get("files") else None
    return None


def _fetch_all(source: dict, folder: Path, settings: Settings) -> None:
    """Ask one place after the other."""
    kind, client = kind_of(source), Client(settings)
    places, failed = offers(kind, source, settings), []
    for offer in places:
        try:
            _fetch_from(offer, source, folder, client)
            return
        except DownloadError as error:
            if error.kind not in ELSEWHERE:
                raise
            failed.append(error)
            log.warning("%s", error)
    raise _explained(source, places, failed)


def _fetch_from(offer: Offer, source: dict, folder: Path, client: Client) -> None:
    """All files from one place, then the record, last."""
    log.info("asking %s", offer.base)
    plan = offer.plan(client)
    extra = annotation_file(source, client.settings)
    records = [fetch(file, folder, client) for file in plan.files if not (extra and file.role == "annotation")]
    if plan.unpack:
        records = plan.unpack(folder, records)
    if extra:
        records.append(fetch(extra, folder, client))
    asked = shown({key: source[key] for key in KEYS if source.get(key)})
    record = {
        "kind": kind_of(source), "source": asked, "mirror": offer.base, **plan.facts,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "files": records,
    }  # fmt: skip
    write_json(record, folder / RECORD)
    total = sum(file["bytes"] for file in records)
    log.info("%s: %d files, %s bytes, verified", offer.base, len(records), f"{total:,}")


def _explained(source: dict, places: list[Offer], failed: list[DownloadError]) -> DownloadError:
    """The error that tells most, with the URLs and what to do without a network."""
    kind, key = kind_of(source), source_key(source)
    telling = next((error for error in failed if error.kind != "unreachable"), None)
    if telling:
        others = f" ({len(failed)} places were asked)" if len(failed) > 1 else ""
        step = telling.next_step or _next_step(source, telling.kind)
        return DownloadError(telling.kind, f"{telling.what}{others}", telling.where, step)
    urls = ", ".join(dict.fromkeys(offer.shown for offer in places))
    reasons = "; ".join(dict.fromkeys(error.what for error in failed))
    return DownloadError("unreachable", f"{key.rpartition('-')[0]} cannot be downloaded: {reasons}. Tried: {urls}",
                         f"genomes: {kind}", _by_hand(source))  # fmt: skip


def _next_step(source: dict, kind: str) -> str:
    """What may help where a server has been reached."""
    url = source.get("url") or ""
    if url.startswith("s3://") and kind in ("refused", "missing"):
        return f"The bucket is not public: fetch the file with your own access (aws s3 cp {url} .), and give it as path"
    steps = {
        "missing": "Check the name and the version",
        "refused": "Open the URL in a browser to see why",
        "damaged": "Try again later, or another place (download.mirrors)",
    }
    return steps.get(kind, "")


def _by_hand(source: dict) -> str:
    """Which files to put where, for machines without a network."""
    names = wanted(source)
    files = " and ".join(group[0] for group in (names.sequence, names.annotation) if group)
    told = os.environ.get("DNALM_DATA")
    where = f"a folder of DNALM_DATA ({told})" if told else "a folder, and name that in DNALM_DATA"
    return f"Without a network: fetch {files} elsewhere, and put them into {where}"


def deliver(folder: Path, target: Path) -> None:
    """A download's files and record in a folder of their own: links where the file system can, else copies."""
    target.mkdir(parents=True, exist_ok=True)
    record = _record_of(folder)
    for name in (*(file["name"] for file in record["files"]), RECORD):
        with atomic_path(target / name) as temporary:
            try:
                os.link(folder / name, temporary)
            except OSError:
                shutil.copyfile(folder / name, temporary)
                _to_disk(temporary)


def _to_disk(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
