"""Checksums as providers publish them: lists of MD5, and the BSD ``sum`` of Ensembl."""

import hashlib
import re
from functools import cache


def parse_md5(text: str) -> dict[str, str]:
    """MD5 by file name (its last part) of a list as ``md5sum`` writes it.

    NCBI's md5checksums.txt has names that begin with ``./``, UCSC's md5sum.txt has plain ones.
    """
    found = re.findall(r"^([0-9a-fA-F]{32})[ \t]+[*]?(\S.*?)\s*$", text, re.M)
    return {name.removeprefix("./"): digest.lower() for digest, name in found}


def parse_sums(text: str) -> dict[str, str]:
    """``checksum blocks`` by file name of Ensembl's CHECKSUMS, which ``sum`` of BSD writes."""
    found = re.findall(r"^\s*(\d{1,5})\s+(\d+)\s+(\S+)\s*$", text, re.M)
    return {name.rpartition("/")[2]: f"{int(value)} {int(blocks)}" for value, blocks, name in found}


class BsdSum:
    """The checksum of BSD's ``sum``: 16 bits, turned right by one before each byte is added; blocks of 1024 bytes.

    Source: ``sum`` of GNU coreutils, option ``-r``, its default.
    """

    def __init__(self):
        self.state, self.size = 0, 0

    def update(self, block: bytes) -> None:
        """Take the next bytes."""
        self.state = int(_turn_and_add()(self.state, block))
        self.size += len(block)

    def hexdigest(self) -> str:
        """``checksum blocks``, as the lists have it; not hexadecimal, but the name that `hashlib` uses."""
        return f"{self.state} {-(-self.size // 1024)}"


@cache
def _turn_and_add():
    """Compiled when it is first needed: a loop over every byte."""
    import numba
    import numpy as np

    @numba.njit(nogil=True)
    def loop(state, data):
        for byte in data:
            state = ((state >> 1) + ((state & 1) << 15) + byte) & 0xFFFF
        return state

    return lambda state, block: loop(np.int64(state), np.frombuffer(block, dtype=np.uint8))


def new_digest(kind: str):
    """An object with ``update`` and ``hexdigest`` for ``sha256``, ``md5`` or ``bsd_sum``."""
    return BsdSum() if kind == "bsd_sum" else hashlib.new(kind, usedforsecurity=False)
