"""What a two-sided model expects at every base: one pass scores all substitutions of all bases of a stretch.

Bases are read in tiles of a fixed grid that begins with each contig, so that a substitution has the same score whatever
else is asked. Tiles are `TILE` bases long, and `margin` more are read on each side.
"""

import logging

import numpy as np
import torch

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.models.backbone import Backbone, codes_tensor
from dnalm.sequence.alphabet import bases
from dnalm.sequence.batches import cut
from dnalm.training.progress import Progress

log = logging.getLogger(__name__)
#: Bases of a tile, and tiles that are read at once.
TILE, BATCH = 1024, 8


def can_substitute(model: Backbone) -> bool:
    """Whether a model says in one pass what it expects at every base given both sides."""
    return model.config.objective == "two_sided" and model.config.tokens == "base"


class Expectations:
    """Log-probabilities of A C G T at single bases, given all other bases.

    Parameters
    ----------
    model : TwoSided
        With a memory, each base's own copies are left out of its counts (`dnalm.models.memory`).
    genome : Genome
        Need not be one that the model was trained on.
    window : int
        Bases per window of the model's training; half of it is read on each side of a tile.

    Raises
    ------
    InputError
        If the model has no such distribution.
    """

    def __init__(self, model: Backbone, genome: Genome, window: int):
        if not can_substitute(model):
            raise InputError(
                f"a model with objective {model.config.objective} over {model.config.tokens} tokens does not say in "
                "one pass what it expects at every base",
                "pretrain.objective",
                "Use objective two_sided with tokens base",
            )
        self.model, self.genome, self.margin = model.eval(), genome, window // 2
        offsets = genome.contigs["offset"].to_numpy()
        self._ends = offsets + genome.contigs["length"].to_numpy()
        counts = -(-genome.contigs["length"].to_numpy() // TILE)
        self._first_tile = np.concatenate([[0], np.cumsum(counts)])
        self._offsets = offsets

    def tiles_of(self, positions: np.ndarray) -> np.ndarray:
        """Number of the tile of every global position."""
        contig = np.searchsorted(self._offsets, positions, side="right") - 1
        return self._first_tile[contig] + (positions - self._offsets[contig]) // TILE

    def tile_starts(self, tiles: np.ndarray) -> np.ndarray:
        """Global position of the first base of tiles."""
        contig = np.searchsorted(self._first_tile, tiles, side="right") - 1
        return self._offsets[contig] + (tiles - self._first_tile[contig]) * TILE

    @torch.inference_mode()
    def read(self, tiles: np.ndarray) -> np.ndarray:
        """Log-probabilities float32 (tiles, TILE, 4) in nats; NaN beyond the end of a contig."""
        starts = self.tile_starts(tiles)
        length = TILE + 2 * self.margin
        # a window belongs to the contig of its tile's first base
        windows = cut(self.genome, starts - self.margin, length, self.margin)
        output = self.model(
            codes_tensor(windows.codes, self.model.device), self.model.lookup(windows.codes, windows.origin)
        )
        inner = output.two_sided[:, self.margin : self.margin + TILE].float().numpy(force=True)
        contig = np.searchsorted(self._offsets, starts, side="right") - 1
        beyond = starts[:, None] + np.arange(TILE) >= self._ends[contig][:, None]
        return np.where(beyond[:, :, None], np.float32(np.nan), inner)

    def at(self, positions: np.ndarray, progress: Progress | None = None) -> np.ndarray:
        """Log-probabilities float32 (n, 4) at global positions, in any order."""
        positions = np.asarray(positions, dtype=np.int64)
        result = np.empty((len(positions), 4), dtype=np.float32)
        tiles = self.tiles_of(positions)
        order = np.argsort(tiles, kind="stable")
        wanted, firsts = np.unique(tiles[order], return_index=True)
        edges = np.append(firsts, len(order))
        for first in range(0, len(wanted), BATCH):
            some = wanted[first : first + BATCH]
            logp = self.read(some)
            mine = order[edges[first] : edges[first + len(some)]]
            row = np.searchsorted(some, tiles[mine])
            result[mine] = logp[row, positions[mine] - self.tile_starts(some)[row]]
            if progress:
                progress.update(len(some) * TILE)
        return result

    def span(self, start: int, end: int, progress: Progress | None = None):
        """Log-probabilities of a stretch of one contig, in order: pairs of (global start, float32 (n, 4))."""
        tiles = np.arange(self.tiles_of(np.array([start]))[0], self.tiles_of(np.array([end - 1]))[0] + 1)
        for first in range(0, len(tiles), BATCH):
            some = tiles[first : first + BATCH]
            logp, begin = self.read(some).reshape(-1, 4), int(self.tile_starts(some)[0])
            low, high = max(start, begin), min(end, begin + len(logp))
            yield low, logp[low - begin : high - begin]
            if progress:
                progress.update(high - low)


def likelihood_ratios(logp: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Log-likelihood ratios (n, 4) of A C G T against the reference base; its own is 0, and all are NaN at an N.

    ``logp`` (n, 4) in nats, ``reference`` codes (n,). Negative where the model expects the reference more.
    """
    reference = bases(np.asarray(reference)).astype(np.int64)
    own = np.take_along_axis(logp, np.minimum(reference, 3)[:, None], 1)
    return np.where(reference[:, None] < 4, logp - own, np.float32(np.nan))


def entropy(logp: np.ndarray) -> np.ndarray:
    """Entropy in bits of distributions (n, 4) that are given as log-probabilities in nats."""
    return -(np.exp(logp) * logp).sum(-1) / np.float32(np.log(2))
