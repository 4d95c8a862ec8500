"""A real genome cut at random into a draft of thousands of contigs: what gene finders still find, and how fast.

``python benchmarks/genefinder_draft.py GENOME --model FOLDER [--contigs 5000] [--out FILE]`` prints a table and
writes it as TSV. GENOME is a GenBank file with annotation; FOLDER holds trained networks that must not have seen it.
The truth is the annotation, cut as the draft is: a piece of a gene counts if it keeps 90 bases
(`dnalm.genefinder.pieces`). A call is right at the 3' end if it ends where a true gene or the piece of one ends:
where a contig's end cuts off the end of a gene, if it runs off there in the same frame.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.annotation.labels import genome_cds, whole_genes
from dnalm.baselines.finders import pyrodigal_genes
from dnalm.genefinder.finder import find_genes
from dnalm.genefinder.networks import Networks
from dnalm.genefinder.pieces import inside
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import Genome, load_genome
from dnalm.io.fetch import resolve_source
from dnalm.io.tables import write_tsv

#: Shortest contig in bases.
SHORTEST = 200


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("genome", help="GenBank file with annotation")
    parser.add_argument("--model", required=True, help="folder of trained networks")
    parser.add_argument("--contigs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks/genefinder_draft.tsv"))
    options = parser.parse_args()
    whole, features = read(options.genome)
    draft, truth, neutral = cut(whole, features, options.contigs, options.seed)
    networks = Networks.load(options.model)
    finders = {
        "dnalm": lambda: find_genes(draft, networks),
        "dnalm, self-training alone": lambda: find_genes(draft, None),
        "pyrodigal_single": lambda: pyrodigal_genes(draft, "single"),
        "pyrodigal_meta": lambda: pyrodigal_genes(draft, "meta"),
    }
    find_genes(cut(whole, features, 200, 0)[0], networks)  # compiles
    rows = []
    for method, find in finders.items():
        wall, cpu = time.perf_counter(), time.process_time()
        calls = find()
        seconds = {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}
        rows.append({"contigs": len(draft.contigs), "method": method, **scores(calls, truth, neutral), **seconds})
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=len(rows) == 1), flush=True)
    write_tsv(pd.DataFrame(rows), options.out)


def read(path) -> tuple[Genome, pd.DataFrame]:
    """A GenBank file as a genome, and its features."""
    with tempfile.TemporaryDirectory() as folder:
        source = {"path": str(path)}
        build_genome("whole", resolve_source(source), source, folder)
        genome = load_genome(folder)
        return (
            Genome(genome.name, np.asarray(genome.codes), genome.contigs, genome.digest),
            pd.read_parquet(Path(folder) / "features.parquet"),
        )


def cut(genome: Genome, features: pd.DataFrame, count: int, seed: int) -> tuple[Genome, pd.DataFrame, pd.DataFrame]:
    """``count`` linear contigs of the first contig, their true genes, and coding sequences that are neither."""
    first, rng = genome.contigs.iloc[0], np.random.default_rng(seed)
    bases = int(first["length"])
    room = bases - count * SHORTEST  # every contig has the shortest length and a random share of the rest
    cuts = np.sort(rng.integers(0, room + 1, count - 1)) + SHORTEST * np.arange(1, count)
    edges = np.concatenate([[0], cuts, [bases]])
    contigs = pd.DataFrame(
        {
            "contig": [f"c{i}" for i in range(count)], "length": np.diff(edges), "offset": edges[:-1],
            "circular": False, "genetic_code": int(first["genetic_code"]),
        }
    )  # fmt: skip
    draft = Genome("draft", genome.codes[:bases], contigs, f"{genome.digest}:{count}:{seed}")
    cds = features[(features["type"] == "CDS") & (features["contig"] == first["contig"])]
    parts = []
    for c in contigs.itertuples(index=False):
        near = cds[(cds["end"] > c.offset) & (cds["start"] < c.offset + c.length)]
        parts.append(inside(near, first["contig"], c.offset, c.length).assign(contig=c.contig))
    table = genome_cds(draft, pd.concat(parts, ignore_index=True))
    true = whole_genes(table)
    return draft, true, table[~table.index.isin(true.index)]


def ends(table: pd.DataFrame) -> np.ndarray:
    """3' ends as numbers: contig, strand, place."""
    contig, plus = table["contig"].str[1:].astype(np.int64).to_numpy(), (table["strand"] == "+").to_numpy()
    return (contig << 32) + (plus.astype(np.int64) << 31) + np.where(plus, table["end"], table["start"])


def starts(table: pd.DataFrame) -> np.ndarray:
    """5' ends as numbers."""
    return np.where(table["strand"] == "+", table["start"], table["end"])


def scores(calls: pd.DataFrame, truth: pd.DataFrame, neutral: pd.DataFrame) -> dict[str, float]:
    """F1 at the 3' end and at both ends, sensitivity and precision."""
    found = ends(calls)
    keep = ~np.isin(found, ends(neutral)) | np.isin(found, ends(truth))
    calls, found = calls[keep], found[keep]
    true = dict(zip(ends(truth), starts(truth), strict=True))
    hit = np.isin(found, list(true))
    exact = np.array([true.get(end) == start for end, start in zip(found, starts(calls), strict=True)], dtype=bool)
    total = len(calls) + len(true)
    return {
        "calls": len(calls), "true": len(true), "sensitivity": hit.sum() / len(true), "precision": hit.mean(),
        "f1_3prime": 2 * hit.sum() / total, "f1_exact": 2 * exact.sum() / total,
    }  # fmt: skip


if __name__ == "__main__":
    main()
