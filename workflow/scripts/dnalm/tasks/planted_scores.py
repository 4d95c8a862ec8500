"""Planted changes as differences from the genome before them: what ranks sequencing errors above real differences."""

import numpy as np
import pandas as pd

from dnalm.baselines.substitutions import counted_mixture, ratios_of
from dnalm.io.fasta import Genome
from dnalm.tasks.differences import joint_ratios, of_letters, single_ratios
from dnalm.tasks.joint_counts import CountedLikelihood
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.substitutions import Expectations
from dnalm.variants.coding import read_coding
from dnalm.variants.consequence import consequences
from dnalm.variants.sample_differences import substitutes
from dnalm.variants.tolerance import annotated_distance, annotated_features, rules


def scores_of_readings(model, window: int, genome: Genome, sample: Genome, changes: pd.DataFrame) -> pd.DataFrame:
    """What the language model says of changes in the genome before and after them, higher for worse.

    Parameters
    ----------
    genome, sample : Genome
        Before, and after.
    changes : DataFrame
        ``before`` and ``position`` (global, in ``genome`` and in ``sample``), ``ref`` and ``alt`` (trimmed).

    Returns
    -------
    DataFrame
        ``dnalm_in_reference``, ``dnalm_in_sample``: two-sided ratios of substitutions, NaN of all others;
        ``dnalm_joint_in_reference``, ``dnalm_joint_in_sample``: joint ratios of all. All are of what the sample has
        against what the genome has, turned round.
    """
    single, found = substitutes(changes["ref"], changes["alt"]), {}
    sides = {"reference": (genome, "before", "ref", "alt", -1), "sample": (sample, "position", "alt", "ref", 1)}
    for side, (where, column, there, other, sign) in sides.items():
        place = changes[column].to_numpy(np.int64)
        score = found[f"dnalm_in_{side}"] = np.full(len(changes), np.nan)
        expected, joint = Expectations(model, where, window), JointLikelihood(model, where)
        score[single] = sign * single_ratios(expected, place[single], changes[other][single])
        found[f"dnalm_joint_in_{side}"] = sign * joint_ratios(joint, place, changes[there], changes[other])
    return pd.DataFrame(found)


def scores_of_counting(
    genome: Genome, whole: Genome, training: np.ndarray, choices: dict, changes: pd.DataFrame
) -> pd.DataFrame:
    """The Markov mixture of ``training`` intervals (n, 2) of ``whole`` in the place of the language model.

    Columns ``markov_mixture`` and ``markov_mixture_joint``, in the genome before, as in `scores_of_readings`; and
    ``length_changed``, whether the change is no substitution.
    """
    counted, place = counted_mixture(whole, training, choices), changes["before"].to_numpy(np.int64)
    single, ratio = substitutes(changes["ref"], changes["alt"]), np.full(len(changes), np.nan)
    ratio[single] = of_letters(ratios_of(counted, genome, place[single]), changes["alt"][single])
    joint = joint_ratios(CountedLikelihood(*counted, genome), place, changes["ref"], changes["alt"])
    return pd.DataFrame({"markov_mixture": -ratio, "markov_mixture_joint": -joint, "length_changed": ~single * 1.0})


def scores_of_annotation(genome: Genome, features: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """The `rules` of `dnalm.variants.tolerance`, by consequence of all changes, by the others of substitutions alone.

    ``changes`` has ``original``, global positions of ``genome``. Codons are counted in all of its annotated genes
    (``features``); without any there are no columns.
    """
    coding = read_coding(genome, features)
    if not len(coding.table):
        return pd.DataFrame(index=changes.index)
    alleles = changes[["original", "ref", "alt"]].set_axis(["position", "ref", "alt_bases"], axis=1)
    severity = consequences(genome, coding, alleles)["consequence_rank"].to_numpy()
    single = substitutes(changes["ref"], changes["alt"])
    distance = annotated_distance(genome, features, np.ones(len(genome.codes), dtype=bool))
    place, alt = changes.loc[single, "original"], ["ACGT".index(letter) for letter in changes.loc[single, "alt"]]
    found = rules(annotated_features(coding, distance, place, alt))
    table = pd.DataFrame(np.nan, index=changes.index, columns=list(found))
    table.loc[single] = np.stack(list(found.values()), axis=1)
    return table.assign(consequence_fixed=-severity.astype(np.float64))
