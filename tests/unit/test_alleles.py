"""Alleles as arrays, against plain Python on strings."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.sequence.alleles import AMBIGUOUS, DIFFERENT, EQUAL, KINDS, NOWHERE, Sequences, kinds, reference_states, trim
from dnalm.sequence.alphabet import encode

bases_text = st.text("ACGT", min_size=1, max_size=12)


def trimmed(pairs):
    """(shift, ref, alt, kind) of pairs of alleles."""
    ref, alt = Sequences.of([a for a, _ in pairs]), Sequences.of([b for _, b in pairs])
    left, right = trim(ref, alt, np.arange(len(pairs)))
    kind = kinds(ref.lengths - left - right, alt.lengths - left - right)
    return [
        (int(a), r[a : len(r) - b], t[a : len(t) - b], KINDS[k] if k >= 0 else None)
        for a, b, r, t, k in zip(left, right, ref.texts, alt.texts, kind, strict=True)
    ]


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("A", "C"), (0, "A", "C", "snv")),
        (("a", "c"), (0, "A", "C", "snv")),
        (("CAG", "CTG"), (1, "A", "T", "snv")),
        (("AC", "GT"), (0, "AC", "GT", "mnv")),
        (("ACA", "GCT"), (0, "ACA", "GCT", "mnv")),
        (("A", "AT"), (1, "", "T", "insertion")),
        (("A", "TA"), (0, "", "T", "insertion")),
        (("A", "AA"), (0, "", "A", "insertion")),
        (("CA", "CAA"), (1, "", "A", "insertion")),
        (("CAA", "CA"), (1, "A", "", "deletion")),
        (("TCT", "T"), (0, "TC", "", "deletion")),
        (("CG", "T"), (0, "CG", "T", "indel")),
        (("ACG", "ATTG"), (1, "C", "TT", "indel")),
        (("ACGT", "acgt"), (0, "", "", None)),
    ],
)
def test_trimming_by_hand(pair, expected):
    assert trimmed([pair]) == [expected]


@settings(max_examples=300, deadline=None)
@given(st.text("ACGT", max_size=8), bases_text, bases_text, st.text("ACGT", max_size=8))
def test_trimming_keeps_the_sequence_that_results(before, ref, alt, after):
    genome = before + ref + after
    ((shift, short_ref, short_alt, kind),) = trimmed([(ref, alt)])
    place = len(before) + shift
    assert genome[place : place + len(short_ref)] == short_ref
    assert genome[:place] + short_alt + genome[place + len(short_ref) :] == before + alt + after
    if kind:  # nothing in common is left at either end
        assert not (short_ref and short_alt) or (short_ref[0] != short_alt[0] and short_ref[-1] != short_alt[-1])
    else:
        assert ref == alt


def shared(a, b):
    return next(n for n in range(min(len(a), len(b)), -1, -1) if a[:n] == b[:n])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(bases_text, bases_text), min_size=1, max_size=20))
def test_many_at_once_are_as_one_by_one(pairs):
    assert trimmed(pairs) == [trimmed([pair])[0] for pair in pairs]
    for pair, (shift, ref, alt, _) in zip(pairs, trimmed(pairs), strict=True):
        suffix = shared(pair[0][::-1], pair[1][::-1])
        prefix = shared(*(text[: len(text) - suffix] for text in pair))
        assert (shift, ref, alt) == (prefix, *(text[prefix : len(text) - suffix] for text in pair))


def test_alternatives_of_one_record_share_its_reference():
    ref, alt = Sequences.of(["CA", "G"]), Sequences.of(["C", "CAT", "T"])
    left, right = trim(ref, alt, np.array([0, 0, 1]))
    assert (left.tolist(), right.tolist()) == ([1, 2, 0], [0, 0, 0])


def test_what_is_ambiguous():
    texts = ["ACGT", "acgt", "N", "ACR", "", "AU", "<DEL>", "*", ".", "Ü", "-"]
    assert Sequences.of(texts).ambiguous.tolist() == [False, False] + [True] * 9
    assert Sequences.of(texts).texts[-2:] == ["?", "-"]


@settings(max_examples=200, deadline=None)
@given(st.text("ACGTNacgtn", min_size=12, max_size=12), st.lists(st.text("ACGTNRacgt", min_size=1, max_size=4)))
def test_reference_states_are_those_of_a_loop(genome, alleles):
    alleles = [*alleles, "A"]
    positions = [i % 9 - 1 for i in range(len(alleles))]
    expected = []
    for position, allele in zip(positions, alleles, strict=True):
        pairs = list(zip(genome[position : position + len(allele)].upper(), allele.upper(), strict=False))
        known = [(a, b) for a, b in pairs if a in "ACGT" and b in "ACGT"]
        state = DIFFERENT if any(a != b for a, b in known) else AMBIGUOUS if len(known) < len(pairs) else EQUAL
        expected.append(NOWHERE if position < 0 else state)
    assert reference_states(encode(genome), np.array(positions), Sequences.of(alleles)).tolist() == expected
