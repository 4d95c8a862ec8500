"""What all memories share: which contexts they count, where their bases come from, and how they are looked up."""

import numpy as np

from dnalm.errors import InputError
from dnalm.models.memory.features import Features, next_shorter_flanks, raw_block, smoothed_block
from dnalm.models.memory.leave_out import leave_out_after, leave_out_between, leave_out_stretch
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.batches import Batch

#: Shortest side of a flank whose sides are unequal: it then backs off to a symmetric one that is seen often.
FLANK_CORE = 5


class Memory:
    """Counts of one-sided and two-sided contexts in training sequence, looked up in batches.

    Subclasses hold the counts (`_counts`) and know the text around a base (`_own_text`).

    Parameters
    ----------
    segments : int64 array of shape (n, 3)
        Genome index, first and last+1 global position of each stretch of training sequence. No n-gram spans two.
    digests : list of str
        Digest of every genome that ``segments`` refers to.
    orders, flanks
        Lengths of one-sided contexts; (left, right) lengths of two-sided contexts. The set of flanks must hold the
        mirror image of each, so that the memory looks the same from both strands.
    """

    def __init__(self, segments, digests, orders, flanks):
        self.segments = np.asarray(segments, dtype=np.int64).reshape(-1, 3)
        self.digests = list(digests)
        self.orders = tuple(sorted(orders))
        self.flanks = tuple(sorted((tuple(f) for f in flanks), key=lambda f: (sum(f), f)))
        if any((r, left) not in self.flanks for left, r in self.flanks):
            raise ValueError("memory flanks must contain the mirror image (right, left) of every (left, right)")
        if any(left != r and min(left, r) < FLANK_CORE for left, r in self.flanks):
            raise ValueError(f"unequal memory flanks must be at least {FLANK_CORE} long on both sides")

    @property
    def _order_lengths(self) -> np.ndarray:
        return np.array(self.orders, dtype=np.int64)

    @property
    def _flank_lengths(self) -> np.ndarray:
        return np.array(self.flanks, dtype=np.int64).reshape(-1, 2)

    @property
    def bases(self) -> int:
        """Bases of training sequence on one strand."""
        return int((self.segments[:, 2] - self.segments[:, 1]).sum())

    def lookup(
        self, codes, origin=None, raw: bool = False, flanks: bool = True, without: Batch | None = None
    ) -> Features:
        """Features of a batch of windows.

        Parameters
        ----------
        codes : uint8 array of shape (batch, length)
            Bases 0..4; contexts do not reach beyond the window and stop at an N.
        origin : see `own_segments`
            Where the windows come from, for leave-one-out; None if they are not from a genome in the memory.
        raw : bool
            Give the four counts and their sum instead of smoothed probabilities and the log count.
        flanks : bool
            Look at two-sided contexts too; without, which is quicker, their block has none.
        without : Batch
            A stretch of the genome for each window, as if the memory had never read it; in place of ``origin``, and
            without two-sided contexts.
        """
        codes = np.ascontiguousarray(codes, dtype=np.uint8)
        ahead, behind, between = self._counts(codes, flanks)
        if without is None:
            self._leave_out(codes, origin, ahead, behind, between)
        elif flanks or origin is not None:
            raise ValueError("a stretch is left out of one-sided contexts, and in place of the bases of an origin")
        else:
            self._leave_out_stretch(codes, without, ahead, behind)
        if raw:
            return Features(raw_block(ahead), raw_block(behind), raw_block(between))
        shorter, lengths = np.arange(len(self.orders)) - 1, [sum(f) for f in self.flanks] if flanks else []
        return Features(
            smoothed_block(ahead, self.orders, shorter),
            smoothed_block(behind, self.orders, shorter),
            smoothed_block(between, lengths, next_shorter_flanks(self.flanks)),
        )

    def _leave_out(self, codes, origin, ahead, behind, between) -> None:
        """Take the n-grams of every base itself out of its counts."""
        segments, orders = self.own_segments(origin, codes.shape), self._order_lengths
        if not (segments >= 0).any() or not (len(orders) or self.flanks):
            return
        text, own, mirror = self._own_text(codes, origin, segments)
        if len(orders):
            leave_out_after(ahead, codes, text, own, mirror, orders)
            flipped = (np.ascontiguousarray(places[:, ::-1]) for places in (mirror, own))
            leave_out_after(behind, reverse_complement(codes), text, *flipped, orders)
        if between.shape[2]:
            leave_out_between(between, codes, text, own, mirror, self._flank_lengths)

    def _leave_out_stretch(self, codes, without: Batch, ahead, behind) -> None:
        """Take the n-grams of a whole stretch out of the counts of a window."""
        segments, orders = self.own_segments(without.origin, without.codes.shape), self._order_lengths
        if not (segments >= 0).any() or not len(orders):
            return
        text, own, mirror = self._own_text(without.codes, without.origin, segments)
        joined = (np.diff(without.positions) == 1) & (segments[:, 1:] == segments[:, :-1]) & (segments[:, 1:] >= 0)
        edge = np.ones((len(joined), 1), dtype=bool)
        first, last = np.hstack([edge, ~joined]), np.hstack([~joined, edge])
        for counts, read in ((ahead, codes), (behind, reverse_complement(codes))):
            leave_out_stretch(counts, read, text, own, mirror, first, last, orders)

    def attach(self, genomes) -> None:
        """Let leave-one-out read around a base in these genomes; a memory that holds the sequence needs none."""

    def own_segments(self, origin, shape) -> np.ndarray:
        """Segment that every base of a batch lies in, int64 of ``shape`` (batch, length), -1 where it is in none.

        Parameters
        ----------
        origin : (genome digest, positions) or (genome digest, positions, strands) or None
            Global position of every base, int64 of ``shape``, -1 for padding; and the strand (+1, -1) that each window
            was read from, of shape (batch,), +1 if left out. Positions follow the reading direction.
        """
        if origin is None or origin[0] not in self.digests:
            return np.full(shape, -1, dtype=np.int64)
        where = np.asarray(origin[1])
        mine = np.flatnonzero(self.segments[:, 0] == self.digests.index(origin[0]))
        order = mine[np.argsort(self.segments[mine, 1])]
        if not len(order):
            return np.full(shape, -1, dtype=np.int64)
        slot = np.searchsorted(self.segments[order, 1], where, side="right") - 1
        segment = order[np.maximum(slot, 0)]
        inside = (slot >= 0) & (where >= 0) & (where < self.segments[segment, 2])
        return np.where(inside, segment, -1)

    def _with_segments_of(self, other) -> tuple[np.ndarray, list[str]]:
        """Segments and digests of both memories, those of this one first."""
        if (self.orders, self.flanks) != (other.orders, other.flanks):
            raise InputError("memories of different contexts cannot be merged", "", "Count both with the same ones")
        digests = list(dict.fromkeys([*self.digests, *other.digests]))
        theirs = other.segments.copy()
        theirs[:, 0] = [digests.index(other.digests[genome]) for genome in other.segments[:, 0]]
        for genome, start, end in theirs:
            mine = self.segments[self.segments[:, 0] == genome]
            if ((mine[:, 1] < end) & (start < mine[:, 2])).any():
                raise InputError(
                    f"bases {start} to {end} of genome {digests[genome]} are in both memories, or some of them", "",
                    "Merge memories of different sequence",
                )  # fmt: skip
        return np.concatenate([self.segments, theirs]), digests

    def _own_text(self, codes, origin, segments):
        """Text around the queried bases, on both strands, and the places of each base and of its complement in it.

        For bases in ``segments`` (batch, length), -1 for none: a text of codes, N at the ends of every stretch, and two
        int64 (batch, length), -1 where there is no such place.
        """
        raise NotImplementedError

    def _counts(self, codes, flanks: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Counts after `orders` on both strands and, if asked for, between `flanks`, the own copy included.

        Each is int32 (batch, length, contexts, 4); those of the reverse strand in its reading order.
        """
        raise NotImplementedError


def strands_of(origin) -> np.ndarray:
    """Strand (+1, -1) that each window of an ``origin`` was read from, shape (batch, 1) or (1, 1)."""
    return np.asarray(origin[2] if len(origin) > 2 else 1).reshape(-1, 1)
