"""A hash table of quantised counts: four bases in one 64-bit slot, eight slots in one cache line.

A slot holds a tag of 16 bits of the context's hash and four counts of 12 bits. A context may live in any slot of its
bucket, a cache line, so that a lookup costs one access to memory. An absent context is taken for another one of its
bucket, because their tags agree, about once in 8000 times when the table is full.

Two rules keep the table to its size. A count stops at 4095. In a full bucket the slot that was seen least gives way to
a newcomer that was seen as often or more; a newcomer that was seen less is not counted.
"""

import numpy as np
from numba import njit

SLOTS = 8
#: Bits of a count and its largest value.
COUNT_BITS, LARGEST = 12, 4095
#: Longest context in bases, both sides together: two bits each in a 64-bit word.
LONGEST = 31


@njit(cache=True)
def _words(row):
    """The `LONGEST` bases before and after each place as words (nearest base lowest), and how many of them are known.

    Returns words uint64 (length, 2) and reach int64 (length, 2); [:, 0] is before, [:, 1] after the place.
    """
    words, reach = np.zeros((len(row), 2), dtype=np.uint64), np.zeros((len(row), 2), dtype=np.int64)
    every = (np.uint64(1) << np.uint64(2 * LONGEST)) - np.uint64(1)
    for side in range(2):
        for i in range(1, len(row)):
            # the place, and its neighbour on this side
            p, q = (i, i - 1) if side == 0 else (len(row) - 1 - i, len(row) - i)
            if row[q] < 4:
                words[p, side] = (words[q, side] << np.uint64(2) | np.uint64(row[q])) & every
                reach[p, side] = min(reach[q, side] + 1, LONGEST)
    return words, reach


@njit(cache=True)
def _context(word, left, right):
    """A context as one number below ``4 ** (left + right)``."""
    one = np.uint64(1)
    before = word[0] & ((one << np.uint64(2 * left)) - one)
    after = word[1] & ((one << np.uint64(2 * right)) - one)
    return before | after << np.uint64(2 * left)


@njit(cache=True)
def _hash(context, kind):
    """64 well-mixed bits of a context and its kind (the finaliser of MurmurHash3, Appleby 2011)."""
    x = context + np.uint64(kind + 1) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    x = (x ^ (x >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return x ^ (x >> np.uint64(33))


@njit(cache=True)
def _bucket_and_tag(x, buckets):
    """Bucket from the upper half of a hash, tag from the lowest bits; 0 is no tag, because it marks an empty slot."""
    return ((x >> np.uint64(32)) * np.uint64(buckets)) >> np.uint64(32), max(x & np.uint64(0xFFFF), np.uint64(1))


@njit(cache=True)
def _count_in(slot, base):
    return (slot >> np.uint64(COUNT_BITS * base)) & np.uint64(LARGEST)


@njit(cache=True)
def _total(slot):
    return _count_in(slot, 0) + _count_in(slot, 1) + _count_in(slot, 2) + _count_in(slot, 3)


@njit(cache=True)
def _put(bucket, new):
    """Add a slot to a bucket by the rules of the module."""
    tag = new >> np.uint64(48)
    poorest, least = 0, np.uint64(2**16)
    for i in range(SLOTS):
        slot = bucket[i]
        if slot >> np.uint64(48) == tag:
            summed = tag
            for base in range(3, -1, -1):
                count = min(_count_in(slot, base) + _count_in(new, base), np.uint64(LARGEST))
                summed = summed << np.uint64(COUNT_BITS) | count
            bucket[i] = summed
            return
        if _total(slot) < least:
            poorest, least = i, _total(slot)
    if least <= _total(new):
        bucket[poorest] = new


@njit(cache=True)
def add_counts(text, begin, end, contexts, offsets, short, table):
    """Count the bases ``text[begin:end]`` in all their contexts.

    Parameters
    ----------
    contexts : int64 (kinds, 2)
        Bases on the left and on the right of each kind of context.
    offsets : int64 (kinds,)
        Where the counts of a kind start in ``short``, -1 for the kinds in ``table``.
    short : uint32
        Counts of short contexts, four by four.
    table : uint64 (buckets, 8)
    """
    words, reach = _words(text)
    for p in range(begin, end):
        if text[p] > 3:
            continue
        for kind in range(len(contexts)):
            left, right = contexts[kind]
            if reach[p, 0] < left or reach[p, 1] < right:
                continue
            context = _context(words[p], left, right)
            if offsets[kind] >= 0:
                short[offsets[kind] + 4 * np.int64(context) + text[p]] += np.uint32(1)
            else:
                bucket, tag = _bucket_and_tag(_hash(context, kind), len(table))
                _put(table[bucket], tag << np.uint64(48) | np.uint64(1) << np.uint64(COUNT_BITS * text[p]))


@njit(cache=True)
def read_counts(codes, begin, contexts, offsets, short, table, counts):
    """Counts in the kinds of context from number ``begin`` on, into ``counts``: int32 zeros (B, L, kinds, 4)."""
    for b in range(codes.shape[0]):
        words, reach = _words(codes[b])
        for t in range(codes.shape[1]):
            for j in range(counts.shape[2]):
                left, right = contexts[begin + j]
                if reach[t, 0] < left or reach[t, 1] < right:
                    continue
                context = _context(words[t], left, right)
                if offsets[begin + j] >= 0:
                    for base in range(4):
                        counts[b, t, j, base] = short[offsets[begin + j] + 4 * np.int64(context) + base]
                    continue
                bucket, tag = _bucket_and_tag(_hash(context, begin + j), len(table))
                for i in range(SLOTS):
                    if table[bucket, i] >> np.uint64(48) == tag:
                        for base in range(4):
                            counts[b, t, j, base] = _count_in(table[bucket, i], base)
                        break


@njit(cache=True)
def merge_tables(table, other):
    """Add the slots of another table with as many buckets."""
    for bucket in range(len(table)):
        for i in range(SLOTS):
            if other[bucket, i] > 0:
                _put(table[bucket], other[bucket, i])


@njit(cache=True)
def copy_loci(source, place, strand, first, last, loci):
    """Copy what stands around each base of a batch, on both strands, into ``loci`` (B, L, 4 m + 4).

    A locus is the m bases before, the base and the m bases after it in reading direction, an N, the reverse complement
    of the same, and an N.

    Parameters
    ----------
    source : uint8
        Codes, of which the soft-mask bit is not looked at.
    place, strand, first, last : int64 (B, L)
        Index of the base in ``source``, -1 for none; direction of reading; and the stretch, first and last + 1, beyond
        which there is nothing but N.
    """
    size = (loci.shape[2] - 2) // 2
    for b in range(place.shape[0]):
        for t in range(place.shape[1]):
            locus = loci[b, t]
            locus[:] = 4
            if place[b, t] < 0:
                continue
            for i in range(size):
                q = place[b, t] + (i - size // 2) * strand[b, t]
                base = source[q] & 7 if first[b, t] <= q < last[b, t] else 4
                if base < 4:
                    locus[i] = base if strand[b, t] > 0 else 3 - base
                    locus[2 * size - i] = 3 - locus[i]
