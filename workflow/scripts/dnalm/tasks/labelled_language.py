"""What a study's language model says of variants with labels; it has seen none of the labels."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.baselines.kmer_lookup import unseen_words
from dnalm.baselines.substitutions import ratios_at
from dnalm.io.fasta import load_genome
from dnalm.models.build import load_model
from dnalm.sequence.splits import training_intervals
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.state_changes import StateChanges
from dnalm.tasks.substitutions import Expectations, entropy, likelihood_ratios
from dnalm.training.devices import placed
from dnalm.training.progress import Progress
from dnalm.variants.families import LANGUAGE

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Language:
    """A language model, and the genome that it knows: ``whole``, in which the variants' own one begins at ``first``.

    Called with the table of variants it gives the features of the families `LANGUAGE`. It was trained on the intervals
    ``training`` of ``whole``.
    """

    model: object
    whole: object
    first: int
    window: int
    training: np.ndarray
    seed: int

    @classmethod
    def load(cls, folder, whole, genome, window: int, splits: pd.DataFrame, final: bool, seed: int) -> "Language":
        """The model of ``folder``, the genome directories of the study and of the variants, and bases of a window.

        ``final`` says whether it was trained on validation blocks too.
        """
        whole, own = load_genome(whole), load_genome(genome)
        model, first = placed(load_model(folder)), whole.span(own.name)[0] if whole.composite else 0
        model.attach([whole])
        return cls(model, whole, first, window, training_intervals(whole, splits, final), seed)

    def __call__(self, table: pd.DataFrame, known=None, families=LANGUAGE) -> dict[str, pd.DataFrame]:
        """Features by family, a row per variant.

        The joint ratio is there where not all that are ``known`` (bool (n,)) are of one base.
        """
        kinds = table["_kind"] if known is None else table.loc[known, "_kind"]
        table, found = table.assign(_position=table["_position"] + self.first), {}
        if "language_model" in families:
            joint = None if kinds.eq("snv").all() else JointLikelihood(self.model, self.whole)
            found["language_model"] = language_features(Expectations(self.model, self.whole, self.window), table, joint)
        if "embeddings" in families:
            states = StateChanges(self.model, self.whole, self.training, self.seed)
            place, reverse = table["_position"].to_numpy(np.int64), table["_reverse"].to_numpy(bool)
            found["embeddings"] = states.features(
                place, *_alleles(table), reverse, Progress(len(place), "variants", log)
            )
        return found


def counted_scores(whole, first: int, table: pd.DataFrame, training: np.ndarray, choices: dict) -> dict:
    """Scores (n,) without labels and without a network, high for harm; NaN for all but substitutions of one base.

    ``markov_mixture`` minus the log-likelihood ratio of the mixture (`dnalm.baselines.language` has made ``choices``),
    ``kmer_lookup`` whether no training interval has the 21 bases that a change leaves. ``training`` intervals (n, 2) of
    ``whole``, in which the genome of the table begins at ``first``.
    """
    alt = table["_alt"].to_numpy(np.int64)
    single = alt < 4
    position, alt = table["_position"].to_numpy(np.int64)[single] + first, alt[single]
    read = np.zeros(len(whole.codes), dtype=bool)
    for start, end in training:
        read[start:end] = True
    ratio = ratios_at(whole, training, choices, position)[np.arange(len(alt)), alt].astype(np.float64)
    found = {"markov_mixture": -ratio, "kmer_lookup": unseen_words(whole, read, position, alt)}
    out = {name: np.full(len(table), np.nan) for name in found}
    for name, values in found.items():
        out[name][single] = values
    return out


def language_features(model: Expectations, table: pd.DataFrame, joint: JointLikelihood | None = None) -> pd.DataFrame:
    """Log-likelihood ratio of alternative and reference in nats, and entropy in bits, a row per variant.

    ``table`` has global positions ``_position``, bases ``_alt`` 0..3 of substitutions of one base, and alleles
    ``_ref_bases`` and ``_alt_bases``. ``llr`` is the two-sided ratio of such substitutions, missing for all others and
    where the reference is an N; ``joint`` is that of the whole window, of all variants, where it is asked for.
    """
    position, alt = table["_position"].to_numpy(np.int64), table["_alt"].to_numpy(np.int64)
    logp = model.at(position)
    ratio = likelihood_ratios(logp, np.asarray(model.genome.codes)[position])
    ratio = np.where(alt < 4, ratio[np.arange(len(alt)), np.minimum(alt, 3)], np.nan)
    out = pd.DataFrame({"llr": ratio, "entropy": entropy(logp)}).astype(np.float64)
    if joint is None:
        return out
    return out.assign(joint=joint.ratios(position, *_alleles(table)))


def _alleles(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    return list(table["_ref_bases"]), list(table["_alt_bases"])
