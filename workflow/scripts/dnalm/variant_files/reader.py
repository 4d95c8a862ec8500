"""Variants in: VCF (plain, gzip, bgzip) and BCF, in batches, with every record kept as the text that it is.

Memory does not grow with the file. One bad record never ends a run: it is left out, counted, and listed in
`VariantFile.rejects`. What no program could read as a VCF is an `InputError` that says where.
"""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.io.text_files import numbered_lines, open_text
from dnalm.variant_files.alleles import AlleleTables, ContigNames
from dnalm.variant_files.lines import NOT_UTF8, line_blocks, read_records

log = logging.getLogger(__name__)
FIXED = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO"]
#: A batch ends after so many letters of records, if these are long (thousands of samples).
BATCH_LETTERS = 1 << 26
#: Rejected records that are listed; all are counted.
REJECTS_LISTED = 100_000
REJECT_LETTERS = 200
#: Records of a BCF that are made text at once.
BCF_RECORDS = 1000
_EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_BOM = b"\xef\xbb\xbf"
_LENGTH = re.compile(r"##contig=<(?=(?:.*?,)?length=(\d+)[,>])(?:.*?,)?ID=([^,>]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Batch:
    """Records of a file, in its order.

    Attributes
    ----------
    lines : list of tuple of str
        The first eight columns of each record, and as the ninth FORMAT and all samples with their tabs, if there are
        samples. They come out as they went in.
    alleles : DataFrame
        One row per alternative allele (a record without one has a row for its ``.``): ``record`` (index into
        ``lines``), ``alt`` (from 0), ``line`` (in the file, from 1; of a BCF the number of the record), ``contig`` (in
        the genome; empty if unknown), ``position`` (global position of the first base that changes, or of the base
        before which bases are inserted: that may be one past the contig's last; -1 if there is a flag), ``ref`` and
        ``alt_bases`` (upper case, without shared ends; a symbolic ALT as it stands), ``kind``
        (`dnalm.sequence.alleles.KINDS`; missing if there is nothing to compare), ``flag``
        (`dnalm.variant_files.alleles.FLAGS`; empty if the allele can be scored) and ``duplicate``.
    numbers : ndarray
        Line in the file of each record, int64.
    positions : ndarray
        POS of each record, from 1, int64.
    contigs : dict
        Contig in the genome (empty if unknown) for each name in the batch, in order of appearance.
    """

    lines: list[tuple[str, ...]]
    alleles: pd.DataFrame
    numbers: np.ndarray
    positions: np.ndarray
    contigs: dict[str, str]


def open_variants(path, genome: Genome, aliases: dict[str, str | None] | None = None, max_length: int = 50):
    """Open a VCF or BCF file and check its header.

    Parameters
    ----------
    path
        The file; its content says what it is, not its name.
    genome : Genome
        The genome that REF is compared with; for one of several in a study, `Genome.part`.
    aliases : dict, optional
        Contig of the genome for names in the file (`dnalm.contigs.names.read_aliases`).
    max_length : int
        Alleles with more bases, after trimming, are flagged ``too_long``.

    Returns
    -------
    VariantFile

    Raises
    ------
    InputError
        If there is no such file, it is empty, cut off, or no VCF, or its column line is not that of a VCF.
    """
    return VariantFile(Path(path), genome, aliases, max_length)


class VariantFile:
    """A VCF or BCF that is open for reading, see `open_variants`.

    ``header`` holds the meta lines (``##fileformat`` first; comments made meta lines, because bcftools takes no other)
    and the column line. ``rejected`` counts the lines that were no records, by reason; ``rejects`` is the table of the
    first `REJECTS_LISTED` of them: line, reason, text (cut to `REJECT_LETTERS`). Both are of the last
    call of `batches`, as far as it got. ``other_lengths`` holds, for names of contigs that records had so far, the
    length in the header and that in the genome, if they differ: then the file may be of another assembly.
    """

    def __init__(self, path: Path, genome: Genome, aliases, max_length: int):
        self.path, self._genome, self._max_length = path, genome, max_length
        self._names = ContigNames(genome, aliases, path)
        self._binary = _check_content(path)
        self.header, self._header_lines = _read_header(self._lines(), path)
        self._samples = len(self.header[-1].split("\t")) - len(FIXED) - 1  # -1: not even FORMAT
        self._lengths = {found[2]: int(found[1]) for line in self.header if (found := _LENGTH.match(line))}
        self.other_lengths: dict[str, tuple[int, int]] = {}
        self.rejected: Counter[str] = Counter()
        self._listed: list[tuple[int, str, str]] = []

    @property
    def rejects(self) -> pd.DataFrame:
        """Lines that were no records, with reasons."""
        return pd.DataFrame(self._listed, columns=["line", "reason", "text"])

    def batches(self, size: int = 50_000) -> Iterator[Batch]:
        """The records from the first to the last, at most ``size`` at a time (fewer if they are very long)."""
        self.rejected, self._listed = Counter(), []
        tables = AlleleTables(self._genome, self._names, self._max_length)
        for numbers, texts in self._chunks(size):
            good, lines, bad = read_records(texts, self._samples)
            for i, reason in bad:
                self._reject(numbers[i], reason, texts[i])
            if lines:
                yield self._batch(tables, lines, np.asarray(numbers, dtype=np.int64)[good])
        if self.rejected:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.rejected.most_common())
            log.warning("%s: %d lines are no records and are left out: %s", self.path, self.rejected.total(), reasons)

    def _batch(self, tables: AlleleTables, lines: list[tuple[str, ...]], numbers: np.ndarray) -> Batch:
        positions = np.array([int(line[1]) for line in lines])
        alleles = tables.table(lines, numbers, positions)
        names = dict.fromkeys(line[0] for line in lines)
        rows = {name: self._names.find(name) for name in names}
        contigs = {name: self._genome.contigs["contig"].iloc[row] if row >= 0 else "" for name, row in rows.items()}
        self._compare_lengths(rows)
        return Batch(lines, alleles, numbers, positions, contigs)

    def _compare_lengths(self, rows: dict[str, int]) -> None:
        """Tell, once for each, of contigs that the header says are longer or shorter than the genome's."""
        for name, row in rows.items():
            said, own = self._lengths.get(name), int(self._genome.contigs["length"].iloc[row])
            if row < 0 or said in (None, own) or name in self.other_lengths:
                continue
            self.other_lengths[name] = said, own
            log.warning(
                "%s: contig %s has %d bases in the header and %d in the genome; the file may be of another assembly",
                self.path, name, said, own,
            )  # fmt: skip

    def _reject(self, number: int, reason: str, text: str) -> None:
        self.rejected[reason] += 1
        if len(self._listed) < REJECTS_LISTED:
            shown = text[:REJECT_LETTERS].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            self._listed.append((number, reason, shown))

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        """Numbered lines, those of the header first."""
        if not self._binary:
            yield from numbered_lines(self.path)
        else:
            with _open_bcf(self.path) as file:
                yield from enumerate(str(file.header).encode("utf-8", "surrogateescape").splitlines(), 1)

    def _chunks(self, size: int) -> Iterator[tuple[list[int], list[str]]]:
        """Numbers and texts of the lines behind the header: ``size`` of them, or fewer long ones."""
        skip = 0 if self._binary else self._header_lines
        numbers, texts, letters = [], [], 0
        for first, lines in _bcf_blocks(self.path) if self._binary else line_blocks(self.path):
            lines = lines[max(skip + 1 - first, 0) :]
            first = max(first, skip + 1)
            numbers += range(first, first + len(lines))
            texts += lines
            letters += sum(map(len, lines))
            whole = len(texts) if letters >= BATCH_LETTERS else len(texts) // size * size
            for start in range(0, whole, size):
                yield numbers[start : min(start + size, whole)], texts[start : min(start + size, whole)]
            numbers, texts = numbers[whole:], texts[whole:]
            letters = sum(map(len, texts)) if whole else letters
        if texts:
            yield numbers, texts


