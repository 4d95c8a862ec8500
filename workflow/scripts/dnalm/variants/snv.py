"""Consequences of single-base changes, vectorised: every pair of a change and a gene segment that it lies in."""

from dataclasses import dataclass, fields

import numpy as np

from dnalm.variants.coding import CodingSequences
from dnalm.variants.segments import CODING
from dnalm.variants.terms import NO_CODON, RANK, TERMS, UNKNOWN, amino_acids, start_codons

STOP, UNKNOWN_RESIDUE, MET = ord("*"), ord("X"), ord("M")
#: Models of one genome at most, for sorting by one integer.
MOST_MODELS = 1 << 31


@dataclass(frozen=True)
class Records:
    """What alleles do to gene models, arrays of one length.

    ``allele`` row of the allele, ``model`` row of `CodingSequences.table`, ``term`` uint8 code of the consequence;
    ``codon`` 1-based number and ``place`` 1..3 of the changed base, both 0 outside of codons; codons and ASCII of amino
    acids as in `dnalm.variants.terms`.
    """

    allele: np.ndarray
    model: np.ndarray
    term: np.ndarray
    codon: np.ndarray
    place: np.ndarray
    ref_codon: np.ndarray
    alt_codon: np.ndarray
    ref_aa: np.ndarray
    alt_aa: np.ndarray

    def take(self, which) -> "Records":
        """The records at ``which`` (indices or a mask)."""
        return Records(*(getattr(self, field.name)[which] for field in fields(self)))

    def ordered(self) -> "Records":
        """By allele, the most severe first, then in the order of the table of models."""
        key = (self.allele * len(TERMS) + self.term) * MOST_MODELS + self.model
        return self.take(np.argsort(key, kind="stable"))

    def first(self) -> np.ndarray:
        """Of ordered records, the first of each allele: bool."""
        return np.diff(self.allele, prepend=-1) != 0


class SnvTables:
    """Genetic codes of gene models as arrays that are indexed by model."""

    def __init__(self, coding: CodingSequences):
        numbers, self.code = np.unique(coding.table["genetic_code"].to_numpy(np.int64), return_inverse=True)
        amino = [amino_acids(number) for number in numbers]
        self.amino = np.array(amino, dtype=np.uint8).reshape(-1, 2, NO_CODON + 1)
        starts = [start_codons(number) for number in numbers]
        self.starts = np.array(starts, dtype=bool).reshape(-1, UNKNOWN + 1)
        table = coding.table
        self.phase, self.codons = (table[name].to_numpy(np.int64) for name in ("phase", "codons"))
        self.has_start, self.has_stop = (table[name].to_numpy(bool) for name in ("has_start", "has_stop"))


def snv_records(coding: CodingSequences, tables: SnvTables, positions: np.ndarray, alts: np.ndarray) -> Records:
    """Records of single-base changes, ordered.

    Parameters
    ----------
    positions : int64 (n,)
        Global positions.
    alts : uint8 (n,)
        Codes 0..4 of the new bases, on the forward strand.
    """
    s = coding.segments
    allele, segment = s.overlaps(positions, positions + 1)
    position, model, at, reverse = positions[allele], s.model[segment], s.at[segment], s.reverse[segment]
    read = at + np.where(reverse, s.end[segment] - 1 - position, position - s.start[segment]) - tables.phase[model]
    codon, place = np.divmod(read, 3)
    inside = (at >= 0) & (read >= 0) & (codon < tables.codons[model])
    codon, place = np.where(inside, codon, -1), np.where(inside, place, -1)
    new = alts[allele]
    new = np.where(reverse & (new < 4), 3 - new, new)
    which = np.where(inside, coding.first_codon[model] + codon, -1)
    old_codon = np.append(coding.codons, NO_CODON).astype(np.uint8)[which]
    new_codon = _changed(old_codon, place, new)
    term, *amino = _judged(tables, model, codon, old_codon, new_codon)
    term = np.where(s.kind[segment] == CODING, term, s.kind[segment]).astype(np.uint8)
    numbers = (codon + 1).astype(np.int32), (place + 1).astype(np.uint8)
    return Records(allele, model, term, *numbers, old_codon, new_codon, *amino).ordered()


def _changed(codons: np.ndarray, place: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Codons with another base at ``place`` 0..2; unknown ones, and those that get an unknown base, are unknown."""
    shift = np.where(place >= 0, 2 * (2 - place), 0)
    changed = codons.astype(np.int64) & ~(3 << shift) | (new.astype(np.int64) << shift)
    changed = np.where((codons >= UNKNOWN) | (new > 3), UNKNOWN, changed)
    return np.where(codons == NO_CODON, NO_CODON, changed).astype(np.uint8)


def _judged(tables: SnvTables, model, codon, old, new) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Terms and both amino acids of codons ``old`` that become ``new``.

    The start codon codes for M, and so does what can start in its stead. A stop codon inside of a gene is one that is
    read through (selenocysteine), or the gene is broken: what a change of it does is not known.
    """
    last = (codon == tables.codons[model] - 1).astype(np.int64)
    first = (codon == 0) & tables.has_start[model]
    code = tables.code[model]
    a, b = tables.amino[code, last, old], tables.amino[code, last, new]
    a = np.where((a == STOP) & ~((last == 1) & tables.has_stop[model]), UNKNOWN_RESIDUE, a)
    kept = first & tables.starts[code, np.minimum(new, UNKNOWN)]
    term = np.select(
        [
            (old >= UNKNOWN) | (new >= UNKNOWN), kept, first, a == UNKNOWN_RESIDUE, (a == STOP) & (b == STOP),
            a == STOP, b == STOP, a == b,
        ],
        [RANK[name] for name in (
            "coding_sequence_variant", "start_retained_variant", "start_lost", "coding_sequence_variant",
            "stop_retained_variant", "stop_lost", "stop_gained", "synonymous_variant",
        )],
        RANK["missense_variant"],
    )  # fmt: skip
    a, b = np.where(first & (old != NO_CODON), MET, a), np.where(kept, MET, b)
    return term, a.astype(np.uint8), b.astype(np.uint8)
