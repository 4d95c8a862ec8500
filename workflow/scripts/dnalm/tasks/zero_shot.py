"""Scores of substitutions in held-out blocks without any label, for `dnalm.evaluate.variants`."""

import logging

import numpy as np
import pandas as pd

from dnalm.baselines.variants import codon_unseen, codon_usage, position_3
from dnalm.sequence.splits import split_intervals
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.substitutions import Expectations, likelihood_ratios
from dnalm.training.progress import Progress
from dnalm.variants.codon_distance import CodonDistance
from dnalm.variants.codon_frames import CodonFrames, shifted
from dnalm.variants.tolerance import annotated_frames

log = logging.getLogger(__name__)
#: Deletions of one base, and as many silent changes, that are read with a joint likelihood.
SHIFTS = 300
LETTERS = "ACGT"


def held_out_ratios(expected: Expectations, genome, splits, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of a split and log-likelihood ratios float32 (bases, 4) of A C G T against the reference, in nats."""
    intervals = split_intervals(genome, splits, split)
    progress = Progress(int(np.diff(intervals).sum()), "bases", log)
    parts = [part for start, end in intervals for part in expected.span(start, end, progress)]
    ratios = [likelihood_ratios(logp, genome.codes[place : place + len(logp)]) for place, logp in parts]
    return intervals, np.concatenate(ratios) if ratios else np.zeros((0, 4), dtype=np.float32)


def joint_changes(joint: JointLikelihood, genome, table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Joint ratios of deletions of one base of genes, and of silent changes: position, alt (-1 deletes), ratio.

    ``table`` is of `dnalm.evaluate.variants.saturation`; `SHIFTS` rows of both kinds are drawn.
    """
    rng = np.random.default_rng([seed, 303])
    silent = table[table["consequence"] == 0]
    bases = table.drop_duplicates("position")
    some = [rows.iloc[np.sort(rng.permutation(len(rows))[:SHIFTS])] for rows in (bases, silent)]
    changes = pd.concat([some[0].assign(alt=-1), some[1]], ignore_index=True)[["position", "ref", "alt"]]
    before = [LETTERS[base] for base in changes["ref"]]
    after = ["" if base < 0 else LETTERS[base] for base in changes["alt"]]
    return changes.assign(ratio=joint.ratios(changes["position"].to_numpy(), before, after))


class Scores:
    """Scores of all methods for tables of substitutions, higher for worse, as `evaluate_saturation` wants them.

    Parameters
    ----------
    genome : Genome
    calls : DataFrame
        Genes that were found without labels.
    training : bool (length,)
        Positions that codon distances may be learned from.
    ratios : dict of method to (intervals, float (bases, 4))
        Log-likelihood ratios of A C G T against the reference, which need no frame.
    changes : DataFrame
        From `joint_changes`.
    features : DataFrame, optional
        The annotation, for ``dnalm_annotated``: what ``dnalm_frame`` would reach with true frames. It reads the
        annotation (that of the test blocks too) and so is no score without labels.
    """

    def __init__(self, genome, calls, training, ratios: dict, changes: pd.DataFrame, seed: int, features=None):
        self._ratios, self._changes = {m: (_Place(spans), r) for m, (spans, r) in ratios.items()}, changes
        self._frames = CodonFrames.of(genome, calls)
        self._late = CodonFrames.of(genome, shifted(calls))
        self._learned = CodonDistance.learn(genome, self._frames, training)
        self._shuffled = CodonDistance.learn(genome, self._frames, training, shuffle=seed)
        self._wrong = CodonDistance.learn(genome, self._late, training)
        self._true = None if features is None else annotated_frames(genome, features)
        self._told = None if features is None else CodonDistance.learn(genome, self._true, training)

    def __call__(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """{method: float (rows,)}; the first is ``dnalm_frame``, which all others are compared with."""
        position, alt = table["position"].to_numpy(), table["alt"].to_numpy()
        found = {"dnalm_frame": self._learned.score_substitutions(self._frames, position, alt)}
        found |= {method: -ratios[place(position), alt] for method, (place, ratios) in self._ratios.items()}
        rules = {"position_3": position_3, "codon_usage": codon_usage, "codon_unseen": codon_unseen}
        found |= {name: rule(self._frames, self._learned.counts, position, alt) for name, rule in rules.items()}
        found["dnalm_frame_shuffled"] = self._shuffled.score_substitutions(self._frames, position, alt)
        found["dnalm_frame_shifted"] = self._wrong.score_substitutions(self._late, position, alt)
        if self._told is not None:
            found["dnalm_annotated"] = self._told.score_substitutions(self._true, position, alt)
        return found

    def frameshifts(self, table: pd.DataFrame) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """{method: (position, score, whether it shifts the frame)} of deletions of a base and of silent changes.

        The rule ``in_frame`` calls every deletion in a predicted gene as bad as can be.
        """
        mine = self._changes[self._changes["position"].isin(table["position"])]
        position, alt = mine["position"].to_numpy(), mine["alt"].to_numpy()
        deleted = alt < 0
        framed = (deleted & (self._frames.place[position] >= 0)).astype(np.float64)
        ratio = mine["ratio"].to_numpy()
        return {"dnalm": (position, -ratio, deleted), "in_frame": (position, framed, deleted)}


class _Place:
    """Row of every global position in values that lie over intervals end to end."""

    def __init__(self, intervals: np.ndarray):
        order = np.argsort(intervals[:, 0])
        first = np.concatenate([[0], np.cumsum(intervals[:, 1] - intervals[:, 0])])[:-1]
        self._starts, self._shift = intervals[order, 0], (first - intervals[:, 0])[order]

    def __call__(self, position: np.ndarray) -> np.ndarray:
        return position + self._shift[np.searchsorted(self._starts, position, side="right") - 1]
