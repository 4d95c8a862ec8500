"""One process at a time works in a folder; the others wait, and then find the work done."""

import contextlib
import fcntl
import logging
import os
import time
from pathlib import Path

log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(folder: Path, every: float = 30.0):
    """Hold the lock file ``.lock`` of a folder; it is freed with the process, however that ends.

    Where the file system knows no locks, this is said in the log, and nothing is locked.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "a") as file:
        _wait(file, folder, every)
        yield


def _wait(file, folder: Path, every: float) -> None:
    said = 0.0
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() - said > every:
                log.info("waiting: another process downloads into %s", folder)
                said = time.monotonic()
            time.sleep(0.1)
        except OSError as error:
            log.warning("%s: this file system has no locks (%s)", folder, os.strerror(error.errno or 0))
            return