def _check_content(path: Path) -> bool:
    """Whether the file is BCF; an error if it is neither that nor a text that could be a VCF."""
    try:
        _check_end(path)
        with open_text(path) as file:
            start = file.read(4096)
    except (EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise InputError("no such file", str(path), "Check the path") from error
        if isinstance(error, IsADirectoryError | PermissionError):
            raise InputError(f"cannot read it ({error.strerror})", str(path), "Give a VCF or BCF file") from error
        start = b"#"  # a damaged gzip file: reading its lines will say at which
    words = start.removeprefix(_BOM).lstrip().lower()
    for known, name in (
        ((b"<!doctype", b"<html", b"<?xml"), "a web page"), ((b">",), "a FASTA file"), ((b"@",), "a FASTQ or SAM file"),
    ):  # fmt: skip
        if words.startswith(known):
            raise InputError(f"this is {name}, no VCF", str(path), "Give a VCF (plain, gzip or bgzip) or a BCF file")
    if start.startswith(b"BCF\2"):
        return True
    if b"\0" in start and not words.startswith(b"#"):
        raise InputError("this is a binary file, no VCF", str(path), "Give a VCF (plain, gzip or bgzip) or a BCF file")
    if not words:
        raise InputError("the file is empty", str(path), "Give a VCF file with a header")
    return False


def _check_end(path: Path) -> None:
    """Refuse a bgzip file that is cut off, before hours of work and not after them."""
    with open(path, "rb") as file:
        head = file.read(18)
        if not (head[:4] == b"\x1f\x8b\x08\x04" and head[12:14] == b"BC"):
            return
        file.seek(0, 2)
        file.seek(max(file.tell() - len(_EOF_BLOCK), 0))
        if file.read() == _EOF_BLOCK:
            return
    number = 0
    for number, line in numbered_lines(path):
        if number == 1 and line.startswith(b"BCF"):
            break
    raise InputError(
        "cut off: the block that ends a bgzip file is not there", f"{path}:{number}" if number > 1 else str(path),
        "Fetch it again; if it is whole, unpack it and pack it with bgzip",
    )  # fmt: skip


def _open_bcf(path: Path) -> pysam.VariantFile:
    verbosity = pysam.set_verbosity(0)  # the library writes its own messages, the error below says it all
    try:
        return pysam.VariantFile(str(path))
    except (OSError, ValueError) as error:
        raise InputError(f"the BCF header cannot be read ({error})", str(path), "Fetch the file again") from error
    finally:
        pysam.set_verbosity(verbosity)


def _bcf_blocks(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number of the first record, and some records as lines of text."""
    number, lines = 1, []
    with _open_bcf(path) as file:
        records = iter(file)
        while True:
            try:
                record = next(records, None)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"the BCF file is damaged or cut off ({error})", f"{path}: record {number + len(lines)}",
                    "Fetch it again",
                ) from error  # fmt: skip
            if record is None or len(lines) == BCF_RECORDS:
                yield number, lines
                number, lines = number + len(lines), []
            if record is None:
                return
            lines.append(_bcf_line(record))


def _bcf_line(record: pysam.VariantRecord) -> str:
    try:
        return str(record).rstrip("\n")
    except UnicodeDecodeError:
        return NOT_UTF8


def _read_header(lines: Iterator[tuple[int, bytes]], path: Path) -> tuple[list[str], int]:
    """Meta lines and column line, and the number of lines that they take in the file.

    Bytes that are not UTF-8 pass through as surrogates.
    """
    meta, number = [], 0
    for number, raw in lines:
        text = raw.removeprefix(_BOM if number == 1 else b"").decode("utf-8", "surrogateescape")
        if text.startswith("##"):
            meta.append(text)
        elif text.lower().startswith("#chrom"):
            return [*_with_format(meta, path), _column_line(text, f"{path}:{number}")], number
        elif text.startswith("#"):
            meta.append(f"#{text}")
        elif text.strip():
            break
    raise InputError(
        "no line #CHROM POS ID REF ALT ... before the first record", f"{path}:{number}",
        "Give a VCF file with its header",
    )  # fmt: skip


def _with_format(meta: list[str], path: Path) -> list[str]:
    first = [line for line in meta if line.startswith("##fileformat=")]
    if not first:
        log.warning("%s: no line ##fileformat; taken for VCFv4.2", path)
    return [*(first[:1] or ["##fileformat=VCFv4.2"]), *(line for line in meta if line not in first)]


def _column_line(text: str, where: str) -> str:
    """The column line, checked."""
    columns = text.split("\t")
    if len(columns) == 1:
        raise InputError("no tabs between the columns", where, "Write tabs, as VCF wants")
    if [c.upper() for c in columns[:8]] != FIXED or (len(columns) > 8 and columns[8].upper() != "FORMAT"):
        raise InputError(
            f"the columns are {' '.join(columns[:9])!r}", where, f"VCF has {' '.join(FIXED)}, then FORMAT and samples"
        )
    samples = columns[9:]
    if len(columns) == 9:
        raise InputError("a column FORMAT without a sample", where, "Cut the ninth column")
    if not all(name.strip() for name in samples):
        raise InputError("a sample without a name", where, "Take tabs at the end of the line away, or name the sample")
    twice = [name for name, count in Counter(samples).items() if count > 1]
    if twice:
        raise InputError(f"sample {twice[0]!a} is there twice", where, "Rename one of them")
    return "\t".join([*FIXED, *(["FORMAT"] if samples else []), *samples])
