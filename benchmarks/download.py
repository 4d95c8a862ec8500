"""Speed of a verified download against curl followed by sha256sum: `make bench-download`.

A web server on loopback sends random bytes, and soft-masked bases as FASTA.gz with a promised MD5. Ours writes, hashes
(SHA-256, and MD5 where it is promised), looks at the contents (of gzip: decompresses them to the last byte) and brings
the file to the disk before it takes its name; the peer writes with curl and reads the file again with sha256sum, and of
gzip, in a row of its own, once more with `gzip -t`. All take turns, and the median counts; ratio > 1 means that ours is
faster. Python's imports are not counted. Writes results/benchmarks/download.tsv, in the columns of core.tsv.
"""

import argparse
import gzip
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


def write_random(path: Path, megabytes: int) -> None:
    """Random bytes."""
    rng = np.random.default_rng(1)
    with open(path, "wb") as out:
        for start in range(0, megabytes << 20, BLOCK):
            out.write(rng.bytes(min(BLOCK, (megabytes << 20) - start)))


def write_fasta(path: Path, megabytes: int, bases: int = 24_000_000) -> None:
    """Random bases in lines of 60, half of them in soft-masked stretches, as gzip -6; again until there are enough."""
    rng = np.random.default_rng(2)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[rng.integers(0, 4, bases)]
    letters = letters + 32 * np.repeat(rng.random(bases // 300) < 0.5, 300).astype(np.uint8)
    lines = np.concatenate([letters.reshape(-1, 60), np.full((bases // 60, 1), 10, np.uint8)], axis=1)
    member = gzip.compress(b">1\n" + lines.tobytes(), 6, mtime=0)
    with open(path, "wb") as out:
        while out.tell() < megabytes << 20:
            out.write(member)


def seconds(work) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def race(url: str, data: Path, folder: Path, runs: int) -> np.ndarray:
    """Seconds of ours, curl + sha256sum, and the same + gzip -t (of gzip), (runs, 2 or 3), after one turn of each."""
    digests = {kind: hashlib.new(kind, data.read_bytes()).hexdigest() for kind in ("sha256", "md5")}
    packed, copy = data.suffix == ".gz", folder / f"peer{data.suffix}"
    promised = {"md5": digests["md5"]} if packed else {}

    def ours():
        (folder / data.name).unlink(missing_ok=True)
        record = fetch(RemoteFile("sequence", data.name, url, promised), folder, Client(Settings()))
        assert record["sha256"] == digests["sha256"]

    def peer():
        subprocess.run(["curl", "-sf", "-o", copy, url], check=True)
        found = subprocess.run(["sha256sum", copy], check=True, capture_output=True, text=True).stdout
        assert found.split()[0] == digests["sha256"]

    def thorough():
        peer()
        subprocess.run(["gzip", "-t", copy], check=True)

    turns = (ours, peer, *([thorough] if packed else []))
    return np.array([[seconds(turn) for turn in turns] for _ in range(runs + 1)])[1:]


def rows_of(name: str, speeds: np.ndarray, runs: int) -> list[tuple]:
    """Rows of the table, one per peer, from MB/s."""
    what = f"verified download, HTTP on loopback, {name}" + ", promised MD5" * (len(speeds) > 2)
    peers = ("curl, then sha256sum", "curl, then sha256sum, then gzip -t")
    rows = [(what, speeds[0], speed, peer, "MB/s", speeds[0] / speed, runs, 2)
            for peer, speed in zip(peers, speeds[1:], strict=False)]  # fmt: skip
    for _, ours, speed, peer, _, ratio, *_ in rows:
        print(f"{what}: {ours:.0f} MB/s, {peer} {speed:.0f} MB/s: {ratio:.2f} x", flush=True)
    return rows


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
        rows = []
        for name, write in (("random.bin", write_random), ("genome.fa.gz", write_fasta)):
            write(served / name, options.megabytes)
            times = race(f"{base}/{name}", served / name, here, options.runs)
            rows += rows_of(name, (served / name).stat().st_size / 2**20 / np.median(times, axis=0), options.runs)
        server.terminate()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_tsv(pd.DataFrame(rows, columns=COLUMNS), options.out)


if __name__ == "__main__":
    main()
