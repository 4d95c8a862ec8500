"""The learning rate, value by value."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dnalm.training.schedule import learning_rate


@pytest.mark.parametrize(
    ("step", "progress", "warmup", "decay", "expected"),
    [
        (0, 0.0, 4, 0.5, 0.25),
        (1, 0.1, 4, 0.5, 0.5),
        (3, 0.3, 4, 0.5, 1.0),
        (100, 0.5, 4, 0.5, 1.0),
        (100, 0.75, 4, 0.5, 0.5),
        (100, 0.9, 4, 0.5, 0.2),
        (100, 1.0, 4, 0.5, 0.0),
        (100, 1.3, 4, 0.5, 0.0),
        (0, 0.0, 0, 0.5, 1.0),
        (0, 0.99, 0, 0.0, 1.0),
        (2, 0.25, 0, 1.0, 0.75),
        (1, 0.75, 4, 0.5, 0.25),
    ],
)
def test_values_by_hand(step, progress, warmup, decay, expected):
    assert learning_rate(step, progress, 3e-3, warmup, decay) == pytest.approx(3e-3 * expected)


def test_a_whole_training_is_the_schedule_of_torch():
    """Warm-up, plateau and decay as SequentialLR of LinearLR, ConstantLR and LinearLR."""
    total, warmup, decay, peak = 40, 8, 0.25, 2e-3
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    schedulers = [
        torch.optim.lr_scheduler.LinearLR(optimizer, 1 / warmup, 1.0, total_iters=warmup - 1),
        torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0, 0),
        torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=round(total * decay)),
    ]
    turns = [warmup, round(total * (1 - decay))]
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, schedulers, turns)
    expected = []
    for _ in range(total):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    found = [learning_rate(step, step / total, peak, warmup, decay) for step in range(total)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@given(
    st.integers(0, 10**7), st.floats(0, 2), st.floats(1e-8, 1), st.integers(0, 10_000), st.floats(0, 1),
)  # fmt: skip
def test_rate_is_never_negative_nor_above_its_peak(step, progress, peak, warmup, decay):
    assert 0 <= learning_rate(step, progress, peak, warmup, decay) <= peak


@given(st.integers(0, 1000), st.floats(0, 1), st.floats(0, 1))
def test_rate_rises_with_the_step_and_falls_with_the_progress(step, a, b):
    first, second = sorted((a, b))
    assert learning_rate(step, first, 1e-3, 50, 0.5) >= learning_rate(step, second, 1e-3, 50, 0.5)
    assert learning_rate(step, first, 1e-3, 50, 0.5) <= learning_rate(step + 1, first, 1e-3, 50, 0.5)
