"""Genetic codes and translation against Biopython."""

import numpy as np
import pytest
from Bio.Data import CodonTable
from Bio.Seq import Seq

from dnalm.errors import InputError
from dnalm.sequence.alphabet import decode, encode
from dnalm.sequence.genetic_code import codon_index, genetic_code, translate

CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]


@pytest.mark.parametrize("number", sorted(CodonTable.unambiguous_dna_by_id))
def test_tables_equal_biopythons(number):
    amino, starts, stops = genetic_code(number)
    table = CodonTable.unambiguous_dna_by_id[number]
    for i, codon in enumerate(CODONS):
        assert codon_index(encode(codon)).tolist() == [i]
        assert stops[i] == (codon in table.stop_codons)
        assert amino[i] == table.forward_table.get(codon, "*")
    allowed = {CODONS[i] for i in np.flatnonzero(starts)}
    assert allowed and allowed <= set(table.start_codons)


def test_practical_bacterial_starts():
    for number in (4, 11):
        assert {CODONS[i] for i in np.flatnonzero(genetic_code(number)[1])} == {"ATG", "GTG", "TTG"}


@pytest.mark.parametrize("number", sorted(CodonTable.unambiguous_dna_by_id))
def test_translation_equals_biopythons(number):
    rng = np.random.default_rng(number)
    for length in (0, 3, 30, 301, 3000):
        codes = rng.integers(0, 4, length).astype(np.uint8)
        codes[rng.random(length) < 0.3] |= 8
        text = decode(codes)[: length // 3 * 3]
        assert translate(codes, number, start=False) == str(Seq(text).translate(table=number))


def test_start_codon_is_read_as_methionine_and_n_as_x():
    assert translate(encode("GTGAAATAA"), 11) == "MK*"
    assert translate(encode("GTGAAATAA"), 11, start=False) == "VK*"
    assert translate(encode("CTGAAATAA"), 11) == "LK*"
    assert translate(encode("ATGNAATGA"), 4) == "MXW"
    assert translate(encode("NTGAAA"), 11) == "XK"


def test_codons_with_n_have_no_index():
    assert codon_index(encode("ACNGTA")).tolist() == [-1, -1, -1, CODONS.index("GTA")]
    assert len(codon_index(encode("AC"))) == 0


def test_unknown_code_is_explained():
    with pytest.raises(InputError, match=r"no genetic code 7\..*11"):
        genetic_code(7)
