"""Checkpoints that survive kill -9, live outside the workflow's outputs, and refuse to mix trainings.

A state directory belongs to one training: its name carries the digest of inputs, settings and code. Each checkpoint is
one safetensors file, written to a temporary name, flushed to disk, then renamed; its header holds a checksum and the
counters. The last two are kept, so a torn newest one costs one interval and not the training.
"""

import fcntl
import hashlib
import json
import logging
import os
import socket
import time
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dnalm.errors import DnalmError
from dnalm.io.provenance import software_facts

log = logging.getLogger(__name__)
KEPT = 2


class StateDirectory:
    """The directory of one training's checkpoints, locked while in use. Use as a context manager.

    Parameters
    ----------
    path : path
        Created if needed.
    digest : str
        Identity of the training; a directory that holds another one is refused.
    """

    def __init__(self, path, digest: str):
        self.path, self.digest = Path(path), digest
        self._lock = None

    def __enter__(self) -> "StateDirectory":
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = open(self.path / "lock", "a+")
        except OSError as error:
            raise DnalmError(f"{self.path}: cannot write checkpoints here ({error.strerror})") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.seek(0)
            holder = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise DnalmError(
                f"{self.path}: another process is training here ({holder}). Wait for it or stop it, then run again"
            ) from error
        self._lock.truncate(0)
        self._lock.write(f"pid {os.getpid()} on {socket.gethostname()}")
        self._lock.flush()
        self._check_identity()
        return self

    def __exit__(self, *error) -> None:
        self._lock.close()

    def _check_identity(self) -> None:
        identity = self.path / "digest"
        if identity.exists() and identity.read_text() != self.digest:
            self._lock.close()
            raise DnalmError(
                f"{self.path}: holds the state of another training (digest {identity.read_text()}, not {self.digest}). "
                "Remove the directory to start afresh"
            )
        if not identity.exists():
            _write(identity, self.digest.encode())
        with open(self.path / "attempts.log", "a") as attempts:
            attempts.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S')} pid {os.getpid()} {json.dumps(software_facts())}\n")

    def checkpoints(self) -> list[Path]:
        """Checkpoint files, newest first."""
        return sorted(self.path.glob("step-*.safetensors"), reverse=True)

    def save(self, step: int, tensors: dict[str, Tensor], counters: dict) -> None:
        """Write one checkpoint; older ones beyond the last two are removed."""
        header = {"counters": json.dumps(counters), "checksum": checksum(tensors, counters), "digest": self.digest}
        final = self.path / f"step-{step:010d}.safetensors"
        temporary = final.with_suffix(".writing")
        save_file({name: t.cpu() for name, t in tensors.items()}, temporary, header)
        _publish(temporary, final)
        for old in self.checkpoints()[KEPT:]:
            old.unlink()

    def load(self) -> tuple[dict[str, Tensor], dict] | None:
        """Tensors and counters of the newest checkpoint that is whole; None if there is none."""
        for path in self.checkpoints():
            try:
                with safe_open(path, "pt") as file:
                    tensors = {name: file.get_tensor(name) for name in file.keys()}
                    header = file.metadata()
                counters = json.loads(header["counters"])
                if header["checksum"] == checksum(tensors, counters):
                    return tensors, counters
                log.warning("%s: checksum differs, trying the one before", path)
            except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
                log.warning("%s: not readable (%s), trying the one before", path, error)
            path.rename(path.with_suffix(".damaged"))  # or it would count as one of the last two
        return None


def checksum(tensors: dict[str, Tensor], counters: dict) -> str:
    """SHA-256 over names, bytes and counters."""
    digest = hashlib.sha256(json.dumps(counters).encode())
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".writing")
    temporary.write_bytes(content)
    _publish(temporary, path)


def _publish(temporary: Path, final: Path) -> None:
    """Rename after the bytes are on disk, and put the new name on disk too."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
