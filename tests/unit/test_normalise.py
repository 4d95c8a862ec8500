"""Left alignment: against the algorithm as it is written in Tan et al. 2015, and by the sequence that comes out."""

import numpy as np
from helpers.genomes import genome_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.sequence.alphabet import encode
from dnalm.sequence.left_align import left_align


def by_the_paper(text, position, ref, alt):
    """Algorithm 1 of Tan et al. 2015 on a text; then the anchor base and all shared ends are taken off."""
    changed = True
    while changed:
        changed = False
        if ref and alt and ref[-1] == alt[-1]:
            ref, alt, changed = ref[:-1], alt[:-1], True
        if (not ref or not alt) and position > 0 and (ref or alt):
            position -= 1
            ref, alt = text[position] + ref, text[position] + alt
            changed = ref[-1] == alt[-1]
    while ref and alt and ref[0] == alt[0]:
        position, ref, alt = position + 1, ref[1:], alt[1:]
    return position, ref, alt


@st.composite
def changes(draw):
    """A text with repeats, and a change in it with shared bases on either side."""
    text = "".join(draw(st.lists(st.sampled_from(["A", "C", "AC", "ACC", "AAAA", "GT"]), min_size=4, max_size=20)))
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start, min(start + 6, len(text))))
    new = draw(st.text("ACGT", max_size=6))
    low, high = draw(st.integers(0, start)), draw(st.integers(end, len(text)))
    return text, low, text[low:high], text[low:start] + new + text[end:high]


@settings(max_examples=300, deadline=None)
@given(changes())
def test_it_is_the_algorithm_of_the_paper(change):
    text, position, ref, alt = change
    got = left_align(encode(text), [position], [ref], [alt])
    assert tuple(column[0] for column in got) == by_the_paper(text, position, ref, alt)


@settings(max_examples=200, deadline=None)
@given(changes(), st.data())
def test_all_ways_of_writing_a_change_become_one(change, data):
    """A second way of writing: the same changed text, told from the first by where the common ends are cut."""
    text, position, ref, alt = change
    new = text[:position] + alt + text[position + len(ref) :]
    shorter = min(len(text), len(new))
    prefix = next((i for i in range(shorter) if text[i] != new[i]), shorter)
    left = data.draw(st.integers(0, prefix))
    room = shorter - left
    suffix = next((i for i in range(room) if text[-1 - i] != new[-1 - i]), room)
    right = data.draw(st.integers(0, suffix))
    other = left, text[left : len(text) - right], new[left : len(new) - right]
    one, two = (left_align(encode(text), [p], [r], [a]) for p, r, a in ((position, ref, alt), other))
    assert [c[0] for c in one] == [c[0] for c in two] or text == new
    place, before, after = (column[0] for column in one)
    assert text[:place] + after + text[place + len(before) :] == new
    assert text[place : place + len(before)] == before


def test_many_at_once_stop_at_their_contig_and_at_n():
    """The first contig ends with the bases that the second begins with; an N is not the base that is needed."""
    genome = genome_of(encode("CAAA"), encode("AAANAAAT"))
    assert list(genome.contigs["offset"]) == [0, 4]
    position, ref, alt = left_align(
        genome.codes | np.uint8(8), [6, 3, 10, 4, 7], ["A", "A", "", "", "N"], ["", "", "AA", "A", ""], [4, 0, 4, 0, 4]
    )
    assert position.tolist() == [4, 1, 8, 1, 7]
    assert ref.tolist() == ["A", "A", "", "", "N"] and alt.tolist() == ["", "", "AA", "A", ""]


def test_a_repeat_turns_the_sequence_and_large_ones_are_quick():
    position, ref, alt = left_align(encode("TT" + "CAG" * 50_000 + "TT"), [150_000], ["AG" + "C"], [""])
    assert (position[0], ref[0], alt[0]) == (2, "CAG", "")
    assert [len(column) for column in left_align(encode("ACGT"), [], [], [])] == [0, 0, 0]
