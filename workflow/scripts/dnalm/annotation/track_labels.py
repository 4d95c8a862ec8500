"""Per-base labels from intervals: of BED files, or of features of the annotation.

A label is a track, or with ``stranded`` a track on one strand (``name+``, ``name-``).
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.annotation.bed import COLUMNS, read_bed
from dnalm.errors import InputError
from dnalm.io.fetch import find_file
from dnalm.sequence.splits import SPLITS, split_labels

log = logging.getLogger(__name__)
#: Config key that names the files.
KEY = "annotate: tracks"


@dataclass(frozen=True)
class TrackLabels:
    """Labels of a whole genome in global positions.

    ``names``: the K labels; ``truth`` bool (length, K); ``known`` bool (length,): False on bases other than A, C, G, T.
    """

    names: tuple[str, ...]
    truth: np.ndarray
    known: np.ndarray

    def of_track(self, track: str) -> list[int]:
        """Columns of a track: one, or one for each strand."""
        return [i for i, name in enumerate(self.names) if name.rstrip("+-") == track]


def label_names(tracks, stranded: bool) -> tuple[str, ...]:
    """Names of the labels of the tracks, in their order."""
    return tuple(f"{track}{strand}" for track in tracks for strand in (("+", "-") if stranded else ("",)))


def gather_intervals(genome, features: pd.DataFrame, settings: dict, regions: dict[str, dict]) -> pd.DataFrame:
    """Intervals of all tracks in the contigs of ``genome``: track, contig, start, end, strand.

    Parameters
    ----------
    genome : dnalm.io.fasta.Genome
        Of one genome or several.
    features : DataFrame
        Its annotation.
    settings : dict
        The annotate section: ``tracks`` and ``stranded``.
    regions : dict
        The slice that was cut from a genome, by its name; only genomes that are slices are in it.
    """
    found = []
    for name, track in settings["tracks"].items():
        if track["feature"]:
            table = _features(genome, features, name, track["feature"], settings["stranded"])
        else:
            table = _files(genome, track, settings["stranded"], regions)
        log.info("track %s: %d intervals, %d bases", name, len(table), (table["end"] - table["start"]).sum())
        found.append(table.assign(track=name))
    return pd.concat(found, ignore_index=True)[["track", *COLUMNS]]


def _features(genome, features: pd.DataFrame, track: str, kind: str, stranded: bool) -> pd.DataFrame:
    """Parts of all features of a type."""
    mine = features[features["type"] == kind]
    where = f"annotate: tracks: {track}: feature"
    if mine.empty:
        known = ", ".join(features["type"].value_counts().index[:8]) or "none: give an annotation"
        raise InputError(f"the annotation has no {kind}", where, f"Its types are {known}")
    bare = mine[~mine["strand"].isin(["+", "-"])]
    if stranded and len(bare):
        place = f"{bare['contig'].iloc[0]}:{bare['start'].iloc[0] + 1}"
        raise InputError(f"a {kind} without a strand", place, "Set stranded: false")
    table = mine[COLUMNS].reset_index(drop=True)
    return table if stranded else table.assign(strand=".")


def _files(genome, track: dict, stranded: bool, regions: dict) -> pd.DataFrame:
    """Intervals of the BED file of every genome, or of the one file of all."""
    if "{genome}" not in track["path"]:
        region = regions.get(genome.name) if not genome.composite else None
        return read_bed(find_file(track["path"], KEY), lengths_of(genome), stranded, track["aliases"], region)
    found = []
    for name in genome.names:
        path = find_file(track["path"].replace("{genome}", name), KEY)
        table = read_bed(path, lengths_of(genome.part(name)), stranded, track["aliases"], regions.get(name))
        found.append(genome.rows(table.assign(genome=name)))
    return pd.concat(found, ignore_index=True)[COLUMNS]


def lengths_of(genome) -> dict[str, int]:
    """Bases of every contig."""
    return dict(zip(genome.contigs["contig"], genome.contigs["length"].tolist(), strict=True))


def track_labels(genome, intervals: pd.DataFrame, settings: dict) -> TrackLabels:
    """Labels of every base.

    Parameters
    ----------
    intervals : DataFrame
        From `gather_intervals`.
    settings : dict
        The annotate section: ``tracks``, ``stranded``, ``mode``, ``priority``.

    Raises
    ------
    InputError
        In mode ``multi_class`` without ``priority``, where intervals of two labels overlap.
    """
    names = label_names(settings["tracks"], settings["stranded"])
    truth = np.zeros((len(genome.codes), len(names)), dtype=bool)
    offsets = genome.contigs.set_index("contig")["offset"].to_dict()
    for row in intervals.itertuples(index=False):
        column = names.index(row.track + row.strand.replace(".", ""))
        truth[offsets[row.contig] + row.start : offsets[row.contig] + row.end, column] = True
    if settings["mode"] == "multi_class":
        _one_each(truth, names, settings["priority"], genome)
    return TrackLabels(names, truth, (np.asarray(genome.codes) & 7) < 4)


def _one_each(truth: np.ndarray, names: tuple[str, ...], priority: list[str], genome) -> None:
    """Leave every base its strongest label, or refuse bases with several (in place)."""
    several = np.flatnonzero(truth.sum(1) > 1)
    if not len(several):
        return
    if not priority:
        contig, position = genome.locate(several[0])
        both = " and ".join(names[i] for i in np.flatnonzero(truth[several[0]]))
        raise InputError(
            f"{both} overlap, on {len(several)} bases in all", f"{contig}:{position + 1}",
            "Give annotate: priority, mend the intervals, or use mode: multi_label",
        )  # fmt: skip
    order = sorted(range(len(names)), key=lambda i: priority.index(names[i].rstrip("+-")))
    strongest = np.array(order)[truth[np.ix_(several, order)].argmax(1)]
    truth[several] = False
    truth[several, strongest] = True
    log.info("%d bases with several labels were given to the strongest", len(several))


def require_labels(genome, labels: TrackLabels, splits) -> None:
    """Refuse a label that the training or the validation blocks do not hold."""
    place = split_labels(genome, splits)
    for split in ("train", "validation"):
        here = place == SPLITS.index(split)
        for name, column in zip(labels.names, labels.truth.T, strict=True):
            if not column[here].any():
                raise InputError(
                    f"no base of the {split} blocks is labelled {name}", f"annotate: tracks: {name.rstrip('+-')}",
                    "Leave the track out, use smaller splits.block or another seed",
                )  # fmt: skip
