"""Genetic codes as arrays over the 64 codons; codon index = 16 a + 4 b + c with A C G T = 0..3."""

from functools import cache

import numpy as np
from Bio.Data import CodonTable

from dnalm.errors import InputError

#: Start codons that gene finders allow in bacteria; NCBI's tables 4 and 11 list more, all of them very rare.
BACTERIAL_STARTS = ("ATG", "GTG", "TTG")


@cache
def genetic_code(number: int) -> tuple[str, np.ndarray, np.ndarray]:
    """Amino acids (64 letters, * = stop), start codons and stop codons (bool, (64,)) of an NCBI genetic code."""
    table = CodonTable.unambiguous_dna_by_id.get(number)
    if table is None:
        known = sorted(CodonTable.unambiguous_dna_by_id)
        raise InputError(f"there is no genetic code {number}", "genetic_code", f"NCBI's are {known}")
    codons = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    amino = "".join(table.forward_table.get(codon, "*") for codon in codons)
    starts = BACTERIAL_STARTS if number in (4, 11) else table.start_codons
    return amino, np.isin(codons, starts), np.isin(codons, table.stop_codons)


def stop_codons(*numbers: int) -> tuple[str, ...]:
    """Stop codons of an NCBI genetic code, or those that several have in common, in alphabetical order."""
    stops = np.all([genetic_code(number)[2] for number in numbers], axis=0)
    return tuple("ACGT"[i // 16] + "ACGT"[i // 4 % 4] + "ACGT"[i % 4] for i in np.flatnonzero(stops))


def codon_index(codes: np.ndarray) -> np.ndarray:
    """Index of the codon that begins at each base, -1 where an N is in it; int64 of shape (length - 2,)."""
    b = np.asarray(codes).astype(np.int64) & 7
    index = 16 * b[:-2] + 4 * b[1:-1] + b[2:]
    return np.where((b[:-2] < 4) & (b[1:-1] < 4) & (b[2:] < 4), index, -1)


def translate(codes: np.ndarray, number: int, start: bool = True) -> str:
    """Protein of codes that begin in frame; N codons give X; a first codon that can start is read as M."""
    amino, starts, _ = genetic_code(number)
    codons = codon_index(codes)[::3]
    protein = "".join(amino[c] if c >= 0 else "X" for c in codons)
    return "M" + protein[1:] if start and len(codons) and codons[0] >= 0 and starts[codons[0]] else protein
