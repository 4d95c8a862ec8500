"""Leave-one-out: take what was counted at the queried place itself, on either strand, out of the counts.

Every n-gram that covers the queried base, or for a comparison of alleles any base of a whole stretch. An n-gram covers
a base if the base is in it, predicted or context: the words around the base see it as well. Both copies of the base,
on the strand of the window and on the other one, are places of one text of both strands. No count falls below zero: a
table of fixed size may have lost some of what is taken away.
"""

import numpy as np
from numba import njit

#: Bases that a quick look compares without a branch; bases by which n-grams of a stretch are looked up.
GLANCE, KEY = 4, 4


@njit(cache=True)
def _match_left(text, p, window, t, limit):
    """How many bases before ``text[p]`` equal those before ``window[t]``, at most ``limit``; N matches nothing."""
    n = 0
    while n < limit and t - n > 0 and p - n > 0:
        base = window[t - n - 1]
        if base > 3 or base != text[p - n - 1]:
            break
        n += 1
    return n


@njit(cache=True)
def _match_right(text, p, window, t, limit):
    """How many bases after ``text[p]`` equal those after ``window[t]``, at most ``limit``; N matches nothing."""
    n = 0
    while n < limit and t + n + 1 < len(window) and p + n + 1 < len(text):
        base = window[t + n + 1]
        if base > 3 or base != text[p + n + 1]:
            break
        n += 1
    return n


@njit(cache=True)
def _differs_left(text, p, window, t):
    """Whether one of the `GLANCE` bases before both places differs: a quick No to most places; False at the edges."""
    if t < GLANCE or p < GLANCE:
        return False
    differs = False
    for n in range(1, GLANCE + 1):
        differs |= text[p - n] != window[t - n]
    return differs


@njit(cache=True)
def _differs_right(text, p, window, t):
    """Whether one of the `GLANCE` bases after both places differs; False at the edges."""
    if t + GLANCE >= len(window) or p + GLANCE >= len(text):
        return False
    differs = False
    for n in range(1, GLANCE + 1):
        differs |= text[p + n] != window[t + n]
    return differs


@njit(cache=True)
def leave_out_after(counts, codes, text, own, mirror, orders):
    """Take the own n-grams out of counts after ``orders`` bases.

    Parameters
    ----------
    counts : int32 (B, L, orders, 4)
        Changed in place.
    own, mirror : int64 (B, L)
        Place of each base in ``text`` and place of its complement on the other strand; ``own`` is -1 where the base is
        not in the memory.
    """
    longest = orders[-1]
    column = np.full(longest + 1, -1)
    column[orders] = np.arange(len(orders))
    for b in range(codes.shape[0]):
        for t in range(codes.shape[1]):
            here = own[b, t]
            if here < 0:
                continue
            for copy in (here, mirror[b, t]):
                for d in range(longest + 1):
                    p = copy + d
                    if p >= len(text) or text[p] > 3:
                        break
                    if d >= GLANCE and _differs_left(text, p, codes[b], t):
                        continue
                    for k in range(max(d, 1), _match_left(text, p, codes[b], t, longest) + 1):
                        # an n-gram that covers both copies (a palindrome) is met from both: take it out once
                        if column[k] >= 0 and (copy == here or not (p - k <= here <= p)):
                            counts[b, t, column[k], text[p]] -= counts[b, t, column[k], text[p]] > 0


@njit(cache=True)
def leave_out_between(counts, codes, text, own, mirror, flanks):
    """Take the own n-grams out of counts between ``flanks`` (n, 2); see `leave_out_after`."""
    most_left, most_right, least = flanks[:, 0].max(), flanks[:, 1].max(), flanks[:, 0].min()
    for b in range(codes.shape[0]):
        for t in range(codes.shape[1]):
            here = own[b, t]
            if here < 0:
                continue
            for copy in (here, mirror[b, t]):
                for p in range(max(copy - most_right, 0), min(copy + most_left + 1, len(text))):
                    # a flank that reaches back to the copy is at least as long as the way
                    if p - copy >= GLANCE and _differs_left(text, p, codes[b], t):
                        continue
                    if copy - p >= GLANCE and _differs_right(text, p, codes[b], t):
                        continue
                    left = _match_left(text, p, codes[b], t, most_left)
                    if text[p] > 3 or left < least:
                        continue
                    right = _match_right(text, p, codes[b], t, most_right)
                    for j in range(len(flanks)):
                        lo, hi = flanks[j]
                        if lo <= left and hi <= right and p - lo <= copy <= p + hi:
                            if copy == here or not (p - lo <= here <= p + hi):
                                counts[b, t, j, text[p]] -= counts[b, t, j, text[p]] > 0


