"""Bases as small integers: A C G T N = 0..4, plus one bit for soft-masked (lower-case) bases."""

import numpy as np

A, C, G, T, N = range(5)
MASK_BIT = 8
LETTERS = "ACGTN"

_ENCODE = np.full(256, N, dtype=np.uint8)
_DECODE = np.full(256, ord("N"), dtype=np.uint8)
_COMPLEMENT = np.arange(256, dtype=np.uint8)
for _code, _letter in enumerate(LETTERS):
    _ENCODE[ord(_letter)] = _code
    _DECODE[_code] = ord(_letter)
    _DECODE[_code | MASK_BIT] = ord(_letter.lower())
_ENCODE[ord("U")] = T
for _letter in "abcdefghijklmnopqrstuvwxyz":
    _ENCODE[ord(_letter)] = _ENCODE[ord(_letter.upper())] | MASK_BIT
for _code in range(4):
    _COMPLEMENT[_code] = 3 - _code
    _COMPLEMENT[_code | MASK_BIT] = (3 - _code) | MASK_BIT


def encode(sequence: str | bytes) -> np.ndarray:
    """Codes of a sequence, uint8 of shape (length,); letters other than A C G T U become N."""
    raw = sequence.encode("ascii") if isinstance(sequence, str) else sequence
    return _ENCODE[np.frombuffer(raw, dtype=np.uint8)]


def decode(codes: np.ndarray) -> str:
    """The letters of ``codes``, lower case where the soft-mask bit is set."""
    return _DECODE[np.asarray(codes, dtype=np.uint8)].tobytes().decode("ascii")


def bases(codes: np.ndarray) -> np.ndarray:
    """``codes`` without the soft-mask bit: values 0..4, same shape."""
    return codes & 7


def complement(codes: np.ndarray) -> np.ndarray:
    """Complement of every code; N stays N and the soft-mask bit is kept."""
    return _COMPLEMENT[codes]


def reverse_complement(codes: np.ndarray) -> np.ndarray:
    """Reverse complement along the last axis, uint8, same shape."""
    return _COMPLEMENT[codes[..., ::-1]]
