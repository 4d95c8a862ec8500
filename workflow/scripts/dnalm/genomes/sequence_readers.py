"""Sequence files of every kind behind one face: pieces of contigs, and what the file says beside the sequence."""

from dnalm.annotation.features import genbank_records
from dnalm.io.kinds import sequence_kind
from dnalm.io.pieces import Pieces, fasta_pieces
from dnalm.io.twobit import twobit_pieces


class FastaFile:
    """A FASTA file.

    Attributes
    ----------
    descriptions : dict
        What stands behind the name in a contig's header; there once the header has gone by.
    facts : dict
        Qualifiers of a contig's ``source`` feature; there before its first piece.
    rows, circular : list, set
        Feature rows and circular contigs of a file that has an annotation; complete when the pieces have gone by.
    """

    annotated = False

    def __init__(self, path):
        self.path = path
        self.descriptions: dict[str, str] = {}
        self.facts: dict[str, dict] = {}
        self.rows: list[dict] = []
        self.circular: set[str] = set()

    def pieces(self) -> Pieces:
        """Contigs in order, in pieces."""
        return fasta_pieces(self.path, self.descriptions)


class TwoBitFile(FastaFile):
    """A 2bit file."""

    def pieces(self) -> Pieces:
        """Contigs in order, in pieces."""
        return twobit_pieces(self.path)


class Gff3WithFasta(FastaFile):
    """A GFF3 file whose ``##FASTA`` part is the sequence; it is its own annotation."""

    def pieces(self) -> Pieces:
        """Contigs in order, in pieces."""
        return fasta_pieces(self.path, self.descriptions, part=True)


class FlatFile(FastaFile):
    """A GenBank or EMBL file."""

    annotated = True

    def __init__(self, path, form: str):
        super().__init__(path)
        self.form = form

    def pieces(self) -> Pieces:
        """Contigs in order, each in one piece."""
        for contig, letters, circular, rows in genbank_records(self.path, self.form, self.facts):
            self.rows += rows
            if circular:
                self.circular.add(contig)
            yield contig, letters


def open_sequence(path) -> FastaFile:
    """The reader of a file, by its content."""
    kind = sequence_kind(path)
    if kind in ("genbank", "embl"):
        return FlatFile(path, kind)
    return {"2bit": TwoBitFile, "gff3": Gff3WithFasta, "fasta": FastaFile}[kind](path)