@njit(cache=True)
def leave_out_stretch(counts, codes, text, own, mirror, first, last, orders):
    """Take every n-gram that covers any base of a stretch out of the counts of a whole window.

    The counts become those of a memory that never read the stretch.

    Parameters
    ----------
    counts : int32 (B, L, orders, 4)
        Changed in place.
    codes : uint8 (B, L)
        Windows, read in either direction.
    own, mirror : int64 (B, S)
        Place in ``text`` of each base of the stretch and of its complement; -1 where the base is not in the memory.
    first, last : bool (B, S)
        Whether the memory has not read the base before, and the one behind, as part of the stretch.
    """
    longest = orders[-1]
    for b in range(codes.shape[0]):
        most = 2 * own.shape[1] + longest * (first[b].sum() + last[b].sum())
        places, shortest = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
        found = 0
        for s in range(own.shape[1]):
            if own[b, s] >= 0:
                found = _add_places(text, own[b, s], longest * last[b, s], places, shortest, found)
                found = _add_places(text, mirror[b, s], longest * first[b, s], places, shortest, found)
        _leave_out_short(counts[b], codes[b], text, places[:found], shortest, orders)
        _leave_out_long(counts[b], codes[b], text, places[:found], shortest, orders)


@njit(cache=True)
def _leave_out_short(counts, window, text, places, shortest, orders):
    """What is predicted at ``places`` after contexts of less than `KEY` bases: all of them are counted once."""
    for j in range(len(orders)):
        if orders[j] >= KEY:
            break
        table = np.zeros((4 ** orders[j], 4), dtype=np.int32)
        for i in range(len(places)):
            key = _key(text, places[i], orders[j]) if shortest[i] <= orders[j] else -1
            if key >= 0:
                table[key, text[places[i]]] += 1
        for t in range(len(window)):
            key = _key(window, t, orders[j])
            if key >= 0:
                for base in range(4):
                    counts[t, j, base] = max(counts[t, j, base] - table[key, base], 0)


@njit(cache=True)
def _leave_out_long(counts, window, text, places, shortest, orders):
    """The same after contexts of `KEY` bases and more: places with the same nearest bases stand in one list."""
    column = np.full(orders[-1] + 1, -1)
    column[orders] = np.arange(len(orders))
    heads, following = np.full(4**KEY, -1), np.empty(len(places), dtype=np.int64)
    for i in range(len(places)):
        key = _key(text, places[i], KEY)
        if key >= 0:
            following[i], heads[key] = heads[key], i
    for t in range(len(window)):
        key = _key(window, t, KEY)
        i = heads[key] if key >= 0 else -1
        while i >= 0:
            base = text[places[i]]
            for k in range(max(shortest[i], KEY), _match_left(text, places[i], window, t, orders[-1]) + 1):
                if column[k] >= 0:
                    counts[t, column[k], base] -= counts[t, column[k], base] > 0
            i = following[i]


@njit(cache=True)
def _add_places(text, place, beyond, places, shortest, found):
    """Places that n-grams with the base at ``place`` predict: itself, and up to ``beyond`` that follow.

    An n-gram that reaches back to the base has a context of at least as many bases as there are between.
    """
    for d in range(beyond + 1):
        if place + d >= len(text) or text[place + d] > 3:
            break
        places[found], shortest[found] = place + d, d
        found += 1
    return found


@njit(cache=True)
def _key(codes, t, size):
    """The ``size`` bases before a place as a number; -1 with an N among them, or at the beginning."""
    if t < size:
        return -1
    key = 0
    for n in range(1, size + 1):
        if codes[t - n] > 3:
            return -1
        key = 4 * key + codes[t - n]
    return key
