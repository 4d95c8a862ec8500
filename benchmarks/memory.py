"""Speed of the n-gram memory and what it costs to fit it into less memory: `python benchmarks/memory.py`.

Speed is measured on one core, in processor seconds, with leave-one-out, in random windows of 512 bases. One lookup is
one context of one base on one strand. Writes results/benchmarks/memory.tsv, in the columns of core.tsv; ratio > 1 means
that ours is better.

Bits per base of plain chained back-off in 24 windows of 4096 bases in the last fifth of
Escherichia coli K-12 (4.6 Mb), counts from the rest:

| memory         | before, to 20 bases | both sides, to 8 bases |
|----------------|---------------------|------------------------|
| exact, 19 MB   | 1.883               | 1.794                  |
| hashed, 1 MiB  | 1.929               | 1.855                  |
| hashed, 4 MiB  | 1.929               | 1.846                  |
| hashed, 16 MiB | 1.913               | 1.835                  |
| hashed, 64 MiB | 1.878               | 1.805                  |
| hashed, 256 MiB| 1.887               | 1.806                  |

A table is for sequence that the exact memory, at five bytes a base, has no room for.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import pandas as pd
from Bio import SeqIO
from core import COLUMNS, RECORD

from dnalm.io.fasta import Genome, load_genome
from dnalm.io.tables import write_tsv
from dnalm.models.memory import HashedMemory, NgramMemory
from dnalm.sequence.alphabet import N, encode, reverse_complement
from dnalm.sequence.batches import cut

ORDERS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20)
FLANKS = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (8, 8), (12, 5), (5, 12))
#: Bases that a dictionary is made of; it would not fit into memory for a whole genome.
SMALL = 50_000
BUDGET = 16 << 20


def seconds(work, runs: int) -> float:
    """Median processor time of one call, after a warm-up."""
    work()
    times = []
    for _ in range(runs):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


def row(what: str, ours: float, peer: float, peer_name: str, unit: str, ratio: float, runs: int) -> dict:
    """One row of the table, printed as well."""
    print(f"{what}: {ours:,.4g} {unit}, {peer_name} {peer:,.4g} {unit}: {ratio:.2f} x", flush=True)
    return dict(zip(COLUMNS, (what, ours, peer, peer_name, unit, ratio, runs, 1), strict=True))


class Dictionary:
    """Counts by the letters of a context in a Python dictionary, of both strands; nothing is left out."""

    def __init__(self, codes: np.ndarray):
        self.counts = {}
        for strand in (codes, reverse_complement(codes)):
            text = strand.tobytes()
            for left, right in (*((k, 0) for k in ORDERS), *FLANKS):
                for p in range(left, len(text) - right):
                    key = left, text[p - left : p], text[p + 1 : p + 1 + right]
                    self.counts.setdefault(key, [0] * 5)[text[p]] += 1

    def lookup(self, codes: np.ndarray) -> list:
        """Counts of all contexts of a batch of windows."""
        found = []
        for strand, contexts in (
            (codes, [*((k, 0) for k in ORDERS), *FLANKS]),
            (reverse_complement(codes), [(k, 0) for k in ORDERS]),
        ):
            for text in map(bytes, strand):
                for p in range(len(text)):
                    for left, right in contexts:
                        key = left, text[max(p - left, 0) : p], text[p + 1 : p + 1 + right]
                        found.append(self.counts.get(key))
        return found


def sorted_words(codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Peer in numpy: every word of k + 1 bases of both strands as a number, distinct ones sorted, with their counts."""
    strands = codes, reverse_complement(codes)
    windows = np.concatenate([np.lib.stride_tricks.sliding_window_view(s, k + 1) for s in strands])
    return np.unique(windows[(windows < N).all(1)].astype(np.int64) @ 4 ** np.arange(k + 1), return_counts=True)


