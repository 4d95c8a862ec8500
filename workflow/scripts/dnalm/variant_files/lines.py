"""Lines of a VCF, many at a time, and what makes a line a record."""

import gzip
import re
import zlib
from collections.abc import Iterator

from dnalm.io.text_files import numbered_lines, open_text

#: What BCF and an index can hold.
LAST_POSITION = 2**31 - 1
#: A line that is not UTF-8.
NOT_UTF8 = "\udcff"
_BLOCK = 1 << 20
_COMMA_IN_KEY = re.compile(r";[^=;,]*,"), re.compile(r"[^=;,]*,")


def line_blocks(path) -> Iterator[tuple[int, list[str]]]:
    """Number of the first line (from 1), and lines without their ends (LF or CR LF), for one block after the other.

    Bytes that are not UTF-8 become surrogates. `dnalm.io.fasta.numbered_lines` for files of millions of lines: five
    times as fast.
    """
    number, parts = 1, []
    try:
        with open_text(path) as file:
            while block := file.read(_BLOCK):
                end = block.rfind(b"\n")
                if end < 0:
                    parts.append(block)
                    continue
                lines = _split(b"".join([*parts, block[:end]]))
                yield number, lines
                number, parts = number + len(lines), [block[end + 1 :]]
        if rest := b"".join(parts):
            yield number, _split(rest)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        for _ in numbered_lines(path):  # raises the error that says at which line
            pass
        raise


def _split(block: bytes) -> list[str]:
    text = block.decode("utf-8", "surrogateescape")
    lines = text.split("\n")
    return [line.rstrip("\r") for line in lines] if "\r" in text else lines


class _Rejected(Exception):
    """A line that is no record; the message is the reason, one of a few fixed texts."""


def read_records(texts: list[str], samples: int) -> tuple[list[int], list[tuple[str, ...]], list[tuple[int, str]]]:
    """Columns of lines; those apart that are no records, or would make bcftools stop.

    What is inside the samples is not checked but for the number of fields: that would take longer than all the rest.

    Parameters
    ----------
    texts : list of str
        Lines. Blank ones are passed over.
    samples : int
        Samples in the header; -1 if it has no FORMAT either.

    Returns
    -------
    tuple
        Indices of the records; the first eight columns of each, with the rest as a ninth if there are samples;
        (index, reason) of each line that is no record.
    """
    if samples < 0:  # the usual case, checked for all lines at once
        lines = [tuple(text.split("\t", 8)) for text in texts]
        if _all_records(texts, lines):
            return list(range(len(lines))), lines, []
    good, lines, bad = [], [], []
    for i, text in enumerate(texts):
        try:
            lines.append(_columns(text, samples))
            good.append(i)
        except _Rejected as reason:
            if text.strip():
                bad.append((i, str(reason)))
    return good, lines, bad


def _all_records(texts: list[str], lines: list[tuple[str, ...]]) -> bool:
    """Whether it is certain that `_columns` would take all lines of a file without samples."""
    if set(map(len, lines)) != {8} or not all(map(str.isascii, texts)) or "\0" in "".join(texts):
        return False
    positions = [line[1] for line in lines]
    return (
        all(map(str.isdecimal, positions))
        and max(map(len, positions)) <= 9
        and "" not in [line[3] for line in lines]
        and all(contig and contig[0] != "#" and "," not in contig for contig in {line[0] for line in lines})
        and not any("," in names for names in {line[6] for line in lines})
        and not any(map(_comma_in_key, [line[7] for line in lines if "," in line[7]]))
    )


def _columns(text: str, samples: int) -> tuple[str, ...]:
    """Columns of a record."""
    columns = tuple(text.split("\t", 8))
    if not text.isascii():
        _check_encoding(text)
    if text.startswith("#"):
        raise _Rejected("header line among the records")
    if len(columns) != 8 + (samples >= 0) or (samples > 0 and columns[8].count("\t") != samples):
        raise _Rejected("fewer or more columns than the header" if "\t" in text else "no tabs between the columns")
    contig, position, _, ref, _, _, filters, info = columns[:8]
    if not (position.isascii() and position.isdecimal()):
        raise _Rejected("POS is no whole number")
    if len(position) > 9 and int(position[:20]) > LAST_POSITION:
        raise _Rejected("POS is beyond what VCF can hold")
    if not ref:
        raise _Rejected("REF is empty")
    if not contig or "," in contig:
        raise _Rejected("CHROM is no name")
    if "," in filters:
        raise _Rejected("comma in FILTER")
    if "," in info and _comma_in_key(info):
        raise _Rejected("comma in a key of INFO")
    if "\0" in text:
        raise _Rejected("NUL character")
    if samples > 0:
        _check_samples(columns[8])
    return columns


def _comma_in_key(info: str) -> bool:
    return bool(_COMMA_IN_KEY[0].search(info) or _COMMA_IN_KEY[1].match(info))


def _check_encoding(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Rejected("not UTF-8") from None


def _check_samples(text: str) -> None:
    """Refuse samples with more fields than FORMAT names."""
    fields = text.partition("\t")[0]
    if not fields or "," in fields:
        raise _Rejected("FORMAT is no list of names")
    each = fields.count(":")
    if text.count(":") != each * (text.count("\t") + 1) and max(s.count(":") for s in text.split("\t")) > each:
        raise _Rejected("a sample has more fields than FORMAT")
