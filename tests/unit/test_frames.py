"""Open reading frames against a walk that follows the definition."""

import numpy as np
import pytest
from Bio.Seq import Seq
from helpers.models import random_codes
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.sequence.alphabet import N, decode, encode
from dnalm.sequence.frames import REACH, open_frames
from dnalm.sequence.genetic_code import stop_codons

STOPS = stop_codons(11)


def by_definition(letters, stops):
    """Position by position: the nearest stop that ends k, k + 3, ... bases before, unless the text or an N ends."""
    reverse = {str(Seq(stop).reverse_complement()) for stop in stops}
    rows = []
    for t in range(len(letters)):
        begin = letters.rfind("N", 0, t) + 1
        row = []
        for wanted in (set(stops), reverse):
            for frame in range(3):
                ends = [e for e in range(t - frame, begin + 2, -3) if letters[e - 3 : e] in wanted]
                row.append(min(t - (ends[0] if ends else begin), REACH))
        rows.append(row)
    return np.array(rows)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 120), st.integers(0, 999), st.sampled_from([0.0, 0.05]), st.sampled_from([11, 4, 1]))
def test_equals_the_definition(length, seed, n_share, code):
    codes = random_codes(seed, 2, length, n_share=n_share)
    found = open_frames(codes, stop_codons(code))
    assert found.dtype == np.int16
    for row, window in zip(found, codes, strict=True):
        np.testing.assert_array_equal(row, by_definition(decode(window), stop_codons(code)).reshape(-1, 6))


def test_the_codon_position_of_a_gene_shows():
    gene = encode("TAA" + "GCC" * 100)[None]
    frames = open_frames(gene, STOPS)[0]
    assert frames[3 + 30].tolist()[:3] == [30, 33, 33]  # only the stop before the gene ends in its frame
    assert frames[3 + 31].tolist()[:3] == [34, 31, 34]


def test_distances_end_somewhere():
    frames = open_frames(encode("GCC" * 500)[None], STOPS)
    assert frames.max() == REACH
    assert (frames[0, -1] == REACH).all()


@pytest.mark.parametrize("left", [1, 2, 3, 7])
def test_padding_changes_nothing(left):
    codes = random_codes(4, 1, 90)
    padded = np.pad(codes, ((0, 0), (left, 5)), constant_values=N)
    np.testing.assert_array_equal(open_frames(padded, STOPS)[:, left : left + 90], open_frames(codes, STOPS))


def test_the_future_is_not_read():
    codes = random_codes(5, 1, 80)
    other = codes.copy()
    other[0, 50:] = (other[0, 50:] + 1) % 4
    np.testing.assert_array_equal(open_frames(codes, STOPS)[:, :51], open_frames(other, STOPS)[:, :51])
