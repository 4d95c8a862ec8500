"""Random training windows: a pure function of seed and step, so that a training can go on anywhere."""

import numpy as np

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.sequence.batches import Batch, cut
from dnalm.training.distributed import share


class WindowSampler:
    """Random windows inside intervals.

    Parameters
    ----------
    genome : Genome
    intervals : int64 (n, 2)
        Global coordinates; a window starts in an interval with a chance that grows with the interval's length.
    window, batch : int
        Bases per window, windows per batch.
    warmup : (int, int), optional
        Length of the first windows and number of steps after which ``window`` is reached by doubling at equal times.
        Shorter windows are more to a batch, so that every step has about as many bases.
    context : int
        Bases that are added on both sides of every window.
    sampling : str
        ``base``: as above; ``genome``: every genome that has intervals gives as many windows as every other one, and
        within it a window starts as above.
    """

    def __init__(
        self, genome: Genome, intervals: np.ndarray, window: int, batch: int, seed: int, warmup=None, context: int = 0,
        sampling: str = "base",
    ):  # fmt: skip
        if not len(intervals):
            raise InputError("no training bases are left", "splits", "Lower the test and validation shares or the gap")
        # intervals are sorted, so that those of one genome follow one another
        owners = genome.owners[np.searchsorted(genome.contigs["offset"], intervals[:, 0], side="right") - 1]
        borders = np.flatnonzero(owners[1:] != owners[:-1]) + 1 if sampling == "genome" else []
        self.shares = np.array([0, *borders, len(intervals)])
        self.genome, self.intervals, self.edges = genome, intervals, {}
        self.window, self.batch, self.seed, self.warmup, self.context = window, batch, seed, warmup, context

    def shape(self, step: int) -> tuple[int, int]:
        """Windows and bases per window of the batch of a step."""
        length = self.window
        if self.warmup and step < self.warmup[1]:
            doublings = int(np.ceil(np.log2(self.window / self.warmup[0])))
            done = step * max(doublings, 1) // self.warmup[1]
            length = min(self.warmup[0] * 2**done, self.window)
        return max(self.window * self.batch // length, 1), length

    def __call__(self, step: int, part: int = 0, parts: int = 1) -> Batch:
        """The batch of a step, or a part of it; bases outside the interval that a window starts in are padding."""
        count, length = self.shape(step)
        edges = self._edges(length)
        draw = self._draw(np.random.default_rng([self.seed, step]), edges, count)
        draw = draw[share(count, part, parts)]
        slot = np.searchsorted(edges, draw, side="right") - 1
        spans = self.intervals[slot]
        starts = spans[:, 0] + draw - edges[slot]
        return cut(self.genome, starts - self.context, length + 2 * self.context, self.context, spans)

    def _edges(self, length: int) -> np.ndarray:
        """Numbers of the starts of windows of ``length`` bases: those of interval i begin with ``edges[i]``."""
        if length not in self.edges:
            room = np.maximum(self.intervals[:, 1] - self.intervals[:, 0] - length, 0) + 1
            self.edges[length] = np.concatenate([[0], np.cumsum(room)])
        return self.edges[length]

    def _draw(self, rng, edges: np.ndarray, count: int) -> np.ndarray:
        """Numbers of ``count`` starts; those of interval i run from ``edges[i]`` to ``edges[i + 1]``."""
        edges = edges[self.shares]
        if len(edges) == 2:
            return rng.integers(0, edges[-1], count)
        chosen = rng.integers(0, len(edges) - 1, count)
        return rng.integers(edges[chosen], edges[chosen + 1])
