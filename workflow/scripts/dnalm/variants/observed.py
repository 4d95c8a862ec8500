"""Differences between related genomes: an alignment becomes single-base differences that can be trusted, or not.

What two related genomes differ in has been tolerated: it has passed through selection. A difference counts if it stands
in a long block that aligns in one place only, away from insertions and deletions, and not where differences crowd
(which is where the alignment is wrong, or another gene came in sideways). The same rules say of every base of the
reference whether a difference there would have counted (`Differences.callable`), for controls to be drawn from.
"""

import logging
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.io.paf import Block
from dnalm.io.programs import last_words, program
from dnalm.io.tabix import write_index
from dnalm.io.tables import atomic_path

log = logging.getLogger(__name__)
#: Why a difference does not count, in the order in which reasons are asked for; the first one is given.
REASONS = {
    "secondary": "Of an alignment that is not the query's best",
    "low_quality": "Of an alignment whose place is not sure",
    "short_block": "Of a short alignment",
    "ambiguous": "One of the bases is not A, C, G or T",
    "overlap": "Two alignments share the base of the reference or of the query",
    "near_gap": "Beside an insertion, a deletion, or the end of an alignment",
    "dense": "Where differences crowd",
}
#: Bases in whose middle a difference stands when it is asked whether differences crowd.
CROWD = 101


def align(reference, query, preset: str, output) -> None:
    """Align a query genome to a reference (FASTA files) with minimap2 (Li 2018), as PAF with ``cs`` tags.

    Raises
    ------
    InputError
        If minimap2 is not on PATH, or fails.
    """
    minimap2 = program("minimap2", "variants.observed", "leave variants.observed out")
    with atomic_path(output) as temporary:
        command = [minimap2, "-c", "-x", preset, "--cs", "-t", "1", str(reference), str(query)]
        with open(temporary, "w") as out:
            done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise InputError(f"minimap2 failed: {last_words(done.stderr)}", "variants.observed", " ".join(command))


@dataclass(frozen=True, eq=False)
class Differences:
    """Single-base differences of a reference genome and a query.

    ``table`` has a row per difference, sorted: ``position`` (global), ``ref`` and ``alt`` (bases 0..3 on the forward
    strand, 4 unknown), ``query``, ``query_position`` (0-based), ``reverse``, and ``reason``: empty where it counts,
    else one of `REASONS`. ``callable`` bool (length,): where in the reference a difference would have counted.
    ``aligned`` int: bases in blocks that count.
    """

    table: pd.DataFrame
    callable: np.ndarray
    aligned: int

    def summary(self) -> pd.DataFrame:
        """Numbers of bases and of differences by what became of them: columns what, count."""
        reasons = self.table["reason"].value_counts()
        rows = [("aligned_bases", self.aligned), ("callable_bases", int(self.callable.sum()))]
        rows += [("differences", len(self.table)), ("kept", int(reasons.get("", 0)))]
        return pd.DataFrame(rows + [(r, int(reasons.get(r, 0))) for r in REASONS], columns=["what", "count"])


