"""Windows that grow, parts of a batch, and context around windows."""

import dataclasses

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


# Several genomes


def three_genomes():
    """Genomes of 4000, 800 and 200 bases as one; the last has no training interval."""
    genome = contigs_of([4000, 500, 300, 200], random_codes(1, 5000))
    return dataclasses.replace(genome, contigs=genome.contigs.assign(genome=["long", "short", "short", "none"]))


TRAINING = np.array([[0, 2500], [2600, 4000], [4000, 4500], [4500, 4800]])


def test_every_genome_gives_as_many_windows_as_every_other():
    genome = three_genomes()
    starts = {}
    for sampling in ("base", "genome"):
        sampler = WindowSampler(genome, TRAINING, 50, 100, 1, sampling=sampling)
        starts[sampling] = np.concatenate([sampler(step).positions[:, 0] for step in range(100)])
    short = {sampling: (found >= 4000).mean() for sampling, found in starts.items()}
    rooms = np.diff(TRAINING)[:, 0] - 49
    assert short["base"] == pytest.approx(rooms[2:].sum() / rooms.sum(), abs=0.02)
    assert short["genome"] == pytest.approx(0.5, abs=0.02)
    # inside a genome as before: by the room of its intervals, evenly
    mine = starts["genome"][starts["genome"] < 4000]
    assert (mine < 2500).mean() == pytest.approx(rooms[0] / rooms[:2].sum(), abs=0.02)
    assert np.histogram(mine[mine < 2451], 10)[0].std() < 0.1 * len(mine) / 10


def test_balanced_windows_stay_inside_and_parts_are_the_whole():
    sampler = WindowSampler(three_genomes(), TRAINING, 50, 12, 3, sampling="genome")
    for step in range(20):
        positions = sampler(step).positions
        slots = np.searchsorted(TRAINING[:, 0], positions, side="right") - 1
        assert (positions >= 0).all() and (positions < TRAINING[slots, 1]).all() and (slots == slots[:, :1]).all()
        parts = [sampler(step, part, 5).positions for part in range(5)]
        np.testing.assert_array_equal(np.concatenate(parts), positions)


def test_one_genome_is_drawn_from_as_always():
    plain, balanced = sampler_of(), sampler_of(sampling="genome")
    for step in range(5):
        np.testing.assert_array_equal(plain(step).positions, balanced(step).positions)
