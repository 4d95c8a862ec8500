"""Sequence of a genome directory: bgzip FASTA with its indices, and codes.npy, written in one pass over a stream."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from dnalm.genomes.composition import Composition, twins
from dnalm.io.pieces import Pieces
from dnalm.io.tables import atomic_path
from dnalm.sequence.alphabet import encode

log = logging.getLogger(__name__)
WIDTH = 80
#: Bases at a time where codes are written anew.
CHUNK = 1 << 24
#: Sets of contigs with one sequence that the data card names.
MOST_TWINS = 20


class FastaWriter:
    """FASTA with lines of 80 bases, of pieces that may end anywhere; ``out`` is a binary file."""

    def __init__(self, out, width: int = WIDTH):
        self.out, self.width, self.name, self.rest = out, width, None, b""

    def add(self, name: str, letters: bytes) -> None:
        """Append to the contig ``name``, which begins if it is another than before."""
        if name != self.name:
            self.close()
            self.out.write(f">{name}\n".encode())
            self.name = name
        letters = self.rest + letters
        whole = len(letters) - len(letters) % self.width
        if whole:
            lines = np.full((whole // self.width, self.width + 1), ord("\n"), dtype=np.uint8)
            lines[:, :-1] = np.frombuffer(letters, np.uint8, whole).reshape(-1, self.width)
            self.out.write(lines.tobytes())
        self.rest = letters[whole:]

    def close(self) -> None:
        """Finish the last line."""
        if self.rest:
            self.out.write(self.rest + b"\n")
        self.rest = b""


def write_fasta(pieces: Pieces, path) -> None:
    """Write a stream of pieces as bgzip FASTA with .fai and .gzi beside it."""
    with atomic_path(path) as temporary:
        with pysam.BGZFile(str(temporary), "wb") as out:
            writer = FastaWriter(out)
            for name, letters in pieces:
                writer.add(name, letters)
            writer.close()
        pysam.faidx(str(temporary))
        for suffix in (".fai", ".gzi"):
            Path(f"{temporary}{suffix}").replace(f"{path}{suffix}")


@dataclass
class Sequence:
    """What is known of a genome when its sequence has been written.

    ``contigs`` has the columns contig, length, offset and those of `Composition.record`; ``composition`` is that of all
    of them, with the letters that stand for several bases, the kind of soft mask, and contigs that are there twice.
    """

    contigs: pd.DataFrame
    digest: str
    composition: dict


class _Codes:
    """codes.npy as it grows; its header has room for any length."""

    def __init__(self, out):
        self.out, self.digest, self.compositions = out, hashlib.sha256(), []
        self.names, self.ends = [], []
        self._header(0)

    def add(self, name: str, letters: bytes) -> None:
        codes = encode(letters)
        if not self.names or name != self.names[-1]:
            self.digest.update(name.encode() + b"\0")
            self.names.append(name)
            self.ends.append(self.ends[-1] if self.ends else 0)
            self.compositions.append(Composition())
        raw = codes.tobytes()
        self.digest.update(raw)
        self.out.write(raw)
        self.compositions[-1].add(letters)
        self.ends[-1] += len(codes)

    def _header(self, length: int) -> None:
        self.out.seek(0)
        np.lib.format.write_array_header_1_0(self.out, {"descr": "|u1", "fortran_order": False, "shape": (length,)})

    def close(self) -> Sequence:
        ends = np.array(self.ends, dtype=np.int64)
        offsets = np.concatenate([[0], ends[:-1]]).astype(np.int64)
        self._header(int(ends[-1]) if len(ends) else 0)
        contigs = pd.DataFrame({"contig": self.names, "length": ends - offsets, "offset": offsets})
        records = pd.DataFrame([c.record() for c in self.compositions])
        total = Composition.total(self.compositions)
        composition = {
            "bases": int(ends[-1]) if len(ends) else 0, **total.record(), "ambiguous": total.ambiguous(),
            "soft_mask": total.soft_mask(),
        }  # fmt: skip
        return Sequence(pd.concat([contigs, records], axis=1), self.digest.hexdigest(), composition)


def write_sequence(pieces: Pieces, folder) -> Sequence:
    """Write ``genome.fa.gz`` (+ .fai, .gzi) and ``codes.npy`` into ``folder``; memory does not grow with the genome.

    The digest is the SHA-256 of every contig's name, a zero byte and its codes. Where all letters are lower case, that
    is no mask: the codes are those of upper case, while the FASTA file keeps its letters.
    """
    with atomic_path(Path(folder) / "codes.npy") as temporary, open(temporary, "wb") as out:
        codes = _Codes(out)

        def watched():
            for name, letters in pieces:
                codes.add(name, letters)
                yield name, letters

        write_fasta(watched(), Path(folder) / "genome.fa.gz")
        sequence = codes.close()
        out.flush()
        if sequence.composition["soft_mask"] == "all lower case":
            _unmask(sequence, temporary)
        same = twins(np.load(temporary, mmap_mode="r"), sequence.contigs)
        sequence.composition["same_sequence"] = same[:MOST_TWINS]
    _tell(sequence, same)
    return sequence


def _unmask(sequence: Sequence, path) -> None:
    """Take the mask out of codes.npy and of what is known of it."""
    codes, digest = np.load(path, mmap_mode="r+"), hashlib.sha256()
    for row in sequence.contigs.itertuples(index=False):
        digest.update(row.contig.encode() + b"\0")
        for start in range(row.offset, row.offset + row.length, CHUNK):
            piece = codes[start : min(start + CHUNK, row.offset + row.length)]
            piece &= 7
            digest.update(piece.tobytes())
    codes.flush()
    sequence.digest = digest.hexdigest()
    sequence.contigs["soft_masked_share"] = sequence.composition["soft_masked_share"] = 0.0


def _tell(sequence: Sequence, same: list[list[str]]) -> None:
    """Log what is odd about a sequence."""
    facts = sequence.composition
    if facts["soft_mask"] == "all lower case":
        log.info("all letters are lower case: that is no soft mask, they count as upper case")
    elif facts["soft_mask"] == "none":
        log.info("no lower case: the sequence has no soft mask, repeats are not marked")
    if facts["ambiguous"]:
        told = ", ".join(f"{letter} {count}" for letter, count in facts["ambiguous"].items())
        log.info("letters that stand for several bases, which models read as N: %s", told)
    if same:
        first = "; ".join(" = ".join(names[:3]) for names in same[:5])
        log.warning(
            "%d sets of contigs have the same sequence, or its reverse complement (kept; `leave_out` takes contigs "
            "out): %s", len(same), first,
        )  # fmt: skip
    known = sequence.contigs["n"] < sequence.contigs["length"]
    if not known.all():
        bare = sequence.contigs.loc[~known, "contig"]
        log.warning("%d contigs hold no known base: %s", len(bare), ", ".join(bare[:5]))
