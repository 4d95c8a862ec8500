"""Counts of letters against Python's own, and contigs that are there twice."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.genomes.composition import Composition, twins
from dnalm.sequence.alphabet import encode

LETTERS = "ACGTUNRYSWKMBDHVacgtunryswkmbdhv"


def counted(text, cuts=()):
    composition = Composition()
    for a, b in itertools.pairwise([0, *sorted(cuts), len(text)]):
        composition.add(text[a:b].encode())
    return composition


@settings(deadline=None)
@given(st.text(LETTERS + "NNNNnn", min_size=1, max_size=200), st.data())
def test_every_number_is_that_of_the_whole_string_however_it_is_cut(text, data):
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=4))
    found, runs = counted(text, cuts), [len(run) for run in re.findall("[Nn]+", text)]
    upper = text.upper()
    known = sum(upper.count(letter) for letter in "ACGTU")
    assert found.record() == {
        "gc": round((upper.count("G") + upper.count("C")) / max(known, 1), 6), "n": len(text) - known,
        "n_runs": len(runs), "longest_n_run": max(runs, default=0),
        "soft_masked_share": round(sum(map(str.islower, text)) / len(text), 6),
    }  # fmt: skip
    assert found.ambiguous() == {x: upper.count(x) for x in "RYSWKMBDHV" if x in upper}


@pytest.mark.parametrize(
    ("text", "kind"), [("ACGT", "none"), ("ACgt", "yes"), ("acgt", "all lower case"), ("acgtNNNR", "all lower case"),
                       ("ACGTnn", "none"), ("NNN", "none")],
)  # fmt: skip
def test_kinds_of_soft_mask(text, kind):
    assert counted(text).soft_mask() == kind


def test_a_total_joins_no_stretches_of_n_across_contigs():
    whole = Composition.total([counted("ACNN"), counted("NNNAC"), counted("AC")])
    assert (whole.n_runs, whole.longest_n_run, whole.record()["n"]) == (2, 3, 5)


def test_twins_on_both_strands_and_in_any_case():
    texts = {"a": "AACCG", "b": "CGGTT", "c": "aaccg", "d": "AACCT", "e": "NNNNN", "f": "NNNNN", "g": "AAC"}
    lengths = np.array([len(t) for t in texts.values()])
    table = pd.DataFrame({"contig": list(texts), "length": lengths, "offset": np.cumsum(lengths) - lengths})
    assert twins(encode("".join(texts.values())), table) == [["a", "b", "c"]]
