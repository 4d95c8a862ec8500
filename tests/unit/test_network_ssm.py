"""The selective state space network against its recurrence, one position after the other."""

import math

import numpy as np
import pytest
import torch
from helpers.dense import linear, normalised, numbers
from helpers.networks import assert_carry_equals_whole, fresh, inputs, noise
from helpers.pieces import assert_same, states_and_gradients
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.config import ModelConfig
from dnalm.models.networks import ssm
from dnalm.models.networks.scan import CHUNK, linear_scan, selective_scan

EXACT = {"rtol": 1e-10, "atol": 1e-12}


def recurrence(log, x, b, c, first):
    """Outputs (L, H, P) and the last state (H, P, N) of one window."""
    state, y = first.copy(), np.zeros_like(x)
    for i in range(len(x)):
        state = np.exp(log[i])[:, None, None] * state + x[i][:, :, None] * b[i]
        y[i] = state @ c[i]
    return y, state


def scan_inputs(length, seed=0, batch=2, heads=3, channels=4, size=5):
    """Log-decays of very different strength, a fifth of them 0, and normal values for the rest."""
    rng = np.random.default_rng(seed)
    log = -rng.exponential(size=(batch, length, heads)) * 10 ** rng.uniform(-4, 1, (batch, 1, heads))
    log[rng.random(log.shape) < 0.2] = 0
    shapes = ((batch, length, heads, channels), (batch, length, size), (batch, length, size),
              (batch, heads, channels, size))  # fmt: skip
    return log, *(rng.normal(size=s) for s in shapes)


@pytest.mark.parametrize("length", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 300, CHUNK**2 + CHUNK + 1])
def test_scan_equals_the_recurrence(length):
    values = scan_inputs(length, seed=length)
    y, last = (t.numpy() for t in selective_scan(*map(torch.from_numpy, values)))
    for i in range(2):
        expected, state = recurrence(*(v[i] for v in values))
        np.testing.assert_allclose(y[i], expected, **EXACT)
        np.testing.assert_allclose(last[i], state, **EXACT)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 70), st.integers(2, 9), st.integers(0, 999))
def test_scans_of_many_levels_equal_the_recurrence(length, chunk, seed):
    log, x, b, c, first = scan_inputs(length, seed, batch=1)
    y, last = selective_scan(*map(torch.from_numpy, (log, x, b, c, first)), chunk)
    expected, state = recurrence(log[0], x[0], b[0], c[0], first[0])
    np.testing.assert_allclose(y[0].numpy(), expected, **EXACT)
    np.testing.assert_allclose(last[0].numpy(), state, **EXACT)
    states = linear_scan(torch.from_numpy(log), torch.from_numpy(x), torch.from_numpy(first[..., 0]), chunk)[0].numpy()
    before = first[0, ..., 0]
    for i in range(length):
        before = np.exp(log[0, i])[:, None] * before + x[0, i]
        np.testing.assert_allclose(states[i], before, **EXACT)


def test_the_gradients_of_the_scan_are_those_of_finite_differences():
    log, *values = (torch.from_numpy(v).requires_grad_() for v in scan_inputs(7, batch=1, heads=2, channels=2, size=2))
    assert torch.autograd.gradcheck(lambda *t: selective_scan(*t, 3), (log, *values), atol=1e-6)


def test_the_strongest_decays_neither_overflow_nor_spoil_a_gradient():
    log, *values = (torch.from_numpy(v).float() for v in scan_inputs(200))
    log = (-(10.0 ** torch.linspace(-30, 30, 200)).view(1, 200, 1).expand_as(log)).contiguous().requires_grad_()
    y, last = selective_scan(log, *values)
    (gradient,) = torch.autograd.grad(y.sum() + last.sum(), log)
    assert y.isfinite().all() and last.isfinite().all() and gradient.isfinite().all()
    x, b, c, _ = values
    alone = x[:, -1] * (b * c).sum(-1)[:, -1, None, None]
    torch.testing.assert_close(y[:, -1], alone, atol=1e-5, rtol=1e-5)


def test_nothing_is_lost_over_a_hundred_thousand_positions_without_decay():
    length = 100_000
    x = torch.from_numpy(np.random.default_rng(0).integers(-9, 9, (1, length, 1, 1)).astype(float))
    one = torch.ones(1, length, 1, dtype=torch.float64)
    y, last = selective_scan(torch.zeros_like(one), x, one, one, torch.full((1, 1, 1, 1), 5.0, dtype=torch.float64))
    assert torch.equal(y, x.cumsum(1) + 5)
    assert last.item() == y[0, -1].item()


def silu(x):
    return x / (1 + np.exp(-x))


