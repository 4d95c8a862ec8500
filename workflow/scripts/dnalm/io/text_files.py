"""Text files as they come: plain, gzip or bgzip by content, lines that end in any way, damage named.

What cannot be text is refused by its name: an archive, a document, UTF-16, gzip within gzip.
"""

import gzip
import io
import zlib
from collections.abc import Iterator

from dnalm.errors import InputError

BLOCK = 1 << 20
GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
#: First bytes of files that hold no text, what they are, and what to do.
FOREIGN = {
    b"PK\x03\x04": ("a ZIP archive", "Unpack it (unzip) and give the file that is inside"),
    b"BZh": ("a bzip2 file", "Unpack it: bunzip2 FILE"),
    b"\xfd7zXZ\x00": ("an xz file", "Unpack it: unxz FILE"),
    b"\x28\xb5\x2f\xfd": ("a Zstandard file", "Unpack it: unzstd FILE"),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "Unpack it and give the file that is inside"),
    b"%PDF": ("a PDF document", "Give the data file itself"),
    b"\xd0\xcf\x11\xe0": ("an old Office document", "Save it as plain text"),
    b"{\\rtf": ("a word processor's document", "Save it as plain text"),
    b"version https://git-lfs": ("a pointer of Git LFS, not the file", "Fetch the file: git lfs pull"),
}
#: Bytes that are looked at to tell what a file is.
HEAD = 1 << 16


def head_of(path, size: int = HEAD) -> bytes:
    """The first bytes of a file, unpacked.

    Raises
    ------
    InputError
        If the file is no text and no gzip of one (`FOREIGN`), UTF-16, gzip within gzip, or damaged.
    """
    with open(path, "rb") as file:
        raw = file.read(size)
    head = _unpacked(path, raw, size) if raw.startswith(GZIP) else raw
    if raw.startswith(GZIP) and head.startswith(GZIP):
        raise InputError("a gzip file within a gzip file", str(path), "Unpack it once: gunzip FILE")
    for magic, (what, fix) in FOREIGN.items():
        if head.startswith(magic):
            raise InputError(f"this is {what}", str(path), fix)
    if head.startswith(UTF_16) or _wide(head):
        raise InputError("text in UTF-16", f"{path}:1", "Save it as UTF-8 or ASCII: iconv -f UTF-16 -t UTF-8 FILE")
    return head


def _unpacked(path, raw: bytes, size: int) -> bytes:
    """The beginning of a gzip file; as much as there is of a damaged one, whose reader will say where it is."""
    try:
        with gzip.open(path, "rb") as file:
            return file.read(size)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        pass
    try:
        return zlib.decompressobj(wbits=31).decompress(raw, size)
    except zlib.error as error:
        raise _damaged(path, 1, error) from error


def _wide(head: bytes) -> bool:
    """Whether every second byte is zero, as in UTF-16 without a mark."""
    text = head[:64]
    return len(text) >= 8 and any(not any(text[i::2]) and all(text[1 - i :: 2]) for i in (0, 1))


def open_text(path):
    """Open a plain, gzip or bgzip file for reading bytes, by its content rather than its name.

    A byte-order mark is left out, and the line ends of old Macs (CR alone) become LF.

    Raises
    ------
    InputError
        As of `head_of`.
    """
    head = head_of(path)
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP
    stream = gzip.open(path, "rb") if packed else open(path, "rb")
    if head.startswith(BOM):
        stream.read(len(BOM))
    return io.BufferedReader(_MacLines(stream), BLOCK) if b"\r" in head and b"\n" not in head else stream


class _MacLines(io.RawIOBase):
    """A stream with LF in place of CR."""

    def __init__(self, stream):
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        data = self._stream.read(len(buffer)).replace(b"\r", b"\n")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def numbered_lines(path) -> Iterator[tuple[int, bytes]]:
    """Lines without their ends (LF, CR LF, CR), with their number from 1; damage becomes a clear error."""
    number = 0
    try:
        with open_text(path) as file:
            for number, line in enumerate(file, 1):
                yield number, line.rstrip(b"\r\n")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, number + 1, error) from error


def blocks(path) -> Iterator[bytes]:
    """The file in blocks of about `BLOCK` bytes, every end of a line (CR LF, CR) as LF."""
    lines = 0
    try:
        with open_text(path) as file:
            while block := file.read(BLOCK):
                if block.endswith(b"\r"):  # the LF that may follow belongs to it
                    block += file.read(1)
                if b"\r" in block:
                    block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
                lines += block.count(b"\n")
                yield block
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _damaged(path, lines + 1, error) from error


def _damaged(path, line: int, error: Exception) -> InputError:
    return InputError(f"damaged or truncated gzip file ({error})", f"{path}:{line}", "Fetch it again")
