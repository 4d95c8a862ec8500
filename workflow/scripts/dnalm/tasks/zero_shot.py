"""Scores of substitutions in held-out blocks without any label, for `dnalm.evaluate.variants`."""

import logging

import numpy as np
import pandas as pd

from dnalm.baselines.variants import codon_unseen, codon_usage, position_3
from dnalm.sequence.alphabet import decode
from dnalm.sequence.splits import split_intervals
from dnalm.tasks.joint_likelihood import JointRatios
from dnalm.tasks.substitutions import Expectations, likelihood_ratios
from dnalm.training.progress import Progress
from dnalm.variants.codon_distance import CodonDistance
from dnalm.variants.codon_frames import CodonFrames, shifted
from dnalm.variants.tolerance import annotated_frames

log = logging.getLogger(__name__)
#: Deletions of one base, and as many silent changes, that are read with a joint likelihood.
SHIFTS, CODON = 300, 3
LETTERS = "ACGT"
#: Score of a lost frame where frames are known: worse than any change of a codon.
WORST = 1e6


def held_out_ratios(expected: Expectations, genome, splits, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of a split and log-likelihood ratios float32 (bases, 4) of A C G T against the reference, in nats."""
    intervals = split_intervals(genome, splits, split)
    progress = Progress(int(np.diff(intervals).sum()), "bases", log)
    parts = [part for start, end in intervals for part in expected.span(start, end, progress)]
    ratios = [likelihood_ratios(logp, genome.codes[place : place + len(logp)]) for place, logp in parts]
    return intervals, np.concatenate(ratios) if ratios else np.zeros((0, 4), dtype=np.float32)


def joint_changes(joint: JointRatios, genome, table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Joint ratios of deletions in genes, and of silent changes: position, alt (-n deletes n bases), ratio.

    ``table`` is of `dnalm.evaluate.variants.saturation`; `SHIFTS` deletions of one base and as many silent changes are
    drawn, and where the two bases behind are of the same gene, all three are deleted as well.
    """
    rng = np.random.default_rng([seed, 303])
    silent = table[table["consequence"] == 0]
    bases = table.drop_duplicates("position")
    some = [rows.iloc[np.sort(rng.permutation(len(rows))[:SHIFTS])] for rows in (bases, silent)]
    gene = bases.set_index("position")["gene"]
    last = gene.reindex(some[0]["position"] + 2).to_numpy()
    codons = some[0][last == some[0]["gene"].to_numpy()]
    parts = [some[0].assign(alt=-1), some[1], codons.assign(alt=-CODON)]
    changes = pd.concat(parts, ignore_index=True)[["position", "ref", "alt"]]
    place, alt = changes["position"].to_numpy(), changes["alt"].to_numpy()
    before = [decode(genome.codes[p : p + max(-a, 1)] & 7) for p, a in zip(place, alt, strict=True)]
    return changes.assign(ratio=joint.ratios(place, before, ["" if a < 0 else LETTERS[a] for a in alt]))


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
    changes : dict of method to DataFrame
        From `joint_changes`, of the same places.
    features : DataFrame, optional
        The annotation, for ``dnalm_annotated``: what ``dnalm_frame`` would reach with true frames. It reads the
        annotation (that of the test blocks too) and so is no score without labels.
    """

    def __init__(self, genome, calls, training, ratios: dict, changes: dict, seed: int, features=None):
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

    def frameshifts(self, table: pd.DataFrame) -> dict[str, dict[str, tuple]]:
        """{stratum: {method: (position, score, whether it shifts the frame)}} of deletions in genes.

        ``frameshift``: deletions of a base against silent changes. The rule ``in_frame`` calls every deletion in a
        predicted gene as bad as can be; so do methods with frames, which know more of silent changes.
        ``frameshift_matched``: deletions of one base against those of three at the same places.
        """
        mine = {m: rows[rows["position"].isin(table["position"])] for m, rows in self._changes.items()}
        one, found = next(iter(mine.values())), {"frameshift": {}, "frameshift_matched": {}}
        pairs = one.loc[one["alt"] == -CODON, "position"]
        for method, rows in mine.items():
            of_one, of_three = rows["alt"] == -1, rows["alt"] == -CODON
            for stratum, kept in (
                ("frameshift", ~of_three), ("frameshift_matched", of_three | (of_one & rows["position"].isin(pairs)))
            ):  # fmt: skip
                some = rows[kept]
                values = some["position"].to_numpy(), -some["ratio"].to_numpy(), (some["alt"] == -1).to_numpy()
                found[stratum][method] = values
        some = one[one["alt"] != -CODON]
        position, deleted = some["position"].to_numpy(), (some["alt"] == -1).to_numpy()
        for method, frames, silent in self._with_frames(position, some["alt"].to_numpy()):
            score = np.where(deleted, WORST * (frames.place[position] >= 0), silent)
            found["frameshift"][method] = position, score, deleted
        return found

    def _with_frames(self, position: np.ndarray, alt: np.ndarray):
        """Methods that know frames: name, frames, and scores of the changes that are substitutions."""
        alt = np.maximum(alt, 0)
        yield "in_frame", self._frames, np.zeros(len(alt))
        yield "dnalm_frame", self._frames, self._learned.score_substitutions(self._frames, position, alt)
        if self._told is not None:
            yield "dnalm_annotated", self._true, self._told.score_substitutions(self._true, position, alt)


class _Place:
    """Row of every global position in values that lie over intervals end to end."""

    def __init__(self, intervals: np.ndarray):
        order = np.argsort(intervals[:, 0])
        first = np.concatenate([[0], np.cumsum(intervals[:, 1] - intervals[:, 0])])[:-1]
        self._starts, self._shift = intervals[order, 0], (first - intervals[:, 0])[order]

    def __call__(self, position: np.ndarray) -> np.ndarray:
        return position + self._shift[np.searchsorted(self._starts, position, side="right") - 1]
