"""Windows cut from a genome against a loop over positions."""

import numpy as np
import pytest
import torch
from helpers.genomes import genome_of
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.models.config import ModelConfig
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import MASK_BIT, N
from dnalm.sequence.batches import Batch, cut, tile
from dnalm.tasks.sampling import WindowSampler
from dnalm.tasks.scoring import score


def by_hand(genome, start, length):
    """(codes, positions) of one window, base by base; the middle base says which contig it is of."""
    middle = min(max(start + length // 2, 0), len(genome.codes) - 1)
    contig = next(c for c in genome.contigs.itertuples() if c.offset <= middle < c.offset + c.length)
    codes, positions = [], []
    for place in range(start - contig.offset, start - contig.offset + length):
        if contig.circular:
            place %= contig.length
        inside = 0 <= place < contig.length
        positions.append(place + contig.offset if inside else -1)
        codes.append(genome.codes[place + contig.offset] & 7 if inside else N)
    return codes, positions


@pytest.mark.parametrize("circular", [False, True])
def test_windows_equal_a_loop(circular):
    rng = np.random.default_rng(0)
    genome = genome_of(*(rng.integers(0, 5, n) for n in (200, 60, 340)), circular=circular)
    genome.codes[::5] |= MASK_BIT
    for length in (1, 7, 48):
        starts = np.arange(-length // 2 + 1, 600 - length // 2, 5)
        batch = cut(genome, starts, length)
        assert batch.codes.dtype == np.uint8
        assert batch.codes.shape == batch.positions.shape == (len(starts), length)
        for i, start in enumerate(starts):
            codes, positions = by_hand(genome, start, length)
            assert batch.codes[i].tolist() == codes
            assert batch.positions[i].tolist() == positions
        assert batch.origin == (genome.digest, batch.positions)


def test_every_window_may_have_an_anchor_of_its_own():
    genome = genome_of(*(np.random.default_rng(1).integers(0, 4, n) for n in (200, 60)))
    starts, anchor = np.array([190, 190, 250]), np.array([9, 10, 0])
    batch = cut(genome, starts, 20, anchor)
    for row in range(3):
        one = cut(genome, starts[row : row + 1], 20, int(anchor[row]))
        assert np.array_equal(batch.codes[row], one.codes[0]) and np.array_equal(batch.positions[row], one.positions[0])
    assert (batch.positions[0] >= 0).tolist() == [True] * 10 + [False] * 10
    assert (batch.positions[1] >= 0).tolist() == [False] * 10 + [True] * 10


def test_a_window_longer_than_its_contig_is_padded_on_both_sides():
    batch = cut(genome_of("ACGTACGTAC"), [-3], 16)
    assert batch.positions[0].tolist() == [-1] * 3 + list(range(10)) + [-1] * 3
    assert (batch.codes[0] == N).sum() == 6


def test_bases_that_are_not_allowed_become_padding():
    genome = genome_of("ACGTACGTAC")
    batch = cut(genome, [0, 2], 5)
    kept = batch.keep(batch.positions % 2 == 0)
    assert kept.positions.tolist() == [[0, -1, 2, -1, 4], [2, -1, 4, -1, 6]]
    assert kept.codes.tolist() == [[0, N, 2, N, 0], [2, N, 0, N, 2]]
    assert isinstance(kept, Batch)
    assert batch.positions.min() == 0  # the first batch is as it was


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 700)), max_size=6), st.integers(1, 300))
def test_tiles_cover_every_interval_in_order(gaps_and_sizes, stride):
    intervals, at = [], 0
    for gap, size in gaps_and_sizes:
        intervals.append((at + gap, at + gap + size))
        at += gap + size
    pieces = tile(np.array(intervals).reshape(-1, 2), stride)
    assert pieces.shape[1:] == (2,)
    covered = [p for a, b in pieces for p in range(a, b)]
    assert covered == [p for a, b in intervals for p in range(a, b)]
    assert all(0 < b - a <= stride for a, b in pieces)
    full = sum((b - a) // stride for a, b in intervals)
    assert sum(b - a == stride for a, b in pieces) == full


@pytest.mark.parametrize("circular", [False, True])
def test_a_language_model_scores_each_contig_on_its_own(circular):
    """The last piece of a contig is shorter than half a window."""
    config = ModelConfig(width=8, layers=1, heads=2, attention_span=8, memory_orders=(1, 12), memory_flanks=((1, 1),))
    torch.manual_seed(1)
    model = TwoSided(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.3 * torch.randn_like(weight)
    contigs = [np.random.default_rng(i).integers(0, 4, 900).astype(np.uint8) for i in (1, 2)]
    both = score(model, genome_of(*contigs, circular=circular), tile(np.array([[0, 900], [900, 1800]]), 384), 32)
    alone = [score(model, genome_of(c, circular=circular), tile(np.array([[0, 900]]), 384), 32) for c in contigs]
    for name, values in both.items():
        np.testing.assert_allclose(values, np.concatenate([a[name] for a in alone]), atol=1e-4)


def test_training_windows_of_a_contig_shorter_than_a_window_hold_its_bases():
    genome = genome_of(*(np.random.default_rng(i).integers(0, 4, n) for i, n in ((1, 100), (2, 500))))
    sampler = WindowSampler(genome, np.array([[0, 100], [100, 600]]), 384, 1000, 1)
    real = [row[row >= 0] for row in sampler(0).positions]
    assert all(len(places) for places in real)
    assert sum(places[0] < 100 for places in real)


@pytest.mark.parametrize("circular", [False, True])
def test_soft_masked_bases_are_told_apart_from_their_codes(circular):
    codes = np.array([0, 1 | MASK_BIT, 2, N | MASK_BIT, 3, 0 | MASK_BIT], dtype=np.uint8)
    batch = cut(genome_of(codes, circular=circular), [-1, 3], 5, 1)
    for row in range(2):
        for code, place, soft in zip(batch.codes[row], batch.positions[row], batch.soft[row], strict=True):
            assert code == (codes[place] & 7 if place >= 0 else N)
            assert soft == (place >= 0 and codes[place] >= MASK_BIT)
    assert batch.soft.any()
    kept = batch.keep(batch.positions != 1)
    np.testing.assert_array_equal(kept.soft, batch.soft & (batch.positions != 1))
