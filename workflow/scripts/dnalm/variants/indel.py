"""Consequences of changes of several bases: put into the coding sequence, read again around the change, compared.

All text is on the strand of the gene. A change is (low, high, new): bases low..high of the coding sequence become
``new``; where the allele reaches beyond the coding sequence, only its part inside counts, and the bases that follow it
stand in for what is missing.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from dnalm.sequence.alphabet import decode, encode, reverse_complement
from dnalm.variants.coding import spliced
from dnalm.variants.segments import UNCLEAR
from dnalm.variants.terms import CODONS, RANK, UNKNOWN, amino_acids, start_codons

#: Bases that are read on beyond an allele: what a start or a stop codon can need.
BEYOND = 3


@dataclass(frozen=True)
class Found:
    """What an allele does to a gene model: code of the term, codon number, place in it, codons, amino acids."""

    term: int
    codon: int = 0
    place: int = 0
    ref_codon: str = ""
    alt_codon: str = ""
    ref_aa: str = ""
    alt_aa: str = ""


def turned(text: str) -> str:
    """Reverse complement; letters that are no bases become N."""
    return decode(reverse_complement(encode(text)) & 7)


@cache
def _code(number: int) -> tuple[dict, dict, set]:
    """Amino acids of codons inside of a gene and at its end, and start codons of a genetic code, as text."""
    inside, end = (dict(zip(CODONS, bytes(table[:UNKNOWN]).decode(), strict=False)) for table in amino_acids(number))
    return inside, end, {codon for codon, can in zip(CODONS, start_codons(number), strict=False) if can}


class Gene:
    """A coding sequence as text, and its genetic code."""

    def __init__(self, row, codes: np.ndarray, contig):
        """From a row of `CodingSequences.table`, the codes of the genome, and the row of the contig."""
        self.reverse, self.phase, self.codons = row.strand == "-", row.phase, row.codons
        self.has_start, self.has_stop = row.has_start, row.has_stop
        self.text, self.last = decode(spliced(codes, row.parts, self.reverse)), row.phase + 3 * (row.codons - 1)
        self._inside, self._end, self.starts = _code(row.genetic_code)
        self._codes, self._offset = codes[contig.offset : contig.offset + contig.length], contig.offset
        self._circular = contig.circular
        first, last = row.parts[0].tolist(), row.parts[-1].tolist()
        self.low, self.high = (last[0], first[1]) if self.reverse else (first[0], last[1])
        self.around = self.beyond(self.low, self.high)

    def beyond(self, low: int, high: int) -> tuple[str, str]:
        """Bases before and after the global positions low..high, on the gene's strand; fewer at a contig's end."""
        left, right = (np.arange(a - self._offset, a - self._offset + BEYOND) for a in (low - BEYOND, high))
        size = len(self._codes)
        if not self._circular:
            left, right = (side[(side >= 0) & (side < size)] for side in (left, right))
        left, right = (decode(self._codes[side % size] & 7) for side in (left, right))
        return (turned(right), turned(left)) if self.reverse else (left, right)

    def amino(self, codon: str, end: bool = False) -> str:
        """Amino acid of a codon, X if it is not known; ``end`` if a gene can end with it."""
        return (self._end if end else self._inside).get(codon, "X")

    def old(self, first: int, stop: int) -> str:
        """Amino acids of the codons at places first..stop; a stop codon that is read through is X."""
        found = ""
        for i in range(first, stop, 3):
            end = i == self.last and self.has_stop
            residue = self.amino(self.text[i : i + 3], end)
            found += "X" if residue == "*" and not end else residue
        return "M" + found[1:] if found and first == 0 and self.has_start else found


def judge(gene: Gene, low: int, high: int, new: str, before: str, after: str, cut=(False, False)) -> Found:
    """What a change does to a gene.

    Parameters
    ----------
    low, high : int
        Bases of the coding sequence that are replaced; low == high for an insertion, which has coding bases on both
        sides.
    new : str
        What they become, on the gene's strand.
    before, after : str
        Three bases before and after the allele and the coding sequence (whichever reaches further).
    cut : (bool, bool)
        Whether the allele reaches beyond the coding sequence's first and last base.
    """
    size, end = len(gene.text), gene.phase + 3 * gene.codons
    if low == 0 and high == size:
        return Found(RANK["transcript_ablation"])
    if low < gene.phase or high > end or (low == high == end) or (cut[0] and not gene.has_start):
        return Found(UNCLEAR)
    if low < 3 and gene.has_start:
        found = _start(gene, low, high, new, before, cut[0])
        if found:
            return found
    if cut[1]:
        return _cut_stop(gene, low, new + after)
    shift = len(new) - (high - low)
    return (_frameshift if shift % 3 else _inframe)(gene, low, high, new, after, shift)


def _start(gene: Gene, low: int, high: int, new: str, before: str, cut: bool) -> Found | None:
    """A change of the start codon; None if the gene starts as before and the rest of it has to be looked at."""
    text = gene.text
    kept = (before + text[:low] + new + text[high:3])[-3:] if high <= 3 else ""
    changed = (text[:low] + new + text[high : high + 3])[:3]
    shown = kept if high <= 3 and kept in gene.starts else changed
    place = {"codon": 1, "place": low + 1, "ref_codon": text[:3], "alt_codon": shown, "ref_aa": "M"}
    if kept in gene.starts:
        return Found(RANK["start_retained_variant"], **place, alt_aa="M")
    if changed in gene.starts and not cut:
        return None
    return Found(RANK["start_lost"], **place, alt_aa=gene.amino(changed))


def _cut_stop(gene: Gene, low: int, follows: str) -> Found:
    """An allele that takes the end of a coding sequence away."""
    if not gene.has_stop:
        return Found(UNCLEAR)
    first = low - (low - gene.phase) % 3
    codon = (gene.text[first:low] + follows)[:3]
    retained = first == gene.last and gene.amino(codon, True) == "*"
    term = RANK["stop_retained_variant" if retained else "stop_lost"]
    return Found(term, *_numbers(gene, low), gene.text[first : first + 3], codon, *_pair(gene, first, codon))


def _numbers(gene: Gene, low: int) -> tuple[int, int]:
    codon, place = divmod(low - gene.phase, 3)
    return codon + 1, place + 1


def _pair(gene: Gene, first: int, codon: str) -> tuple[str, str]:
    """Amino acids of the codon at ``first`` and of what stands there now."""
    new = gene.amino(codon, first == gene.last and gene.has_stop)
    return gene.old(first, first + 3), "M" if first == 0 and gene.has_start and codon in gene.starts else new


def _frameshift(gene: Gene, low: int, high: int, new: str, after: str, shift: int) -> Found:
    first = low - (low - gene.phase) % 3
    codon = (gene.text[first:low] + new + gene.text[high : high + 3] + after)[:3]
    term = "frameshift_variant"
    if first == gene.last and gene.has_stop:
        term = "stop_retained_variant" if gene.amino(codon, True) == "*" else "stop_lost"
    return Found(RANK[term], *_numbers(gene, low), gene.text[first : first + 3], codon, *_pair(gene, first, codon))


def _inframe(gene: Gene, low: int, high: int, new: str, after: str, shift: int) -> Found:
    """A change that leaves the frame; the window is the codons that it touches, for an insertion the one behind."""
    first = low - (low - gene.phase) % 3
    stop = max(high, low + 1)
    stop += -(stop - gene.phase) % 3
    window = gene.text[first:low] + new + gene.text[high:stop]
    old = gene.old(first, stop)
    changed = "".join(
        gene.amino(window[i : i + 3], gene.has_stop and first + i == gene.last + shift)
        for i in range(0, len(window), 3)
    )  # fmt: skip
    changed = "M" + changed[1:] if first == 0 and gene.has_start and changed else changed
    term = _term(gene, first, old, changed, shift, after)
    if term in ("inframe_insertion", "inframe_deletion") and high > low and new:
        term = "protein_altering_variant"
    return Found(RANK[term], *_numbers(gene, low), gene.text[first:stop], window, old, changed)


def _term(gene: Gene, first: int, old: str, changed: str, shift: int, after: str) -> str:
    """Term of a window of codons of amino acids ``old`` that become ``changed``."""
    if old.endswith("*") and "*" not in changed:
        again = changed == old[:-1] and gene.amino(after, True) == "*"
        return "stop_retained_variant" if again else "stop_lost"
    if "*" in changed:
        head = changed[: changed.index("*")]
        if not old.endswith("*"):
            same = head == old and gene.has_stop and first + 3 * len(old) == gene.last
            gained = "coding_sequence_variant" if "X" in old else "stop_gained"
            return "stop_retained_variant" if same else gained
        if head == old[:-1]:
            return "stop_retained_variant"
        if len(head) < len(changed) - 1:
            return "stop_gained"
    if not shift:
        unknown = "X" in old + changed
        same = "start_retained_variant" if first == 0 and gene.has_start else "synonymous_variant"
        return "coding_sequence_variant" if unknown else same if old == changed else "missense_variant"
    return "inframe_insertion" if shift > 0 else "inframe_deletion"
