"""Tolerated or simulated: scores of changes by models that learn from observed differences, and by simple rules.

Every score that is fitted is fitted without the blocks that it is given for (`held_out_scores`); the scorer that is
kept for use is fitted on all (`BoostedTrees.fit`). Hyper-parameters are fixed beforehand.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dnalm.io.fasta import Genome
from dnalm.tasks.state_changes import STATES
from dnalm.tasks.substitutions import Expectations, entropy
from dnalm.variants.boosted import BoostedTrees
from dnalm.variants.coding import CodingSequences
from dnalm.variants.codon_distance import CodonDistance
from dnalm.variants.terms import TERMS
from dnalm.variants.tolerance import ANNOTATED, SIMPLE, annotated_features, rules

log = logging.getLogger(__name__)
#: Bases to each side whose own probability tells how well the model knows the place.
REACH = 5
#: What the language model says of a change.
LANGUAGE = ["llr", "entropy", "reference", "best", "left", "right"]
#: Columns that are names of things and no numbers, with the things they name.
NAMES = {"consequence": range(1, len(TERMS)), "codon_position": range(4)}
#: Columns that mean nothing to a linear model.
UNORDERED = ("residue_before", "residue_after")


def language_features(expected: Expectations, genome: Genome, position, alt, progress=None) -> pd.DataFrame:
    """The columns `LANGUAGE`, a row per change, in nats (entropy in bits).

    ``llr`` log-likelihood ratio of the alternative and the reference, ``reference`` log-probability of the reference,
    ``best`` how far the alternative is behind the best of all bases, ``left`` and ``right`` mean log-probabilities of
    the `REACH` reference bases on each side (the end of a contig repeats its last base).

    Parameters
    ----------
    genome : Genome
        The one that ``expected`` reads; ``position`` (n,) are its global positions, ``alt`` (n,) bases 0..3.
    """
    position, alt = np.asarray(position, dtype=np.int64), np.asarray(alt, dtype=np.int64)
    offset, length = (genome.contigs[name].to_numpy(np.int64) for name in ("offset", "length"))
    contig = np.searchsorted(offset, position, side="right") - 1
    around = position[:, None] + np.arange(-REACH, REACH + 1)
    around = np.clip(around, offset[contig, None], (offset + length)[contig, None] - 1)
    places, where = np.unique(around, return_inverse=True)
    logp, base = expected.at(places, progress), (np.asarray(genome.codes[places]) & 7).astype(np.int64)
    own = np.where(base < 4, np.take_along_axis(logp, np.minimum(base, 3)[:, None], 1)[:, 0], np.log(0.25))
    own, mine = own[where.reshape(around.shape)], logp[where.reshape(around.shape)[:, REACH]]
    new = np.take_along_axis(mine, alt[:, None], 1)[:, 0]
    columns = (
        new - own[:, REACH], entropy(mine), own[:, REACH], mine.max(1) - new,
        own[:, :REACH].mean(1), own[:, REACH + 1 :].mean(1),
    )  # fmt: skip
    return pd.DataFrame({n: c.astype(np.float64) for n, c in zip(LANGUAGE, columns, strict=True)})


#: A fit: takes features, bool (n,) what is simulated, and a seed; gives a function of features that scores them.
Fit = Callable[[pd.DataFrame, np.ndarray, int], Callable[[pd.DataFrame], np.ndarray]]


def boosting(columns: list[str]) -> Fit:
    """Boosted trees over some columns."""

    def fit(features, simulated, seed):
        return BoostedTrees.fit(features[columns], simulated, seed).score

    return fit


def logistic(columns: list[str]) -> Fit:
    """Logistic regression over some columns: a weight per class, missing values at the mean, penalty 1."""
    kept = [name for name in columns if name not in UNORDERED]

    def fit(features, simulated, seed):
        mean = features[kept].mean().fillna(0.0)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        model.fit(_design(features[kept], mean), simulated)
        return lambda some: model.decision_function(_design(some[kept], mean))

    return fit


def _design(features: pd.DataFrame, mean: pd.Series) -> np.ndarray:
    parts = [
        np.stack([features[name] == value for value in NAMES[name]], axis=1).astype(np.float64)
        if name in NAMES
        else features[[name]].fillna(mean[name]).to_numpy()
        for name in features
    ]
    return np.concatenate(parts, axis=1)


def shares(features: pd.DataFrame, simulated: np.ndarray, seed: int):
    """Log-odds of each consequence, counted with 1 more of both kinds."""
    rank = features["consequence"].to_numpy(np.int64)
    of = [np.bincount(rank[simulated == kind], minlength=len(TERMS)) + 1.0 for kind in (True, False)]
    return lambda some: np.log(of[0] / of[1])[some["consequence"].to_numpy(np.int64)]


#: Methods that are fitted; the first is what is kept for use, and what all others are compared with.
FITTED: dict[str, Fit] = {
    "dnalm_tolerance": boosting([*ANNOTATED, *LANGUAGE]),
    "dnalm_tolerance_no_language": boosting(ANNOTATED),
    "dnalm_tolerance_language_only": boosting(LANGUAGE),
    "dnalm_tolerance_logistic": logistic([*ANNOTATED, *LANGUAGE]),
    "consequence_position_blosum": logistic(SIMPLE),
    "consequence": shares,
}


#: The same with what changes in the language model's states, where the features have it.
EMBEDDED: dict[str, Fit] = {
    "dnalm_tolerance_embeddings": boosting([*ANNOTATED, *LANGUAGE, *STATES]),
    "dnalm_tolerance_embeddings_only": boosting(STATES),
}


def held_out_scores(features: pd.DataFrame, simulated: np.ndarray, fold: np.ndarray, seed: int) -> dict:
    """Scores of `FITTED` and `EMBEDDED`, higher for simulated: {method: float64 (n,)}, each by a fit without its fold.

    Parameters
    ----------
    features : DataFrame
        With the columns `ANNOTATED` and `LANGUAGE`, and perhaps `STATES`.
    simulated : bool (n,)
    fold : int (n,)
        What belongs together must have the same number.
    """
    methods = FITTED | (EMBEDDED if set(STATES) <= set(features) else {})
    found = {method: np.full(len(fold), np.nan) for method in methods}
    for number in np.unique(fold):
        out = fold == number
        for method, fit in methods.items():
            found[method][out] = fit(features[~out], simulated[~out], seed)(features[out])
        log.info("fold %d: %d changes scored by fits on %d others", number, out.sum(), (~out).sum())
    return found


def unfitted_scores(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Scores that nothing was fitted for, higher for worse: the likelihood ratio alone, and simple rules."""
    return {"dnalm": -table["llr"].to_numpy(), **rules(table), "kmer_lookup": table["kmer_lookup"].to_numpy()}


