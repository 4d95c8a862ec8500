"""What the language model says of variants with labels: the same as asked one by one, and no label in it."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of
from helpers.models import random_codes, small_model

from dnalm.tasks.labelled_language import language_features
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
    turned = language_features(model, table.assign(_label=~table["_label"]))
    pd.testing.assert_frame_equal(found, turned)
