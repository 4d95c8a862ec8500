"""An index of a text in which all places with the same bases before them are one range, whatever their number.

The places of the text are sorted by the bases before them, the nearest first. Beside the sorted list stands, for every
row, the base at that place: the Burrows-Wheeler transform of the reversed text. How often a base occurs in the first i
rows, its *rank*, gives two things at once (Ferragina & Manzini 2000, the FM-index):

- the counts of the four bases after a context: the differences of the ranks at both ends of its range;
- the range of the context that is longer by one base: the ranks at both ends, plus the row where this base begins.

One sweep over a window so keeps the ranges of all its context lengths and never looks at single places, so that a
repeat of a million copies costs as much as a unique word. Only the ranks are kept: one byte per place of the text.
"""

import numpy as np
from numba import njit

#: Bases that one pass of the sort looks at: 5**6 buckets (A C G T and N) just fit into 16 bits and a cache.
DIGITS = 6
BUCKETS = 5**DIGITS
#: Rows that share one entry of the ranks; bits of a half of 64.
BLOCK = 32


def build_ranks(text: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Index of ``text`` (uint8 codes 0..4, N at both ends) for contexts of up to ``depth`` bases.

    Returns
    -------
    ranks : uint64 (blocks, 4)
        For 32 rows and each base: how often it occurs in the rows before (upper half), and one bit for each of the 32
        rows where it occurs (lower half). A place that holds N has no bit.
    first : uint64 (5,)
        First row whose nearest base before is A, C, G, T, and the number of rows.
    """
    keys = _near_keys(text)
    places = np.arange(len(text), dtype=np.uint32)
    for shift in range(DIGITS * ((depth - 1) // DIGITS), -1, -DIGITS):
        places = _sorted_by(places, keys, shift)
    # nothing stands before the first place, which counts as N; numbers come in the order N A C G T
    before = [1 + np.count_nonzero(text[:-1] == 4), *(np.count_nonzero(text[:-1] == base) for base in range(4))]
    return _ranks(text, places), np.cumsum(before).astype(np.uint64)


@njit(cache=True)
def _near_keys(text):
    """The `DIGITS` bases before each place as a number in base 5, the nearest most significant, N lowest."""
    keys = np.zeros(len(text), dtype=np.uint16)
    for p in range(1, len(text)):
        keys[p] = keys[p - 1] // 5 + (text[p - 1] + 1) % 5 * (BUCKETS // 5)
    return keys


@njit(cache=True)
def _sorted_by(places, keys, shift):
    """Stable counting sort of ``places`` by the bases that stand ``shift`` further back than the nearest ones."""
    start = np.zeros(BUCKETS + 1, dtype=np.int64)
    for p in range(len(places)):
        start[(keys[p - shift] if p >= shift else 0) + 1] += 1
    start = np.cumsum(start)
    out = np.empty_like(places)
    for p in places:
        key = keys[p - shift] if p >= shift else 0
        out[start[key]] = p
        start[key] += 1
    return out


@njit(cache=True)
def _ranks(text, places):
    ranks = np.zeros((len(places) // BLOCK + 1, 4), dtype=np.uint64)
    seen = np.zeros(4, dtype=np.uint64)
    for i in range(len(places)):
        if i % BLOCK == 0:
            ranks[i // BLOCK] = seen << np.uint64(BLOCK)
        base = text[places[i]]
        if base < 4:
            ranks[i // BLOCK, base] |= np.uint64(1) << np.uint64(i % BLOCK)
            seen[base] += np.uint64(1)
    if len(places) % BLOCK == 0:
        ranks[-1] = seen << np.uint64(BLOCK)
    return ranks


@njit(cache=True)
def _rank(ranks, base, row):
    """How often ``base`` occurs before ``row``; all is unsigned, with `BLOCK` written out as 2**5."""
    entry = ranks[row >> np.uint64(5), base]
    x = entry & ((np.uint64(1) << (row & np.uint64(31))) - np.uint64(1))
    # the usual way to count bits, which the compiler turns into one instruction
    x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (entry >> np.uint64(BLOCK)) + ((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True)
def count_after(codes, orders, lefts, ranks, first, counts, ranges):
    """Counts of the base after the bases before it, and the ranges of rows where these stand.

    Parameters
    ----------
    orders, lefts : ascending ints
        Lengths of the contexts to count after, and of those whose ranges `count_between` will go on from.
    counts : int32 (B, L, orders, 4), zeros
    ranges : uint32 (B, L, lefts, 2), zeros
        First row and last row + 1.
    """
    longest = 0
    for lengths in (orders, lefts):  # either may be empty
        if len(lengths):
            longest = max(longest, lengths[-1])
    column, slot = np.full(longest + 1, -1), np.full(longest + 1, -1)
    column[orders], slot[lefts] = np.arange(len(orders)), np.arange(len(lefts))
    low, high = np.zeros(longest + 2, dtype=np.uint64), np.zeros(longest + 2, dtype=np.uint64)
    for b in range(codes.shape[0]):
        depth, high[0] = 0, first[4]
        for t in range(codes.shape[1]):
            base, deepest = codes[b, t], 0
            # from long to short, because the range of k + 1 bases for the next place replaces that of this one
            for k in range(depth, -1, -1):
                if slot[k] >= 0:
                    ranges[b, t, slot[k], 0], ranges[b, t, slot[k], 1] = low[k], high[k]
                for c in range(4):
                    start, end = _rank(ranks, c, low[k]), _rank(ranks, c, high[k])
                    if column[k] >= 0:
                        counts[b, t, column[k], c] = end - start
                    if c == base:
                        low[k + 1], high[k + 1] = first[c] + start, first[c] + end
                if deepest == 0 and base < 4 and k < longest and low[k + 1] < high[k + 1]:
                    deepest = k + 1
            depth = deepest


@njit(cache=True)
def count_between(codes, flanks, lefts, ranges, ranks, first, counts):
    """Counts of the base between ``flanks`` (n, 2), into ``counts``: zeros of shape (B, L, n, 4).

    ``ranges`` are those of `count_after` for ``lefts``, the left sides of the flanks. Each of the four bases in such a
    range is taken on to the right, base by base of the window.
    """
    column = np.full((len(lefts), flanks[:, 1].max() + 1), -1)
    reach = np.zeros(len(lefts), dtype=np.int64)
    for j in range(len(flanks)):
        i = np.searchsorted(lefts, flanks[j, 0])
        column[i, flanks[j, 1]] = j
        reach[i] = max(reach[i], flanks[j, 1])
    start, end = np.empty(4, dtype=np.uint64), np.empty(4, dtype=np.uint64)
    for b in range(codes.shape[0]):
        for t in range(codes.shape[1]):
            for i in range(len(lefts)):
                if ranges[b, t, i, 0] == ranges[b, t, i, 1]:
                    break
                for c in range(4):
                    start[c] = first[c] + _rank(ranks, c, np.uint64(ranges[b, t, i, 0]))
                    end[c] = first[c] + _rank(ranks, c, np.uint64(ranges[b, t, i, 1]))
                _count_on(codes[b], t, column[i], reach[i], ranks, first, start, end, counts[b, t])


@njit(cache=True)
def _count_on(window, t, column, reach, ranks, first, start, end, counts):
    """Count four ranges and take them on to the right, side by side, so that their loads from memory overlap."""
    for n in range(reach + 1):
        if column[n] >= 0:
            for c in range(4):
                counts[column[n], c] = end[c] - start[c]
        if n == reach or t + n + 1 >= len(window) or window[t + n + 1] > 3:
            return
        base, left = window[t + n + 1], np.uint64(0)
        for c in range(4):
            if start[c] < end[c]:
                start[c] = first[base] + _rank(ranks, base, start[c])
                end[c] = first[base] + _rank(ranks, base, end[c])
                left += end[c] - start[c]
        if left == 0:
            return
