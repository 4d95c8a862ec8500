"""How close is the test set to the training set? Seed-and-extend search of every held-out window, both strands.

Seeds are exact 31-mers, found in a sorted array of the training 31-mers. Of more than `MAX_SEEDS` training bases only
every n-th 31-mer is kept, chosen by a hash of its letters, so that window and training block keep the same ones
(Broder 1997; FracMinHash, Irber et al. 2022): memory is bounded, and short matches can be missed. Each window's seeds
vote for diagonals; the best-supported ones are extended without gaps as far as the running score (match +1, mismatch
-2) stays within a drop of 20 of its best (the X-drop rule of BLAST, Altschul et al. 1997).
"""

import logging

import numpy as np
import pandas as pd
from numba import njit

from dnalm.sequence.splits import training_intervals

log = logging.getLogger(__name__)
SEED, DROP, MISMATCH, DIAGONALS, COPIES = 31, 20, 2, 20, 50
MAX_SEEDS = 16_000_000
#: Values of the column ``search`` of the leakage table: what looked for matches. The last stands behind what did so in
#: place of a program that is not there.
ALL_SEEDS, SOME_SEEDS, MINIMAP2, NOT_THERE = "31-mers", "every {}. 31-mer", "minimap2", ", minimap2 not installed"
COLUMNS = [
    "genome", "contig", "start", "end", "split", "matched", "share", "identity", "hit_contig", "hit_start", "hit_end",
    "hit_strand", "kind", "search",
]  # fmt: skip
FOUND = ["matched", "aligned", "first", "last", "turned"]


