"""Speed of the library's core against what people would use instead: `make bench`.

Both sides of a row run in the same process, turn by turn, and the median of the runs counts; ratio > 1 means that ours
is faster. Writes results/benchmarks/core.tsv.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyfaidx
import pyrodigal
import torch
from Bio import SeqIO
from torch import nn

from dnalm.genomes.sequence_files import write_fasta
from dnalm.io.fasta import Genome, read_fasta
from dnalm.io.fetch import EMBEDDED
from dnalm.io.tables import write_tsv
from dnalm.models.attention import Block
from dnalm.models.memory import NgramMemory
from dnalm.sequence.alphabet import decode, encode
from dnalm.sequence.batches import cut
from dnalm.sequence.orfs import find_orfs, select_genes

COLUMNS = ["what", "ours", "peer", "peer_name", "unit", "ratio", "runs", "threads"]
RECORD = EMBEDDED / "chlamydia_trachomatis_d_uw3cx" / "genome.gbk.gz"


def seconds(work) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def race(what: str, amount: float, unit: str, ours, peer, peer_name: str, runs: int) -> dict:
    """One row: amount per second of both, from medians of alternating runs after one warm-up each."""
    ours(), peer()
    times = np.array([(seconds(ours), seconds(peer)) for _ in range(runs)])
    a, b = amount / np.median(times, axis=0)
    row = (what, a, b, peer_name, unit, a / b, runs, torch.get_num_threads())
    print(f"{what}: {a:,.0f} {unit}, {peer_name} {b:,.0f} {unit}: {a / b:.2f} x", flush=True)
    return dict(zip(COLUMNS, row, strict=True))


def read_a_genome(sequence: bytes, folder: Path, runs: int) -> dict:
    """FASTA file to codes; the peer parses and encodes with a dictionary, as many models' loaders do."""
    path = folder / "genome.fa"
    path.write_bytes(b">chr\n" + b"\n".join(sequence[i : i + 80] for i in range(0, len(sequence), 80)) + b"\n")
    table = {base: i for i, base in enumerate("ACGTN")}

    def ours():
        return [encode(s) for _, s in read_fasta(path)]

    def peer():
        return [[table[base] for base in record.seq] for record in SeqIO.parse(path, "fasta")]

    return race("read and encode FASTA", len(sequence), "bases/s", ours, peer, "Biopython + dictionary", runs)


def fetch_windows(genome: Genome, folder: Path, runs: int) -> dict:
    """Random 512-base windows as integer codes."""
    path = folder / "genome.fa.gz"
    write_fasta([("chr", decode(genome.codes).encode())], path)
    fasta = pyfaidx.Fasta(str(path), as_raw=True)
    starts = np.random.default_rng(1).integers(0, len(genome.codes) - 512, 256)

    def ours():
        return cut(genome, starts, 512).codes

    def peer():
        return np.stack([encode(fasta["chr"][s : s + 512]) for s in starts])

    return race("random windows", 256 * 512, "bases/s", ours, peer, "pyfaidx + our encoder", runs)


def train_a_block(runs: int) -> dict:
    """Forward and backward of two causal blocks, width 64, on 8 windows of 512 bases."""
    ours_net = nn.ModuleList(Block(64, 2, 128) for _ in range(2))
    layer = nn.TransformerEncoderLayer(64, 2, 256, dropout=0.0, norm_first=True, batch_first=True)
    peer_net = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    x, keys = torch.randn(8, 512, 64), torch.ones(8, 512, dtype=torch.bool)
    mask = nn.Transformer.generate_square_subsequent_mask(512)

    def ours():
        y = x
        for block in ours_net:
            y = block(y, keys)
        y.square().mean().backward()

    def peer():
        peer_net(x, mask=mask, is_causal=True).square().mean().backward()

    return race("train two causal blocks", 8 * 512, "bases/s", ours, peer, "torch.nn.TransformerEncoder", runs)


def look_up_contexts(genome: Genome, runs: int) -> dict:
    """Counts after contexts of 1 to 12 bases, from an index of the whole genome."""
    orders = tuple(range(1, 13))
    memory = NgramMemory.from_genomes([genome], [np.array([[0, len(genome.codes)]])], orders, ((1, 1),))
    text = decode(genome.codes)
    table: dict[str, list[int]] = {}
    for k in orders:
        for i in range(k, len(text)):
            table.setdefault(text[i - k : i], [0] * 4)["ACGT".find(text[i])] += 1
    windows = cut(genome, np.arange(8) * 5000 + 1000, 512)
    letters = [decode(row) for row in windows.codes]

    def ours():
        return memory.lookup(windows.codes, raw=True).forward

    def peer():
        return [[table.get(w[max(i - k, 0) : i]) for k in orders] for w in letters for i in range(len(w))]

    return race("look up 12 context lengths", 8 * 512, "bases/s", ours, peer, "Python dictionary, one strand", runs)


def enumerate_and_choose_genes(genome: Genome, runs: int) -> dict:
    """All candidates and the best set of them; the peer is Pyrodigal's whole finder, trained beforehand."""
    sequence = decode(genome.codes)
    finder = pyrodigal.GeneFinder()
    finder.train(sequence)

    def ours():
        orfs = find_orfs(genome.codes, 11, 90, False)
        return select_genes(orfs, (orfs.end - orfs.start) - 300.0, len(genome.codes))

    def peer():
        return finder.find_genes(sequence)

    return race(
        "choose genes from scored candidates", len(sequence), "bases/s", ours, peer, "Pyrodigal, scoring included", runs
    )


def main() -> None:
    """Run every benchmark and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each side")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/core.tsv"))
    options = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(1)
    with gzip.open(RECORD, "rt") as file:
        sequence = bytes(SeqIO.read(file, "genbank").seq).upper()
    contigs = pd.DataFrame(
        {"contig": ["chr"], "length": [len(sequence)], "offset": [0], "circular": [False], "genetic_code": [11]}
    )
    genome = Genome("bench", encode(sequence), contigs, "bench")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    folder, runs = options.out.parent, options.runs
    rows = [
        read_a_genome(sequence, folder, runs),
        fetch_windows(genome, folder, runs),
        look_up_contexts(genome, runs),
        train_a_block(runs),
        enumerate_and_choose_genes(genome, runs),
    ]
    for name in ("genome.fa", "genome.fa.gz", "genome.fa.gz.fai", "genome.fa.gz.gzi"):
        (folder / name).unlink(missing_ok=True)
    write_tsv(pd.DataFrame(rows, columns=COLUMNS), options.out)


if __name__ == "__main__":
    main()
