"""Ratios of substitutions by counting: agree with the bits of the same models, at the true base and at others."""

import json

import numpy as np
import pytest
from helpers.genomes import genome_of
from helpers.models import repetitive_genome

from dnalm.baselines.language import language_baselines
from dnalm.baselines.substitutions import counted_mixture, counted_ratios
from dnalm.sequence.splits import make_splits, split_intervals

SPLIT = {"by": "position", "test": 0.2, "validation": 0.2, "gap": 50, "block": 500}


def ratios_of(genome, splits, choices):
    """Ratios on the test blocks, of what the training blocks have."""
    counted = counted_mixture(genome, split_intervals(genome, splits, "train"), choices)
    return counted_ratios(genome, splits, choices, "test", counted)


@pytest.fixture(scope="module")
def study():
    genome = repetitive_genome(length=4000)
    splits = make_splits([genome], SPLIT, 1)
    return genome, splits, language_baselines(genome, splits, 1)


def test_ratios_agree_with_the_bits_of_a_changed_base(study):
    """A base that is changed has the bits of the reference plus its ratio, by the definition of both."""
    genome, splits, (_, scores, choices) = study
    choices = json.loads(json.dumps(choices))  # as the next rule reads them
    intervals, ratios = ratios_of(genome, splits, choices)
    place = int(intervals[0, 0]) + 200
    row = place - int(intervals[0, 0])
    for alternative in set(range(4)) - {int(genome.codes[place] & 7)}:
        codes = np.array(genome.codes)
        codes[place] = alternative
        changed = genome_of(codes)
        _, again, _ = language_baselines(changed, splits, 1)
        spans, _ = study[2][0], None
        at = int((spans[:, 1] - spans[:, 0])[:-1].sum()) + row
        before = scores["flank_counts"]["two_sided"][at]
        after = again["flank_counts"]["two_sided"][at]
        assert ratios["flank_counts"][row, alternative] == pytest.approx((before - after) * np.log(2), abs=1e-4)
        before, after = (
            s["markov_mixture"]["causal_forward"][at] + s["markov_mixture"]["causal_reverse"][at]
            for s in (scores, again)
        )
        assert ratios["markov_mixture"][row, alternative] == pytest.approx((before - after) * np.log(2), abs=1e-4)


def test_the_reference_has_none_and_an_n_says_nothing(study):
    genome, splits, (_, _, choices) = study
    codes = np.array(genome.codes)
    start = int(ratios_of(genome, splits, choices)[0][0, 0])
    codes[start + 100] = 4
    _, ratios = ratios_of(genome_of(codes), splits, choices)
    for values in ratios.values():
        reference = codes[start : start + 100] & 7
        assert np.allclose(values[np.arange(100), np.minimum(reference, 3)][reference < 4], 0)
        assert np.isnan(values[100]).all() and np.isfinite(values[:100][reference < 4]).all()
