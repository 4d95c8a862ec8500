"""How the stages before training grow with the genome: time, memory, and windows per second for training.

    python benchmarks/genomes.py [--gigabases 0.1 0.5 1 3.1] [--fasta chr20.fa.gz]

Genomes are made up: 24 contigs, runs of N, lower-case stretches, and copies of 2,000 elements of 300 bases that have
changed since, so that the search for leakage has something to find. Every size runs in a process of its own.
`results/benchmarks/genomes.tsv`: `ours` is seconds per Gb at a size, `peer` the same at the smallest size, so that
a ratio of 1 means that time grows in proportion. With ``--fasta`` a real genome is measured beside them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
from core import COLUMNS

from dnalm.annotation.features import features_table
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import LocalGenome
from dnalm.io.provenance import ROOT
from dnalm.io.tables import write_parquet, write_tsv
from dnalm.sequence.leakage import audit
from dnalm.sequence.splits import make_splits, split_intervals
from dnalm.sequence.windows import tile_windows
from dnalm.tasks.sampling import WindowSampler

SPLIT = {"by": "block", "block": 20_000, "test": 0.2, "validation": 0.1, "gap": 1000}
CONTIGS, ELEMENTS, ELEMENT, CHUNK = 24, 2000, 300, 3_000_000
LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)


def write_genome(path: Path, bases: int, seed: int = 1) -> None:
    """A made-up genome as FASTA with lines of 60 bases."""
    rng = np.random.default_rng(seed)
    library = rng.integers(0, 4, (ELEMENTS, ELEMENT)).astype(np.uint8)
    with open(path, "wb") as out:
        for contig in range(CONTIGS):
            out.write(f">chr{contig + 1}\n".encode())
            left = bases // CONTIGS
            while left > 0:
                letters = _chunk(rng, library, min(CHUNK, left))
                left -= len(letters)
                lines = np.full((-(-len(letters) // 60), 61), ord("\n"), dtype=np.uint8)
                whole = len(letters) // 60 * 60
                lines[: whole // 60, :60] = letters[:whole].reshape(-1, 60)
                out.write(lines[: whole // 60].tobytes())
                if whole < len(letters):
                    out.write(letters[whole:].tobytes() + b"\n")


def _chunk(rng, library, length: int) -> np.ndarray:
    """Random letters with a run of N and, every 1,500 bases, a changed copy of an element in lower case."""
    codes = rng.integers(0, 4, length).astype(np.uint8)
    places = np.arange(200, length - ELEMENT, 1500)
    copies = library[rng.integers(0, ELEMENTS, len(places))]
    changed = rng.random(copies.shape) < rng.uniform(0, 0.2, (len(places), 1))
    copies = np.where(changed, (copies + rng.integers(1, 4, copies.shape)) % 4, copies)
    at = places[:, None] + np.arange(ELEMENT)
    codes[at] = copies
    codes[length // 2 : length // 2 + length // 50] = 4
    letters = LETTERS[codes].copy()
    letters[at] |= 32
    return letters


class Watch:
    """Peak anonymous memory of this process, in MB, looked at every 20 ms."""

    def __init__(self):
        self.peak = 0.0
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self):
        while True:
            with open("/proc/self/status") as status:
                line = next(line for line in status if line.startswith("RssAnon"))
            self.peak = max(self.peak, int(line.split()[1]) / 1024)
            time.sleep(0.02)


def measure(fasta: Path, folder: Path) -> dict:
    """Seconds of every stage, peak anonymous memory in MB, and Mb per second of training windows."""
    watch, seconds, begin = Watch(), {}, time.perf_counter()

    def done(name):
        nonlocal begin
        seconds[name] = time.perf_counter() - begin
        begin = time.perf_counter()

    build_genome("made_up", LocalGenome(fasta, None), {"genetic_code": 1}, folder)
    done("genome")
    genome = load_genome(folder)
    splits = make_splits([genome], SPLIT, 1)
    write_tsv(splits, folder / "splits.tsv")
    done("splits")
    windows = tile_windows(genome, splits, 512)
    write_parquet(windows, folder / "windows.parquet")
    done("windows")
    write_tsv(audit(genome, splits, windows, features_table([])), folder / "leakage.tsv")
    done("leakage")
    facts = {"bases": len(genome.codes), "seconds": seconds, "anonymous_mb": watch.peak}
    return facts | {"mb_per_second": _windows_per_second(genome, split_intervals(genome, splits, "train"))}


def _windows_per_second(genome, training, steps: int = 400) -> float:
    """Mb per second of random batches of 32 windows of 512 bases, from the memory map; the better of two rounds."""
    sampler = WindowSampler(genome, training, 512, 32, 1)
    sampler(0)
    rates = []
    for turn in range(2):
        begin = time.perf_counter()
        bases = sum(sampler(turn * steps + step).codes.size for step in range(steps))
        rates.append(bases / 1e6 / (time.perf_counter() - begin))
    return max(rates)


def in_a_process(fasta: Path, folder: Path) -> dict:
    """`measure` in a new process, after one on a small genome has compiled everything."""
    command = [sys.executable, __file__, "--measure", str(fasta), str(folder)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def rows_of(name: str, facts: dict, smallest: dict) -> list[dict]:
    """Rows of one genome: every stage and all together against the smallest genome, memory, training windows."""
    gigabases, rows = facts["bases"] / 1e9, []

    def add(what, ours, peer, peer_name, unit, ratio):
        rows.append(dict(zip(COLUMNS, (f"{what}, {name}", ours, peer, peer_name, unit, ratio, 1, 1), strict=True)))

    totals = [{**f["seconds"], "everything": sum(f["seconds"].values())} for f in (facts, smallest)]
    for stage, seconds in totals[0].items():
        ours, peer = seconds / gigabases, totals[1][stage] / (smallest["bases"] / 1e9)
        add(stage, ours, peer, "smallest genome", "s/Gb", peer / ours)
    add("anonymous memory", facts["anonymous_mb"], 2048, "bound", "MB", 2048 / facts["anonymous_mb"])
    add("training windows", facts["mb_per_second"], 100, "bound", "Mb/s", facts["mb_per_second"] / 100)
    print(pd.DataFrame(rows).to_string(index=False, header=False), flush=True)
    return rows


def main():
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabases", type=float, nargs="+", default=[0.1, 0.5, 1, 3.1])
    parser.add_argument("--fasta", type=Path, help="a real genome to measure too")
    parser.add_argument("--measure", type=Path, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "benchmarks" / "genomes.tsv")
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(*options.measure)))
        return
    rows, smallest = [], None
    with tempfile.TemporaryDirectory(dir=options.out.parent if options.out.parent.is_dir() else None) as scratch:
        fasta = Path(scratch) / "genome.fa"
        for number, gigabases in enumerate([0.002, *options.gigabases]):
            write_genome(fasta, int(gigabases * 1e9))
            facts = in_a_process(fasta, Path(scratch) / f"genome{number}")
            if number:
                smallest = smallest or facts
                rows += rows_of(f"{gigabases:g} Gb", facts, smallest)
        if options.fasta:
            facts = in_a_process(options.fasta, Path(scratch) / "real")
            print(f"{options.fasta.name}: {sum(facts['seconds'].values()):.1f} s in all", flush=True)
            rows += rows_of(options.fasta.name, facts, smallest)
    write_tsv(pd.DataFrame(rows, columns=COLUMNS), options.out)


if __name__ == "__main__":
    main()
