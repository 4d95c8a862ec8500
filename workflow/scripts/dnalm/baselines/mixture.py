"""The causal ruler: a logistic mixture of Markov models of orders 1..24, in the way of context-mixing compressors.

log p(base) is a weighted sum of the models' log-probabilities (renormalised), as in PAQ and cmix (Mattern 2012). The
weights come from sets chosen by how long a context was seen before (the match length) and by the last two bases. They
are learned on the training blocks with every base's own n-grams left out, then frozen: nothing adapts on test bases.
Inverted repeats count, since both strands are in the counts.
"""

import logging
from collections.abc import Iterable

import numpy as np
import torch

from dnalm.baselines.markov import LN2_BITS, ORDERS, Counted, chain
from dnalm.training.progress import Progress

log = logging.getLogger(__name__)
EPOCHS, BATCH, RATE = 3, 4096, 0.02


class Mixture:
    """Weights of the mixture; ``smoothing`` are the pseudo-counts of the orders."""

    def __init__(self, smoothing):
        self.smoothing = smoothing
        start = torch.zeros(len(ORDERS))
        start[ORDERS.index(6)] = 1.0
        self.by_match = start.repeat(len(ORDERS) + 1, 1).requires_grad_()
        self.by_bases = torch.zeros(16, len(ORDERS), requires_grad=True)

    @classmethod
    def load(cls, smoothing, weights: dict[str, list]) -> "Mixture":
        """The mixture whose `weights` these are."""
        mixture = cls(smoothing)
        mixture.by_match, mixture.by_bases = (torch.tensor(weights[name]) for name in ("by_match", "by_bases"))
        return mixture

    @property
    def weights(self) -> dict[str, list]:
        """What was learned, as lists of numbers."""
        return {"by_match": self.by_match.tolist(), "by_bases": self.by_bases.tolist()}

    def inputs(self, counts: np.ndarray, before: np.ndarray):
        """Log-probabilities (bases, orders, 4), match length as an index, and the last two bases as an index."""
        logp = torch.from_numpy(np.log(chain(counts, self.smoothing)).astype(np.float32))
        match = torch.from_numpy((counts.sum(2) > 0).sum(1).astype(np.int64))
        return logp, match, torch.from_numpy(before)

    def logits(self, logp, match, before) -> torch.Tensor:
        """(bases, 4)."""
        weights = self.by_match[match] + self.by_bases[before]
        return (weights.unsqueeze(1) @ logp).squeeze(1)

    def fit(self, pieces: Iterable[Counted], seed: int) -> None:
        """Learn the weights on training bases whose own n-grams are left out (Adam, decaying rate)."""
        parts = [
            (*self.inputs(c.forward, last_two(c.target)), torch.from_numpy(c.target.astype(np.int64))) for c in pieces
        ]
        logp, match, before, target = (torch.cat(column) for column in zip(*parts, strict=True))
        optimizer = torch.optim.Adam([self.by_match, self.by_bases], RATE)
        generator = torch.Generator().manual_seed(seed)
        steps = EPOCHS * (len(target) // BATCH + 1)
        progress = Progress(EPOCHS * len(target), "bases", log)
        step = 0
        for _ in range(EPOCHS):
            for rows in torch.randperm(len(target), generator=generator).split(BATCH):
                loss = torch.nn.functional.cross_entropy(
                    self.logits(logp[rows], match[rows], before[rows]), target[rows], ignore_index=4
                )
                optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                step += 1
                progress.update(len(rows), bits_per_base=loss.item() / LN2_BITS)

    @torch.inference_mode()
    def bits(self, counted: Counted) -> dict[str, np.ndarray]:
        """Bits per base in both directions."""
        columns = {}
        flipped = np.where(counted.target < 4, 3 - counted.target, 4)
        reading = (("forward", counted.forward, last_two(counted.target), counted.target),)
        reading += (("reverse", counted.reverse[::-1, :, ::-1], last_two(flipped[::-1]), flipped[::-1]),)
        for direction, counts, before, target in reading:
            logp = self.logits(*self.inputs(np.ascontiguousarray(counts), before)).log_softmax(-1).numpy()
            value = -np.take_along_axis(logp, np.minimum(target, 3)[:, None].astype(np.int64), 1)[:, 0] / LN2_BITS
            value = np.where(target < 4, value, np.nan)
            columns[f"causal_{direction}"] = value if direction == "forward" else value[::-1]
        return columns


def last_two(target: np.ndarray) -> np.ndarray:
    """Index 0..15 of the two bases before each base; 0 at the beginning and next to an N."""
    padded = np.concatenate([[4, 4], target[:-1]]).astype(np.int64)
    index = 4 * padded[:-1] + padded[1:]
    return np.where((padded[:-1] < 4) & (padded[1:] < 4), index, 0)