def final_scorer(features: pd.DataFrame, simulated: np.ndarray, seed: int) -> BoostedTrees:
    """The scorer that is kept for use: ``dnalm_tolerance``, fitted to all blocks."""
    return BoostedTrees.fit(features[[*ANNOTATED, *LANGUAGE]], simulated, seed)


@dataclass(frozen=True, eq=False)
class Tolerance:
    """Scores of any substitutions of a genome by the scorer that was fitted to it and a relative.

    ``relative`` is what the study calls the relative; ``distance`` is of `dnalm.variants.tolerance.annotated_distance`;
    ``aligned`` (bool per base of the genome) says where a difference would have counted: elsewhere nothing was learned.
    """

    relative: str
    scorer: BoostedTrees
    coding: CodingSequences
    distance: CodonDistance
    aligned: np.ndarray

    def score(self, position: np.ndarray, alt: np.ndarray, language: pd.DataFrame) -> np.ndarray:
        """Log-odds (n,) of being simulated, NaN where the relative is not aligned.

        ``position`` counts in the genome itself, ``language`` is of `language_features`.
        """
        found, there = np.full(len(position), np.nan), self.aligned[position]
        if there.any():
            known = annotated_features(self.coding, self.distance, position[there], alt[there])
            known = pd.concat([known, language[there].reset_index(drop=True)], axis=1)
            found[there] = self.scorer.score(known)
        return found
