"""Open reading frames: enumerate every candidate gene, and choose the best set of them.

A candidate is a start codon with the first stop codon downstream in its frame. Coordinates are 0-based half-open on the
forward strand, stop codon included; on a circular contig ``end`` may pass the contig's length.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.genetic_code import codon_index, genetic_code

#: Bases past the origin of a circular contig in which the stop codon of a frame is looked for.
WRAP = 30_000
#: Overlap that costs nothing: ATGA, the start and stop of neighbours in an operon, is the commonest one.
FREE_OVERLAP = 4
#: Largest overlaps in bases: of genes whose 3' ends meet, and of all others (Hyatt et al. 2010, Prodigal).
MAX_OPPOSITE, MAX_SAME = 200, 60


@dataclass(frozen=True)
class Orfs:
    """Candidates as parallel arrays of shape (n,), sorted by end, start and strand.

    ``start`` and ``end`` in bases; ``strand`` +1 or -1; ``group`` numbers the stop codon; ``codon`` is the start
    codon's index (0..63), -1 if the start is cut off; ``partial`` marks candidates that run off a linear contig's end.
    """

    start: np.ndarray
    end: np.ndarray
    strand: np.ndarray
    group: np.ndarray
    codon: np.ndarray
    partial: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def take(self, which) -> "Orfs":
        """The candidates at ``which`` (indices or a mask)."""
        return Orfs(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@njit(cache=True)
def _scan(codons, starts, stops, length, minimum, open_ends):
    """Candidates on one strand with ``start < length``; codons is -1 at N and two shorter than the sequence."""
    size = len(codons) + 2
    out = np.empty((size + 12, 5), dtype=np.int64)
    count, group = 0, 0
    for frame in range(3):
        first, begin, opened = count, frame, open_ends
        p = frame
        while p < len(codons):
            codon = codons[p]
            if codon < 0 or stops[codon]:
                if codon >= 0:
                    count = _close(out, first, count, p + 3, group, minimum, opened, begin)
                    group += 1
                else:
                    count = first
                first, begin, opened = count, p + 3, False
            elif starts[codon] and p < length:
                out[count, 0], out[count, 3], out[count, 4] = p, codon, 0
                count += 1
            p += 3
        if open_ends:
            for i in range(first, count):
                out[i, 4] = 1
            count = _close(out, first, count, p, group, minimum, opened, begin)
            group += 1
        else:
            count = first
    return out[:count], group


@njit(cache=True)
def _close(out, first, count, end, group, minimum, opened, begin):
    """Finish the candidates of one stop codon: drop those that are too short, add the one without a start."""
    if opened:
        out[count, 0], out[count, 3], out[count, 4] = begin, -1, 1
        count += 1
    kept = first
    for i in range(first, count):
        if end - out[i, 0] >= minimum:
            out[kept, 0], out[kept, 3], out[kept, 4] = out[i, 0], out[i, 3], out[i, 4]
            out[kept, 1], out[kept, 2] = end, group
            kept += 1
    return kept


def find_orfs(codes: np.ndarray, code: int, min_length: int = 90, circular: bool = False) -> Orfs:
    """Every candidate gene of a contig, on both strands.

    A reading frame ends at an N. At the ends of a linear contig frames stay open: their candidates are partial. On a
    circular contig frames go on across the origin, at most `WRAP` bases far.

    Parameters
    ----------
    codes : uint8 array of shape (length,)
    code : int
        NCBI genetic code.
    min_length : int
        Shortest candidate in bases, stop codon included.
    circular : bool

    Raises
    ------
    InputError
        If there is no such genetic code.
    """
    _, starts, stops = genetic_code(code)
    length, parts, groups = len(codes), [], 0
    forward = np.asarray(codes) & 7
    for strand, text in ((1, forward), (-1, reverse_complement(forward))):
        if circular:
            text = np.concatenate([text, text[: max(0, min(WRAP, length - 1))]])
        if len(text) < 3:
            continue
        rows, found = _scan(codon_index(text), starts, stops, length, min_length, not circular)
        low, high = rows[:, 0], rows[:, 1]
        if strand < 0:
            before = np.where(length < high, length, 0)
            low, high = length - high + before, length - low + before
        side = np.full(len(rows), strand)
        parts.append(np.stack([low, high, side, rows[:, 2] + groups, rows[:, 3], rows[:, 4]]))
        groups += found
    table = np.concatenate(parts, axis=1) if parts else np.empty((6, 0), dtype=np.int64)
    table = table[:, np.lexsort((table[2], table[0], table[1]))]
    if circular:  # a stop codon behind the origin is met twice, by starts on both sides of it
        stop = np.where(table[2] > 0, table[1] % length, length + table[0])
        table[3] = np.unique(stop, return_inverse=True)[1]
    return Orfs(*table[:5], table[5].astype(bool))


@njit(cache=True)
def _allowed(strand_left, strand_right, shorter, max_same, max_opposite):
    """Largest overlap of two genes; a wider one, or one of more than half of the shorter gene, is not allowed."""
    limit = max_opposite if strand_left > 0 and strand_right < 0 else min(max_same, max_opposite)
    return min(limit, shorter // 2)


@njit(cache=True)
def _chain(start, end, strand, score, max_same, max_opposite, penalty):
    """Best chain of candidates sorted by end: its score, its last candidate, and every candidate's predecessor.

    `prefix` holds the best chain among the first candidates, so that only those whose end lies inside the allowed
    overlap are looked at one by one.
    """
    count = len(start)
    best, back = np.empty(count), np.full(count, -1, dtype=np.int64)
    prefix, prefix_at = np.zeros(count + 1), np.full(count + 1, -1, dtype=np.int64)
    reach = max(max_same, max_opposite)
    for i in range(count):
        j = np.searchsorted(end[:i], start[i], side="right")
        gain, at = prefix[j], prefix_at[j]
        while j < i and end[j] <= start[i] + reach:
            overlap, shorter = end[j] - start[i], min(end[j] - start[j], end[i] - start[i])
            if overlap <= _allowed(strand[j], strand[i], shorter, max_same, max_opposite):
                value = best[j] - penalty * max(0, overlap - FREE_OVERLAP)
                if value > gain:
                    gain, at = value, j
            j += 1
        best[i], back[i] = score[i] + gain, at
        if best[i] > prefix[i]:
            prefix[i + 1], prefix_at[i + 1] = best[i], i
        else:
            prefix[i + 1], prefix_at[i + 1] = prefix[i], prefix_at[i]
    return prefix[count], prefix_at[count], back


def _best_chain(start, end, strand, score, limits):
    """(total, indices in order of end) of the best chain among candidates with a positive score."""
    which = np.flatnonzero(score > 0)
    order = which[np.lexsort((strand[which], start[which], end[which]))]
    total, at, back = _chain(*(np.ascontiguousarray(a[order]) for a in (start, end, strand, score)), *limits)
    chosen = []
    while at >= 0:
        chosen.append(order[at])
        at = back[at]
    return total, np.array(chosen[::-1], dtype=np.int64)


def select_genes(
    orfs: Orfs, score, length: int, max_same: int = MAX_SAME, max_opposite: int = MAX_OPPOSITE, penalty: float = 0.02
) -> np.ndarray:
    """Indices of the set of candidates with the largest summed score, in order of their ends.

    Exact weighted interval scheduling with overlaps. Any two genes of the set overlap by at most ``max_opposite``
    bases if their 3' ends meet, by at most ``max_same`` otherwise, and never by more than half of the shorter one. The
    last condition rules out nested genes, a stop codon used twice, and three genes over one base, so that looking at
    neighbours is looking at all pairs. Each overlap costs ``penalty`` per base beyond `FREE_OVERLAP`.

    Parameters
    ----------
    orfs : Orfs
    score : float array of shape (n,)
        Candidates with a score of 0 or less are never chosen.
    length : int
        Bases of the contig. Where candidates cross the origin (``end > length``), overlaps are counted on the circle.
    max_same, max_opposite : int
        Bases.
    penalty : float
        In units of the score, per base.
    """
    score = np.asarray(score, dtype=np.float64)
    if not (orfs.strand.shape == score.shape and np.isfinite(score[score > 0]).all()):
        raise ValueError("select_genes needs one score per candidate, finite where it is positive")
    limits = (max_same, max_opposite, penalty)
    crossing = orfs.end > length
    total, chosen = _best_chain(orfs.start, orfs.end, orfs.strand, np.where(crossing, 0.0, score), limits)
    for i in np.flatnonzero(crossing & (score > 0)):
        start, end, rest = _opened_at(orfs, score, length, i, limits)
        other, others = _best_chain(start, end, orfs.strand, rest, limits)
        if other + score[i] > total:
            total, chosen = other + score[i], np.append(others, i)
    return chosen[np.lexsort((orfs.start[chosen], orfs.end[chosen]))]


def _opened_at(orfs, score, length, i, limits):
    """Coordinates on the circle cut open at the start of candidate ``i``, and scores of the others next to it."""
    max_same, max_opposite, penalty = limits
    own = orfs.end[i] - orfs.start[i]
    start = (orfs.start - orfs.start[i]) % length
    end = start + orfs.end - orfs.start
    shorter = np.minimum(end - start, own)
    rest = score.copy()
    rest[i] = 0.0
    right = np.where((orfs.strand[i] > 0) & (orfs.strand < 0), max_opposite, min(max_same, max_opposite))
    left = np.where((orfs.strand > 0) & (orfs.strand[i] < 0), max_opposite, min(max_same, max_opposite))
    for overlap, limit in ((own - start, right), (end - length, left)):
        rest = rest - penalty * np.maximum(overlap - FREE_OVERLAP, 0)
        rest[overlap > np.minimum(limit, shorter // 2)] = 0.0
    return start, end, rest


def stop_key(start, end, strand, length):
    """Number of a stop codon: unique per contig position (modulo the origin) and strand."""
    return np.where(strand > 0, end % length, length + start % length)


def start_key(start, end, strand, length):
    """Number of a start codon, like `stop_key`."""
    return np.where(strand > 0, start % length, length + end % length)
