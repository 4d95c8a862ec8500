"""Sequences: strict FASTA reading, bgzip FASTA writing, and the genome as one memory-mapped array of codes."""

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from dnalm.errors import InputError
from dnalm.io.tables import atomic_path

IUPAC = b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv"


def open_text(path):
    """Open a plain, gzip or bgzip file for reading bytes, by its content rather than its name."""
    with open(path, "rb") as file:
        magic = file.read(2)
    return gzip.open(path, "rb") if magic == b"\x1f\x8b" else open(path, "rb")


def numbered_lines(path) -> Iterator[tuple[int, bytes]]:
    """Lines without their ends (LF or CR LF), with their number from 1; damage becomes a clear error."""
    number = 0
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip(b"\r\n")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(
            f"damaged or truncated gzip file ({error})", f"{path}:{number + 1}", "Fetch it again"
        ) from error


def read_fasta(path) -> Iterator[tuple[str, bytes]]:
    """Contigs of a FASTA file in order, letter case kept.

    Raises
    ------
    InputError
        With ``file:line`` for an empty file, text before the first header, a repeated or empty name, a contig without
        sequence, or a letter that is not IUPAC.
    """
    name, parts, seen, number = None, [], {}, 0
    for number, line in numbered_lines(path):
        if line.startswith(b">"):
            if name is not None:
                yield _contig(path, number, name, parts)
            name, parts = _header(path, number, line, seen), []
        elif letters := line.strip():
            if name is None:
                _not_fasta(path, number, line)
            strange = letters.translate(None, IUPAC)
            if strange:
                letter = bytes([min(strange)]).decode("latin-1")
                raise InputError(f"{letter!r} is not a nucleotide letter", f"{path}:{number}", "Remove it or write N")
            parts.append(letters)
    if name is None:
        raise InputError("the file holds no sequence", str(path), "Give a FASTA file with at least one contig")
    yield _contig(path, number, name, parts)


def _header(path, number, line, seen) -> str:
    words = line[1:].decode("utf-8", "replace").split()
    if not words:
        raise InputError("a header without a name", f"{path}:{number}", "Write >name before each sequence")
    if words[0] in seen:
        raise InputError(
            f"contig {words[0]} is there twice (first in line {seen[words[0]]})",
            f"{path}:{number}",
            "Rename one of them",
        )
    seen[words[0]] = number
    return words[0]


def _contig(path, number, name, parts) -> tuple[str, bytes]:
    if not parts:
        raise InputError(f"contig {name} has no sequence", f"{path}:{number}", "Remove its header")
    return name, b"".join(parts)


def _not_fasta(path, number, line):
    if line.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise InputError("this is a web page, not a FASTA file", f"{path}:{number}", "Fetch the file itself")
    raise InputError("text before the first '>' header", f"{path}:{number}", "Is this a FASTA file?")


def write_fasta(contigs, path, width: int = 80) -> None:
    """Write (name, bytes) pairs as bgzip FASTA with .fai and .gzi beside it."""
    path = Path(path)
    with atomic_path(path) as temporary:
        plain = Path(temporary).with_suffix(".plain")
        with open(plain, "wb") as out:
            for name, sequence in contigs:
                out.write(f">{name}\n".encode())
                for i in range(0, len(sequence), width):
                    out.write(sequence[i : i + width] + b"\n")
        pysam.tabix_compress(str(plain), str(temporary), force=True)
        plain.unlink()
        pysam.faidx(str(temporary))
        for suffix in (".fai", ".gzi"):
            Path(f"{temporary}{suffix}").replace(f"{path}{suffix}")


def contig_name(genome, contig):
    """What a contig is called among the genomes of a study; strings, or columns of strings."""
    return genome + ":" + contig


