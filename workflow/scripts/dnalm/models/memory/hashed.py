"""A memory of fixed size for sequence that is too large to be indexed: counts in a hash table."""

import numpy as np

from dnalm.errors import InputError
from dnalm.models.memory.base import Memory, strands_of
from dnalm.models.memory.table import LONGEST, SLOTS, add_counts, copy_loci, merge_tables, read_counts
from dnalm.sequence.alphabet import N, reverse_complement

#: Bases that are counted at a time.
PIECE = 1 << 18


class HashedMemory(Memory):
    """Counts of one-sided and two-sided contexts in a table of fixed size; the sequence itself is not kept.

    Short contexts, whose counts fit into a quarter of the budget, are counted one by one in a plain table. All others
    share a hash table whose counts end at 4095 and where the rarest context makes room for a new one (see
    `dnalm.models.memory.table`). As long as neither happens, counts are those of `NgramMemory`.

    The own copy of a base is left out by taking the n-grams of its locus on both strands off its counts, never below
    zero. What stands around the base is read from the genomes that were counted or given to `attach`; without them,
    from the window, which knows nothing of the n-grams that reach beyond its ends.

    Parameters
    ----------
    short : uint32 array
        Counts of the short contexts.
    table : uint64 array of shape (buckets, 8)
        Counts of the others.
    segments, digests, orders, flanks
        See `Memory`; orders and both sides of a flank together are at most 31 bases.
    """

    def __init__(self, short, table, segments, digests, orders, flanks):
        super().__init__(segments, digests, orders, flanks)
        self._contexts = context_lengths(self.orders, self.flanks)
        self._offsets = _offsets(self._contexts, len(short))
        self.short, self.table = short, table
        self._genomes = {}

    @classmethod
    def from_genomes(cls, genomes, intervals, orders, flanks, budget_bytes: int) -> "HashedMemory":
        """Memory of the global ``intervals`` (list of int64 (n, 2), one per genome) of ``genomes``, counted in pieces.

        ``genomes`` may be any iterable. Beside the tables, a piece of a genome is in memory at a time: codes that are
        mapped from disk, as those of `dnalm.io.fasta.load_genome`, stay there, and are referred to as by `attach`.
        """
        short, table = _room(context_lengths(orders, flanks), budget_bytes)
        return cls(short, table, [], [], orders, flanks)._counted(genomes, intervals)

    @property
    def budget_bytes(self) -> int:
        """Bytes of both tables."""
        return self.short.nbytes + self.table.nbytes

    def attach(self, genomes) -> None:
        """Let leave-one-out read around a base in these genomes, instead of in the window alone."""
        self._genomes |= {genome.digest: genome.codes for genome in genomes}

    def merged(self, other: "HashedMemory") -> "HashedMemory":
        """The memory of both training sequences, in tables of the same size."""
        segments, digests = self._with_segments_of(other)
        if self.table.shape != other.table.shape or self.short.shape != other.short.shape:
            raise InputError("memories of different size cannot be merged", "", "Count both with one budget_bytes")
        table = self.table.copy()
        merge_tables(table, other.table)
        both = HashedMemory(self.short + other.short, table, segments, digests, self.orders, self.flanks)
        both._genomes = other._genomes | self._genomes
        return both

    def recounted(self, genome, intervals) -> "HashedMemory":
        """A memory of ``intervals`` of another genome, of the same contexts and size."""
        empty = np.zeros_like(self.short), np.zeros_like(self.table)
        return HashedMemory(*empty, [], [], self.orders, self.flanks)._counted([genome], [intervals])

    def tensors(self) -> dict[str, np.ndarray]:
        """What `dnalm.models.memory.storage` saves, as integers that every tool knows."""
        return {"short": self.short.view(np.int32), "table": self.table.view(np.int64)}

    def _counted(self, genomes, intervals) -> "HashedMemory":
        segments = []
        for genome, spans in zip(genomes, intervals, strict=True):
            segments += [(len(self.digests), start, end) for start, end in spans]
            self.digests.append(genome.digest)
            self.attach([genome])
            for start, end in spans:
                self._add(genome.codes, start, end)
        self.segments = np.array(segments, dtype=np.int64).reshape(-1, 3)
        return self

    def _add(self, codes, start, end) -> None:
        """Count the bases from ``start`` to ``end`` on both strands, in pieces, so that little is in memory at once."""
        for begin in range(start, end, PIECE):
            low, high = max(begin - LONGEST, start), min(begin + PIECE + LONGEST, end)
            text = np.asarray(codes[low:high]) & 7
            inner = begin - low, min(begin + PIECE, end) - low
            where = self._contexts, self._offsets, self.short, self.table
            add_counts(text, *inner, *where)
            add_counts(reverse_complement(text), len(text) - inner[1], len(text) - inner[0], *where)

    def _counts(self, codes, flanks=True):
        return (
            self._read(codes, 0, len(self.orders)),
            self._read(reverse_complement(codes), 0, len(self.orders)),
            self._read(codes, len(self.orders), len(self.flanks) if flanks else 0),
        )

    def _read(self, codes, begin, kinds):
        counts = np.zeros((*codes.shape, kinds, 4), dtype=np.int32)
        read_counts(np.ascontiguousarray(codes), begin, self._contexts, self._offsets, self.short, self.table, counts)
        return counts

    def _own_text(self, codes, origin, segments):
        inside, shape = segments >= 0, codes.shape
        if origin[0] in self._genomes:
            source, place = np.asarray(self._genomes[origin[0]]), np.asarray(origin[1])
            strand, (first, last) = strands_of(origin), self.segments[segments, 1:].transpose(2, 0, 1)
        else:
            source, place = np.where(inside, codes, N).ravel(), np.arange(codes.size).reshape(shape)
            strand, first = np.ones((1, 1)), place[:, :1]
            last = first + shape[1]
        reach = int(self._contexts.sum(1).max())
        loci = np.empty((*shape, 4 * reach + 4), dtype=np.uint8)
        around = (np.ascontiguousarray(np.broadcast_to(a, shape), dtype=np.int64) for a in (strand, first, last))
        copy_loci(source, np.where(inside, place, -1), *around, loci)
        begin = np.arange(codes.size).reshape(shape) * loci.shape[2]
        own, mirror = begin + reach, begin + 3 * reach + 2
        return loci.ravel(), np.where(inside, own, -1), np.where(inside, mirror, -1)


