"""A finder for genomes that nobody has annotated: networks trained on several annotated ones.

Groups of relatives are left out one at a time: to choose the threshold, and to measure on genomes that no part of the
training has seen.
"""

import logging
from dataclasses import replace

import pandas as pd

from dnalm.errors import InputError
from dnalm.genefinder.finder import read
from dnalm.genefinder.learning import choose_threshold, learn
from dnalm.genefinder.lessons import Lesson, lesson_of
from dnalm.genefinder.networks import Networks
from dnalm.genefinder.pieces import WEIGHT, pieces

log = logging.getLogger(__name__)


def lessons_of(genome, features: pd.DataFrame, seed: int) -> list[Lesson]:
    """The lesson of a whole genome, then those of pieces of it.

    Raises
    ------
    InputError
        If the genome has no reading frame.
    """
    reading = read(genome)
    if reading is None:
        raise InputError("there is no reading frame to learn from", genome.name, "Leave this genome out of the study")
    lessons = [lesson_of(genome, features, reading)]
    for piece, cds in pieces(genome, features, seed):
        reading = read(piece)
        if reading:
            lessons.append(replace(lesson_of(piece, cds, reading), weight=WEIGHT))
    return lessons


def train(groups: dict[str, list[list[Lesson]]], seed: int) -> Networks:
    """Networks trained on all groups, with the threshold that was best for groups that are left out.

    ``groups`` are the lessons of the genomes of each group. A single group has nothing to choose a threshold on: 0.
    """
    folds = []
    for held_out, genomes in groups.items() if len(groups) > 1 else ():
        networks = learn(_all_but(groups, held_out), seed)
        folds.append((networks, [lessons[0] for lessons in genomes]))
        log.info("learned without %s", held_out)
    threshold = choose_threshold(folds) if folds else 0.0
    log.info("threshold %.2f", threshold)
    networks = learn(_all_but(groups, None), seed, threshold)
    networks.facts = {
        "genomes": {name: [lessons[0].name for lessons in genomes] for name, genomes in groups.items()},
        "genes": sum(lessons[0].true_genes for genomes in groups.values() for lessons in genomes),
    }
    return networks


def _all_but(groups, held_out) -> list[Lesson]:
    return [one for name, genomes in groups.items() if name != held_out for lessons in genomes for one in lessons]
