"""Differences between two sequences, held against what the language model expects in one of them: the reference.

Its memory knows the genome that it has read. In the reference, as a part of the study's genome, a base's own n-grams
are left out of the counts (`dnalm.tasks.substitutions`, `dnalm.tasks.joint_likelihood`); a sample that differs from it
has other n-grams, so that read in the sample every difference is held against the reference, word for word.
"""

import logging

import numpy as np
import pandas as pd

from dnalm.io.fasta import Genome
from dnalm.tasks.joint_likelihood import JointRatios
from dnalm.tasks.substitutions import TILE, Expectations, likelihood_ratios
from dnalm.training.progress import Progress
from dnalm.variants.sample_differences import substitutes

log = logging.getLogger(__name__)
#: Joint ratios that are read between two lines of the log.
AT_ONCE = 1024


def read_as(genome: Genome, whole: Genome) -> tuple[Genome, int]:
    """Which genome to read ``genome`` in, and its first position there: the study's, if it is one of the study's."""
    return (whole, whole.span(genome.name)[0]) if genome.name in whole.names else (genome, 0)


def joint_ratios(joint: JointRatios, position: np.ndarray, ref, alt) -> np.ndarray:
    """`JointRatios.ratios` (n,) of any number of alleles, with progress in the log."""
    ref, alt, progress = list(ref), list(alt), Progress(len(position), "joint ratios", log)
    found = [np.zeros(0)]
    for first in range(0, len(ref), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        found.append(joint.ratios(position[some], ref[some], alt[some]))
        progress.update(len(found[-1]))
    return np.concatenate(found)


def single_ratios(expected: Expectations, position: np.ndarray, alt) -> np.ndarray:
    """Log-likelihood ratios (n,) in nats of single bases ``alt`` (letters) against those of the genome; NaN of an N."""
    progress = Progress(len(np.unique(expected.tiles_of(position))) * TILE, "bases", log)
    ratio = likelihood_ratios(expected.at(position, progress), np.asarray(expected.genome.codes[position]))
    return of_letters(ratio, alt)


def of_letters(ratios: np.ndarray, letters) -> np.ndarray:
    """Of ratios (n, 4) those of the letters (n,), float64; NaN of an N."""
    base = np.array(["ACGTN".index(letter) for letter in letters], dtype=np.int64)
    return np.where(base < 4, ratios[np.arange(len(base)), np.minimum(base, 3)], np.nan)


def alternative_over_reference(expected: Expectations, joint: JointRatios, changes: pd.DataFrame) -> np.ndarray:
    """Log-likelihood ratios (n,) in nats of alternatives against what the genome has; NaN of an N.

    Substitutions get two-sided ratios, all others joint ones, which are on another scale.

    Parameters
    ----------
    changes : DataFrame
        ``position`` (global, of the genome that ``expected`` and ``joint`` read), ``ref`` and ``alt`` (trimmed).
    """
    place, single = changes["position"].to_numpy(np.int64), substitutes(changes["ref"], changes["alt"])
    ratio = np.full(len(changes), np.nan)
    ratio[single] = single_ratios(expected, place[single], changes["alt"][single])
    others = changes[~single]
    ratio[~single] = joint_ratios(joint, place[~single], others["ref"], others["alt"])
    return ratio