@dataclass(frozen=True, eq=False)
class Genome:
    """A genome that is ready to use; ``codes`` is memory-mapped, contigs end to end.

    "Global" positions count through ``codes``. ``contigs`` has the columns contig, length, offset, circular,
    genetic_code, genome. ``digest`` identifies sequence and contig names.

    The genomes of a study are one `Genome` as well (`dnalm.io.composite`): its ``name`` is that of the study, the
    column ``genome`` says whose a contig is, and contigs are called as `contig_name` says. Without that column all
    contigs are the genome's own.
    """

    name: str
    codes: np.ndarray
    contigs: pd.DataFrame
    digest: str

    @property
    def owners(self) -> np.ndarray:
        """Name of the genome that each contig belongs to."""
        return np.asarray(self.contigs.get("genome", pd.Series(self.name, index=self.contigs.index)), dtype=object)

    @property
    def names(self) -> list[str]:
        """Names of the genomes in it, in their order: its own, unless it is that of a study."""
        return list(dict.fromkeys(self.owners))

    @property
    def composite(self) -> bool:
        """Whether it holds the genomes of a study."""
        return self.names != [self.name]

    def span(self, name: str) -> tuple[int, int]:
        """Global positions of one of its genomes: first base, last base + 1."""
        mine = self.contigs[self.owners == name]
        if mine.empty:
            raise InputError(f"no genome {name!r}", self.name, f"Known: {', '.join(self.names[:5])}")
        return int(mine["offset"].iloc[0]), int(mine["offset"].iloc[-1] + mine["length"].iloc[-1])

    def part(self, name: str) -> "Genome":
        """One of its genomes, with the contigs' own names and positions that count from its first base."""
        if not self.composite and name == self.name:
            return self
        start, end = self.span(name)
        contigs = self.contigs[self.owners == name].reset_index(drop=True)
        own = contigs["contig"].str.removeprefix(contig_name(name, ""))
        return Genome(
            name, self.codes[start:end], contigs.assign(contig=own, offset=contigs["offset"] - start),
            f"{self.digest}:{name}",
        )  # fmt: skip

    def rows(self, table: pd.DataFrame) -> pd.DataFrame:
        """Rows of a table with the columns genome and contig that are of its genomes, contigs called as in it."""
        mine = table[table["genome"].isin(self.names)]
        return mine.assign(contig=contig_name(mine["genome"], mine["contig"])) if self.composite else mine

    def _row(self, contig: str):
        rows = self.contigs.index[self.contigs["contig"] == contig]
        if not len(rows):
            raise InputError(f"no contig {contig!r}", self.name, f"Known: {', '.join(self.contigs['contig'][:5])}")
        return self.contigs.loc[rows[0]]

    def offset(self, contig: str) -> int:
        """Global position of the first base of a contig."""
        return int(self._row(contig)["offset"])

    def length(self, contig: str) -> int:
        """Bases of a contig."""
        return int(self._row(contig)["length"])

    def contig_codes(self, contig: str) -> np.ndarray:
        """Codes of a whole contig, uint8, with soft-mask bits."""
        row = self._row(contig)
        return self.codes[row["offset"] : row["offset"] + row["length"]]

    def fetch(self, contig: str, start: int, end: int) -> np.ndarray:
        """Codes of [start, end); ``end`` may pass the origin of a circular contig."""
        row = self._row(contig)
        if not 0 <= start <= end or end > row["length"] * (2 if row["circular"] else 1):
            raise InputError("outside of the contig", f"{contig}:{start + 1}-{end}", f"It has {row['length']} bases")
        return self.contig_codes(contig).take(np.arange(start, end), mode="wrap")

    def locate(self, position: int) -> tuple[str, int]:
        """Contig and 0-based position of a global position."""
        row = self.contigs.iloc[np.searchsorted(self.contigs["offset"], position, side="right") - 1]
        return row["contig"], int(position - row["offset"])


def load_genome(folder) -> Genome:
    """Open a genome directory that the genome stage made."""
    folder = Path(folder)
    card = json.loads((folder / "genome.json").read_text())
    codes = np.load(folder / "codes.npy", mmap_mode="r")
    return Genome(card["name"], codes, pd.read_parquet(folder / "contigs.parquet"), card["digest"])
