"""Where things come from: checksums of inputs, and the facts of a run."""

import contextlib
import hashlib
import platform
import resource
import subprocess
import time
from pathlib import Path

import dnalm
from dnalm.io.tables import write_json

ROOT = Path(dnalm.__file__).resolve().parents[3]


def sha256_of(path) -> str:
    """SHA-256 of a file, hex."""
    return digest_of(path, "sha256")


def digest_of(path, kind: str) -> str:
    """Digest of a file by a method of `hashlib`, hex."""
    digest = hashlib.new(kind, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _git(*words) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def peak_memory_mb() -> float:
    """Largest resident memory of this process so far, in MB.

    From /proc where there is one: what ``getrusage`` says of a process includes its parent's memory at the start.
    """
    with contextlib.suppress(OSError), open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def software_facts() -> dict:
    """Version, git commit, whether the tree was modified, digest of the lock file, Python and platform."""
    lock = ROOT / "requirements.lock"
    commit = _git("rev-parse", "HEAD")
    return {
        "version": dnalm.__version__,
        "git_commit": commit or None,
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")) if commit else None,
        "lock_sha256": sha256_of(lock) if lock.exists() else None,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
    }


@contextlib.contextmanager
def run_facts(path, threads: int = 1, device: str = "cpu", **more):
    """Write the facts of the enclosed work to ``path`` when it ends well.

    Wall and CPU time in seconds, peak resident memory in MB, start in UTC, and `software_facts`. Add to the yielded
    dictionary.
    """
    record = {**software_facts(), "device": device, "threads": threads, **more}
    start, cpu = time.time(), time.process_time()
    yield record
    record["started"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))
    record["wall_seconds"] = round(time.time() - start, 2)
    record["cpu_seconds"] = round(time.process_time() - cpu, 2)
    record["peak_memory_mb"] = round(peak_memory_mb(), 1)
    write_json(record, path)
