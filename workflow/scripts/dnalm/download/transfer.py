"""One file from the network to its final name: continued after a cut, verified, and never half there.

Bytes go to ``<name>.part``. Beside it, ``<name>.state.json`` says which version of which URL they are of; a part of
another version is thrown away. The final name is given by a rename, after length, checksums and contents have been
checked and the bytes are on the disk.
"""

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dnalm.download.client import Client, Tries
from dnalm.download.faults import DownloadError, Fault
from dnalm.download.pipeline import BLOCK, Sink, digests_of, need_space
from dnalm.download.progress import Progress, size
from dnalm.download.streams import Stream
from dnalm.io.remote import without_secrets
from dnalm.io.tables import write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch.

    Parameters
    ----------
    role : str
        ``sequence``, ``annotation``, ``report`` or ``archive``.
    name : str
        The name it gets here.
    url : str
        Where it is.
    promised : dict
        Digests that the provider publishes, by kind (``md5``, ``bsd_sum``, ``sha256``).
    pinned : dict
        Digests that the config asks for.
    headers : dict
        Of the request.
    check : callable or None
        ``check(head)`` looks at the first bytes and says what is wrong with them, or None.
    """

    role: str
    name: str
    url: str
    promised: dict[str, str] = field(default_factory=dict)
    pinned: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    check: Callable[[bytes], str | None] | None = None


def fetch(item: RemoteFile, folder, client: Client) -> dict:
    """Bring a file into ``folder``, and return what is known of it.

    The caller holds the folder's lock.

    Raises
    ------
    DownloadError
        If it cannot be had, or is not what was promised.
    """
    final, shown = Path(folder) / item.name, without_secrets(item.url)
    state = Path(folder) / f"{item.name}.state.json"
    done = _finished(final, state, item)
    if done:
        return done
    sink = Sink(final.with_name(f"{item.name}.part"), item.name, ["sha256", *item.promised, *item.pinned])
    transfer = _Transfer(item, client, sink, state)
    tries = Tries(shown, client.settings)
    try:
        while True:
            before = sink.size
            try:
                return transfer.attempt(final)
            except Fault as fault:
                if fault.kind in ("damaged", "changed"):
                    transfer.throw_away()
                time.sleep(tries.failed(fault, sink.size - before))
            except OSError as error:
                raise DownloadError("local", f"cannot write here ({error.strerror})", str(folder),
                                    "Make room, or set DNALM_CACHE to another folder") from error  # fmt: skip
    finally:
        sink.close()


class _Transfer:
    """The tries of one file, which share what is already here."""

    def __init__(self, item: RemoteFile, client: Client, sink: Sink, state: Path):
        self.item, self.client, self.sink, self.state = item, client, sink, state
        self.version: dict = {}

    def attempt(self, final: Path) -> dict:
        """Ask for what is missing, and give the file its name."""
        if self.sink.file is None:
            self._pick_up()
        elif self.sink.size and not self._safe():
            self.sink.begin()
        have, validator = self.sink.size, self._validator()
        stream = self.client.open(self.item.url, have, validator, self.item.headers)
        try:
            self._begin(stream, have)
            self._read(stream)
        finally:
            stream.close()
        return self._finish(final, stream)

    def _pick_up(self) -> None:
        """Continue the part of an earlier process if it says what it is of, or begin anew."""
        part = self.sink.path
        self.version = _read_state(self.state)
        mine = self.version.get("url") == without_secrets(self.item.url)
        if mine and part.exists() and part.stat().st_size and self._safe():
            log.info("%s: continuing after %s", self.item.name, size(part.stat().st_size))
            self.sink.resume()
        else:
            self.version = {}
            self.sink.begin()

    def _safe(self) -> bool:
        """Whether a mixture of two versions would be noticed: by their names or by a checksum."""
        return bool(self._validator() or self.version.get("modified") or self.item.promised or self.item.pinned)

    def _validator(self) -> str | None:
        """What the server compares: a strong ETag, else the date."""
        etag = self.version.get("etag")
        return etag if etag and not etag.startswith("W/") else self.version.get("modified")

    def _begin(self, stream: Stream, have: int) -> None:
        """Check that the stream belongs to the part that is here; else begin anew with it, or say that it cannot be."""
        found = {"etag": stream.etag, "modified": stream.modified, "total": stream.total}
        if stream.start != have:
            log.info("%s: the server begins again", self.item.name)
        elif have:
            differs = [key for key, value in found.items() if value and self.version.get(key) not in (None, value)]
            if differs:
                raise Fault("changed", f"the file has changed meanwhile ({', '.join(differs)})", retry=True)
        if stream.start == 0:
            self.sink.begin()
            self.version = {"url": without_secrets(self.item.url), **found}
            write_json(self.version, self.state)
        elif found["total"] and not self.version.get("total"):
            self.version["total"] = found["total"]
        if stream.total:
            need_space(self.sink.path.parent, stream.total - self.sink.size, self.item.name)

    def _read(self, stream: Stream) -> None:
        """All that comes; a crawling server is a broken one."""
        settings, sink = self.client.settings, self.sink
        progress = Progress(self.item.name, self.version.get("total"), sink.size, log)
        mark, since = sink.size, time.monotonic()
        while block := stream.read(BLOCK):
            sink.write(block)
            progress.update(sink.size)
            now = time.monotonic()
            if now - since >= settings.read_timeout:
                if sink.size - mark < settings.slowest * (now - since):
                    raise Fault("unreachable", "the server sends next to nothing", retry=True)
                mark, since = sink.size, now

    def _finish(self, final: Path, stream: Stream) -> dict:
        """Check the whole, and give it its name."""
        total = self.version.get("total")
        if total is not None and self.sink.size < total:
            raise Fault("unreachable", f"the connection broke after {self.sink.size:,} of {total:,} bytes", retry=True)
        if total is not None and self.sink.size > total:
            raise Fault("damaged", f"{self.sink.size:,} bytes came, {total:,} were promised", retry=True)
        digests = self.sink.finish()
        _compare(self.item, digests)
        known = stream.ends or total is not None
        if not known:
            self._accept_unknown_length()
        wrong = self.item.check and self.item.check(self.sink.content.head)
        if wrong:
            raise Fault("damaged", wrong)
        record = _record(self.item, self.sink.size, digests, self.version, stream.url)
        record |= {} if known else {"length_known": False}
        write_json({**self.version, **record}, self.state)
        self.sink.close()
        os.replace(self.sink.path, final)
        _sync_folder(final.parent)
        return record

    def _accept_unknown_length(self) -> None:
        """Refuse a file that may have been cut without anybody's notice: nothing says where it should end."""
        if not (self.item.promised or self.item.pinned or self.sink.content.ends):
            self.throw_away()
            key = "annotation_sha256" if self.item.role == "annotation" else "sha256"
            raise DownloadError(
                "refused", f"the server does not say how long {self.item.name} is, so that a cut could not be noticed",
                without_secrets(self.item.url), f"Give the checksum that it must have as `{key}`, or fetch it yourself",
            )  # fmt: skip
        log.warning("%s: the server does not say how long it is; its end and checksums are right", self.item.name)

    def throw_away(self) -> None:
        """Forget the part."""
        self.sink.close()
        self.sink.size, self.version = 0, {}
        for path in (self.sink.path, self.state):
            path.unlink(missing_ok=True)


