"""The reading frames that gene calls give a genome: codons of every call, and the codon that each base stands in.

No label enters if the calls were made without labels, as `dnalm.genefinder.finder.find_genes(genome, None)` makes them.
Any finder's calls work: a table with contig, start, end, strand and score, each call a row of whole codons.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.errors import InputError

log = logging.getLogger(__name__)
#: What a base outside of all calls has as codon and place.
NONE = -1


@dataclass(frozen=True)
class CodonFrames:
    """Codons of calls, and frames of bases.

    ``codons`` int64 (m,): index of every codon of every call in its own direction, -1 with an N in it; ``call`` (m,)
    the row of the calls it is of; ``middle`` (m,) the global position of its middle base; ``edge`` bool (m,), the first
    and the last codon of a call. Over all bases, in global positions: ``codon`` int8 (length,) the codon that a base
    stands in, ``place`` int8 0..2 where in it, ``reverse`` bool whether it is read on the reverse strand; codon and
    place are -1 outside of all calls and where an N is in the codon.
    """

    codons: np.ndarray
    call: np.ndarray
    middle: np.ndarray
    edge: np.ndarray
    codon: np.ndarray
    place: np.ndarray
    reverse: np.ndarray

    @classmethod
    def of(cls, genome, calls: pd.DataFrame) -> "CodonFrames":
        """Frames of a `dnalm.io.fasta.Genome` by a table of calls: contig, start, end, strand, score.

        ``end`` may pass the origin of a circular contig. Where calls overlap a base has the frame of the one with the
        higher score, or the longer one of two alike. Calls that are no whole codons say nothing sure about the frame;
        they are left out with a warning.
        """
        calls = calls.astype({"start": np.int64, "end": np.int64, "score": np.float64})
        length = (calls["end"] - calls["start"]).to_numpy()
        whole = (length % 3 == 0) & (length > 0)
        if not whole.all():
            bad = calls[~whole].iloc[0]
            log.warning(
                "%d of %d calls are no whole codons and give no frame (the first: %s:%d-%d)",
                (~whole).sum(), len(calls), bad["contig"], bad["start"] + 1, bad["end"],
            )  # fmt: skip
            calls, length = calls[whole], length[whole]
        step, bases = _bases(genome, calls, length)
        codes = np.asarray(genome.codes)[bases].astype(np.int64) & 7
        codes = np.where((np.repeat(step, length) < 0) & (codes < 4), 3 - codes, codes).reshape(-1, 3)
        codons = np.where((codes < 4).all(1), codes @ np.array([16, 4, 1]), NONE)
        call = np.repeat(np.arange(len(calls)), length // 3)
        edge = np.diff(call, prepend=-1).astype(bool) | np.diff(call, append=-1).astype(bool)
        frames = _frames(len(genome.codes), bases, codons, np.repeat(step < 0, length), _rank(calls, length)[call])
        return cls(codons, call, bases[1::3], edge, *frames)

    def alternative(self, position: np.ndarray, alt: np.ndarray) -> np.ndarray:
        """Codons (n,) after substitutions, -1 without a frame.

        ``position`` (n,) is global, ``alt`` (n,) bases 0..3 on the forward strand.
        """
        codon, place = self.codon[position].astype(np.int64), self.place[position].astype(np.int64)
        base = np.where(self.reverse[position], 3 - alt.astype(np.int64), alt)
        unit = 4 ** (2 - np.maximum(place, 0))
        return np.where(codon >= 0, codon + (base - codon // unit % 4) * unit, NONE)


def shifted(calls: pd.DataFrame) -> pd.DataFrame:
    """The calls read one base too late, without their last codon: a control that has everything but the frame."""
    plus = calls["strand"] == "+"
    moved = calls.assign(start=calls["start"] + np.where(plus, 1, 2), end=calls["end"] - np.where(plus, 2, 1))
    return moved[moved["end"] > moved["start"]].reset_index(drop=True)


def _bases(genome, calls: pd.DataFrame, length: np.ndarray):
    """Step of every call, +1 or -1, and global positions of the bases of all calls in their directions."""
    contigs = genome.contigs.set_index("contig")
    unknown = sorted(set(calls["contig"]) - set(contigs.index))
    if unknown:
        known = ", ".join(contigs.index[:5])
        raise InputError(f"gene calls on contig {unknown[0]!r}, which is not there", genome.name, f"Known: {known}")
    offset, size = (calls["contig"].map(contigs[name]).to_numpy(np.int64) for name in ("offset", "length"))
    plus = (calls["strand"] == "+").to_numpy()
    first, step = np.where(plus, calls["start"], calls["end"] - 1), np.where(plus, 1, -1)
    within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    place = np.repeat(first, length) + np.repeat(step, length) * within
    return step, np.repeat(offset, length) + place % np.repeat(size, length)


def _rank(calls: pd.DataFrame, length: np.ndarray) -> np.ndarray:
    """Place of every call in the order of scores, and of lengths where scores are alike; the best is the last."""
    rank = np.empty(len(calls), dtype=np.int64)
    rank[np.lexsort((length, calls["score"].to_numpy()))] = np.arange(len(calls))
    return rank


def _frames(total: int, bases, codons, reverse, rank):
    """Codon, place and strand of every base; ``rank`` (m,) of the codons' calls says who wins."""
    order = np.argsort(rank, kind="stable")  # of repeated places the last one stays: that of the best call
    where = bases.reshape(-1, 3)[order].ravel()
    there, side = np.repeat(codons[order], 3), reverse.reshape(-1, 3)[order].ravel()
    codon, place = np.full((2, total), NONE, dtype=np.int8)
    backwards = np.zeros(total, dtype=bool)
    codon[where], backwards[where] = there, side
    place[where] = np.where(there >= 0, np.tile(np.arange(3), len(order)), NONE)
    return codon, place, backwards
