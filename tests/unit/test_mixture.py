"""The mixture of Markov models: it learns, it is frozen, and it never trusts a base's own copy."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers.genomes import genome_of

from dnalm.baselines.flanks import FLANKS
from dnalm.baselines.markov import ORDERS, REPORTED, Counted, chain, count_around, fit_weights, markov_bits
from dnalm.baselines.mixture import Mixture, last_two
from dnalm.models.memory import NgramMemory
from dnalm.sequence.alphabet import N, reverse_complement

TRAIN, VALIDATION, TEST = (0, 16_000), (16_000, 19_000), (19_000, 22_000)


def genome_with_repeats(seed, flip=False, repeats=True):
    """Random bases; stretches of training come back in validation and test, as they are or (``flip``) inverted."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, TEST[1]).astype(np.uint8)
    places = [*range(2000, 5000, 700), *range(VALIDATION[0] + 200, TEST[1] - 400, 700)] if repeats else []
    for i, place in enumerate(places):
        first = 6000 + 350 * i
        copy = codes[first : first + 300]
        copy = reverse_complement(copy) if flip else copy.copy()
        copy[rng.random(300) < 0.02] = rng.integers(0, 4)
        codes[place : place + 300] = copy
    return genome_of(codes)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Sums of several threads differ in their last bits, from run to run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fitted(genome, seed=1, training=TRAIN):
    memory = NgramMemory.from_genomes([genome], [np.array([training])], ORDERS, FLANKS)
    validation = list(count_around(memory, genome, np.array([VALIDATION])))
    smoothing = fit_weights([(c.forward, c.target) for c in validation])
    mixture = Mixture(smoothing)
    mixture.fit(list(count_around(memory, genome, np.array([training]))), seed)
    (test,) = count_around(memory, genome, np.array([TEST]))
    return mixture, test


@pytest.fixture(scope="module", params=[False, True], ids=["direct repeats", "inverted repeats"])
def case(request):
    return fitted(genome_with_repeats(1, request.param))


def test_it_beats_every_single_order_where_there_are_repeats(case):
    mixture, test = case
    ours, orders = mixture.bits(test), markov_bits(test, mixture.smoothing)
    for side in ("forward", "reverse"):
        best = min(orders[f"order_{k}_{side}"].mean() for k in REPORTED)
        assert ours[f"causal_{side}"].mean() < best - 0.02
        assert best < 2.0  # the repeats are there to be found


@pytest.mark.parametrize("left_out", [True, False])
def test_without_repeats_it_does_not_believe_in_its_own_copies(left_out):
    """Fitted on counts that hold the base's own copies, as a control, it trusts long contexts and fails."""
    genome = genome_with_repeats(2, repeats=False)
    memory = NgramMemory.from_genomes([genome], [np.array([TRAIN])], ORDERS, FLANKS)
    mixture = Mixture([8.0] * len(ORDERS))
    source = genome if left_out else dataclasses.replace(genome, digest="unknown to the memory")
    mixture.fit(list(count_around(memory, source, np.array([TRAIN]))), 1)
    (test,) = count_around(memory, genome, np.array([TEST]))
    for values in mixture.bits(test).values():
        assert (values.mean() < 2.03) if left_out else (values.mean() > 2.5)


def test_scoring_changes_nothing_and_a_base_says_nothing_of_those_before_it(case):
    mixture, test = case
    weights = [w.detach().clone() for w in (mixture.by_match, mixture.by_bases)]
    before = mixture.bits(test)
    changed = test.target.copy()
    changed[2000] = (changed[2000] + 1) % 4
    after = mixture.bits(Counted(changed, test.forward, test.reverse, test.flanks))
    for old, new in zip(weights, (mixture.by_match, mixture.by_bases), strict=True):
        assert torch.equal(old, new)
    assert before["causal_forward"][2000] != after["causal_forward"][2000]
    for side, elsewhere in (("forward", slice(None, 2000)), ("reverse", slice(2001, None))):
        np.testing.assert_array_equal(before[f"causal_{side}"][elsewhere], after[f"causal_{side}"][elsewhere])
    # the two bases behind it read it as context; nothing farther away adapts to it
    for side, far in (("forward", slice(2003, None)), ("reverse", slice(None, 1998))):
        np.testing.assert_array_equal(before[f"causal_{side}"][far], after[f"causal_{side}"][far])


def test_probabilities_are_a_weighted_sum_of_logarithms_that_sum_to_one(case):
    mixture, test = case
    shares = {side: np.zeros(len(test.target)) for side in ("forward", "reverse")}
    weights = (mixture.by_match.detach().numpy(), mixture.by_bases.detach().numpy())
    place = 1234
    logp = np.log(chain(test.forward, mixture.smoothing))[place]
    row = weights[0][(test.forward[place].sum(1) > 0).sum()] + weights[1][4 * test.target[1232] + test.target[1233]]
    want = np.exp(row @ logp) / np.exp(row @ logp).sum()
    for base in range(4):
        target = test.target.copy()
        target[place] = base
        for side in shares:
            value = mixture.bits(Counted(target, test.forward, test.reverse, test.flanks))[f"causal_{side}"]
            shares[side][place] += 2 ** -value[place]
            if side == "forward":
                assert 2 ** -value[place] == pytest.approx(want[base], rel=1e-4)
    assert shares["forward"][place] == pytest.approx(1, abs=1e-5)
    assert shares["reverse"][place] == pytest.approx(1, abs=1e-5)


def test_both_directions_are_one_model_read_from_both_ends(case):
    mixture, test = case
    flipped = Counted(
        (3 - test.target)[::-1], *(x[::-1, :, ::-1].copy() for x in (test.reverse, test.forward, test.flanks))
    )
    ours, mirror = mixture.bits(test), mixture.bits(flipped)
    np.testing.assert_allclose(ours["causal_forward"], mirror["causal_reverse"][::-1], atol=1e-5)
    np.testing.assert_allclose(ours["causal_reverse"], mirror["causal_forward"][::-1], atol=1e-5)


def test_the_seed_decides_and_nothing_else():
    genome = genome_with_repeats(3)
    weights = [fitted(genome, seed, (0, 5000))[0].by_match.detach() for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_an_n_has_no_bits_and_hides_the_bases_before(case):
    mixture, test = case
    target = test.target.copy()
    target[500] = N
    for values in mixture.bits(Counted(target, test.forward, test.reverse, test.flanks)).values():
        assert np.flatnonzero(np.isnan(values)).tolist() == [500]


def test_last_two_bases_by_hand():
    assert last_two(np.array([3, 1, 2, 0, N, 1, 1, 2], dtype=np.uint8)).tolist() == [0, 0, 13, 6, 8, 0, 0, 5]