def call_differences(genome: Genome, blocks: list[Block], settings: dict) -> Differences:
    """Differences of ``blocks`` (`dnalm.io.paf`), each with the reason why it does not count, if there is one.

    Parameters
    ----------
    settings : dict
        ``min_block`` bases and ``min_quality`` (MAPQ) of a block that counts; ``gap_margin`` bases to each side of a
        gap or block end that do not; ``max_differences`` in any `CROWD` bases.

    Raises
    ------
    InputError
        If the alignment is of another reference.
    """
    offsets = _check(genome, blocks)
    rows = [_rows(block, offsets[block.contig], settings) for block in blocks]
    columns = ["position", "ref", "alt", "query", "query_position", "reverse", "reason"]
    table = pd.concat([pd.DataFrame(columns=columns), *rows], ignore_index=True)
    table = table.astype({"position": np.int64, "ref": np.uint8, "alt": np.uint8, "query_position": np.int64})
    wrong = np.flatnonzero(table["ref"].to_numpy() != np.minimum(genome.codes[table["position"]] & 7, 4))
    if len(wrong):
        contig, place = genome.locate(int(table["position"].iat[wrong[0]]))
        raise InputError("the alignment is of another reference", f"{contig}:{place + 1}", "Align again")
    masks, place = _masks(genome, blocks, offsets, settings), table["position"].to_numpy()
    different = np.zeros(len(genome.codes), dtype=bool)
    different[place] = True
    crowd, most = _crowd(genome, different), settings["max_differences"]
    unsure = (table["ref"] > 3) | (table["alt"] > 3)
    checks = {"ambiguous": unsure, "overlap": masks.shared[place], "near_gap": masks.margin[place]}
    for name, hit in {**checks, "dense": crowd[place] > most}.items():
        table.loc[(table["reason"] == "") & hit, "reason"] = name
    # a difference put on a base that has none would be one more
    open_ = masks.matched & ~masks.shared & ~masks.margin & (crowd + ~different <= most)
    table = table.sort_values(["position", "query", "query_position"], kind="stable", ignore_index=True)
    found = Differences(table, open_ & ((genome.codes & 7) < 4), int(masks.matched.sum()))
    log.info("; ".join(f"{row.what} {row.count:,}" for row in found.summary().itertuples(name="Row")))
    return found


def _check(genome: Genome, blocks: list[Block]) -> dict[str, int]:
    """First global positions of the contigs, if all blocks lie on them."""
    contigs = genome.contigs.set_index("contig")
    for block in blocks:
        if block.contig not in contigs.index or block.end > contigs.at[block.contig, "length"]:
            where = f"{block.contig}:{block.start + 1}-{block.end}"
            raise InputError(f"the alignment reaches where {genome.name} does not", where, "Align again")
    return contigs["offset"].astype(int).to_dict()


def doubt_of(block: Block, settings: dict) -> str:
    """Why nothing of a block counts, or nothing."""
    if not block.primary:
        return "secondary"
    if block.quality < settings["min_quality"]:
        return "low_quality"
    return "short_block" if block.end - block.start < settings["min_block"] else ""


def _rows(block: Block, offset: int, settings: dict) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "position": offset + block.place, "ref": block.ref, "alt": block.alt, "query": block.query,
            "query_position": block.query_place, "reverse": block.reverse, "reason": doubt_of(block, settings),
        }
    )  # fmt: skip


@dataclass(frozen=True)
class _Masks:
    """Of every base of the reference: whether a block that counts matches it to a base of the query; whether two blocks
    share it, or the query base that it faces; whether a gap or the end of a block is near.
    """

    matched: np.ndarray
    shared: np.ndarray
    margin: np.ndarray


def _masks(genome: Genome, blocks: list[Block], offsets: dict, settings: dict) -> _Masks:
    total, margin = len(genome.codes), settings["gap_margin"]
    spans = [(offsets[b.contig] + b.start, offsets[b.contig] + b.end) for b in blocks]
    edges = [(a, a) for a, _ in spans] + [(b, b) for _, b in spans]
    near = _stacked([np.array(edges), *(offsets[b.contig] + b.gaps for b in blocks)]) + np.array([-margin, margin])
    shared = _painted(total, _stacked([np.array(spans)])) > 1
    matched = np.zeros(total, dtype=bool)
    queries = {b.query: [o for o in blocks if o.query == b.query] for b in blocks}
    for mine in queries.values():
        twice = _painted(max(b.query_end for b in mine), _stacked([b.query_matched for b in mine])) > 1
        for block in mine:
            place = offsets[block.contig] + _bases(block.matched, False)
            shared[place] |= twice[_bases(block.query_matched, block.reverse)]
            if not doubt_of(block, settings):
                matched[place] = True
    return _Masks(matched, shared, _painted(total, np.clip(near, 0, total)) > 0)


def _bases(spans: np.ndarray, reverse: bool) -> np.ndarray:
    """Places of all bases of spans (n, 2) in their order; each span from its end if ``reverse``."""
    length = spans[:, 1] - spans[:, 0]
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return np.repeat(spans[:, 1] - 1, length) - within if reverse else np.repeat(spans[:, 0], length) + within


