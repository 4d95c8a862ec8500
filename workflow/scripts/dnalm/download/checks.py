"""What arrives is looked at while it comes: damaged compression, web pages in place of data, other formats."""

import re

from isal import isal_zlib

from dnalm.download.faults import Fault
from dnalm.io.remote import GENBANK, strip_compression

HEAD, TAIL = 1 << 16, 4096
GZIP = b"\x1f\x8b"
#: First bytes of error pages; no format of genomes begins with them.
PAGES = (b"<!doctype", b"<html", b"<?xml", b"<error", b"<head", b'{"error', b"<!--")
FORMATS = {
    (".fa", ".fna", ".fasta", ".fas", ".ffn"): "FASTA",
    GENBANK: "GenBank", (".embl",): "EMBL", (".gff3", ".gff"): "GFF3", (".gtf",): "GTF", (".2bit",): "2bit",
    (".zip",): "zip", (".vcf",): "VCF", (".bcf",): "BCF", (".bed",): "BED", (".txt",): "text",
}  # fmt: skip
#: Formats that are plainly not whole when they are cut.
ENDED = {"GenBank", "EMBL", "zip"}
TWO_BIT = (b"\x1a\x41\x27\x43", b"\x43\x27\x41\x1a")


def format_of(name: str) -> str | None:
    """The format that a file's name promises; None if it promises none."""
    stem = strip_compression(name.lower())
    return next((form for ends, form in FORMATS.items() if stem.endswith(ends)), None)


class ContentCheck:
    """Looks at the bytes of one file, in order; compressed ones are decompressed as they come and thrown away.

    Intel's ISA-L inflates DNA two to three times as fast as zlib, which would be slower than the network.

    Parameters
    ----------
    name : str
        The file's name, which says what it should be.
    """

    def __init__(self, name: str):
        self.name, self.format, self.named_gzip = name, format_of(name), name.lower().endswith((".gz", ".bgz"))
        self.inflate, self.head, self.tail, self.size = None, b"", b"", 0
        self.first, self.raw, self.padding = b"", b"", False

    @property
    def ends(self) -> bool:
        """Whether the format has an end of its own, which `finish` looks for."""
        return self.inflate is not None or self.format in ENDED

    def feed(self, block: bytes) -> None:
        """Take the next bytes.

        Raises
        ------
        Fault
            As soon as it is clear that they are not what was promised.
        """
        if self.size == 0 and len(self.first + block) < 4:
            self.first += block
            return
        block, self.first = self.first + block if self.first else block, b""
        if self.size < HEAD:
            self._begin(block)
        self.size += len(block)
        if self.inflate is None:
            self._plain(block)
        else:
            self._compressed(block)

    def _begin(self, block: bytes) -> None:
        first = self.size == 0
        self.raw += block[: HEAD - len(self.raw)]
        refuse_page(self.raw, self.name)
        if first and block[:2] == GZIP:
            self.inflate = isal_zlib.decompressobj(31)
        elif first and self.named_gzip:
            raise Fault("damaged", f"{self.name} is not gzip: it begins with {block[:12]!r}", retry=True)

    def _plain(self, block: bytes) -> None:
        if len(self.head) < HEAD:
            self.head += block[: HEAD - len(self.head)]
        self.tail = (self.tail + block[-TAIL:])[-TAIL:]

    def _compressed(self, block: bytes) -> None:
        """Through any number of gzip members (bgzip writes one per 64 kB)."""
        try:
            while block:
                if self.inflate.eof:
                    if not block.strip(b"\0"):
                        self.padding = True  # of tapes and block devices; every reader ignores it
                        return
                    if self.padding or (len(block) > 1 and block[:2] != GZIP):
                        raise Fault("damaged", f"{self.name} has other bytes after its compressed data", retry=True)
                    self.inflate = isal_zlib.decompressobj(31)
                self._plain(self.inflate.decompress(block, 1 << 20))
                block = self.inflate.unconsumed_tail or self.inflate.unused_data
        except isal_zlib.error as error:
            raise Fault("damaged", f"{self.name} is damaged gzip ({error})", retry=True) from error

    def finish(self) -> None:
        """Say whether the whole was what it should be.

        Raises
        ------
        Fault
            Empty, cut short, or of another format than its name says.
        """
        if self.size == 0:
            told = f"only {len(self.first)} bytes long" if self.first else "empty"
            raise Fault("damaged", f"{self.name} is {told}", retry=True)
        if self.inflate is not None and not self.inflate.eof:
            raise Fault("damaged", f"{self.name} is cut short: its compressed data do not end", retry=True)
        refuse_page(self.head, self.name)
        problem = self.format and _SHAPES.get(self.format, lambda head, tail: None)(self.head, self.tail)
        if problem:
            raise Fault("damaged", f"{self.name} is not {self.format}: {problem}", retry=True)


def refuse_page(head: bytes, name: str) -> None:
    """Raise a `Fault` if a file begins like a web page or a server's error message."""
    text = head[:2048].lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.lower().startswith(PAGES):
        title = re.search(rb"<title>\s*([^<]{1,80})", text, re.I)
        told = f' ("{title.group(1).decode("utf-8", "replace").strip()}")' if title else ""
        raise Fault("damaged", f"a web page or an error message{told} came in place of {name}", retry=True)


def _fasta(head: bytes, tail: bytes) -> str | None:
    text = head.lstrip()
    return None if text[:1] in (b">", b";") else f"it begins with {text[:20]!r}, not with >"


def _genbank(head: bytes, tail: bytes) -> str | None:
    if not head.startswith(b"LOCUS ") and b"\nLOCUS " not in head:
        return "it has no LOCUS line"
    return None if tail.rstrip().endswith(b"//") else "its last record does not end with //"


def _embl(head: bytes, tail: bytes) -> str | None:
    if not head.startswith(b"ID ") and b"\nID " not in head:
        return "it has no ID line"
    return None if tail.rstrip().endswith(b"//") else "its last record does not end with //"


def _columns(head: bytes, tail: bytes) -> str | None:
    """GFF3 and GTF: comments, then nine columns; a file of comments alone has no features, which is no damage."""
    whole = head if len(head) < HEAD else head[: head.rfind(b"\n")]
    for line in whole.splitlines():
        if line.startswith(b"##FASTA"):
            return None
        if line.strip() and not line.startswith(b"#"):
            found = line.count(b"\t") + 1
            return None if found == 9 else f"a line has {found} columns, not 9: {line[:40]!r}"
    return None


def _two_bit(head: bytes, tail: bytes) -> str | None:
    return None if head[:4] in TWO_BIT else "its first bytes are others"


def _zip(head: bytes, tail: bytes) -> str | None:
    if head[:4] != b"PK\x03\x04":
        return "its first bytes are others"
    return None if b"PK\x05\x06" in tail else "its directory is missing, so it was cut short"


def _vcf(head: bytes, tail: bytes) -> str | None:
    return None if head.startswith(b"##fileformat=VCF") else f"it begins with {head[:20]!r}"


def _text(head: bytes, tail: bytes) -> str | None:
    return "it holds binary data" if b"\0" in head else None


_SHAPES = {
    "FASTA": _fasta, "GenBank": _genbank, "EMBL": _embl, "GFF3": _columns, "GTF": _columns, "2bit": _two_bit,
    "zip": _zip, "text": _text, "VCF": _vcf,
}  # fmt: skip
