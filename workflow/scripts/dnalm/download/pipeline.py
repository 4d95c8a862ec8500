"""Bytes on their way to the disk: written, hashed and looked at by threads of their own while the next ones arrive."""

import os
import queue
import threading
from pathlib import Path

from dnalm.download.checks import ContentCheck
from dnalm.download.checksums import new_digest
from dnalm.download.faults import Fault

BLOCK = 1 << 20
#: Blocks that may wait for a thread; more would only take memory.
WAITING = 16


class Worker(threading.Thread):
    """Hands blocks to ``take``, in order; an error of it is kept and raised by `check`."""

    def __init__(self, take):
        super().__init__(daemon=True)
        self.take, self.queue, self.error = take, queue.Queue(WAITING), None
        self.start()

    def run(self) -> None:
        """Take blocks until None comes; after an error they are only thrown away, so that nobody waits."""
        while (block := self.queue.get()) is not None:
            if self.error is None:
                try:
                    self.take(block)
                except Exception as error:  # handed on to the thread that downloads
                    self.error = error

    def check(self) -> None:
        """Raise what went wrong."""
        if self.error is not None:
            raise self.error


class Sink:
    """The part of a file that is here; it can be continued or begun again.

    Parameters
    ----------
    path : Path
        The ``.part`` file.
    name : str
        The name that the whole will have, which says what it should be.
    kinds : list of str
        Digests wanted (see `dnalm.download.checksums.new_digest`).
    """

    def __init__(self, path: Path, name: str, kinds):
        self.path, self.name, self.kinds = Path(path), name, list(dict.fromkeys(kinds))
        self.size, self.file, self.workers = 0, None, []

    def begin(self) -> None:
        """An empty part."""
        self._open("wb")

    def resume(self) -> None:
        """Read what an earlier process left, to hash and check it, and go on at its end.

        Raises
        ------
        Fault
            If it is not the beginning of what was promised.
        """
        self._open("r+b")
        while block := self.file.read(BLOCK):
            self._hand_out(block)

    def _open(self, mode: str) -> None:
        self.close()
        self.size = 0
        self.digests = {kind: new_digest(kind) for kind in self.kinds}
        self.content = ContentCheck(self.name)
        self.workers = [Worker(take) for take in (*(d.update for d in self.digests.values()), self.content.feed)]
        self.file = open(self.path, mode, buffering=0)  # closed by `close`

    def write(self, block: bytes) -> None:
        """Append bytes; errors of the threads surface here, some blocks late."""
        view = memoryview(block)
        while view:
            view = view[self.file.write(view) :]
        self._hand_out(block)

    def _hand_out(self, block: bytes) -> None:
        self.size += len(block)
        for worker in self.workers:
            worker.check()
            worker.queue.put(block)

    def finish(self) -> dict[str, str]:
        """Wait for the threads, bring the bytes to the disk, and return the digests.

        Raises
        ------
        Fault
            If the whole is not what it should be.
        """
        self._join()
        for worker in self.workers:
            worker.check()
        self.content.finish()
        os.fsync(self.file.fileno())
        return {kind: digest.hexdigest() for kind, digest in self.digests.items()}

    def _join(self) -> None:
        for worker in self.workers:
            if worker.is_alive():
                worker.queue.put(None)
        for worker in self.workers:
            worker.join()

    def close(self) -> None:
        """Stop the threads and close the file; what is written stays."""
        self._join()
        self.workers = []
        if self.file:
            self.file.close()
            self.file = None


def digests_of(path, kinds) -> dict[str, str]:
    """Digests of a file on the disk."""
    found = {kind: new_digest(kind) for kind in kinds}
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            for digest in found.values():
                digest.update(block)
    return {kind: digest.hexdigest() for kind, digest in found.items()}


def free_bytes(folder: Path) -> int:
    """Bytes that this user may still write in a folder."""
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize


def need_space(folder: Path, bytes_: int, name: str) -> None:
    """Raise a `Fault` if a folder has no room for so many more bytes."""
    free = free_bytes(folder)
    if bytes_ > free:
        raise Fault(
            "local",
            f"no space for {name}: {bytes_:,} bytes are needed, {free:,} are free in {folder}. "
            "Make room, or set DNALM_CACHE to a folder on a larger disk",
        )
