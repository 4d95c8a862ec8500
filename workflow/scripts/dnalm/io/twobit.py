"""UCSC's 2bit files: a genome at two bits a base, read in pieces through a memory map.

The format is that of UCSC's file format FAQ: a header, an index of names and offsets, and per contig its length, blocks
of N, blocks of lower case, and the packed bases (T C A G = 0 1 2 3, the first base in the highest bits). Version 1 has
offsets of 64 bits. Files of either byte order are read.
"""

import contextlib
import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dnalm.errors import InputError

SIGNATURE = 0x1A412743
MAGIC = (struct.pack("<I", SIGNATURE), struct.pack(">I", SIGNATURE))
LOWER = 0x20
#: Bases of a piece, a multiple of four.
PIECE = 1 << 20
FETCH = "The file is damaged: fetch it again"
#: The four letters of each value of a byte, uint8 of shape (256, 4).
_LETTERS = np.frombuffer(b"TCAG", np.uint8)[(np.arange(256)[:, None] >> np.array([6, 4, 2, 0])) & 3]


def is_2bit(path) -> bool:
    """Whether a file begins as a 2bit file does."""
    with open(path, "rb") as file:
        return file.read(4) in MAGIC


def twobit_pieces(path, size: int = PIECE) -> Iterator[tuple[str, bytes]]:
    """Contigs of a 2bit file in the order of its index, in pieces of ``size`` bases, lower case where masked.

    Raises
    ------
    InputError
        If the file is cut short, of an unknown version, has no contig, an unnamed or repeated one, or one without
        bases or with blocks that lie outside of it.
    """
    with _mapped(path) as data:
        order, index = _index(data, path)
        for name, offset in index:
            for piece in _contig(data, order, offset, f"{path}: contig {name}", size):
                yield name, piece


def twobit_lengths(path) -> dict[str, int]:
    """Bases of every contig of a 2bit file; errors as of `twobit_pieces`."""
    with _mapped(path) as data:
        order, index = _index(data, path)
        return {name: _numbers(data, order, place, 1, f"{path}: contig {name}")[0] for name, place in index}


@contextlib.contextmanager
def _mapped(path):
    with open(path, "rb") as file:
        if not Path(path).stat().st_size:
            raise InputError("the file is empty", str(path), "Fetch it again")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _index(data, path) -> tuple[str, list[tuple[str, int]]]:
    """Byte order, and (name, offset) of every contig."""
    order = "<" if data[:4] == MAGIC[0] else ">"
    where = str(path)
    signature, version, count, _ = _numbers(data, order, 0, 4, where)
    if signature != SIGNATURE or version not in (0, 1):
        raise InputError(f"no 2bit file of a known version ({version})", where, "Give a 2bit file of version 0 or 1")
    if not count:
        raise InputError("the file holds no sequence", where, "Give a 2bit file with at least one contig")
    found: dict[str, int] = {}
    place = 16
    for _ in range(count):
        size = data[place] if place < len(data) else 0
        name = data[place + 1 : place + 1 + size].decode("utf-8", "replace")
        if not name or name in found:
            said = f"contig {name} is there twice" if name else "a contig without a name"
            raise InputError(said, f"{where}: byte {place}", FETCH)
        form, wide = (order + "Q", 8) if version else (order + "I", 4)
        _require(data, place + 1 + size, wide, where)
        found[name] = struct.unpack_from(form, data, place + 1 + size)[0]
        place += 1 + size + wide
    return order, list(found.items())


def _require(data, place: int, size: int, where: str) -> None:
    if place + size > len(data):
        raise InputError(f"the file ends at byte {len(data)}, it should go on to {place + size}", where, FETCH)


def _numbers(data, order: str, place: int, count: int, where: str) -> tuple[int, ...]:
    _require(data, place, 4 * count, where)
    return struct.unpack_from(f"{order}{count}I", data, place)


def _blocks(data, order: str, place: int, length: int, where: str) -> tuple[np.ndarray, int]:
    """Blocks (n, 2) of start and end at a place of the file, and the place after them."""
    (count,) = _numbers(data, order, place, 1, where)
    place += 4
    _require(data, place, 8 * count, where)
    starts, sizes = np.frombuffer(data, f"{order}u4", 2 * count, place).astype(np.int64).reshape(2, count)
    ends = starts + sizes
    if count and (ends.max() > length or (starts[1:] < ends[:-1]).any()):
        raise InputError("blocks that overlap or lie outside of the contig", where, FETCH)
    return np.stack([starts, ends], axis=1), place + 8 * count


def _contig(data, order: str, place: int, where: str, size: int) -> Iterator[bytes]:
    """Letters of the contig whose record begins at ``place``, in pieces."""
    (length,) = _numbers(data, order, place, 1, where)
    if not length:
        raise InputError("it has no bases", where, "Take it out of the file")
    unknown, place = _blocks(data, order, place + 4, length, where)
    masked, place = _blocks(data, order, place, length, where)
    _require(data, place + 4, -(-length // 4), where)
    for start in range(0, length, size):
        end = min(start + size, length)
        packed = np.frombuffer(data, np.uint8, -(-(end - start) // 4), place + 4 + start // 4)
        letters = _LETTERS[packed].reshape(-1)[: end - start]
        np.copyto(letters, np.uint8(ord("N")), where=_inside(unknown, start, end))
        letters |= _inside(masked, start, end).view(np.uint8) * np.uint8(LOWER)
        del packed  # the map cannot be closed while an array looks into it
        yield letters.tobytes()


def _inside(blocks: np.ndarray, start: int, end: int) -> np.ndarray:
    """Whether each base of [start, end) lies in a block, bool."""
    first, last = np.searchsorted(blocks[:, 1], start, side="right"), np.searchsorted(blocks[:, 0], end)
    edges = np.concatenate([[0], (blocks[first:last].reshape(-1) - start).clip(0, end - start), [end - start]])
    return np.repeat(np.arange(len(edges) - 1) % 2 == 1, np.diff(edges))
