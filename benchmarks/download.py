"""Speed of a verified download against curl followed by sha256sum: `make bench-download`.

A web server on loopback sends 300 MB of random bytes. Ours writes, hashes (SHA-256), looks at the contents and brings
the file to the disk before it takes its name; the peer writes with curl and reads the file again with sha256sum. Both
take turns, and the median counts; ratio > 1 means that ours is faster. Python's imports are not counted. Writes
results/benchmarks/download.tsv, in the columns of core.tsv.
"""

import argparse
import hashlib
import http.server
import multiprocessing
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from core import COLUMNS

from dnalm.download.client import Client
from dnalm.download.settings import Settings
from dnalm.download.transfer import RemoteFile, fetch
from dnalm.io.tables import write_tsv

BLOCK = 1 << 22


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def serve(folder: str, port) -> None:
    """Send the files of a folder; for a process of its own, as a real server is."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), lambda *arguments: _Quiet(*arguments, directory=folder))
    port.put(server.server_address[1])
    server.serve_forever()


def write_file(path: Path, megabytes: int) -> str:
    """Random bytes; returns their SHA-256."""
    rng, digest = np.random.default_rng(1), hashlib.sha256()
    with open(path, "wb") as out:
        for start in range(0, megabytes << 20, BLOCK):
            block = rng.bytes(min(BLOCK, (megabytes << 20) - start))
            out.write(block)
            digest.update(block)
    return digest.hexdigest()


def seconds(work) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def race(url: str, digest: str, folder: Path, runs: int) -> np.ndarray:
    """Seconds of ours and of the peer, (runs, 2), after one turn of each that does not count."""

    def ours():
        target = folder / Path(url).name
        target.unlink(missing_ok=True)
        record = fetch(RemoteFile("sequence", target.name, url), folder, Client(Settings()))
        assert record["sha256"] == digest

    def peer():
        target = str(folder / "peer")
        subprocess.run(["curl", "-sf", "-o", target, url], check=True)
        found = subprocess.run(["sha256sum", target], check=True, capture_output=True, text=True).stdout
        assert found.split()[0] == digest

    ours(), peer()
    return np.array([(seconds(ours), seconds(peer)) for _ in range(runs)])


def main() -> None:
    """Run the benchmark and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--runs", type=int, default=5, help="timed turns")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/download.tsv"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        served, here = Path(scratch, "served"), Path(scratch, "here")
        served.mkdir(), here.mkdir()
        port = multiprocessing.Queue()
        server = multiprocessing.Process(target=serve, args=(str(served), port), daemon=True)
        server.start()
        base = f"http://127.0.0.1:{port.get()}"
        digest = write_file(served / "random.bin", options.megabytes)
        times = race(f"{base}/random.bin", digest, here, options.runs)
        server.terminate()
    a, b = options.megabytes / np.median(times, axis=0)
    print(f"verified download: {a:.0f} MB/s, curl + sha256sum {b:.0f} MB/s: {a / b:.2f} x", flush=True)
    row = ("verified download, HTTP on loopback", a, b, "curl, then sha256sum", "MB/s", a / b, options.runs, 2)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_tsv(pd.DataFrame([row], columns=COLUMNS), options.out)


if __name__ == "__main__":
    main()
