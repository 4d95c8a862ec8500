"""Find the genes of a genome: teach the models on it, judge the candidates by the networks, choose."""

import logging
import time
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.genefinder.calls import COLUMNS, calls, choose_genes, rank_starts
from dnalm.genefinder.candidates import MIN_LENGTH, Candidates, find_candidates
from dnalm.genefinder.features import Table, features, promising
from dnalm.genefinder.networks import Networks
from dnalm.genefinder.selftrain import SelfTrained, self_train

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """A genome as the finder has read it."""

    candidates: Candidates
    learned: SelfTrained
    table: Table


def read(genome) -> Reading | None:
    """Self-train on a `dnalm.io.fasta.Genome` and compute the features; None if there is no candidate."""
    begin = time.monotonic()
    c = find_candidates(genome, MIN_LENGTH)
    if not len(c):
        log.warning("%s: no open reading frame of %d bases", genome.name, MIN_LENGTH)
        return None
    learned = self_train(c)
    table = features(c, learned, promising(c, learned.score))
    seconds = time.monotonic() - begin
    log.info("%s: %d candidates in %.1f s, %.0f bases/s", genome.name, len(c), seconds, len(genome.codes) / seconds)
    return Reading(c, learned, table)


def find_genes(genome, networks: Networks | None, reading: Reading | None = None) -> pd.DataFrame:
    """Called genes (see `dnalm.genefinder.calls.calls`); without networks those of the self-training alone."""
    reading = reading or read(genome)
    if reading is None:
        return pd.DataFrame(columns=COLUMNS)
    c, learned = reading.candidates, reading.learned
    if networks is None:
        return calls(genome, c, learned.chosen, learned, learned.score[learned.chosen])
    ranked = rank_starts(c, reading.table, networks)
    chosen = choose_genes(c, ranked, networks.threshold)
    return calls(genome, c, chosen, learned, ranked.gene[np.searchsorted(ranked.index, chosen)])
