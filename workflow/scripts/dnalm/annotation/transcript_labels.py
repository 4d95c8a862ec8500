"""Per-base labels of genes with introns.

What `dnalm.annotation.labels.GeneLabels` is for genes in one piece, with the classes and sites of
`dnalm.sequence.gene_structure`. With 15 classes and 8 sites a base they are kept as bits, six bytes a base in all, and
become arrays where they are looked at: ``labels.classes[place]``.
"""

import logging
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from dnalm.annotation.transcripts import ALTERNATIVE, CHOSEN, EXCLUDED, coding_places
from dnalm.sequence.gene_structure import (
    ACCEPTOR_C,
    ACCEPTOR_G,
    CLASSES,
    DONOR_A,
    DONOR_G,
    SHIFT,
    SITES,
    START,
    STOP,
    class_index,
    site_candidates,
)

log = logging.getLogger(__name__)
#: Bits of the coding classes of each strand.
CODING = tuple(sum(1 << class_index(side, part) for part in "123") for side in (0, 1))
CANDIDATES = (START, STOP, DONOR_G | DONOR_A, ACCEPTOR_G | ACCEPTOR_C)


class BitColumns:
    """Columns of a table that is kept as one integer per row: ``columns[rows]`` is bool (..., columns)."""

    def __init__(self, bits: np.ndarray, masks):
        self.bits, self.masks = bits, np.array(masks, dtype=bits.dtype)

    def __getitem__(self, rows) -> np.ndarray:
        return (self.bits[rows][..., None] & self.masks) != 0


class Shares(BitColumns):
    """Like `BitColumns`, as shares of one: float32 (..., columns), each row sums to 1."""

    def __getitem__(self, rows) -> np.ndarray:
        member = super().__getitem__(rows).astype(np.float32)
        return member / member.sum(-1, keepdims=True)


@dataclass(frozen=True)
class TranscriptLabels:
    """Labels of a whole genome in global positions, read like those of `dnalm.annotation.labels.GeneLabels`.

    ``class_bits`` uint16 (length,): a bit for each class that a base has (bases where genes overlap have several, which
    share it). ``known`` bool (length,): False where the annotation teaches nothing: between the ends of excluded
    transcripts, on bases that only an alternative transcript codes, and on introns in UTRs. ``site_bits`` uint8: bit
    2 x site + strand. ``candidate_bits`` uint16: `dnalm.sequence.gene_structure.site_candidates`.
    """

    class_bits: np.ndarray
    known: np.ndarray
    site_bits: np.ndarray
    candidate_bits: np.ndarray

    @cached_property
    def classes(self) -> BitColumns:
        """Share of each of `CLASSES`: float32 (..., 15)."""
        return Shares(self.class_bits, [1 << i for i in range(len(CLASSES))])

    def sites(self, name: str) -> BitColumns:
        """True sites of a kind on the forward and reverse strand: bool (..., 2)."""
        return BitColumns(self.site_bits, [1 << (2 * SITES.index(name) + side) for side in (0, 1)])

    def candidates(self, name: str) -> BitColumns:
        """Bases where the sequence allows a site of a kind: bool (..., 2)."""
        bits = CANDIDATES[SITES.index(name)]
        return BitColumns(self.candidate_bits, [bits, bits << SHIFT])

    starts = property(lambda self: self.sites("start"))
    stops = property(lambda self: self.sites("stop"))
    donors = property(lambda self: self.sites("donor"))
    acceptors = property(lambda self: self.sites("acceptor"))
    start_codons = property(lambda self: self.candidates("start"))
    stop_codons = property(lambda self: self.candidates("stop"))


def transcript_labels(genome, transcripts: pd.DataFrame) -> TranscriptLabels:
    """Labels of every base of a genome from the table of `dnalm.annotation.transcripts.read_transcripts`."""
    total = len(genome.codes)
    bits, known = np.zeros(total, dtype=np.uint16), np.ones(total, dtype=bool)
    sites, candidates = np.zeros(total, dtype=np.uint8), np.zeros(total, dtype=np.uint16)
    by_contig = dict(iter(transcripts.groupby("contig", sort=False)))
    for c in genome.contigs.itertuples(index=False):
        span = slice(c.offset, c.offset + c.length)
        candidates[span] = site_candidates(genome.contig_codes(c.contig), c.genetic_code)
        mine = by_contig.get(c.contig, transcripts.iloc[:0])
        for t in mine[mine["role"] == CHOSEN].itertuples(index=False):
            _add(t, bits[span], sites[span], known[span])
        for t in mine[mine["role"] == ALTERNATIVE].itertuples(index=False):
            place = coding_places(t)
            known[span][place[bits[span][place] & CODING[t.strand == "-"] == 0]] = False
        for start, end in excluded_spans(mine):
            known[span][start:end] = False
    bits[bits == 0] = 1
    log.info("%d of %d bases teach nothing", int((~known).sum()), total)
    return TranscriptLabels(bits, known, sites, candidates)


def excluded_spans(transcripts: pd.DataFrame, strand: str = "+-.") -> list[tuple[int, int]]:
    """Where nothing is known of one contig: spans of its excluded transcripts on ``strand``, introns included.

    Of a transcript across the origin of a circular contig, the parts.
    """
    rows = excluded_rows(transcripts, strand)
    return list(zip(rows["start"].tolist(), rows["end"].tolist(), strict=True))


def excluded_rows(transcripts: pd.DataFrame, strand: str = "+-.") -> pd.DataFrame:
    """The spans of `excluded_spans` on all contigs: contig, start, end."""
    mine = transcripts[(transcripts["role"] == EXCLUDED) & transcripts["strand"].isin(list(strand))]
    across = mine["problem"] == "across the origin"
    whole = mine.loc[~across, ["contig", "start", "end"]]
    parts = [(t.contig, a, b) for t in mine[across].itertuples() for a, b in zip(t.cds_starts, t.cds_ends, strict=True)]
    return pd.concat([whole, pd.DataFrame(parts, columns=whole.columns)]) if parts else whole


def _add(t, bits: np.ndarray, sites: np.ndarray, known: np.ndarray) -> None:
    """Write a transcript into the labels of its contig."""
    side, step = (0, 1) if t.strand == "+" else (1, -1)
    order, done = coding_places(t), 0
    for part in range(3):
        bits[order[part::3]] |= 1 << class_index(side, "123"[part])
    parts = list(zip(t.cds_starts, t.cds_ends, strict=True))[::step]
    marks = [("start", order[0]), ("stop", order[-1])]
    for (a, b), after in zip(parts, [*parts[1:], None], strict=True):
        done += b - a
        if after is not None:
            low, high = (b, after[0]) if side == 0 else (after[1], a)
            bits[low:high] |= 1 << class_index(side, f"intron{done % 3}")
            marks += [("donor", low if side == 0 else high - 1), ("acceptor", high - 1 if side == 0 else low)]
    for name, place in marks:
        sites[place] |= 1 << (2 * SITES.index(name) + side)
    exons = list(zip(t.exon_starts, t.exon_ends, strict=True))
    for (a, b), after in zip(exons, [*exons[1:], None], strict=True):
        for low, high in ((a, min(b, t.start)), (max(a, t.end), b)):
            bits[low : max(low, high)] |= 1 << class_index(side, "utr")
        if after is not None and (after[0] <= t.start or b >= t.end):
            known[b : after[0]] = False
