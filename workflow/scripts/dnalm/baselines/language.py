"""All counting baselines of the language model, from a genome and its splits."""

import logging

import numpy as np

from dnalm.baselines.flanks import FLANKS, fit_flanks, flank_bits
from dnalm.baselines.markov import ORDERS, count_around, fit_weights, held_out, markov_bits
from dnalm.baselines.mixture import Mixture
from dnalm.models.memory import NgramMemory
from dnalm.sequence.splits import final_intervals, split_intervals

log = logging.getLogger(__name__)
HELD_OUT = ("validation", "test")
#: Bases, evenly spread, that smoothing and weights are fitted on: a few hundred numbers need no more, and memory stays
#: flat as the genome grows.
FIT_BASES = 400_000


def language_baselines(genome, splits, seed: int, final: bool = False):
    """Scores of the counting baselines on validation and test bases.

    With ``final`` the validation blocks are counted too, once the smoothing has been chosen on them, and only the test
    blocks are scored.

    Returns
    -------
    intervals : int64 (n, 2)
    scores : dict method -> dict column -> float array, as `dnalm.io.tables.write_scores` wants them
    choices : dict of what was chosen on validation, and the learned weights of the mixture
    """
    training = split_intervals(genome, splits, "train")
    memory = NgramMemory.from_genomes([genome], [training], ORDERS, FLANKS)
    intervals, allowed = held_out(genome, splits, "validation")
    validation = list(count_around(memory, genome, intervals, allowed, FIT_BASES))
    smoothing = fit_weights([(c.forward, c.target) for c in validation])
    flanks = fit_flanks(validation)
    mixture = Mixture(smoothing)
    log.info("smoothing chosen on validation; learning the mixture's weights on training bases, left out one by one")
    mixture.fit(count_around(memory, genome, training, most=FIT_BASES), seed)
    if final:
        memory = NgramMemory.from_genomes([genome], [final_intervals(genome, splits)], ORDERS, FLANKS)
    columns: dict[str, dict[str, list]] = {"markov_orders": {}, "markov_mixture": {}, "flank_counts": {}}
    spans = []
    for split in HELD_OUT[1:] if final else HELD_OUT:
        intervals, allowed = held_out(genome, splits, split)
        spans.append(intervals)
        for counted in count_around(memory, genome, intervals, allowed):
            _append(columns["markov_orders"], markov_bits(counted, smoothing))
            _append(columns["markov_mixture"], mixture.bits(counted))
            _append(columns["flank_counts"], {"two_sided": flank_bits(counted, flanks)})
    scores = {m: {name: np.concatenate(parts) for name, parts in c.items()} for m, c in columns.items()}
    choices = {"smoothing": dict(zip(map(str, ORDERS), smoothing, strict=True)), "flank_smoothing": flanks}
    choices["mixture"] = mixture.weights
    return np.concatenate(spans), scores, choices


def _append(lists: dict[str, list], columns: dict[str, np.ndarray]) -> None:
    for name, values in columns.items():
        lists.setdefault(name, []).append(values)
