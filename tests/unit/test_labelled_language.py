"""What the language model says of variants with labels: the same as asked one by one, and no label in it."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of
from helpers.models import random_codes, small_model

from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.labelled_language import Language, language_features
from dnalm.tasks.substitutions import Expectations


def test_ratios_and_entropy_are_those_of_each_place():
    genome = genome_of(random_codes(2, 300))
    model = Expectations(small_model(genome), genome, 64)
    place = np.array([40, 41, 200])
    ref = genome.codes[place].astype(int)
    table = pd.DataFrame({"_position": place, "_alt": (ref + 1) % 4, "_label": [True, False, True]})
    found = language_features(model, table)
    for row, position in enumerate(place):
        logp = model.at(np.array([position]))[0].astype(np.float64)
        assert found["llr"][row] == pytest.approx(logp[(ref[row] + 1) % 4] - logp[ref[row]], abs=1e-5)
        assert found["entropy"][row] == pytest.approx(-(np.exp(logp) * logp).sum() / np.log(2), abs=1e-5)
    assert "joint" not in found
    turned = language_features(model, table.assign(_label=~table["_label"]))
    pd.testing.assert_frame_equal(found, turned)


def test_gaps_have_the_joint_ratio_alone():
    genome = genome_of(random_codes(2, 300))
    own = small_model(genome)
    place = np.array([40, 60, 200])
    ref = ["ACGTN"[genome.codes[40] & 7], "", "".join("ACGT"[c & 7] for c in genome.codes[200:203])]
    alt = ["ACGT"[(genome.codes[40] + 1) % 4], "GG", ""]
    table = pd.DataFrame({"_position": place, "_ref_bases": ref, "_alt_bases": alt, "_kind": ["snv", "insertion", "x"]})
    table["_alt"] = [(genome.codes[40] + 1) % 4, 4, 4]
    found = Language(own, genome, 0, 64)(table)
    joint = JointLikelihood(own, genome).ratios(place, ref, alt)
    assert np.allclose(found["joint"], joint) and np.isfinite(found["llr"]).tolist() == [True, False, False]


def test_positions_are_those_of_the_whole_genome():
    """The genome of the variants is the second of two that the model knows."""
    first, second = random_codes(4, 200), random_codes(5, 300)
    whole = genome_of(first, second)
    table = pd.DataFrame({"_position": [50], "_alt": [(second[50] + 1) % 4], "_kind": ["snv"]})
    model = small_model(whole)
    want = language_features(Expectations(model, whole, 64), table.assign(_position=250))
    pd.testing.assert_frame_equal(Language(model, whole, 200, 64)(table), want)
