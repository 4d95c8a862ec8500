"""Calling intervals, against going from base to base; thresholds, against trying them all."""

import itertools

import numpy as np
import pytest
from helpers.genomes import genome_of, splits_of

from dnalm.annotation.track_labels import TrackLabels
from dnalm.tasks.track_calls import call, call_bases, called_table, choose_thresholds, covered, cut_out

RULES = {"tracks": {"a": {"merge_gap": 2, "min_length": 3}, "b": {"merge_gap": 2, "min_length": 1}}}
LABELS, CLASSES = {**RULES, "mode": "multi_label", "stranded": False}, {**RULES, "mode": "multi_class"}


def slowly(called, other, merge_gap, min_length):
    """Intervals base by base: fill short gaps without foreign bases, then drop short runs."""
    called = called & ~other
    filled, places = called.copy(), np.flatnonzero(called)
    for a, b in itertools.pairwise(places):
        if b - a - 1 <= merge_gap and not other[a:b].any():
            filled[a:b] = True
    found, start = [], None
    for i, yes in enumerate([*filled, False]):
        if yes and start is None:
            start = i
        if not yes and start is not None:
            found += [[start, i]] if i - start >= min_length else []
            start = None
    return found


@pytest.mark.parametrize("seed", range(20))
def test_called_intervals_are_those_of_going_base_by_base(seed):
    rng = np.random.default_rng(seed)
    values, other = rng.random(80), rng.random(80) < 0.1 * (seed % 3)
    gap, least = int(rng.integers(0, 4)), int(rng.integers(1, 5))
    found = call(values, 0.5, gap, least, other)
    assert found.tolist() == slowly(values >= 0.5, other, gap, least)
    assert np.flatnonzero(covered(found, 80)).tolist() == [i for a, b in found for i in range(a, b)]


def test_no_interval_goes_from_one_block_to_the_next():
    found = call_bases(np.array([[10, 15], [40, 45]]), {"a": np.ones(10)}, {"a": 0.5}, LABELS)
    assert found["a"].tolist() == [[0, 5], [5, 10]]


def test_a_base_of_exclusive_classes_is_called_once():
    a = np.array([0.8, 0.8, 0.3, 0.8, 0.8, 0.2, 0.3])
    b = np.array([0.1, 0.1, 0.5, 0.1, 0.1, 0.2, 0.4])
    found = call_bases(np.array([[0, 7]]), {"a": a, "b": b}, {"a": 0.25, "b": 0.35}, CLASSES)
    assert found["a"].tolist() == []  # base 2 is b's, so that the runs of a stay short
    assert found["b"].tolist() == [[2, 3], [6, 7]]


def test_values_of_blocks_are_found_among_intervals_in_any_order():
    intervals = np.array([[100, 120], [0, 50]])
    columns = {"a": np.concatenate([np.arange(100, 120), np.arange(50)])}
    wanted = np.array([[3, 6], [48, 50], [110, 120]])
    assert cut_out(intervals, columns, wanted)["a"].tolist() == [3, 4, 5, 48, 49, *range(110, 120)]
    with pytest.raises(ValueError, match="do not cover"):
        cut_out(intervals, columns, np.array([[48, 52]]))


def test_the_threshold_has_the_best_f1_of_validation_bases_and_sees_no_other():
    rng = np.random.default_rng(3)
    genome = genome_of(rng.integers(0, 4, 400).astype(np.uint8))
    truth = np.zeros((400, 1), dtype=bool)
    truth[120:150] = truth[170:180] = truth[300:400] = True
    labels = TrackLabels(("a",), truth, np.ones(400, dtype=bool))
    values = np.clip(truth[:, 0] * 0.3 + 0.7 * rng.random(400), 0, 1)
    splits = splits_of(("c0", 0, 100, "train"), ("c0", 100, 250, "validation"), ("c0", 250, 400, "test"))

    def f1(threshold):
        mine = slowly(values[100:250] >= threshold, np.zeros(150, dtype=bool), 2, 3)
        called = np.isin(np.arange(150), [i for a, b in mine for i in range(a, b)])
        return 2 * (called & truth[100:250, 0]).sum() / (called.sum() + truth[100:250].sum())

    chosen = choose_thresholds(genome, splits, labels, (np.array([[0, 400]]), {"a": values}), LABELS)
    assert f1(chosen["a"]) == max(f1(t) for t in values[100:250][truth[100:250, 0]])
    values[250:] = rng.random(150)
    assert choose_thresholds(genome, splits, labels, (np.array([[0, 400]]), {"a": values}), LABELS) == chosen


def test_called_table_says_place_probability_strand_and_split():
    genome = genome_of("A" * 20, "C" * 20)
    splits = splits_of(("c0", 0, 20, "train"), ("c1", 0, 20, "test"))
    columns = {name: np.zeros(40) for name in ("a+", "a-")}
    columns["a+"][5:9] = [0.5, 0.6, 0.7, 0.8]
    columns["a-"][30:35] = 1.0
    rules = {"tracks": {"a": RULES["tracks"]["a"]}, "mode": "multi_label", "stranded": True}
    intervals = np.array([[0, 20], [20, 40]])
    table = called_table(genome, splits, intervals, columns, {"a+": 0.5, "a-": 0.5}, rules)["a"]
    assert table.values.tolist() == [
        ["c0", 5, 9, "a", 650, "+", "0.6500", "train"], ["c1", 10, 15, "a", 1000, "-", "1.0000", "held_out"],
    ]  # fmt: skip
