"""The exact memory: the training sequence itself, indexed."""

import numpy as np

from dnalm.errors import InputError
from dnalm.models.memory.base import Memory, strands_of
from dnalm.models.memory.index import BLOCK, build_ranks, count_after, count_between
from dnalm.sequence.alphabet import N, reverse_complement


class NgramMemory(Memory):
    """Counts of one-sided and two-sided contexts in a training sequence, looked up in batches.

    Parameters
    ----------
    sequence : uint8 array of shape (length,)
        Training segments, codes 0..4, each followed by one N so that no n-gram spans two segments.
    segments, digests, orders, flanks
        See `Memory`; segments in the order of ``sequence``.
    """

    def __init__(self, sequence, segments, digests, orders, flanks):
        super().__init__(segments, digests, orders, flanks)
        self.sequence = np.ascontiguousarray(sequence, dtype=np.uint8)
        sizes = self.segments[:, 2] - self.segments[:, 1] + 1
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        edge = np.full(1, N, np.uint8)
        self._text = np.concatenate([edge, self.sequence, reverse_complement(self.sequence), edge])
        if len(self._text) >= 2**32:
            raise InputError(
                f"{len(self.sequence):,} bases are too many for the exact memory", "", "Use a HashedMemory instead"
            )
        depth = max([*self.orders, *(sum(f) for f in self.flanks), 1])
        self._ranks, self._first = build_ranks(self._text, depth)

    @classmethod
    def from_genomes(cls, genomes, intervals, orders, flanks) -> "NgramMemory":
        """Memory of the given global ``intervals`` (list of int64 (n, 2), one per genome) of ``genomes``."""
        parts, segments, digests = [], [], []
        for genome, spans in zip(genomes, intervals, strict=True):
            for start, end in spans:
                parts += [np.asarray(genome.codes[start:end]) & 7, np.array([N], dtype=np.uint8)]
                segments.append((len(digests), start, end))
            digests.append(genome.digest)
        sequence = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint8)
        return cls(sequence, segments, digests, orders, flanks)

    @classmethod
    def empty(cls, orders, flanks) -> "NgramMemory":
        """A memory of nothing: every lookup gives zeros."""
        return cls(np.empty(0, np.uint8), np.empty((0, 3), np.int64), [], orders, flanks)

    def merged(self, other: "NgramMemory") -> "NgramMemory":
        """The memory of both training sequences."""
        segments, digests = self._with_segments_of(other)
        return NgramMemory(np.concatenate([self.sequence, other.sequence]), segments, digests, self.orders, self.flanks)

    def recounted(self, genome, intervals) -> "NgramMemory":
        """A memory of ``intervals`` of another genome, of the same contexts.

        A network that learned to weigh counts reads a target genome in the light of its own words: an adaptation that
        needs no labels and no training.
        """
        return NgramMemory.from_genomes([genome], [intervals], self.orders, self.flanks)

    def tensors(self) -> dict[str, np.ndarray]:
        """What `dnalm.models.memory.storage` saves; the index is built again from it."""
        return {"sequence": self.sequence}

    def own_places(self, origin, shape) -> np.ndarray:
        """Place of every base of a batch inside the memory, int64 of ``shape`` (batch, length), -1 where it is not.

        ``origin`` is that of `own_segments`.
        """
        return self._places(origin, self.own_segments(origin, shape))

    def _places(self, origin, segments):
        if not (segments >= 0).any():
            return segments
        forward = 1 + self._starts[segments] + np.asarray(origin[1]) - self.segments[segments, 1]
        return np.where(segments >= 0, np.where(strands_of(origin) > 0, forward, self._mirror(forward)), -1)

    def _mirror(self, place):
        return len(self._text) - 1 - place

    def _own_text(self, codes, origin, segments):
        own = self._places(origin, segments)
        return self._text, own, np.where(own >= 0, self._mirror(own), -1)

    def _counts(self, codes, flanks=True):
        wanted = self.flanks if flanks else ()
        lefts = np.unique([left for left, _ in wanted]).astype(np.int64)
        ahead, ranges = self._sweep(codes, lefts)
        behind, _ = self._sweep(reverse_complement(codes), lefts)
        between = np.zeros((*codes.shape, len(wanted), 4), dtype=np.int32)
        if wanted:
            count_between(codes, self._flank_lengths, lefts, ranges, self._ranks, self._first, between)
        return ahead, behind, between

    def _sweep(self, codes, lefts):
        counts = np.zeros((*codes.shape, len(self.orders), 4), dtype=np.int32)
        ranges = np.zeros((*codes.shape, len(lefts), 2), dtype=np.uint32)
        if self.orders or len(lefts):
            count_after(codes, self._order_lengths, lefts, self._ranks, self._first, counts, ranges)
        return counts, ranges


def index_bytes(bases: int) -> int:
    """Bytes that an `NgramMemory` of one segment of ``bases`` keeps: sequence, text of both strands, ranks.

    While the index is built, it takes about five times as much.
    """
    text = 2 * bases + 4
    few_numbers = 3 * 8 + 2 * 8 + 5 * 8
    return bases + 1 + text + 4 * 8 * (text // BLOCK + 1) + few_numbers
