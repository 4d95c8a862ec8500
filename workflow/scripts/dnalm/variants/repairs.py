"""Which change of one base would make a sequence more expected: scores of all of them from one reading of it.

A model says at every base what it expects given both sides, given what stands before, and given what stands behind.
At a wrong base both directions ask for the same other base. Where a base is missing, the reading from the left asks for
it at the next base, the reading from the right at the one before. At a superfluous base both ask for what stands on its
other side. In a run of equal bases these are its two ends, because one base of it is like the other.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d

#: Repairs in the order of the rows of scores.
SUBSTITUTE, REMOVE, INSERT = range(3)
NAMES = ("substitute", "remove", "insert")
#: A flag speaks for so many bases to each side.
NEAR = 10


@dataclass(frozen=True, eq=False)
class Reading:
    """What is expected at n bases in a row; log-probabilities (n, 4) of A C G T in nats, forward orientation.

    ``codes`` uint8 0..4; ``first`` bool: first base of a contig. ``between``: given all other bases; ``ahead`` and
    ``behind``: given what stands before, or behind. ``start``: global position of the first of them.
    """

    start: int
    codes: np.ndarray
    first: np.ndarray
    between: np.ndarray
    ahead: np.ndarray
    behind: np.ndarray


def run_ends(codes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Index of the last base of the run of equal bases that each base is in; ``first`` (bool) begins a contig."""
    last = np.append((codes[1:] != codes[:-1]) | first[1:], True)
    ends = np.flatnonzero(last)
    return ends[np.searchsorted(ends, np.arange(len(codes)))]


def repair_scores(reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """How much each repair is expected over what is there: scores float32 (3, n) in nats and bases int8 (3, n).

    Rows are `SUBSTITUTE` (by ``base``), `REMOVE` (at the first base of a run; ``base`` is -1) and `INSERT` (``base``
    before the place; in front of a run of its kind, never behind). -inf where there is none: beside an N, at an end.
    """
    codes = reading.codes.astype(np.int64)
    before = np.where(reading.first, 4, np.append(4, codes[:-1]))
    after = np.where(np.append(reading.first[1:], True), 4, np.append(codes[1:], 4))
    between = _ratios(reading.between, codes)
    between[np.arange(len(codes)), np.minimum(codes, 3)] = -np.inf
    ahead, behind = _ratios(reading.ahead, codes), _ratios(reading.behind, codes)
    ends = run_ends(codes, reading.first)
    scores = np.full((3, len(codes)), -np.inf, dtype=np.float32)
    bases = np.full((3, len(codes)), -1, dtype=np.int8)
    bases[SUBSTITUTE] = between.argmax(1)
    scores[SUBSTITUTE] = np.where(codes < 4, between.max(1), -np.inf)
    scores[REMOVE] = _remove(codes, before, after, ends, ahead, behind)
    scores[INSERT], bases[INSERT] = _insert(codes, before, after, ends, ahead, behind)
    return scores, bases


def _ratios(logp: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Log-probabilities against that of the base that is there; -inf at an N."""
    own = np.take_along_axis(logp, np.minimum(codes, 3)[:, None], 1)
    return np.where(codes[:, None] < 4, logp - own, np.float32(-np.inf))


def _remove(codes, before, after, ends, ahead, behind) -> np.ndarray:
    """Scores (n,) of runs that are one base shorter, at their first base."""
    behind_run = after[ends]
    possible = (codes < 4) & (before != codes) & (before < 4) & (behind_run < 4)
    place = np.arange(len(codes))
    total = ahead[ends, np.minimum(behind_run, 3)] + behind[place, np.minimum(before, 3)]
    return np.where(possible, total, -np.inf)


def _insert(codes, before, after, ends, ahead, behind) -> tuple[np.ndarray, np.ndarray]:
    """Best score (n,) of one base more before each base, and which base it is."""
    place = np.arange(len(codes))
    left = behind[np.maximum(place - 1, 0)]  # the reading from the right, at the base before
    total = ahead + left
    same = np.minimum(ends + 1, len(codes) - 1)
    own = np.minimum(codes, 3)
    # in front of a run of its own kind, the reading from the left finds it missing only where the run ends
    longer = np.where(after[ends] < 4, ahead[same, own] + left[place, own], -np.inf)
    total[place, own] = longer
    total[place, np.minimum(before, 3)] = -np.inf
    possible = (codes < 4) & (before < 4)
    return np.where(possible, total.max(1), -np.inf), np.where(possible, total.argmax(1), -1)


def highest_near(score: np.ndarray, near: int = NEAR) -> np.ndarray:
    """The highest score within ``near`` bases to each side, same shape (n,)."""
    return maximum_filter1d(score, 2 * near + 1, mode="constant", cval=-np.inf)


def peaks(score: np.ndarray, highest: np.ndarray) -> np.ndarray:
    """Indices of the scores that are the ``highest`` near them; -inf never is."""
    return np.flatnonzero((score == highest) & np.isfinite(score))


class Best:
    """The ``most`` highest rows of tables that come one after the other; memory does not grow with them.

    Tables are dicts of arrays of one length; ``by`` is the column that says how high.
    """

    def __init__(self, most: int, by: str):
        self.most, self.by = most, by
        self._parts: list[dict[str, np.ndarray]] = []
        self._count = 0

    def add(self, **columns: np.ndarray) -> None:
        """Add rows."""
        self._parts.append(columns)
        self._count += len(columns[self.by])
        if self._count > 4 * self.most + 1000:
            self._prune()

    def _prune(self) -> None:
        table = {name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}
        kept = np.sort(np.argsort(-table[self.by], kind="stable")[: self.most])
        self._parts = [{name: column[kept] for name, column in table.items()}]
        self._count = len(kept)

    def table(self) -> dict[str, np.ndarray]:
        """The highest rows, in the order in which they came."""
        if self._parts:
            self._prune()
        return self._parts[0] if self._parts else {}
