"""Windows that grow, parts of a batch, and context around windows."""

import numpy as np
import pytest
from helpers.models import contigs_of, random_codes
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.errors import InputError
from dnalm.sequence.alphabet import N
from dnalm.tasks.pretrain import window_warmup
from dnalm.tasks.sampling import WindowSampler

GENOME = contigs_of([3000], random_codes(0, 3000))
SPANS = np.array([[0, 900], [1500, 1540], [1600, 3000]])


def sampler_of(window=64, batch=8, seed=1, **more):
    return WindowSampler(GENOME, SPANS, window, batch, seed, **more)


# Warm-up


def test_windows_double_at_equal_times_until_they_are_whole():
    sampler = sampler_of(window=512, batch=4, warmup=(64, 30))
    shapes = [sampler.shape(step) for step in range(40)]
    assert shapes == [(32, 64)] * 10 + [(16, 128)] * 10 + [(8, 256)] * 10 + [(4, 512)] * 10
    assert [sampler(step).codes.shape for step in (0, 29, 30)] == [(32, 64), (8, 256), (4, 512)]


@settings(max_examples=100, deadline=None)
@given(st.integers(32, 5000), st.integers(1, 9), st.floats(0.01, 1), st.integers(1, 200))
def test_warm_up_keeps_the_bases_of_a_step_and_ends_on_time(window, batch, share, steps):
    first = max(int(window * share), 1)
    sampler = sampler_of(window=window, batch=batch, warmup=(first, steps))
    lengths = [sampler.shape(step)[1] for step in range(steps + 3)]
    assert lengths[0] == first
    assert lengths == sorted(lengths)
    assert lengths[steps:] == [window] * 3
    assert set(lengths) <= {min(first * 2**i, window) for i in range(14)}
    for step in range(steps + 1):
        count, length = sampler.shape(step)
        assert count >= batch
        assert window * batch - length < count * length <= window * batch


def test_the_first_half_of_a_training_warms_up():
    section = {"window": 512, "batch_windows": 8, "bases_seen": 4096 * 100}
    assert window_warmup(section) is None
    assert window_warmup({**section, "window_warmup": None}) is None
    assert window_warmup({**section, "window_warmup": 64}) == (64, 50)


# Parts


@pytest.mark.parametrize("more", [{}, {"warmup": (16, 9)}, {"context": 20}], ids=["plain", "warm-up", "context"])
@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_parts_are_together_the_whole_batch(parts, more):
    sampler = sampler_of(**more)
    for step in (0, 4, 11):
        whole = sampler(step)
        found = [sampler(step, part, parts) for part in range(parts)]
        for name in ("codes", "positions", "soft"):
            np.testing.assert_array_equal(np.concatenate([getattr(b, name) for b in found]), getattr(whole, name))
        sizes = [len(b.codes) for b in found]
        assert max(sizes) - min(sizes) <= 1


def test_a_batch_cannot_be_cut_in_more_parts_than_windows():
    with pytest.raises(InputError, match=r"8 windows cannot be cut in 9 parts"):
        sampler_of()(0, 0, 9)


# Context


def test_context_is_added_on_both_sides_and_never_leaves_the_interval():
    plain, wide = sampler_of(batch=64)(5), sampler_of(batch=64, context=30)(5)
    np.testing.assert_array_equal(wide.codes[:, 30:-30], plain.codes)
    np.testing.assert_array_equal(wide.positions[:, 30:-30], plain.positions)
    for inner, around in zip(plain.positions, wide.positions, strict=True):
        start, end = SPANS[np.searchsorted(SPANS[:, 0], inner[inner >= 0][0], side="right") - 1]
        first = inner[0]
        expected = [p if start <= p < end else -1 for p in range(first - 30, first + 94)]
        assert around.tolist() == expected
    np.testing.assert_array_equal(wide.codes == N, wide.positions < 0)
    assert (wide.positions[:, :30] < 0).any() and (wide.positions[:, :30] >= 0).any()