def context_lengths(orders, flanks) -> np.ndarray:
    """Bases on the left and on the right of every kind of context, int64 (orders + flanks, 2)."""
    contexts = np.array([*((k, 0) for k in sorted(orders)), *sorted(map(tuple, flanks), key=lambda f: (sum(f), f))])
    if contexts.sum(1).max() > LONGEST:
        raise InputError(f"contexts of more than {LONGEST} bases cannot be hashed", "memory_orders", "Leave them out")
    return contexts


def _room(contexts, budget_bytes: int):
    """Empty tables: plain counts for the kinds that fit into a quarter of the budget, shortest first, and the rest."""
    # in floating point, because the counts of the longest contexts are more than an integer can hold
    sizes = np.sort(4.0 ** (contexts.sum(1) + 1)).cumsum()
    short = np.zeros(int(sizes[sizes * 4 <= budget_bytes // 4].max(initial=0)), dtype=np.uint32)
    buckets = (budget_bytes - short.nbytes) // (8 * SLOTS)
    if buckets < 1:
        raise InputError(f"{budget_bytes} bytes are no room for a memory", "budget_bytes", "Give it a megabyte or more")
    return short, np.zeros((buckets, SLOTS), dtype=np.uint64)


def _offsets(contexts, room: int) -> np.ndarray:
    """Where each kind of context starts among the plain counts, -1 if it is hashed."""
    offsets, used = np.full(len(contexts), -1), 0
    for kind in np.argsort(contexts.sum(1), kind="stable"):
        size = 4 ** int(contexts[kind].sum() + 1)
        if used + size > room:
            break
        offsets[kind], used = used, used + size
    return offsets
