"""All counting baselines from a genome and its splits: what they may know, and what they may not."""

import numpy as np
import pytest
import torch
from helpers.genomes import genome_of, splits_of

from dnalm.baselines.language import language_baselines
from dnalm.baselines.markov import ORDERS, REPORTED
from dnalm.sequence.alphabet import N, reverse_complement

SPLITS = splits_of(
    ("c0", 0, 6000, "train"), ("c0", 6000, 6100, "gap"), ("c0", 6100, 7600, "validation"),
    ("c0", 7600, 7700, "gap"), ("c0", 7700, 9200, "test"), ("c0", 9200, 9300, "gap"), ("c0", 9300, 12_000, "train"),
)  # fmt: skip
VALIDATION, TEST = slice(0, 1500), slice(1500, 3000)


def codes_with_repeats():
    codes = np.random.default_rng(0).integers(0, 4, 12_000).astype(np.uint8)
    for place, first in ((6300, 400), (6900, 1400), (7800, 2400), (8600, 3400)):
        codes[place : place + 250] = codes[first : first + 250]
    codes[8300:8500] = reverse_complement(codes[9500:9700])
    codes[8000] = N
    return codes


@pytest.fixture(scope="module")
def run():
    """Baselines of the genome with some bases substituted; results of the same substitutions are kept."""
    threads, kept = torch.get_num_threads(), {}
    torch.set_num_threads(1)

    def baselines(*places):
        if places not in kept:
            codes = codes_with_repeats()
            codes[list(places)] = (codes[list(places)] + 1) % 4
            kept[places] = language_baselines(genome_of(codes), SPLITS, 1)
        return kept[places]

    yield baselines
    torch.set_num_threads(threads)


def columns(scores):
    return {(method, name): values for method, table in scores.items() for name, values in table.items()}


def test_every_held_out_base_is_scored_by_every_method(run):
    intervals, scores, choices = run()
    assert intervals.tolist() == [[6100, 7600], [7700, 9200]]
    assert set(scores) == {"markov_orders", "markov_mixture", "flank_counts"}
    assert set(scores["markov_orders"]) == {f"order_{k}_{d}" for k in REPORTED for d in ("forward", "reverse")}
    for values in columns(scores).values():
        assert len(values) == 3000
        assert np.flatnonzero(np.isnan(values)).tolist() == [1500 + 300]  # the N at 8000
    assert set(choices["smoothing"]) == {str(k) for k in ORDERS}


def test_order_0_is_two_bits_and_repeats_are_used(run):
    _, scores, _ = run()
    for side in ("forward", "reverse"):
        assert set(scores["markov_orders"][f"order_0_{side}"][TEST][:300]) == {2.0}
    known = slice(1500 + 130, 1500 + 300)  # inside a repeat
    assert scores["flank_counts"]["two_sided"][known].mean() < 1.0
    assert scores["markov_orders"]["order_16_forward"][known].mean() < 1.0
    inverted = slice(1500 + 630, 1500 + 770)
    assert scores["markov_orders"]["order_16_forward"][inverted].mean() < 1.0


def test_a_test_base_is_context_of_its_neighbours_and_counted_nowhere(run):
    """Substituting one changes nothing beyond the longest context, in this split or the other."""
    place = 8900
    (_, before, choices), (_, after, other) = run(), run(place)
    assert choices == other
    touched = set()
    for name, values in columns(before).items():
        changed = np.flatnonzero(~np.isclose(values, columns(after)[name], rtol=0, atol=0, equal_nan=True))
        touched |= set(changed.tolist())
        assert all(abs(i - (1500 + place - 7700)) <= max(ORDERS) for i in changed), name
    assert 1500 + place - 7700 in touched
    assert len(touched) > 5


def test_held_out_sequence_never_changes_a_count(run):
    """A whole test block is rewritten: every number of validation stays, and so do all choices."""
    (_, before, choices), (_, after, other) = run(), run(*range(7700, 9200))
    assert choices == other
    for name, values in columns(before).items():
        np.testing.assert_array_equal(values[VALIDATION], columns(after)[name][VALIDATION])
    assert any((v[TEST] != columns(after)[n][TEST]).any() for n, v in columns(before).items())


def test_validation_chooses_but_is_not_counted(run):
    """Rewriting validation bases may move the smoothing; where it does not, test scores stay, so the counts stayed."""
    (_, before, choices), (_, after, other) = run(), run(*range(7300, 7600))
    same = [k for k in ORDERS if choices["smoothing"][str(k)] == other["smoothing"][str(k)]]
    prefix = [k for i, k in enumerate(ORDERS) if set(ORDERS[: i + 1]) <= set(same) and k in REPORTED]
    assert prefix
    for k in prefix:
        for side in ("forward", "reverse"):
            name = f"order_{k}_{side}"
            np.testing.assert_array_equal(before["markov_orders"][name][TEST], after["markov_orders"][name][TEST])


def test_training_sequence_is_counted(run):
    _, before, _ = run()
    _, after, _ = run(*range(2400, 2650))  # what the test block repeats
    known = slice(1500 + 130, 1500 + 300)
    assert after["flank_counts"]["two_sided"][known].mean() > before["flank_counts"]["two_sided"][known].mean() + 0.5


def test_the_same_seed_gives_the_same_scores(run):
    _, before, known = run()
    _, again, choices = language_baselines(genome_of(codes_with_repeats()), SPLITS, 1)
    assert choices == known
    for name, values in columns(before).items():
        np.testing.assert_array_equal(values, columns(again)[name])


def test_the_final_baselines_count_the_validation_part_and_score_the_test_part(run):
    """The validation block repeats nothing of the test block; one that does is a help now."""
    intervals, _, choices = run()
    codes = codes_with_repeats()
    codes[6500:6700] = codes[8000 + 50 : 8000 + 250]
    plain = language_baselines(genome_of(codes), SPLITS, 1)[1]
    spans, scores, chosen = language_baselines(genome_of(codes), SPLITS, 1, final=True)
    assert spans.tolist() == intervals[1:].tolist() == [[7700, 9200]]
    repeated = slice(8000 + 70 - 7700, 8000 + 230 - 7700)
    for (method, name), values in columns(scores).items():
        assert len(values) == 1500
        if method == "flank_counts":
            known = plain[method][name][TEST]
            assert values[repeated].mean() < known[repeated].mean() - 0.5
    assert chosen.keys() == choices.keys()
