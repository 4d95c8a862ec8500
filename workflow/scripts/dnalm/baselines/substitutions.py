"""Log-likelihood ratios of substitutions by counting: the Markov mixture of both directions, and flank counts."""

import numpy as np
import torch

from dnalm.baselines.flanks import FLANKS
from dnalm.baselines.markov import ORDERS, Counted, chain, count_around, held_out
from dnalm.baselines.mixture import Mixture, last_two
from dnalm.models.memory import NgramMemory


def counted_mixture(genome, training: np.ndarray, choices: dict) -> tuple[Mixture, NgramMemory]:
    """The frozen mixture, and what it counts: the ``training`` intervals (n, 2).

    ``choices`` are what `dnalm.baselines.language.language_baselines` chose: smoothing, and weights of the mixture.
    """
    memory = NgramMemory.from_genomes([genome], [training], ORDERS, FLANKS)
    return Mixture.load(list(choices["smoothing"].values()), choices["mixture"]), memory


def counted_ratios(genome, splits, choices: dict, split: str, counted: tuple[Mixture, NgramMemory]):
    """Ratios of A C G T against the reference base, at all bases of a split.

    Parameters
    ----------
    choices : dict
        As in `counted_mixture`.
    counted
        From `counted_mixture`.

    Returns
    -------
    intervals : int64 (n, 2)
    ratios : dict of method to float32 (bases, 4), in nats; NaN at an N
    """
    mixture, memory = counted
    intervals, allowed = held_out(genome, splits, split)
    columns: dict[str, list] = {"markov_mixture": [], "flank_counts": []}
    for piece in count_around(memory, genome, intervals, allowed):
        columns["markov_mixture"].append(_against_reference(both_directions(mixture, piece), piece.target))
        flanks = np.log(chain(piece.flanks, choices["flank_smoothing"])[:, -1])
        columns["flank_counts"].append(_against_reference(flanks, piece.target))
    return intervals, {method: np.concatenate(parts) for method, parts in columns.items()}


def ratios_at(genome, training: np.ndarray, choices: dict, position: np.ndarray) -> np.ndarray:
    """The ratios of ``markov_mixture`` as `counted_ratios` has them, float32 (n, 4), at global positions (n,).

    ``training`` intervals (n, 2) are counted; where a position lies in them, its own n-grams are left out.
    """
    return ratios_of(counted_mixture(genome, training, choices), genome, position)


def ratios_of(counted: tuple[Mixture, NgramMemory], genome, position: np.ndarray) -> np.ndarray:
    """`ratios_at` by what is ``counted`` already; ``genome`` need not be the one that was counted."""
    mixture, memory = counted
    place, which = np.unique(position, return_inverse=True)
    parts = [
        _against_reference(both_directions(mixture, piece), piece.target)
        for piece in count_around(memory, genome, np.stack([place, place + 1], axis=1))
    ]
    return np.concatenate([np.zeros((0, 4), dtype=np.float32), *parts])[which]


def both_directions(mixture: Mixture, piece: Counted) -> np.ndarray:
    """Sum of the log-probabilities (bases, 4) that the mixture gives a base from what is before it and from behind it.

    What stands on one side says nothing of the other once the base is known; the bases' own frequency, which counts
    twice then, differs little between them.
    """
    return sum(each_direction(mixture, piece))


@torch.inference_mode()
def each_direction(mixture: Mixture, piece: Counted) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (bases, 4) of the mixture given what is before a base, and given what is behind it."""
    flipped = np.where(piece.target < 4, 3 - piece.target, 4)[::-1]
    ahead = mixture.logits(*mixture.inputs(piece.forward, last_two(piece.target))).log_softmax(-1).numpy()
    reverse = np.ascontiguousarray(piece.reverse[::-1, :, ::-1])
    behind = mixture.logits(*mixture.inputs(reverse, last_two(flipped))).log_softmax(-1).numpy()
    return ahead, behind[::-1, ::-1]


def _against_reference(logp: np.ndarray, target: np.ndarray) -> np.ndarray:
    own = np.take_along_axis(logp, np.minimum(target, 3)[:, None].astype(np.int64), 1)
    return np.where(target[:, None] < 4, logp - own, np.nan).astype(np.float32)
