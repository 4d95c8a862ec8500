"""What the language model says of variants with labels: the same as asked one by one, and no label in it."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, planted_genome
from helpers.models import random_codes, small_model

from dnalm.baselines.markov import ORDERS
from dnalm.baselines.mixture import Mixture
from dnalm.baselines.substitutions import counted_mixture, counted_ratios
from dnalm.sequence.alphabet import decode, encode, reverse_complement
from dnalm.sequence.splits import split_intervals
from dnalm.tasks import state_changes
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.labelled_language import Language, counted_scores, language_features
from dnalm.tasks.state_changes import StateChanges
from dnalm.tasks.substitutions import Expectations


def ratios_of(genome, splits, choices):
    """Ratios on the test blocks, of what the training blocks have."""
    counted = counted_mixture(genome, split_intervals(genome, splits, "train"), choices)
    return counted_ratios(genome, splits, choices, "test", counted)


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
    found = Language(own, genome, 0, 64, None, 1)(table, families=["language_model"])["language_model"]
    joint = JointLikelihood(own, genome).ratios(place, ref, alt)
    assert np.allclose(found["joint"], joint) and np.isfinite(found["llr"]).tolist() == [True, False, False]


def test_positions_are_those_of_the_whole_genome(monkeypatch):
    """The genome of the variants is the second of two that the model knows."""
    first, second = random_codes(4, 200), random_codes(5, 300)
    whole = genome_of(first, second)
    table = pd.DataFrame({"_position": [50], "_alt": [(second[50] + 1) % 4], "_kind": ["snv"]})
    model = small_model(whole)
    want = language_features(Expectations(model, whole, 64), table.assign(_position=250))
    ref, alt = (decode(base) for base in (second[50:51], (second[50:51] + 1) % 4))
    own = table.assign(_ref_bases=[ref], _alt_bases=[alt], _reverse=[True])
    monkeypatch.setattr(state_changes, "RANDOM", 32)
    training = np.array([[0, 200], [300, 500]])
    found = Language(model, whole, 200, 64, training, 1)(own)
    pd.testing.assert_frame_equal(found["language_model"], want)
    states = StateChanges(model, whole, training, 1)
    there = states.features(np.array([250]), [ref], [alt], np.array([True]))
    pd.testing.assert_frame_equal(found["embeddings"], there)


CHOICES = {"smoothing": {str(k): 8.0 for k in ORDERS}, "flank_smoothing": [8.0] * 8,
           "mixture": Mixture([8.0] * len(ORDERS)).weights}  # fmt: skip


def substitutions(codes, positions, step=1):
    alt = (codes[positions].astype(int) & 7) + step
    return pd.DataFrame({"_position": positions, "_alt": alt % 4})


def test_counts_say_of_held_out_variants_what_the_zero_shot_stage_says():
    """Inside a test block, far from its edges: the same ratios, whatever the order of the rows."""
    planted = planted_genome(genes=30, block=3000)
    genome, splits = planted.genome, planted.splits
    intervals, ratios = ratios_of(genome, splits, CHOICES)
    start, end = intervals[0]
    rows = np.array([start + 300, start + 301, end - 400, start + 90])
    table = substitutions(genome.codes, rows)
    found = counted_scores(genome, 0, table, split_intervals(genome, splits, "train"), CHOICES)
    want = -ratios["markov_mixture"][rows - start, table["_alt"]]
    assert found["markov_mixture"] == pytest.approx(want, abs=1e-5) and len(set(want)) > 1


def test_a_training_base_does_not_vouch_for_itself():
    """Its own n-grams are left out: what stands once in the training blocks is as new as elsewhere, a copy is not."""
    unit = random_codes(3, 400)
    genome = genome_of(np.concatenate([random_codes(4, 300), unit, random_codes(5, 300)]))
    table = substitutions(genome.codes, np.array([500]))
    once = counted_scores(genome, 0, table, np.array([[0, 1000]]), CHOICES)["markov_mixture"][0]
    elsewhere = counted_scores(genome, 0, table, np.array([[0, 300], [700, 1000]]), CHOICES)["markov_mixture"][0]
    twice = genome_of(np.concatenate([random_codes(4, 300), unit, random_codes(5, 300), unit]))
    known = counted_scores(twice, 0, table, np.array([[0, 1400]]), CHOICES)["markov_mixture"][0]
    assert abs(once - elsewhere) < 0.3 * (known - elsewhere)


def test_a_word_of_either_strand_is_known_and_gaps_are_not_asked_about():
    base = random_codes(8, 200)
    text = decode(base)
    changed = text[:100] + "ACGT"[(base[100] + 1) % 4] + text[101:]
    other = decode(reverse_complement(encode(changed[80:121])))
    genome = genome_of(random_codes(9, 50), text, other)
    table = substitutions(base, np.array([100, 100, 50]))
    table.loc[1, "_alt"] = (base[100] + 2) % 4
    table.loc[2, "_alt"] = 4  # no substitution
    lengths = [50, 200, len(other)]
    training = np.array([[0, 50], [50, 250], [250, sum(lengths)]])
    found = counted_scores(genome, 50, table, training, CHOICES)
    assert found["kmer_lookup"][:2].tolist() == [0, 1] and np.isnan(found["kmer_lookup"][2])
    assert np.isfinite(found["markov_mixture"]).tolist() == [True, True, False]
    without = counted_scores(genome, 50, table, training[:2], CHOICES)
    assert without["kmer_lookup"][:2].tolist() == [1, 1]
