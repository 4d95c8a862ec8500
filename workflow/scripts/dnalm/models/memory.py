"""N-gram memory: what the training sequence says about a base, given its neighbours, with the base's own copy left out.

The memory *is* the training sequence (both strands), indexed. For a base it counts, over all places of the training
sequence that have the same context, which base stands there: for one-sided contexts of several orders (what stood
after the same k bases) and for two-sided flanks (what stood between the same l bases on the left and r on the right).
A model that carries it therefore remembers the training sequence letter by letter.

Leave-one-out: where the queried base lies inside the memory, every counted n-gram that covers this very base, on either
strand, is left out of its own counts. Otherwise a network trained on them would learn to trust its own copy.

Only the sequence is stored in the model file (one byte per base); the index is rebuilt in well under a second per
megabase. Counts are turned into probabilities by chained back-off: ``p_k = (n_k + a p_{k-1}) / (N_k + a)``, the
predictive mean of a Dirichlet prior centred on the next shorter context (MacKay & Peto 1995).
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from dnalm.sequence.alphabet import N, reverse_complement

#: Values per context in a feature block: 4 centred log-probabilities and log(1 + context count).
VALUES = 5
#: Bases in the longest symmetric flank that is counted in a dense table.
FLANK_CORE = 5


@dataclass(frozen=True)
class Features:
    """Memory features of a batch of windows; every block is float32 and aligned to the base it predicts.

    ``forward`` and ``reverse`` have shape (batch, length, orders, 5): the base given what stands before it on the
    forward strand, and its complement given what stands before it on the reverse strand (stored in reading order of
    the reverse strand). ``flanks`` has shape (batch, length, flanks, 5): the base given both sides.
    """

    forward: np.ndarray
    reverse: np.ndarray
    flanks: np.ndarray


class NgramMemory:
    """Counts of one-sided and two-sided contexts in a training sequence, looked up in batches.

    Parameters
    ----------
    sequence : uint8 array of shape (length,)
        Training segments, codes 0..4, each followed by one N so that no n-gram spans two segments.
    segments : int64 array of shape (n, 3)
        Genome index, first and last+1 global position of each segment, in the order of ``sequence``.
    digests : list of str
        Digest of every genome that ``segments`` refers to.
    orders, flanks
        Lengths of one-sided contexts; (left, right) lengths of two-sided contexts. The set of flanks must hold the
        mirror image of each, so that the memory looks the same from both strands.
    """

    def __init__(self, sequence, segments, digests, orders, flanks):
        self.sequence = np.ascontiguousarray(sequence, dtype=np.uint8)
        self.segments = np.asarray(segments, dtype=np.int64).reshape(-1, 3)
        self.digests = list(digests)
        self.orders = tuple(sorted(orders))
        self.flanks = tuple(sorted((tuple(f) for f in flanks), key=lambda f: (sum(f), f)))
        if any((r, left) not in self.flanks for left, r in self.flanks):
            raise ValueError("memory flanks must contain the mirror image (right, left) of every (left, right)")
        if any(left != r and min(left, r) < FLANK_CORE for left, r in self.flanks):
            raise ValueError(f"unequal memory flanks must be at least {FLANK_CORE} long on both sides")
        bounds = self.segments[:, 2] - self.segments[:, 1] + 1
        self._starts = np.concatenate([[0], np.cumsum(bounds)]).astype(np.int64)
        self._build()

    @classmethod
    def from_genomes(cls, genomes, intervals, orders, flanks) -> "NgramMemory":
        """Memory of the given global ``intervals`` (list of int64 (n, 2), one per genome) of ``genomes``."""
        parts, segments = [], []
        for index, (genome, spans) in enumerate(zip(genomes, intervals, strict=True)):
            for start, end in spans:
                parts += [np.asarray(genome.codes[start:end]) & 7, np.array([N], dtype=np.uint8)]
                segments.append((index, start, end))
        sequence = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint8)
        return cls(sequence, segments, [g.digest for g in genomes], orders, flanks)

    @classmethod
    def empty(cls, orders, flanks) -> "NgramMemory":
        """A memory of nothing: every lookup gives zeros."""
        return cls(np.empty(0, np.uint8), np.empty((0, 3), np.int64), [], orders, flanks)

    def _build(self) -> None:
        text = np.concatenate([np.full(1, N, np.uint8), self.sequence, reverse_complement(self.sequence)])
        self._text = np.concatenate([text, np.full(1, N, np.uint8)])
        size = max(len(self.sequence) * 2, 1)
        self._dense = int(np.clip(np.ceil(np.log(size) / np.log(4)), 4, 12))
        keys = _left_keys(self._text, self._dense)
        self._bucket, self._places = _csr(keys, 4**self._dense)
        self._counts, self._count_offsets = _dense_counts(self._text, self._dense)
        core = _flank_keys(self._text, FLANK_CORE)
        self._core_bucket, self._core_places = _csr(core, 4 ** (2 * FLANK_CORE))
        self._core_counts, self._core_offsets = _dense_flanks(self._text)

    def own_places(self, origin, shape) -> np.ndarray:
        """Place of every base of a batch inside the memory, int64 of ``shape`` (batch, length), -1 where it is not.

        Parameters
        ----------
        origin : (genome digest, positions) or (genome digest, positions, strands) or None
            Global position of every base, int64 of ``shape``, -1 for padding; and the strand (+1, -1) that each window
            was read from, of shape (batch,), +1 if left out. Positions follow the reading direction.
        """
        place = np.full(shape, -1, dtype=np.int64)
        if origin is None or origin[0] not in self.digests:
            return place
        where = np.asarray(origin[1])
        strands = np.asarray(origin[2] if len(origin) > 2 else 1).reshape(-1, 1)
        mine = np.flatnonzero(self.segments[:, 0] == self.digests.index(origin[0]))
        order = mine[np.argsort(self.segments[mine, 1])]
        slot = np.searchsorted(self.segments[order, 1], where, side="right") - 1
        segment = order[np.maximum(slot, 0)]
        inside = (slot >= 0) & (where >= 0) & (where < self.segments[segment, 2])
        forward = 1 + self._starts[segment] + where - self.segments[segment, 1]
        return np.where(inside, np.where(strands > 0, forward, self._mirror(forward)), -1)

    def _mirror(self, place):
        return len(self._text) - 1 - place

    def lookup(self, codes: np.ndarray, origin=None, raw: bool = False) -> Features:
        """Features of a batch of windows.

        Parameters
        ----------
        codes : uint8 array of shape (batch, length)
            Bases 0..4; contexts do not reach beyond the window and stop at an N.
        origin : see `own_places`
            Where the windows come from, for leave-one-out; None if they are not from a genome in the memory.
        raw : bool
            Give the four counts and their sum instead of smoothed probabilities and the log count.
        """
        codes = np.ascontiguousarray(codes, dtype=np.uint8)
        own = self.own_places(origin, codes.shape)
        flipped = np.where(own >= 0, self._mirror(own), -1)[:, ::-1]
        return Features(
            self._one_sided(codes, own, raw),
            self._one_sided(reverse_complement(codes), np.ascontiguousarray(flipped), raw),
            self._two_sided(codes, own, raw),
        )

    def _one_sided(self, codes, own, raw):
        out = np.full((*codes.shape, len(self.orders), VALUES), 0 if raw else 1, dtype=np.float32)
        if len(self.sequence):
            _lookup_left(
                np.ascontiguousarray(codes), own, self._text, np.array(self.orders), self._dense, self._bucket,
                self._places, self._counts, self._count_offsets, raw, out,
            )  # fmt: skip
        return out if raw else np.log(out, out=out)

    def _two_sided(self, codes, own, raw):
        out = np.full((*codes.shape, len(self.flanks), VALUES), 0 if raw else 1, dtype=np.float32)
        if len(self.sequence):
            shorter = np.array([self._backs_off_to(f) for f in self.flanks])
            _lookup_flanks(
                codes, own, self._text, np.array(self.flanks), shorter, self._core_bucket, self._core_places,
                self._core_counts, self._core_offsets, raw, out,
            )  # fmt: skip
        return out if raw else np.log(out, out=out)

    def _backs_off_to(self, flank) -> int:
        """Index of the longest flank inside ``flank``, -1 if there is none.

        The mirror image of a flank backs off to the mirror image of what the flank backs off to: a symmetric flank to a
        symmetric one, another one to the one that leans its way.
        """
        lean = flank[0] - flank[1]
        inside = [
            (left + right, -abs(left - right), (left - right) * lean, i)
            for i, (left, right) in enumerate(self.flanks)
            if (left, right) != flank and left <= flank[0] and right <= flank[1] and (lean or left == right)
        ]
        return max(inside)[-1] if inside else -1


def _csr(keys, size):
    """Places sorted by key: (first index of each key, int64 (size + 1,), and the places, int32)."""
    places = np.flatnonzero(keys >= 0)
    order = places[np.argsort(keys[places], kind="stable")].astype(np.int32)
    return np.concatenate([[0], np.cumsum(np.bincount(keys[places], minlength=size))]).astype(np.int64), order


@njit(cache=True)
def _left_keys(text, k):
    """Key of the k bases before each place (nearest base most significant), -1 if one of them or the place is N."""
    keys = np.full(len(text), -1, dtype=np.int64)
    key, valid, top = 0, 0, 4 ** (k - 1)
    for p in range(len(text)):
        if text[p] < 4:
            if valid >= k:
                keys[p] = key
            key = key // 4 + text[p] * top
            valid += 1
        else:
            key, valid = 0, 0
    return keys


@njit(cache=True)
def _flank_keys(text, k):
    """Key of the k bases on both sides of each place (nearest first), -1 if one of them or the place is N."""
    keys = np.full(len(text), -1, dtype=np.int64)
    for p in range(k, len(text) - k):
        key = 0 if text[p] < 4 else -1
        for j in range(1, k + 1):
            left, right = text[p - j], text[p + j]
            if key < 0 or left > 3 or right > 3:
                key = -1
                break
            key = key * 16 + left * 4 + right
        keys[p] = key
    return keys


@njit(cache=True)
def _dense_counts(text, dense):
    """Counts of the next base after every context of 1..dense bases, flat, and the offset of each order."""
    offsets = np.zeros(dense + 1, dtype=np.int64)
    for k in range(1, dense):
        offsets[k + 1] = offsets[k] + 4 ** (k + 1)
    counts = np.zeros(offsets[dense] + 4 ** (dense + 1), dtype=np.int32)
    for p in range(len(text)):
        if text[p] > 3:
            continue
        key = 0
        for k in range(1, dense + 1):
            if p - k < 0 or text[p - k] > 3:
                break
            key = key * 4 + text[p - k]
            counts[offsets[k] + key * 4 + text[p]] += 1
    return counts, offsets


@njit(cache=True)
def _dense_flanks(text):
    """Counts of the base between 1..FLANK_CORE bases on each side, flat, and the offset of each length."""
    offsets = np.zeros(FLANK_CORE + 1, dtype=np.int64)
    for k in range(1, FLANK_CORE):
        offsets[k + 1] = offsets[k] + 4 ** (2 * k + 1)
    counts = np.zeros(offsets[FLANK_CORE] + 4 ** (2 * FLANK_CORE + 1), dtype=np.int32)
    for p in range(len(text)):
        if text[p] > 3:
            continue
        key = 0
        for k in range(1, FLANK_CORE + 1):
            if p - k < 0 or p + k >= len(text) or text[p - k] > 3 or text[p + k] > 3:
                break
            key = key * 16 + text[p - k] * 4 + text[p + k]
            counts[offsets[k] + key * 4 + text[p]] += 1
    return counts, offsets


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
def _covers(own, mirror, p, left, right):
    """True if the n-gram from ``p - left`` to ``p + right`` covers the base at ``own`` or its copy at ``mirror``."""
    return (p - left <= own <= p + right) or (p - left <= mirror <= p + right)


@njit(cache=True)
def prior_weight(length):
    """Pseudo-counts of the back-off for a context of ``length`` bases.

    Short contexts are seen often and say little beyond the next shorter one; a long one that was seen at all is a
    repeat and says a lot. Values from a grid on validation blocks of a 1-Mb bacterium; the network sees the counts
    too and re-weights.
    """
    return 128.0 if length <= 10 else 32.0 if length <= 13 else 4.0


@njit(cache=True)
def _write(counts, prior, weight, raw, out):
    """Write 4 x probability and 1 + count to ``out``; ``prior`` becomes the smoothed probability.

    Logarithms are taken afterwards by numpy over the whole block, which is many times faster than one by one.
    """
    total = counts[0] + counts[1] + counts[2] + counts[3]
    if raw:
        out[:4], out[4] = counts, total
        return
    if total > 0:
        scale = 1.0 / (total + weight)
        for b in range(4):
            prior[b] = (counts[b] + weight * prior[b]) * scale
    for b in range(4):
        out[b] = prior[b] * 4.0
    out[4] = 1 + total


@njit(cache=True)
def _lookup_left(codes, own, text, orders, dense, bucket, places, counts, offsets, raw, out):
    longest = orders[-1]
    dense = min(dense, longest)
    table = np.zeros((longest + 1, 4), dtype=np.int64)
    prior = np.empty(4)
    last = len(text) - 1
    for b in range(codes.shape[0]):
        window = codes[b]
        for t in range(codes.shape[1]):
            here, mirror = own[b, t], -1
            if here >= 0:
                mirror = last - here
            table[:] = 0
            key, depth = 0, 0
            while depth < dense and t - depth > 0 and window[t - depth - 1] < 4:
                key = key * 4 + window[t - depth - 1]
                depth += 1
                for c in range(4):
                    table[depth, c] = counts[offsets[depth] + key * 4 + c]
            if here >= 0:
                _leave_out_left(table, text, here, mirror, window, t, min(depth, longest))
            if depth == dense and longest > dense:
                for i in range(bucket[key], bucket[key + 1]):
                    p = places[i]
                    n = _match_left(text, p, window, t, longest)
                    for k in range(dense + 1, n + 1):
                        if here < 0 or not _covers(here, mirror, p, k, 0):
                            table[k, text[p]] += 1
            prior[:] = 0.25
            for j in range(len(orders)):
                k = orders[j]
                _write(table[k], prior, prior_weight(k), raw, out[b, t, j])


@njit(cache=True)
def _leave_out_left(table, text, own, mirror, window, t, depth):
    """Take the n-grams that cover the queried base out of the counts of the short orders."""
    for copy in (own, mirror):
        for d in range(depth + 1):
            p = copy + d
            if p >= len(text) or text[p] > 3:
                break
            n = _match_left(text, p, window, t, depth)
            for k in range(max(d, 1), n + 1):
                # an n-gram that covers both copies (a palindrome) is met from both: take it out once
                if copy == own or not (p - k <= own <= p):
                    table[k, text[p]] -= 1


@njit(cache=True)
def _lookup_flanks(codes, own, text, flanks, shorter, bucket, places, counts, offsets, raw, out):
    longest = 0
    for j in range(len(flanks)):
        longest = max(longest, flanks[j, 0], flanks[j, 1])
    table = np.zeros((len(flanks), 4), dtype=np.int64)
    smooth = np.empty((len(flanks), 4))
    last = len(text) - 1
    for b in range(codes.shape[0]):
        window = codes[b]
        for t in range(codes.shape[1]):
            here, mirror = own[b, t], -1
            if here >= 0:
                mirror = last - here
            table[:] = 0
            key = _count_core(table, flanks, window, t, counts, offsets)
            if here >= 0:
                _leave_out_flanks(table, flanks, text, here, mirror, window, t)
            if key >= 0 and longest > FLANK_CORE:
                for i in range(bucket[key], bucket[key + 1]):
                    p = places[i]
                    left = _match_left(text, p, window, t, longest)
                    right = _match_right(text, p, window, t, longest)
                    for j in range(len(flanks)):
                        lo, hi = flanks[j]
                        if (lo > FLANK_CORE or hi > FLANK_CORE) and left >= lo and right >= hi:
                            if here < 0 or not _covers(here, mirror, p, lo, hi):
                                table[j, text[p]] += 1
            for j in range(len(flanks)):
                if shorter[j] >= 0:
                    smooth[j] = smooth[shorter[j]]
                else:
                    smooth[j] = 0.25
                _write(table[j], smooth[j], prior_weight(flanks[j, 0] + flanks[j, 1]), raw, out[b, t, j])


@njit(cache=True)
def _count_core(table, flanks, window, t, counts, offsets):
    """Counts of the symmetric short flanks; returns the key of the longest core, -1 if it is not all ACGT."""
    key = 0
    for k in range(1, FLANK_CORE + 1):
        if t - k < 0 or t + k >= len(window) or window[t - k] > 3 or window[t + k] > 3:
            return -1
        key = key * 16 + window[t - k] * 4 + window[t + k]
        for j in range(len(flanks)):
            if flanks[j, 0] == k and flanks[j, 1] == k:
                for c in range(4):
                    table[j, c] = counts[offsets[k] + key * 4 + c]
    return key


@njit(cache=True)
def _leave_out_flanks(table, flanks, text, own, mirror, window, t):
    """Take the flanked bases whose n-gram covers the queried base out of the counts of the short flanks."""
    for copy in (own, mirror):
        for d in range(-FLANK_CORE, FLANK_CORE + 1):
            p = copy + d
            if p < 0 or p >= len(text) or text[p] > 3:
                continue
            left = _match_left(text, p, window, t, FLANK_CORE)
            right = _match_right(text, p, window, t, FLANK_CORE)
            for j in range(len(flanks)):
                lo, hi = flanks[j]
                if lo > FLANK_CORE or hi > FLANK_CORE or left < lo or right < hi or not -hi <= d <= lo:
                    continue
                if copy == own or not (p - lo <= own <= p + hi):
                    table[j, text[p]] -= 1