def _compare(item: RemoteFile, digests: dict[str, str]) -> None:
    for told, wanted in (("the provider's list says", item.promised), ("the config asks for", item.pinned)):
        for kind, value in wanted.items():
            if digests[kind] != value.lower():
                text = f"{kind} of {item.name} is {digests[kind]}, {told} {value}"
                raise Fault("damaged", text, retry=True)


def _record(item: RemoteFile, bytes_: int, digests: dict, version: dict, url: str) -> dict:
    """What download.json says of a file."""
    promised = next(iter(item.promised.items()), None)
    return {
        "role": item.role, "name": item.name, "url": without_secrets(item.url),
        **({"redirected_to": url} if url != without_secrets(item.url) else {}),
        "bytes": bytes_, "sha256": digests["sha256"], "etag": version.get("etag"),
        "last_modified": version.get("modified"),
        "provider_checksum": {"kind": promised[0], "value": promised[1]} if promised else None,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }  # fmt: skip


def _finished(final: Path, state: Path, item: RemoteFile) -> dict | None:
    """What is known of a file that has its final name, if its bytes still are those that were verified."""
    record = _read_state(state)
    if not final.is_file():
        return None
    wanted = {**item.promised, **item.pinned}
    digests = digests_of(final, ["sha256", *wanted])
    same = digests["sha256"] == record.get("sha256") and all(digests[kind] == wanted[kind].lower() for kind in wanted)
    if same:
        return {key: record[key] for key in record if key not in ("modified", "total")}
    log.warning("%s is not what was downloaded: it is fetched again", final)
    final.unlink()
    return None


def _read_state(path: Path) -> dict:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text())
        return found if isinstance(found, dict) else {}
    return {}


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
