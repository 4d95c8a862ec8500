"""Sequence as a stream of pieces, so that memory stays flat however long a contig is.

A stream is an iterator of (contig, bytes); pieces that follow each other with the same name are one contig. What is
done to a genome before it is written (contigs left out, a region cut) is a function from stream to stream.
"""

import itertools
import re
from collections.abc import Iterable, Iterator

from dnalm.errors import InputError
from dnalm.io.text_files import blocks

IUPAC = b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv"
#: Letters of proteins that are none of nucleotides, and their share from which on a sequence is taken for a protein.
AMINO, PROTEIN = b"EFIJLOPQXZ*", 0.1
SPACE = b" \t\n\r\v\f"
Pieces = Iterable[tuple[str, bytes]]


def fasta_pieces(path, descriptions: dict[str, str] | None = None, part: bool = False) -> Iterator[tuple[str, bytes]]:
    """Contigs of a FASTA file in order, in pieces of at most about a MB, letter case kept.

    What stands behind the names in the headers goes to ``descriptions``. With ``part`` the file is GFF3 and the
    sequence what follows its line ``##FASTA``.

    Raises
    ------
    InputError
        With ``file:line`` for an empty file, text before the first header, a repeated or empty name, a contig without
        sequence, or a letter that is not IUPAC.
    """
    reader = _FastaReader(path, {} if descriptions is None else descriptions)
    for block in reader.skip(blocks(path)) if part else blocks(path):
        yield from reader.feed(block)
    yield from reader.end()


class _FastaReader:
    """State between two blocks of a FASTA file: the contig, the line, and a header that is not whole yet."""

    def __init__(self, path, descriptions):
        self.path, self.name, self.seen, self.descriptions = path, None, {}, descriptions
        self.line, self.fresh, self.bare, self.rest = 1, True, False, b""

    def skip(self, stream):
        """The blocks of a GFF3 file that follow its line ``##FASTA``."""
        rest = b""
        for block in stream:
            text = rest + block
            if found := re.search(rb"^##FASTA[ \t]*\n", text, re.M):
                self.line += text.count(b"\n", 0, found.end())
                yield text[found.end() :]
                yield from stream
                return
            whole = text.rfind(b"\n") + 1
            self.line += text.count(b"\n", 0, whole)
            rest = text[whole:]
        raise InputError(
            "this is an annotation, and there is no sequence in it (no ##FASTA)", str(self.path),
            "Give the FASTA file as `path` and this file as `annotation`",
        )  # fmt: skip

    def feed(self, block: bytes):
        """Pieces that a block completes."""
        text, at = self.rest + block, 0
        self.rest = b""
        while at < len(text):
            if self.fresh and text[at] == ord(">"):
                stop = text.find(b"\n", at)
                if stop < 0:
                    self.rest = text[at:]
                    return
                self._header(text[at:stop])
                self.line, at = self.line + 1, stop + 1
                continue
            stop = text.find(b"\n>", at)
            stop = len(text) if stop < 0 else stop + 1
            letters = self._letters(text[at:stop])
            self.fresh, at = text[stop - 1] == ord("\n"), stop
            if letters:
                self.bare = False
                yield self.name, letters

    def end(self):
        """What is left when the file ends."""
        if self.rest:
            yield from self.feed(b"\n")
        if self.name is None:
            raise InputError("the file holds no sequence", str(self.path), "Give a FASTA file with at least one contig")
        self._close()

    def _close(self):
        if self.bare:
            where = f"{self.path}:{self.seen[self.name]}"
            raise InputError(f"contig {self.name} has no sequence", where, "Remove its header")

    def _header(self, line: bytes):
        self._close()
        words, where = line[1:].decode("utf-8", "replace").split(None, 1), f"{self.path}:{self.line}"
        if not words:
            raise InputError("a header without a name", where, "Write >name before each sequence")
        if words[0] in self.seen:
            known = self.seen[words[0]]
            raise InputError(f"contig {words[0]} is there twice (first in line {known})", where, "Rename one of them")
        self.seen[words[0]] = self.line
        self.name, self.bare = words[0], True
        if len(words) > 1:
            self.descriptions[self.name] = words[1].strip()

    def _letters(self, text: bytes) -> bytes:
        letters = text.translate(None, SPACE)
        if letters and self.name is None:
            ahead = text[: len(text) - len(text.lstrip(SPACE))].count(b"\n")
            self._not_fasta(self.line + ahead, text)
        if strange := letters.translate(None, IUPAC):
            letter = bytes([min(strange)])
            line = self.line + text.count(b"\n", 0, text.find(letter))
            what, fix = f"{letter.decode('latin-1')!r} is not a nucleotide letter", "Remove it or write N"
            if not strange.upper().translate(None, AMINO) and len(strange) > PROTEIN * len(letters):
                what, fix = f"{what}; this looks like a protein", "Give the FASTA file of the genome instead"
            raise InputError(what, f"{self.path}:{line}", fix)
        self.line += text.count(b"\n")
        return letters

    def _not_fasta(self, line: int, text: bytes):
        if re.match(rb"\s*<(!doctype|html|\?xml)", text, re.IGNORECASE):
            raise InputError("this is a web page, not a FASTA file", f"{self.path}:{line}", "Fetch the file itself")
        raise InputError("text before the first '>' header", f"{self.path}:{line}", "Is this a FASTA file?")


def whole_contigs(pieces: Pieces) -> Iterator[tuple[str, bytes]]:
    """The same stream with one piece a contig."""
    for name, parts in itertools.groupby(pieces, key=lambda piece: piece[0]):
        yield name, b"".join(part for _, part in parts)


def measured(pieces: Pieces, lengths: dict[str, int]) -> Iterator[tuple[str, bytes]]:
    """The same stream; ``lengths`` has the bases of every contig when it ends."""
    for name, piece in pieces:
        lengths[name] = lengths.get(name, 0) + len(piece)
        yield name, piece


def chosen(pieces: Pieces, selection, role_of) -> Iterator[tuple[str, bytes]]:
    """The stream without the contigs that a `dnalm.contigs.selection.Selection` leaves out.

    ``role_of(contig)`` gives the role. No more of a contig is held back than ``selection.min_length`` bases.
    """
    for name, parts in itertools.groupby(pieces, key=lambda piece: piece[0]):
        held, length, kept = [], 0, None
        for _, part in parts:
            length += len(part)
            held.append(part)
            if kept is None and length >= selection.min_length:
                kept = selection.keeps(name, length, role_of(name))
            if kept:
                yield name, b"".join(held)
            if kept is not None:
                held = []
        if kept is None:
            selection.keeps(name, length, role_of(name))
        selection.measure(name, length)
    selection.finish()


def cut_region(pieces: Pieces, contig: str | None, start: int, end: int) -> Iterator[tuple[str, bytes]]:
    """Bases [start, end) of one contig (the first one for None) as the only one; the rest is read, and checked.

    Raises
    ------
    InputError
        If there is no such contig, or it is shorter.
    """
    lengths: dict[str, int] = {}
    for name, piece in pieces:
        contig, begin = contig or name, lengths.get(name, 0)
        lengths[name] = begin + len(piece)
        if name == contig and begin < end and lengths[name] > start:
            yield name, piece[max(start - begin, 0) : end - begin]
    if contig not in lengths:
        raise InputError(f"no contig {contig!r}", "genomes: region", f"Known: {', '.join(list(lengths)[:5])}")
    if not start < end <= lengths[contig]:
        raise InputError("region is off the contig", f"{contig}:{start + 1}-{end}", f"It has {lengths[contig]} bases")
