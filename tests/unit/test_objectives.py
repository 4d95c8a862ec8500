"""Losses against sums by hand; N never counts."""

import math

import numpy as np
import pytest
import torch
from helpers.models import random_codes, small_model, tensor
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.metrics import log_loss

from dnalm.models.two_sided import Output
from dnalm.sequence.alphabet import N
from dnalm.training.objectives import base_weights, negative_log_likelihood, two_sided_objective


def logp_of(*rows):
    return torch.tensor(rows, dtype=torch.float64).log()[None]


def output_of(forward, reverse, two_sided):
    nothing = torch.zeros(1, forward.shape[1], 2)
    return Output(forward, reverse, two_sided, nothing, nothing)


def _mean(distribution, codes):
    logp = torch.from_numpy(distribution).log().expand(1, 1000, 4)
    return negative_log_likelihood(logp, codes, torch.ones(codes.shape)).item() / codes.numel()


FORWARD = logp_of([0.5, 0.25, 0.125, 0.125], [0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25])
REVERSE = logp_of([0.125, 0.125, 0.25, 0.5], [0.7, 0.1, 0.1, 0.1], [0.4, 0.3, 0.2, 0.1])
BOTH = logp_of([0.9, 0.05, 0.03, 0.02], [0.2, 0.2, 0.2, 0.4], [0.01, 0.97, 0.01, 0.01])


def test_loss_is_causal_plus_two_sided_by_hand():
    loss, metrics = two_sided_objective(output_of(FORWARD, REVERSE, BOTH), torch.tensor([[0, 3, 1]]))
    ahead = -(math.log(0.5) + math.log(0.4) + math.log(0.25)) / 3
    behind = -(math.log(0.125) + math.log(0.1) + math.log(0.3)) / 3
    both = -(math.log(0.9) + math.log(0.4) + math.log(0.97)) / 3
    assert loss.item() == pytest.approx((ahead + behind) / 2 + both)
    assert metrics == {
        "bits_per_base": pytest.approx((ahead + behind) / 2 / math.log(2)),
        "bits_per_base_two_sided": pytest.approx(both / math.log(2)),
    }


def test_n_is_neither_in_the_sum_nor_in_the_denominator():
    loss, metrics = two_sided_objective(output_of(FORWARD, REVERSE, BOTH), torch.tensor([[N, 3, N]]))
    assert loss.item() == pytest.approx(-(math.log(0.4) + math.log(0.1)) / 2 - math.log(0.4))
    assert metrics["bits_per_base_two_sided"] == pytest.approx(-math.log2(0.4))


def test_an_even_guess_costs_two_bits():
    even = torch.full((2, 7, 4), math.log(0.25))
    _, metrics = two_sided_objective(Output(even, even, even, even, even), tensor(random_codes(0, 2, 7)))
    assert metrics == {"bits_per_base": pytest.approx(2), "bits_per_base_two_sided": pytest.approx(2)}


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 4), st.integers(2, 30), st.integers(0, 999), st.floats(0, 0.8))
def test_likelihood_equals_that_of_scikit_learn(batch, length, seed, n_share):
    codes = random_codes(seed, batch, length, n_share=n_share)
    codes[0, 0] = 1
    logp = torch.randn(batch, length, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    logp = logp.log_softmax(-1)
    real = codes < N
    expected = log_loss(codes[real], logp.exp().numpy()[real], labels=[0, 1, 2, 3])
    weights = base_weights(tensor(codes)).double()
    total = negative_log_likelihood(logp, tensor(codes).clamp(max=3), weights).item()
    assert total / real.sum() == pytest.approx(expected, rel=1e-9)


def test_soft_masked_bases_count_with_their_weight():
    codes, soft = torch.tensor([[0, 3, N, 1]]), torch.tensor([[False, True, True, False]])
    weights = base_weights(codes, soft, 0.1)
    torch.testing.assert_close(weights, torch.tensor([[1.0, 0.1, 0.0, 1.0]]))
    pad = torch.cat([FORWARD, FORWARD[:, :1]], dim=1)
    loss, metrics = two_sided_objective(output_of(pad, pad, pad), codes, weights)
    mean = -(math.log(0.5) + 0.1 * math.log(0.4) + math.log(0.25)) / 2.1
    assert metrics["bits_per_base"] == pytest.approx(mean / math.log(2))
    assert loss.item() == pytest.approx(2 * mean)


def test_without_a_two_sided_output_the_loss_is_causal():
    loss, metrics = two_sided_objective(output_of(FORWARD, REVERSE, None), torch.tensor([[0, 3, 1]]))
    whole, both = two_sided_objective(output_of(FORWARD, REVERSE, BOTH), torch.tensor([[0, 3, 1]]))
    assert metrics == {"bits_per_base": both["bits_per_base"]}
    assert loss.item() == pytest.approx(both["bits_per_base"] * math.log(2))
    assert loss < whole


def test_more_padding_leaves_the_loss_as_it_is():
    model, codes = small_model(), random_codes(2, 2, 30, n_share=0.1)
    padded = np.pad(codes, ((0, 1), (9, 4)), constant_values=N)
    with torch.inference_mode():
        loss, _ = two_sided_objective(model(tensor(codes)), tensor(codes))
        same, _ = two_sided_objective(model(tensor(padded)), tensor(padded))
    assert same.item() == pytest.approx(loss.item(), abs=1e-5)


def test_predictions_at_n_have_no_gradient():
    codes = tensor(random_codes(3, 2, 20, n_share=0.4))
    logits = torch.randn(2, 20, 4, requires_grad=True)
    logp = logits.log_softmax(-1)
    two_sided_objective(Output(logp, logp, logp, logp, logp), codes)[0].backward()
    touched = logits.grad.abs().sum(-1) > 0
    assert torch.equal(touched, codes < N)


def test_a_window_without_bases_costs_nothing():
    """A stretch of N, or a batch of padding, must not turn the weights into NaN."""
    logits = torch.randn(1, 6, 4, requires_grad=True)
    logp = logits.log_softmax(-1)
    loss, metrics = two_sided_objective(Output(logp, logp, logp, logp, logp), torch.full((1, 6), N))
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()
    assert set(metrics.values()) == {0.0}


def test_the_best_guess_is_the_true_distribution():
    truth = np.array([0.4, 0.3, 0.2, 0.1])
    codes = torch.from_numpy(np.repeat(np.arange(4), (truth * 1000).astype(int)))[None]
    at_truth = _mean(truth, codes)
    assert at_truth == pytest.approx(entropy(truth))
    rng = np.random.default_rng(0)
    for guess in rng.dirichlet(np.ones(4), 20):
        assert _mean(guess, codes) > at_truth
