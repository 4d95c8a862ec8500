"""What every network promises, whatever is inside."""

import copy

import pytest
import torch
from helpers.networks import (
    TINY,
    assert_backward_is_deterministic,
    assert_batch_independent,
    assert_carry_equals_whole,
    assert_causal,
    assert_golden_loss_curve,
    assert_gradients_are_right,
    assert_hidden_positions_change_nothing,
    assert_padding_changes_nothing,
    assert_reads_both_sides,
    assert_single_precision_is_close,
    fresh,
    inputs,
    tiny_config,
)

from dnalm.errors import InputError
from dnalm.models.networks import NETWORKS, build_network

SPAN = TINY["attention_span"]
NETS = {name: fresh(network) for name, network in NETWORKS.items()}
EVERY = pytest.mark.parametrize("name", NETWORKS)
CAUSAL = pytest.mark.parametrize("name", [n for n, network in NETWORKS.items() if network.causal])
BOTH_SIDES = pytest.mark.parametrize("name", [n for n, network in NETWORKS.items() if not network.causal])
CARRYING = pytest.mark.parametrize("name", [n for n, network in NETWORKS.items() if network.carries])


def test_the_causal_networks_are_these():
    assert {n for n in NETWORKS if NETWORKS[n].causal} == {"two_sided", "decoder", "hyena", "ssm"}
    assert {n for n in NETWORKS if NETWORKS[n].carries} == {"two_sided", "ssm"}
    assert {n for n in NETWORKS if not NETWORKS[n].causal} == {
        "transformer", "local", "hybrid", "dilated_conv",
    }  # fmt: skip


@EVERY
def test_the_architecture_of_a_config_is_built(name):
    assert type(build_network(tiny_config(architecture=name))) is NETWORKS[name]


def test_an_unknown_architecture_is_refused_with_all_known_ones():
    with pytest.raises(InputError, match="no architecture 'lstm'") as caught:
        build_network(tiny_config(architecture="lstm"))
    assert all(name in str(caught.value) for name in NETWORKS)


@EVERY
@pytest.mark.parametrize("length", [1, 2, SPAN - 1, SPAN, SPAN + 1, 129])
def test_any_length_gives_finite_states_even_if_nothing_is_real(name, length):
    x, real = inputs(2, length, hidden_share=0.2)
    real[1] = False
    states = NETS[name](x, real)
    assert states.shape == x.shape
    assert states.isfinite().all()


@EVERY
@pytest.mark.parametrize("length", [1, SPAN, 23])
@pytest.mark.parametrize(("left", "right"), [(0, 1), (0, 64), (1, 0), (7, 9), (64, 0)])
def test_padding_changes_nothing(name, length, left, right):
    assert_padding_changes_nothing(NETS[name], length, left, right)


@EVERY
def test_what_is_not_real_changes_nothing(name):
    assert_hidden_positions_change_nothing(NETS[name])


@EVERY
def test_windows_of_a_batch_do_not_know_each_other(name):
    assert_batch_independent(NETS[name])


@CAUSAL
def test_a_state_depends_on_nothing_after_it(name):
    assert_causal(NETS[name])
    assert_causal(NETS[name], length=9, hidden_share=0.0)


@CAUSAL
def test_a_longer_window_begins_with_the_states_of_a_shorter_one(name):
    x, real = inputs(1, 150, hidden_share=0.1)
    whole = NETS[name](x, real)
    for length in (1, 33, 64, 149):
        part = NETS[name](x[:, :length], real[:, :length])
        torch.testing.assert_close(part, whole[:, :length], atol=1e-9, rtol=0)


@BOTH_SIDES
def test_a_state_depends_on_both_sides(name):
    assert_reads_both_sides(NETS[name])


@CARRYING
@pytest.mark.parametrize("cuts", [(1,), (39,), (3, 20, 21), tuple(range(1, 40))])
def test_pieces_give_what_the_whole_gives(name, cuts):
    assert_carry_equals_whole(NETS[name], 40, cuts)


@EVERY
def test_a_network_that_cannot_carry_says_so(name):
    x, real = inputs(1, 5)
    if NETWORKS[name].carries:
        assert NETS[name].carry(x, real)[0].shape == x.shape
    else:
        with pytest.raises(NotImplementedError, match=NETWORKS[name].__name__):
            NETS[name].carry(x, real)


@EVERY
def test_gradients_are_right_and_reach_every_parameter(name):
    assert_gradients_are_right(NETWORKS[name])


@EVERY
def test_backward_is_deterministic(name):
    assert_backward_is_deterministic(copy.deepcopy(NETS[name]))


@EVERY
def test_single_precision_is_close_to_double(name):
    assert_single_precision_is_close(copy.deepcopy(NETS[name]))


@EVERY
def test_positions_of_a_fresh_network_do_not_mix(name):
    torch.manual_seed(0)
    net = build_network(tiny_config(architecture=name))
    x, real = inputs(1, 20)
    y = x.clone()
    y[:, 11:], y[:, :10] = 0.0, 0.0
    torch.testing.assert_close(net(y.float(), real)[:, 10], net(x.float(), real)[:, 10], atol=1e-5, rtol=0)


@EVERY
def test_the_same_seed_gives_the_same_network(name):
    first, second, other = (fresh(NETWORKS[name], seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@EVERY
def test_the_first_steps_of_training_are_those_of_the_golden_curve(name):
    assert_golden_loss_curve(name)