def speed(genome, spans, runs: int) -> list[dict]:
    """Lookups, full features and building, against a dictionary of a small piece and sorted words in numpy."""
    codes = np.asarray(genome.codes) & 7
    rng = np.random.default_rng(1)
    windows = cut(genome, rng.integers(0, len(codes) - 512, 64), 512)
    small = cut(genome, rng.integers(0, SMALL - 512, 4), 512)
    memory = NgramMemory.from_genomes([genome], [spans], ORDERS, FLANKS)
    dictionary = Dictionary(codes[:SMALL])
    contexts = 2 * len(ORDERS) + len(FLANKS)
    ours = windows.codes.size / seconds(lambda: memory.lookup(windows.codes, windows.origin), runs)
    peer = small.codes.size / seconds(lambda: dictionary.lookup(small.codes), 1)
    name = f"Python dictionary of {SMALL:,} bases, nothing left out"
    words, counts = sorted_words(codes, 12)
    queries = rng.choice(words, 400_000)
    found = len(queries) / 4 / seconds(lambda: counts[np.searchsorted(words, queries)], 1)
    only = NgramMemory.from_genomes([genome], [spans], range(1, 13), ((1, 1),))
    after = 25 * windows.codes.size / seconds(lambda: only.lookup(windows.codes, windows.origin, raw=True), runs)
    build = seconds(lambda: NgramMemory.from_genomes([genome], [spans], ORDERS, FLANKS), 1)
    sorting = seconds(lambda: sorted_words(codes, 12), 1)
    size = sum(value.nbytes for value in vars(memory).values() if isinstance(value, np.ndarray))
    return [
        row("features of a base, all contexts", ours, peer, name, "bases/s", ours / peer, runs),
        row("lookups, all contexts", ours * contexts, peer * contexts, name, "lookups/s", ours / peer, runs),
        row("counts after 1 to 12 bases", after, found, "np.searchsorted, order 12", "lookups/s", after / found, runs),
        row("build, all contexts", build, sorting, "np.unique, order 12", "s", sorting / build, 1),
        row("size", size / 1e6, (words.nbytes + counts.nbytes) / 1e6, "np.unique, order 12", "MB",
            (words.nbytes + counts.nbytes) / size, 1),
    ]  # fmt: skip


def fixed_size(genome, budget: int) -> list[dict]:
    """Bits per base of plain chained back-off on the last fifth of a genome, exact against hashed."""
    size = len(genome.codes)
    spans = np.array([[0, size * 4 // 5]])
    windows = cut(genome, np.linspace(spans[0, 1], size - 4096, 16).astype(int), 4096)
    known = windows.codes < N
    target = np.minimum(windows.codes, 3)[..., None].astype(np.int64)
    bits, speeds = [], []
    for memory in (
        HashedMemory.from_genomes([genome], [spans], ORDERS, FLANKS, budget),
        NgramMemory.from_genomes([genome], [spans], ORDERS, FLANKS),
    ):
        found = memory.lookup(windows.codes)
        speeds.append(windows.codes.size / seconds(lambda memory=memory: memory.lookup(windows.codes), 3))
        after, between = found.forward[..., -1, :4], found.flanks[..., memory.flanks.index((8, 8)), :4]
        bits.append([2 - np.take_along_axis(x, target, -1)[known].mean() / np.log(2) for x in (after, between)])
    label = f"hashed, {budget / 2**20:.0f} MiB"
    return [
        row(f"{label}: back-off to 20 bases before", bits[0][0], bits[1][0], "exact", "bits/base",
            bits[1][0] / bits[0][0], 1),
        row(f"{label}: back-off to 8 bases on both sides", bits[0][1], bits[1][1], "exact", "bits/base",
            bits[1][1] / bits[0][1], 1),
        row(f"{label}: features, nothing left out", *speeds, "exact", "bases/s", speeds[0] / speeds[1], 3),
    ]  # fmt: skip


def bench_genome(folder: Path | None) -> Genome:
    """The genome of ``folder``, or the embedded one."""
    if folder:
        return load_genome(folder)
    with gzip.open(RECORD, "rt") as file:
        codes = encode(bytes(SeqIO.read(file, "genbank").seq).upper())
    contig = {"contig": "chr", "length": len(codes), "offset": 0, "circular": False, "genetic_code": 11}
    return Genome("bench", codes, pd.DataFrame([contig]), "bench")


def main() -> None:
    """Run every benchmark and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--genome", type=Path, help="folder of a prepared genome; by default Chlamydia trachomatis")
    parser.add_argument("--runs", type=int, default=5, help="timed runs")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/memory.tsv"))
    options = parser.parse_args()
    genome = bench_genome(options.genome)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = speed(genome, np.array([[0, len(genome.codes)]]), options.runs) + fixed_size(genome, BUDGET)
    write_tsv(pd.DataFrame(rows, columns=COLUMNS), options.out)


if __name__ == "__main__":
    main()