def one_by_one(net, x, real):
    """States (L, D) of one window by the definition."""
    for block in net.blocks:
        gate, xbc, step = np.split(linear(normalised(x, block.norm), block.project), np.cumsum(block.sizes)[:2], axis=1)
        xbc = np.where(real[:, None], xbc, 0)
        taps = numbers(block.conv.weight).T
        past = np.concatenate([np.zeros((len(taps) - 1, xbc.shape[1])), xbc])
        mixed = [(taps * past[i : i + len(taps)]).sum(0) + numbers(block.conv.bias) for i in range(len(x))]
        u, b, c = np.split(silu(np.array(mixed)), [block.inner, block.inner + block.state_size], axis=1)
        step = np.log1p(np.exp(step + numbers(block.step_bias))) * real[:, None]
        heads = u.reshape(len(x), block.heads, -1)
        first = np.zeros((*heads.shape[1:], block.state_size))
        y, _ = recurrence(-np.exp(numbers(block.log_rate)) * step, heads * step[:, :, None], b, c, first)
        x = x + linear((y.reshape(u.shape) + numbers(block.skip) * u) * silu(gate), block.out)
    return normalised(x, net.norm)


@pytest.mark.parametrize("length", [1, 3, 4, CHUNK - 1, CHUNK, CHUNK + 1, 100])
@pytest.mark.parametrize("heads", [1, 4])
def test_network_equals_its_definition(length, heads):
    net = fresh(ssm.SSM, size=0.3, heads=heads)
    x, real = inputs(3, length, seed=length, hidden_share=0.3)
    real[2] = False
    found = net(x, real).detach().numpy()
    for i in range(3):
        np.testing.assert_allclose(found[i], one_by_one(net, x[i].numpy(), real[i].numpy()), rtol=1e-10, atol=1e-10)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 90), st.sets(st.integers(1, 89), max_size=9), st.integers(0, 99))
def test_pieces_cut_anywhere_give_what_the_whole_gives(length, cuts, seed):
    net = fresh(ssm.SSM, seed, size=0.3)
    assert_carry_equals_whole(net, length, tuple(sorted(c for c in cuts if c < length)), seed=seed)


@pytest.mark.parametrize("piece", [2, 7, 40, 99])
def test_long_windows_are_computed_in_pieces_that_change_nothing(monkeypatch, piece):
    net = fresh(ssm.SSM, size=0.3)
    x, real = inputs(2, 100, hidden_share=0.2)
    expected = states_and_gradients(net, x, real)
    monkeypatch.setattr(ssm, "PIECE", piece)
    assert_same(states_and_gradients(net, x, real), expected)


def test_the_state_passes_positions_that_are_not_real_unchanged():
    net = fresh(ssm.SSM, size=0.3)
    x, real = inputs(2, 30)
    _, before = net.carry(x, real)
    _, after = net.carry(noise(x), torch.zeros_like(real), before)
    for (_, first), (tail, last) in zip(before, after, strict=True):
        torch.testing.assert_close(last, first, atol=0, rtol=1e-12)
        assert not tail.any()


def test_the_state_has_one_size_and_keeps_no_window_in_memory():
    net = fresh(ssm.SSM)
    x, real = inputs(2, 100)
    state = None
    for length in (1, 2, 50, 47):
        with torch.no_grad():
            _, state = net.carry(x[:, :length], real[:, :length], state)
        assert [[tuple(t.shape) for t in s] for s in state] == [[(2, 3, 40), (2, 2, 16, 4)]] * 2
        assert all(t.untyped_storage().nbytes() == t.nbytes for s in state for t in s)


def test_a_fresh_network_forgets_within_ten_to_a_thousand_bases():
    torch.manual_seed(0)
    block = ssm.SSM(ModelConfig(width=16, heads=4, layers=1)).blocks[0]
    rates = torch.nn.functional.softplus(block.step_bias) * block.log_rate.exp()
    np.testing.assert_allclose(1 / rates.detach().numpy(), 10 ** np.linspace(1, 3, 4), rtol=1e-3)


def test_a_network_reads_as_far_as_its_decays_let_it():
    net = fresh(ssm.SSM, layers=1, size=0.3)
    with torch.no_grad():
        net.blocks[0].log_rate.fill_(-9.0)
    x, real = inputs(1, 3000)
    x.requires_grad_()
    gradient = lambda: torch.autograd.grad(net(x, real)[0, -1, 0], x)[0][0].abs().amax(-1)  # noqa: E731
    assert gradient()[0] > 1e-6
    with torch.no_grad():
        net.blocks[0].log_rate.fill_(math.log(20.0))
    assert gradient()[:2000].max() < 1e-12 < 1e-6 < gradient()[-2]
