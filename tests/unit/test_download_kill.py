"""A download is killed at any moment, as a power cut does: no wrong or partial file ever has its final name."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest
from helpers.mirror import Act, Site, add_ncbi, fasta, http_site, packed

DATA = packed(fasta(200_000))
OTHER = packed(fasta(200_000, seed=2))
#: Forks a child for each request on its standard input, so that the imports are paid for once.
NURSERY = """
import json, os, signal, sys
from pathlib import Path
from dnalm.download import acquire, transfer
from dnalm.download.client import Client
from dnalm.download.settings import Settings

def die_at(where):
    point, _, when = where.partition(" ")
    real = getattr(os, point)
    def fatal(*arguments):
        if when == "after":
            real(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(os, point, fatal)

def work(job):
    if job.get("die"):
        die_at(job["die"])
    settings = Settings(attempts=4, backoff=0.01, read_timeout=20.0, mirrors=job.get("mirrors", {}))
    if "source" in job:
        acquire.acquire(job["source"], Path(job["folder"]), settings)
    else:
        transfer.fetch(transfer.RemoteFile("sequence", "x.fa.gz", job["url"]), Path(job["folder"]), Client(settings))

running = {}
for line in sys.stdin:
    job = json.loads(line)
    if job == "wait":
        pid, status = os.wait()
        print(json.dumps([pid, os.waitstatus_to_exitcode(status)]), flush=True)
        continue
    pid = os.fork()
    if pid == 0:
        try:
            work(job)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(9)
    print(json.dumps(pid), flush=True)
"""


class Nursery:
    """Children that download."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, **job) -> int:
        return self.ask(job)

    def wait(self) -> int:
        """Exit status of a child."""
        return self.ask("wait")[1]

    def run(self, **job) -> int:
        self.start(**job)
        return self.wait()


@pytest.fixture(scope="module")
def nursery():
    found = Nursery()
    yield found
    found.process.stdin.close()
    found.process.wait()


@pytest.fixture(scope="module")
def server():
    site = Site()
    with http_site(site) as base:
        yield site, base


def test_thirty_kills_at_random_moments(nursery, server, tmp_path):
    site, base = server
    site.plan("/x.fa.gz", always=Act(piece=3000, drip=0.01))
    rng, final, part = random.Random(3), tmp_path / "x.fa.gz", tmp_path / "x.fa.gz.part"
    halves = finished = changed = 0
    site.add("/x.fa.gz", DATA)
    for _ in range(30):
        pid = nursery.start(url=f"{base}/x.fa.gz", folder=str(tmp_path))
        time.sleep(rng.uniform(0.0, 0.5))
        os.kill(pid, signal.SIGKILL)
        nursery.wait()
        if final.exists():
            assert final.read_bytes() in (DATA, OTHER)
            final.unlink()
            finished += 1
        elif part.exists() and part.stat().st_size:
            halves += 1
            assert part.stat().st_size < len(DATA) + len(OTHER)
        if rng.random() < 0.2:
            site.add("/x.fa.gz", OTHER if site.files["/x.fa.gz"] == DATA else DATA)
            changed += 1
    assert halves >= 5, (halves, finished)
    assert changed >= 2
    site.plan("/x.fa.gz", always=Act())
    assert nursery.run(url=f"{base}/x.fa.gz", folder=str(tmp_path)) == 0
    assert final.read_bytes() == site.files["/x.fa.gz"]


def test_what_was_downloaded_before_a_kill_is_not_downloaded_again(nursery, server, tmp_path):
    site, base = server
    path = "/resumed.fa.gz"
    site.add(path, DATA)
    site.plan(path, Act(piece=3000, drip=0.02), Act())
    pid = nursery.start(url=base + path, folder=str(tmp_path))
    part = tmp_path / "x.fa.gz.part"
    while not (part.exists() and part.stat().st_size > 9000):
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    nursery.wait()
    have = part.stat().st_size
    assert nursery.run(url=base + path, folder=str(tmp_path)) == 0
    assert site.asked(path)[-1].headers["Range"] == f"bytes={have}-"
    assert (tmp_path / "x.fa.gz").read_bytes() == DATA


@pytest.mark.parametrize("moment", ["fsync before", "fsync after", "replace before", "replace after"])
def test_a_kill_in_the_last_steps(nursery, server, tmp_path, moment):
    site, base = server
    site.add("/last.fa.gz", DATA)
    site.plan("/last.fa.gz", always=Act())
    for _ in range(2):
        assert nursery.run(url=f"{base}/last.fa.gz", folder=str(tmp_path), die=moment) == -signal.SIGKILL
        final = tmp_path / "x.fa.gz"
        assert not final.exists() or final.read_bytes() == DATA
    assert nursery.run(url=f"{base}/last.fa.gz", folder=str(tmp_path)) == 0
    assert final.read_bytes() == DATA


def test_a_damaged_part_is_not_trusted(nursery, server, tmp_path):
    site, base = server
    site.add("/part.fa.gz", DATA)
    site.plan("/part.fa.gz", Act(piece=3000, drip=0.02), Act(), Act())
    pid = nursery.start(url=f"{base}/part.fa.gz", folder=str(tmp_path))
    part = tmp_path / "x.fa.gz.part"
    while not (part.exists() and part.stat().st_size > 9000):
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    nursery.wait()
    part.write_bytes(bytes(part.stat().st_size))  # as after a power cut: the length is there, the bytes are not
    assert nursery.run(url=f"{base}/part.fa.gz", folder=str(tmp_path)) == 0
    assert (tmp_path / "x.fa.gz").read_bytes() == DATA


def test_two_studies_that_want_the_same_genome_download_it_once(nursery, tmp_path):
    site = Site()
    made = add_ncbi(site)
    path = f"{made['place']}/{made['stem']}_genomic.fna.gz"
    site.plan(path, always=Act(piece=100, drip=0.02))
    with http_site(site) as base:
        job = {"source": {"ncbi": "GCF_000005845.2"}, "folder": str(tmp_path),
               "mirrors": {"ncbi": [f"{base}/genomes/all"]}}  # fmt: skip
        for _ in range(3):
            nursery.start(**job)
        assert [nursery.wait() for _ in range(3)] == [0, 0, 0]
    assert len(site.asked(path)) == 1
    (folder,) = tmp_path.iterdir()
    assert (folder / f"{made['stem']}_genomic.fna.gz").read_bytes() == site.files[path]


def test_a_lock_is_freed_with_the_process_that_held_it(nursery, tmp_path):
    site = Site()
    made = add_ncbi(site)
    path = f"{made['place']}/{made['stem']}_genomic.fna.gz"
    site.plan(path, Act(piece=10, drip=0.05), Act())
    with http_site(site) as base:
        job = {"source": {"ncbi": "GCF_000005845.2"}, "folder": str(tmp_path),
               "mirrors": {"ncbi": [f"{base}/genomes/all"]}}  # fmt: skip
        pid = nursery.start(**job)
        while not site.asked(path):
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        nursery.wait()
        assert nursery.run(**job) == 0
