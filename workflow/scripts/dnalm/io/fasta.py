"""FASTA files whole, and the genome as one memory-mapped array of codes."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.io.pieces import fasta_pieces, whole_contigs


def read_fasta(path) -> Iterator[tuple[str, bytes]]:
    """Contigs of a FASTA file in order, each in one piece; errors as of `dnalm.io.pieces.fasta_pieces`."""
    return whole_contigs(fasta_pieces(path))


def contig_name(genome, contig):
    """What a contig is called among the genomes of a study; strings, or columns of strings."""
    return genome + ":" + contig


@dataclass(frozen=True, eq=False)
class Genome:
    """A genome that is ready to use; ``codes`` is memory-mapped, contigs end to end.

    "Global" positions count through ``codes``. ``contigs`` has the columns contig, length, offset, circular,
    genetic_code, genome. ``digest`` identifies sequence and contig names.

    The genomes of a study are one `Genome` as well (`dnalm.genomes.composite`): its ``name`` is that of the study, the
    column ``genome`` says whose a contig is, and contigs are called as `contig_name` says. Without that column all
    contigs are the genome's own.
    """

    name: str
    codes: np.ndarray
    contigs: pd.DataFrame
    digest: str

    @functools.cached_property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Codes, read-only and as memory-mapped as they are, and the contigs' offsets, lengths and circularity."""
        codes = np.asarray(self.codes).view()
        codes.flags.writeable = False
        offsets, lengths = (self.contigs[name].to_numpy(dtype=np.int64) for name in ("offset", "length"))
        return codes, offsets, lengths, self.contigs["circular"].to_numpy(dtype=bool)

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

    def numbers(self, table: pd.DataFrame) -> np.ndarray:
        """Row of ``contigs`` for every row of a table with the columns genome and contig, all of its genomes: int64.

        Every name is looked up once, and no column of categories becomes one of text.

        Raises
        ------
        InputError
            If there is no such contig.
        """
        genomes, contigs = (pd.Categorical(table[name]) for name in ("genome", "contig"))
        width = max(len(contigs.categories), 1)
        pairs, own = np.unique(genomes.codes.astype(np.int64) * width + contigs.codes, return_inverse=True)
        owners, named = genomes.categories[pairs // width], contigs.categories[pairs % width]
        named = contig_name(owners, named) if self.composite else named
        found = pd.Index(self.contigs["contig"]).get_indexer(named)
        if (found < 0).any():
            raise self._unknown(named[found < 0][0])
        return found[own].astype(np.int64)

    @functools.cached_property
    def _rows(self) -> dict[str, tuple[int, int, bool]]:
        """(offset, length, circular) by contig; a look at the table itself takes long where there are 100,000."""
        columns = (self.contigs[name].tolist() for name in ("contig", "offset", "length", "circular"))
        return {contig: row for contig, *row in zip(*columns, strict=True)}

    def _row(self, contig: str) -> tuple[int, int, bool]:
        if contig not in self._rows:
            raise self._unknown(contig)
        return self._rows[contig]

    def _unknown(self, contig: str) -> InputError:
        return InputError(f"no contig {contig!r}", self.name, f"Known: {', '.join(self.contigs['contig'][:5])}")

    def offset(self, contig: str) -> int:
        """Global position of the first base of a contig."""
        return self._row(contig)[0]

    def length(self, contig: str) -> int:
        """Bases of a contig."""
        return self._row(contig)[1]

    def contig_codes(self, contig: str) -> np.ndarray:
        """Codes of a whole contig, uint8, with soft-mask bits."""
        offset, length, _ = self._row(contig)
        return self.codes[offset : offset + length]

    def fetch(self, contig: str, start: int, end: int) -> np.ndarray:
        """Codes of [start, end); ``end`` may pass the origin of a circular contig."""
        _, length, circular = self._row(contig)
        if not 0 <= start <= end or end > length * (2 if circular else 1):
            raise InputError("outside of the contig", f"{contig}:{start + 1}-{end}", f"It has {length} bases")
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
