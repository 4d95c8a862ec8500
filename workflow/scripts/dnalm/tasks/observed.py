"""Changes between related genomes beside simulated ones, with all that scorers may know of them."""

import logging

import numpy as np
import pandas as pd

from dnalm.baselines.kmer_lookup import unseen_words
from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.sequence.alphabet import LETTERS
from dnalm.sequence.splits import training_intervals
from dnalm.tasks.state_changes import StateChanges
from dnalm.tasks.substitutions import TILE, Expectations
from dnalm.tasks.tolerance import Tolerance, language_features
from dnalm.training.progress import Progress
from dnalm.variants.boosted import BoostedTrees
from dnalm.variants.coding import CodingSequences
from dnalm.variants.observed import read_callable
from dnalm.variants.simulated import blocks_of_genes, folds_of, match_controls
from dnalm.variants.tolerance import annotated_distance, annotated_features

log = logging.getLogger(__name__)


def matched_changes(
    genome: Genome, coding: CodingSequences, found: pd.DataFrame, callable_: np.ndarray, settings: dict, seed: int
) -> pd.DataFrame:
    """The table of `dnalm.variants.simulated.match_controls`, with ``block`` and ``fold``.

    Parameters
    ----------
    found : DataFrame
        The table of `dnalm.variants.observed.Differences`: what counts is matched, nothing that differs is a control.
    callable_ : bool (length,)
        Where a difference would have counted.
    settings : dict
        ``block`` bases, ``folds``.

    Raises
    ------
    InputError
        If there are no pairs, or fewer blocks than folds.
    """
    free = callable_.copy()
    free[found["position"]] = False
    table = match_controls(genome, coding, found[found["reason"] == ""], free, seed)
    table["block"] = blocks_of_genes(genome, coding, table, settings["block"])
    table["fold"] = folds_of(table["block"].to_numpy(), settings["folds"], seed)
    if (blocks := table["block"].nunique()) < settings["folds"]:
        raise InputError(
            f"{len(table) // 2} matched differences in {blocks} blocks are too few for {settings['folds']} folds",
            "variants.observed",
            "Use a relative that is further away (and preset asm20), smaller blocks, or fewer folds",
        )
    return table


def training_bases(whole: Genome, splits: pd.DataFrame, final: bool) -> np.ndarray:
    """Where the language model was trained, bool per global position; ``final`` if on validation blocks too."""
    training = np.zeros(len(whole.codes), dtype=bool)
    for start, end in training_intervals(whole, splits, final):
        training[start:end] = True
    return training


def with_features(
    table: pd.DataFrame, genome: Genome, whole: Genome, coding: CodingSequences, features: pd.DataFrame,
    expected: Expectations, splits: pd.DataFrame, final: bool, states: StateChanges | None = None,
) -> pd.DataFrame:  # fmt: skip
    """The table with what the annotation and the language model say, ``kmer_lookup``, and ``read``.

    That is whether the language model was trained there.

    Parameters
    ----------
    table : DataFrame
        From `matched_changes`.
    genome, whole : Genome
        The reference, and the genome of the study that it is a part of, or is.
    coding, features
        Of the reference.
    expected : Expectations
        Of ``whole``.
    final : bool
        Whether the model was trained on validation blocks too.
    states : StateChanges, optional
        Of ``whole``; without, how its states change is not asked.
    """
    first = whole.span(genome.name)[0] if whole is not genome else 0
    position, alt = table["position"].to_numpy(), table["alt"].to_numpy()
    training = training_bases(whole, splits, final)
    distance = annotated_distance(genome, features, training[first : first + len(genome.codes)])
    progress = Progress(len(np.unique(expected.tiles_of(position + first))) * TILE, "bases", log)
    parts = [
        table.reset_index(drop=True), annotated_features(coding, distance, position, alt),
        language_features(expected, whole, position + first, alt, progress),
    ]  # fmt: skip
    if states is not None:
        alleles = ([LETTERS[base] for base in table[side]] for side in ("ref", "alt"))
        reverse = np.append(coding.table["strand"] == "-", False)[table["gene"]]  # -1 for none
        parts.append(states.features(position + first, *alleles, reverse, Progress(len(table), "changes", log)))
    lookup = unseen_words(whole, training, position + first, alt)
    return pd.concat(parts, axis=1).assign(read=training[position + first], kmer_lookup=lookup)


def read_tolerance(
    relative: str, scorer, callable_, genome: Genome, whole: Genome, coding: CodingSequences, features: pd.DataFrame,
    splits: pd.DataFrame, final: bool,
) -> Tolerance:  # fmt: skip
    """The scorer of a relative (files ``scorer`` and ``callable_``) as one that scores any substitution of ``genome``.

    What the annotation says of codons is learned where `with_features` learns it.
    """
    first = whole.span(genome.name)[0] if whole is not genome else 0
    training = training_bases(whole, splits, final)[first : first + len(genome.codes)]
    distance = annotated_distance(genome, features, training)
    return Tolerance(relative, BoostedTrees.load(scorer), coding, distance, read_callable(genome, callable_))
