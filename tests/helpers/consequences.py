"""Consequences the slow way: the whole sequence is changed, the gene is read again, and both proteins are compared."""

import functools
import json

import numpy as np
from Bio.Seq import Seq

from dnalm.annotation.features import features_table
from dnalm.sequence.alphabet import decode
from helpers.genomes import genome_of

STARTS = {1: ("ATG",), 4: ("ATG", "GTG", "TTG"), 11: ("ATG", "GTG", "TTG")}
STOPS = {1: ("TAA", "TAG", "TGA"), 4: ("TAA", "TAG"), 11: ("TAA", "TAG", "TGA")}


def turned(text):
    return str(Seq(text).reverse_complement())


def open_frames(text, code, minimum=12):
    """(start, end, strand) of every stretch from a start codon to the first stop codon on a circle."""
    size, found = len(text), []
    for strand, letters in (("+", text * 2), ("-", turned(text) * 2)):
        for a in range(size):
            if letters[a : a + 3] not in STARTS[code]:
                continue
            end = next((i for i in range(a, a + size - 2, 3) if letters[i : i + 3] in STOPS[code]), None)
            if end is None or (end - a) // 3 + 1 < minimum:
                continue
            low, high = (a, end + 3) if strand == "+" else (2 * size - end - 3, 2 * size - a)
            found.append((low % size, low % size + high - low, strand))
    return found


def frames_genome(seed, code, size=900, most=14):
    """A random circular genome, genes that overlap on both strands, some across the origin, and its features."""
    rng = np.random.default_rng(seed)
    text = "".join(rng.choice(list("ACGT"), size))
    frames = open_frames(text, code)
    crossing = [f for f in frames if f[1] > size][:2]
    genes = crossing + [frames[i] for i in rng.permutation(len(frames))[:most] if frames[i] not in crossing]
    rows = [row for number, gene in enumerate(genes) for row in gene_rows(*gene, f"g{number}", size)]
    return genome_of(text, circular=True, code=code), genes, features_table(rows)


def gene_rows(start, end, strand, name, size, phase=0, **attributes):
    """Feature rows of one coding sequence, in two parts if it crosses the origin."""
    spans = [(start, end)] if end <= size else [(start, size), (0, end - size)]
    text = json.dumps({"gene": name, **attributes})
    common = {"contig": "c0", "strand": strand, "type": "CDS", "id": f"cds-{name}", "parent": "", "attributes": text}
    return [common | {"start": a, "end": b, "phase": phase} for a, b in spans]


@functools.cache
def letters_of(genome):
    return decode(genome.codes).upper()


class SlowGene:
    """A gene as the genome's positions of its coding bases, in the order of reading."""

    def __init__(self, genome, places, strand, code, has_start=True, has_stop=True, circular=True):
        self.letters, self.places, self.strand, self.code = letters_of(genome), list(places), strand, code
        self.has_start, self.has_stop, self.circular = has_start, has_stop, circular
        self.order = {p: i for i, p in enumerate(self.places)}
        self.old = self._read([self.letters[p] for p in self.places])
        self.before, self.after = self._around()
        self.was = self._protein(self.old)

    def _read(self, letters):
        return "".join(letters if self.strand == "+" else [turned(x) for x in letters])

    def _around(self):
        """Three bases before and after it."""
        step, size = (1 if self.strand == "+" else -1), len(self.letters)
        sides = [[self.places[0] + step * k for k in (-3, -2, -1)], [self.places[-1] + step * k for k in (1, 2, 3)]]
        if not self.circular:
            sides = [[p for p in side if 0 <= p < size] for side in sides]
        return [self._read([self.letters[p % size] for p in side]) for side in sides]

    def change(self, position, ref, alt):
        """(low, high, new) in the coding sequence; None if the allele is not inside of it."""
        order = self.order
        new = alt if self.strand == "+" else turned(alt) if alt else ""
        if ref:
            found = sorted(order[p] for p in range(position, position + len(ref)) if p in order)
            inside = len(found) == len(ref) and found[-1] - found[0] == len(ref) - 1
            return (found[0], found[-1] + 1, new) if inside else None
        left = (position - 1) % len(self.letters) if self.circular else position - 1
        sides = [order.get(left), order.get(position)]
        step = 1 if self.strand == "+" else -1
        return (max(sides), max(sides), new) if None not in sides and sides[1] - sides[0] == step else None

    def term(self, position, ref, alt):
        """What an allele inside of the coding sequence does; None for one that is not."""
        change = self.change(position, ref, alt)
        if change is None:
            return None
        low, high, new = change
        old, before, after = self.old, self.before, self.after
        text, shift = old[:low] + new + old[high:], len(new) - (high - low)
        if self.has_start and low < 3:
            again = (before + text)[: len(before + text) - len(old) + 3][-3:] if high <= 3 else ""
            if again in STARTS[self.code]:
                return "start_retained_variant"
            if text[:3] not in STARTS[self.code]:
                return "start_lost"
        if shift % 3:
            if not self.has_stop or low < len(old) - 3:
                return "frameshift_variant"
            codon = (text + after)[len(old) - 3 : len(old)]
            return "stop_retained_variant" if codon in STOPS[self.code] else "stop_lost"
        touched = (low < 3 and self.has_start, max(high, low + 1) > len(old) - 3 and self.has_stop)
        return self._compare(text, after, shift, touched, bool(ref) and bool(alt))

    def _compare(self, new, after, shift, touched, both):
        was, found_was = self.was
        now, found = self._protein(new + (after if self.has_stop else ""))
        if not found and self.has_stop:
            return "stop_lost"
        if (now, found) == (was, found_was):
            if touched[1] or shift:
                return "stop_retained_variant"
            return "start_retained_variant" if touched[0] else "synonymous_variant"
        expected = len(was) + shift // 3
        if found and len(now) < expected + (0 if found_was else 1):
            return "stop_gained"
        if len(now) > expected:
            return "stop_lost"
        if not shift:
            return "missense_variant"
        return "protein_altering_variant" if both else "inframe_insertion" if shift > 0 else "inframe_deletion"

    def _protein(self, text):
        """Amino acids before the first stop codon, and whether there is one."""
        protein = str(Seq(text[: len(text) // 3 * 3]).translate(table=self.code))
        protein = "M" + protein[1:] if self.has_start else protein
        return protein.partition("*")[0], "*" in protein


def random_alleles(rng, text, number, edge=1):
    """Alleles (position, ref, alt) without common ends: insertions, deletions, and both at once."""
    found = []
    while len(found) < number:
        at = int(rng.integers(edge, len(text) - 12))
        ref = text[at : at + int(rng.integers(0, 8))]
        alt = "".join(rng.choice(list("ACGT"), int(rng.integers(0, 8))))
        if ref != alt and not (ref and alt and (ref[0] == alt[0] or ref[-1] == alt[-1])):
            found.append((at, ref, alt))
    return found