@njit(cache=True)
def _seeds(codes, start, end, step, keys, places, count):
    """Append the kept 31-mers of [start, end): letters of the smaller strand, and 2 x place + (is it the other one)."""
    top, mask = 2 * (SEED - 1), (np.int64(1) << np.int64(2 * SEED)) - 1
    forward, backward, valid = np.int64(0), np.int64(0), 0
    for i in range(start, end):
        base = np.int64(codes[i] & 7)
        if base > 3:
            valid = 0
            continue
        forward = ((forward << 2) | base) & mask
        backward = (backward >> 2) | ((3 - base) << top)
        valid += 1
        if valid < SEED:
            continue
        key = min(forward, backward)
        if step > 1 and ((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) % np.uint64(step):
            continue
        keys[count], places[count] = key, 2 * (i - SEED + 1) + (backward < forward)
        count += 1
    return count


@njit(cache=True)
def _extend(window, codes, low, high, at, place, turned):
    """Ungapped X-drop extension of a seed: (bases before it, bases after it in the window, matches)."""
    matches, reach = SEED, np.zeros(2, dtype=np.int64)
    for side in range(2):
        i = at + SEED if side else at - 1
        j = place + SEED if bool(side) != turned else place - 1
        step, stride = (1 if side else -1), (1 if bool(side) != turned else -1)
        score, best, gained, best_gained, length, best_length = 0, 0, 0, 0, 0, 0
        while 0 <= i < len(window) and low <= j < high:
            base = codes[j] & 7
            if base > 3:
                break
            length += 1
            if window[i] == (3 - base if turned else base):
                score += 1
                gained += 1
            else:
                score -= MISMATCH
            if score > best:
                best, best_gained, best_length = score, gained, length
            if best - score > DROP:
                break
            i += step
            j += stride
        matches += best_gained
        reach[side] = best_length
    return reach[0], reach[1], matches


@njit(cache=True)
def _diagonals(at, hits):
    """First seeds of the best-supported diagonals, the best first.

    Ties go to the diagonal met first in the window: it has the most room to extend within tandem repeats.
    """
    turned = hits & 1
    diagonal = np.where(turned == 1, 2 * (hits // 2 + at) + 1, 2 * (hits // 2 - at))
    order = np.argsort(diagonal, kind="mergesort")
    first, votes = [0 for _ in range(0)], [0 for _ in range(0)]
    for rank, seed in enumerate(order):
        if rank and diagonal[seed] == diagonal[order[rank - 1]]:
            votes[-1] += 1
            first[-1] = min(first[-1], seed)
        else:
            votes.append(1)
            first.append(seed)
    support = np.array(votes) * np.int64(len(at) + 1) - np.array(first)
    return np.array(first)[np.argsort(-support, kind="mergesort")[:DIAGONALS]]


@njit(cache=True)
def _nearest(window, codes, keys, places, intervals, step):
    """(matched, aligned, first, last + 1 in the codes, other strand) of the best match; 0 matched without a seed."""
    mine, where = np.empty(len(window), np.int64), np.empty(len(window), np.int64)
    count = _seeds(window, 0, len(window), step, mine, where, 0)
    at, hits = np.empty(count * COPIES, np.int64), np.empty(count * COPIES, np.int64)
    found = 0
    for s in range(count):
        rank = np.searchsorted(keys, mine[s])
        stop = min(rank + COPIES, len(keys))
        while rank < stop and keys[rank] == mine[s]:
            at[found], hits[found] = where[s] // 2, places[rank] ^ (where[s] & 1)
            rank, found = rank + 1, found + 1
    best = (0, 0, np.int64(0), np.int64(0), False)
    if not found:
        return best
    for seed in _diagonals(at[:found], hits[:found]):
        place, turned = hits[seed] // 2, (hits[seed] & 1) == 1
        block = np.searchsorted(intervals[:, 0], place, side="right") - 1
        low, high = intervals[block]
        before, after, matches = _extend(window, codes, low, high, at[seed], place, turned)
        if matches > best[0]:
            left, right = (after, before) if turned else (before, after)
            best = (matches, before + SEED + after, place - left, place + SEED + right, turned)
    return best


@njit(cache=True)
def _search(codes, starts, ends, keys, places, intervals, step):
    """`_nearest` of many windows of the codes: int64 (windows, 5)."""
    out = np.zeros((len(starts), 5), dtype=np.int64)
    for w in range(len(starts)):
        window = codes[starts[w] : ends[w]] & 7
        matched, aligned, first, last, turned = _nearest(window, codes, keys, places, intervals, step)
        out[w, 0], out[w, 1], out[w, 2], out[w, 3], out[w, 4] = matched, aligned, first, last, turned
    return out


class TrainingIndex:
    """Sorted 31-mers of the training intervals; ``step`` says that every step-th one is kept."""

    def __init__(self, genome, intervals, most: int = MAX_SEEDS):
        self.codes = genome.arrays[0]
        self.intervals = np.asarray(intervals, dtype=np.int64).reshape(-1, 2)
        bases = int((self.intervals[:, 1] - self.intervals[:, 0]).sum())
        self.step = max(1, -(-bases // most))
        room = bases if self.step == 1 else int(1.2 * bases / self.step) + 10_000
        keys, places = np.empty(room, np.int64), np.empty(room, np.int64)
        count = 0
        for start, end in self.intervals:
            count = _seeds(self.codes, start, end, self.step, keys, places, count)
        order = np.argsort(keys[:count], kind="stable")
        keys = keys[order]  # one after the other: the unsorted keys are gone when the places are sorted
        self.keys, self.places = keys, places[order]

    def search(self, starts, ends) -> pd.DataFrame:
        """Longest ungapped training match of windows [start, end) of the genome, a row each.

        Columns matched, aligned, first, last (global, half-open), turned; ``matched`` is 0 where no seed is shared.
        """
        starts, ends = np.asarray(starts, dtype=np.int64), np.asarray(ends, dtype=np.int64)
        found = _search(self.codes, starts, ends, self.keys, self.places, self.intervals, self.step)
        return pd.DataFrame(found, columns=FOUND)

    def nearest(self, window: np.ndarray):
        """Longest ungapped training match of bases from anywhere, None without a seed.

        Returns matched bases, identity, global start and end, strand, aligned bases.
        """
        bases = np.ascontiguousarray(window & 7)
        matched, aligned, first, last, turned = _nearest(
            bases, self.codes, self.keys, self.places, self.intervals, self.step
        )
        return (matched, matched / aligned, first, last, "+-"[turned], aligned) if matched else None


def find_seeds(genome, intervals, starts, ends) -> pd.DataFrame:
    """Ungapped matches of windows of a genome with its training intervals, by `TrainingIndex.search`.

    A column ``search`` says what looked for them.
    """
    index = TrainingIndex(genome, intervals)
    if index.step > 1:
        log.info("leakage: every %dth 31-mer of the training blocks; matches of %d bases are found by 95 in 100",
                 index.step, SEED + round(np.log(0.05) / np.log(1 - 1 / index.step)))  # fmt: skip
    return searched_by(index.search(starts, ends), SOME_SEEDS.format(index.step) if index.step > 1 else ALL_SEEDS)


def searched_by(found: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table of matches with a column ``search``."""
    return found.assign(search=_chosen(np.zeros(len(found), dtype=np.int8), pd.Index([name])))


def audit(
    genome, splits: pd.DataFrame, windows: pd.DataFrame, rna: pd.DataFrame, final: bool = False, find=find_seeds
) -> pd.DataFrame:
    """One row per validation and test window: its nearest training match on either strand.

    For a ``final`` training, on validation blocks too, one row per test window. ``find`` looks for the matches; it has
    the arguments and the table of `find_seeds`.

    ``matched`` bases, ``share`` of the window that the match covers, ``identity`` inside it, where it is (a contig of
    ``genome``: of several genomes, ``genome:contig``), and ``kind``:
    the type of the RNA gene (of table ``rna``) that the window overlaps, else ``repeat`` if there is a match, else
    ``none``; ``search`` is what looked for it.
    """
    training = training_intervals(genome, splits, final)
    held_out = windows[windows["split"].isin(["test"] if final else ["validation", "test"])]
    held_out = held_out.loc[held_out["genome"].isin(genome.names), COLUMNS[:5]].reset_index(drop=True)
    _, offsets, *_ = genome.arrays
    contig = genome.numbers(held_out)
    starts, ends = (held_out[name].to_numpy(dtype=np.int64) + offsets[contig] for name in ("start", "end"))
    found = find(genome, training, starts, ends)
    table = held_out.assign(
        matched=found["matched"],
        share=found["aligned"] / (ends - starts),
        identity=found["matched"] / found["aligned"].clip(lower=1),
        search=found["search"],
        **_places(genome, found),
    )
    return table.assign(kind=_kinds(table, contig, genome, rna))[COLUMNS]


def _places(genome, found: pd.DataFrame) -> dict:
    """Columns that say where the matches are; text as categories, empty where there is none."""
    _, offsets, *_ = genome.arrays
    matched = found["matched"].to_numpy() > 0
    place = np.where(matched, np.searchsorted(offsets, found["first"].to_numpy(), side="right") - 1, 0)
    names = pd.Index([*genome.contigs["contig"], ""])
    return {
        "hit_contig": _chosen(np.where(matched, place, len(offsets)), names),
        "hit_start": np.where(matched, found["first"] - offsets[place], -1),
        "hit_end": np.where(matched, found["last"] - offsets[place], -1),
        "hit_strand": _chosen(np.where(matched, found["turned"], 2), pd.Index(["+", "-", ""])),
    }


def _chosen(numbers: np.ndarray, names: pd.Index) -> pd.Categorical:
    """The names of these numbers, as categories."""
    return pd.Categorical.from_codes(numbers, categories=names)


def without_matches(genome, splits: pd.DataFrame, leakage: pd.DataFrame, share: float) -> pd.DataFrame:
    """The splits with held-out windows of which a training match covers ``share`` or more as gaps.

    Nothing is chosen or tested on them any more; what is trained on stays the same.
    """
    out = leakage[leakage["share"] >= share]
    rows, groups = [], out.groupby(["genome", "contig"], sort=False, observed=True)
    cuts = {name: group[["start", "end"]].to_numpy() for name, group in groups}
    for row in splits.itertuples(index=False):
        mine = cuts.get((row.genome, row.contig), np.empty((0, 2), dtype=np.int64))
        near = slice(np.searchsorted(mine[:, 1], row.start, side="right"), np.searchsorted(mine[:, 0], row.end))
        inside = mine[near] if row.split in ("validation", "test") else []
        at = row.start
        for start, end in inside:
            start, end = max(start, at), min(end, row.end)
            if start > at:
                rows.append(row._replace(start=at, end=start))
            if end > start:
                rows.append(row._replace(start=start, end=end, split="gap", reason="matches training blocks"))
            at = max(at, end)
        if at < row.end:
            rows.append(row._replace(start=at))
    log.info("leakage: %d of %d held-out windows are left out of the splits", len(out), len(leakage))
    return pd.DataFrame(rows, columns=splits.columns)


def _kinds(table: pd.DataFrame, contig: np.ndarray, genome, rna: pd.DataFrame) -> pd.Categorical:
    """Type of the first RNA gene that overlaps each row with a match, ``repeat`` or ``none``.

    ``contig`` is the number of each row's contig. Rows are looked up, because there may be many of them and of genes.
    """
    _, offsets, lengths, _ = genome.arrays
    names = {name: number for number, name in enumerate(dict.fromkeys(["none", "repeat", *rna["type"]]))}
    kinds = np.where(table["matched"] > 0, names["repeat"], names["none"])
    starts, ends = (table[name].to_numpy() + offsets[contig] for name in ("start", "end"))
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], ends[order]
    furthest = np.maximum.accumulate(ends)
    rna = rna[rna["contig"].isin(genome.contigs["contig"])]
    own = pd.Index(genome.contigs["contig"]).get_indexer(rna["contig"])
    first, last = (np.minimum(rna[name], lengths[own]).to_numpy() + offsets[own] for name in ("start", "end"))
    near = zip(np.searchsorted(furthest, first, side="right"), np.searchsorted(starts, last), strict=True)
    for (low, high), start, kind in zip(near, first, rna["type"], strict=True):
        over = order[low:high][ends[low:high] > start]
        kinds[over[kinds[over] == names["repeat"]]] = names[kind]
    return pd.Categorical.from_codes(kinds, categories=list(names))