def _painted(length: int, spans: np.ndarray) -> np.ndarray:
    """How many of the spans (n, 2) lie over each of ``length`` places, int64."""
    begun, ended = (np.bincount(spans[:, k], minlength=length + 1) for k in (0, 1))
    return np.cumsum(begun - ended)[:length]


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty((0, 2), np.int64), *(np.reshape(part, (-1, 2)) for part in parts)]).astype(np.int64)


def _crowd(genome: Genome, different: np.ndarray) -> np.ndarray:
    """How many bases differ among the `CROWD` around each base, its contig's alone, int32 (length,)."""
    parts = []
    for c in genome.contigs.itertuples(index=False):
        count = np.concatenate([[0], np.cumsum(different[c.offset : c.offset + c.length], dtype=np.int32)])
        place = np.arange(c.length)
        low, high = np.maximum(place - CROWD // 2, 0), np.minimum(place + CROWD // 2 + 1, c.length)
        parts.append((count[high] - count[low]).astype(np.int32))
    return np.concatenate(parts)


def write_differences(genome: Genome, found: Differences, path) -> None:
    """A VCF with an index: all differences between A, C, G and T, FILTER PASS or why one does not count."""
    table = found.table[(found.table["ref"] < 4) & (found.table["alt"] < 4)]
    lines = ["##fileformat=VCFv4.2", *(f"##contig=<ID={c.contig},length={c.length}>" for c in _contigs(genome))]
    lines += [f'##FILTER=<ID={name},Description="{why}">' for name, why in REASONS.items()]
    lines += [
        '##INFO=<ID=QUERY,Number=1,Type=String,Description="Contig of the other genome">',
        '##INFO=<ID=QPOS,Number=1,Type=Integer,Description="Position on it, from 1">',
        '##INFO=<ID=QSTRAND,Number=1,Type=String,Description="Its strand that faces the reference">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO",
    ]  # fmt: skip
    with atomic_path(path) as temporary:
        plain = Path(temporary).with_suffix(".plain")
        with open(plain, "w") as out:
            out.write("\n".join(lines) + "\n")
            for c in _contigs(genome):
                inside = table["position"].between(c.offset, c.offset + c.length - 1)
                for r in table[inside].itertuples(index=False):
                    info = f"QUERY={r.query};QPOS={r.query_position + 1};QSTRAND={'+-'[int(r.reverse)]}"
                    bases = f"{'ACGT'[r.ref]}\t{'ACGT'[r.alt]}"
                    out.write(f"{c.contig}\t{r.position - c.offset + 1}\t.\t{bases}\t.\t{r.reason or 'PASS'}\t{info}\n")
        pysam.tabix_compress(str(plain), str(temporary), force=True)
        plain.unlink()
        write_index(temporary, path, genome.contigs["length"].max())


def write_callable(genome: Genome, found: Differences, path) -> None:
    """The bases where a difference would have counted, as a BED file."""
    rows = []
    for c in _contigs(genome):
        edges = np.diff(found.callable[c.offset : c.offset + c.length].astype(np.int8), prepend=0, append=0)
        rows += [(c.contig, a, b) for a, b in zip(np.flatnonzero(edges > 0), np.flatnonzero(edges < 0), strict=True)]
    with atomic_path(path) as temporary:
        Path(temporary).write_text("".join(f"{contig}\t{start}\t{end}\n" for contig, start, end in rows))


def read_callable(genome: Genome, path) -> np.ndarray:
    """What `write_callable` wrote, bool (length,)."""
    found, offsets = np.zeros(len(genome.codes), dtype=bool), dict(zip(*_named(genome), strict=True))
    for line in Path(path).read_text().splitlines():
        contig, start, end = line.split("\t")
        found[offsets[contig] + int(start) : offsets[contig] + int(end)] = True
    return found


def _contigs(genome: Genome) -> list:
    return list(genome.contigs.itertuples(index=False))


def _named(genome: Genome):
    return genome.contigs["contig"], genome.contigs["offset"]
