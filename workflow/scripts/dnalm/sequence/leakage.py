"""How close is the test set to the training set? Seed-and-extend search of every held-out window, both strands.

Seeds are exact 31-mers, found in a sorted array of the training k-mers of both strands. Each window's seeds vote for
diagonals; the best-supported ones are extended without gaps as far as the running score (match +1, mismatch -2) stays
within a drop of 20 of its best (the X-drop rule of BLAST, Altschul et al. 1997).
"""

import numpy as np
import pandas as pd
from numba import njit

from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.splits import final_intervals, split_intervals

SEED, DROP, MISMATCH, DIAGONALS = 31, 20, 2, 5
COLUMNS = [
    "genome", "contig", "start", "end", "split", "matched", "share", "identity", "hit_contig", "hit_start", "hit_end",
    "hit_strand", "kind",
]  # fmt: skip


@njit(cache=True)
def _kmers(codes, k):
    """2-bit key of the k-mer that begins at each base, -1 where an N is in it."""
    keys = np.full(len(codes), -1, dtype=np.int64)
    key, valid, mask = 0, 0, (1 << (2 * k)) - 1
    for i in range(len(codes)):
        if codes[i] < 4:
            key = ((key << 2) | codes[i]) & mask
            valid += 1
        else:
            valid = 0
        if valid >= k:
            keys[i - k + 1] = key
    return keys


@njit(cache=True)
def _extend(window, text, at, place, k):
    """Ungapped X-drop extension of a seed: (first, last + 1 in the window, matches)."""
    matches = k
    ends = np.zeros(2, dtype=np.int64)
    for direction in (-1, 1):
        i, j = (at - 1, place - 1) if direction < 0 else (at + k, place + k)
        score, best, gained, best_gained, reach, best_reach = 0, 0, 0, 0, 0, 0
        while 0 <= i < len(window) and 0 <= j < len(text) and text[j] < 4:
            reach += 1
            if window[i] == text[j] and window[i] < 4:
                score += 1
                gained += 1
            else:
                score -= MISMATCH
            if score > best:
                best, best_gained, best_reach = score, gained, reach
            if best - score > DROP:
                break
            i += direction
            j += direction
        matches += best_gained
        ends[(direction + 1) // 2] = best_reach
    return at - ends[0], at + k + ends[1], matches


class TrainingIndex:
    """Sorted 31-mers of the training intervals, both strands."""

    def __init__(self, genome, intervals):
        self.genome, parts, starts = genome, [], []
        position = 0
        for start, end in intervals:
            parts += [np.asarray(genome.codes[start:end]) & 7, np.full(1, 4, np.uint8)]
            starts.append((position, start))
            position += end - start + 1
        forward = np.concatenate(parts)
        self.starts = np.array(starts)
        self.size = len(forward)
        self.text = np.concatenate([forward, reverse_complement(forward)])
        keys = _kmers(self.text, SEED)
        places = np.flatnonzero(keys >= 0)
        order = np.argsort(keys[places], kind="stable")
        self.keys, self.places = keys[places][order], places[order]

    def locate(self, first: int, last: int) -> tuple[int, int, str]:
        """Global interval and strand of a stretch of the text."""
        strand = "+" if first < self.size else "-"
        if strand == "-":
            first, last = 2 * self.size - last, 2 * self.size - first
        segment = np.searchsorted(self.starts[:, 0], first, side="right") - 1
        shift = self.starts[segment, 1] - self.starts[segment, 0]
        return int(first + shift), int(last + shift), strand

    def nearest(self, window: np.ndarray):
        """Longest ungapped training match, None without a seed.

        Returns matched bases, identity, global start and end, strand, aligned bases.
        """
        keys = _kmers(window, SEED)
        at = np.flatnonzero(keys >= 0)
        low = np.searchsorted(self.keys, keys[at], side="left")
        high = np.minimum(np.searchsorted(self.keys, keys[at], side="right"), low + 20)
        if not (high > low).any():
            return None
        hits = np.concatenate([self.places[a:b] for a, b in zip(low, high, strict=True)])
        where = np.repeat(at, high - low)
        diagonals, index, votes = np.unique(hits - where, return_index=True, return_counts=True)
        best = None
        # Ties go to the diagonal met first in the window: it has the most room to extend within tandem repeats.
        for d in np.lexsort((index, -votes))[:DIAGONALS]:
            i = index[d]
            first, last, matches = _extend(window, self.text, where[i], hits[i], SEED)
            if best is None or matches > best[0]:
                place = int(diagonals[d]) + first
                best = (int(matches), matches / (last - first), *self.locate(place, place + last - first), last - first)
        return best


def audit(genome, splits: pd.DataFrame, windows: pd.DataFrame, rna: pd.DataFrame, final: bool = False) -> pd.DataFrame:
    """One row per validation and test window: its nearest training match on either strand.

    For a ``final`` training, on validation blocks too, one row per test window.

    ``matched`` bases, ``share`` of the window that the match covers, ``identity`` inside it, where it is (a contig of
    ``genome``: of several genomes, ``genome:contig``), and ``kind``:
    the type of the RNA gene (of table ``rna``) that the window overlaps, else ``repeat`` if there is a match, else
    ``none``.
    """
    training = final_intervals(genome, splits) if final else split_intervals(genome, splits, "train")
    index = TrainingIndex(genome, training)
    rows = []
    held_out = windows[windows["split"].isin(["test"] if final else ["validation", "test"])]
    held_out = held_out[held_out["genome"].isin(genome.names)]
    for w, contig in zip(held_out.itertuples(index=False), genome.rows(held_out)["contig"], strict=True):
        codes = np.asarray(genome.contig_codes(contig)[w.start : w.end]) & 7
        best = index.nearest(codes)
        row = [w.genome, w.contig, w.start, w.end, w.split]
        if best is None:
            rows.append([*row, 0, 0.0, 0.0, "", -1, -1, "", "none"])
            continue
        matches, identity, start, end, strand, length = best
        over = rna[(rna["contig"] == contig) & (rna["start"] < w.end) & (rna["end"] > w.start)]["type"]
        kind = over.iloc[0] if len(over) else "repeat"
        hit, at = genome.locate(start)
        rows.append([*row, matches, length / len(codes), identity, hit, at, at + end - start, strand, kind])
    return pd.DataFrame(rows, columns=COLUMNS)
