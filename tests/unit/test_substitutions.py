"""Expectations of single bases: the grid of tiles, contig ends, order, and the model's own output."""

import numpy as np
import pytest
import torch
from helpers.genomes import genome_of
from helpers.models import memory_of, perturbed, random_codes, small_model, tensor

from dnalm.errors import InputError
from dnalm.models.config import ModelConfig
from dnalm.models.two_sided import TwoSided
from dnalm.tasks import substitutions
from dnalm.tasks.substitutions import Expectations, entropy, likelihood_ratios

WINDOW = 64


@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(substitutions, "TILE", 50)
    monkeypatch.setattr(substitutions, "BATCH", 3)


@pytest.fixture
def genome():
    return genome_of(random_codes(1, 430, n_share=0.02), random_codes(2, 30), random_codes(3, 120))


def test_a_base_is_read_in_its_tile_with_half_a_window_on_each_side(genome, small_tiles):
    model = small_model(genome)
    expected = Expectations(model, genome, WINDOW)
    got = expected.at(np.array([107]))[0]
    place = np.arange(100 - 32, 150 + 32)
    codes = (genome.codes[place] & 7)[None]
    features = model.lookup(codes, (genome.digest, place[None]))
    with torch.no_grad():
        want = model(tensor(codes), features).two_sided[0, 107 - 68]
    assert np.allclose(got, want.numpy(), atol=1e-6)


def test_the_last_tile_of_a_contig_does_not_read_the_next_contig(genome, small_tiles):
    model = small_model(genome)
    got = Expectations(model, genome, WINDOW).at(np.array([429]))[0]
    place = np.concatenate([np.arange(400 - 32, 430), np.full(20 + 32, -1)])
    codes = np.where(place >= 0, genome.codes[place] & 7, 4)[None].astype(np.uint8)
    with torch.no_grad():
        want = model(tensor(codes), model.lookup(codes, (genome.digest, place[None]))).two_sided[0, 29 + 32]
    assert np.allclose(got, want.numpy(), atol=1e-6)


def test_order_company_and_repetition_change_nothing(genome, small_tiles):
    expected = Expectations(small_model(genome), genome, WINDOW)
    positions = np.random.default_rng(0).integers(0, len(genome.codes), 200)
    together = expected.at(positions)
    assert np.isfinite(together).all()
    assert np.array_equal(together[np.argsort(positions)], expected.at(np.sort(positions)))
    for i in (0, 17, 99):
        assert np.allclose(expected.at(positions[i : i + 1])[0], together[i], atol=1e-6)
    assert expected.at(np.array([], dtype=np.int64)).shape == (0, 4)


def test_a_span_says_the_same_as_its_bases(genome, small_tiles):
    expected = Expectations(small_model(genome), genome, WINDOW)
    parts = list(expected.span(61, 423))
    assert [start for start, _ in parts] == list(np.cumsum([61, *(len(logp) for _, logp in parts)])[:-1])
    assert np.allclose(np.concatenate([logp for _, logp in parts]), expected.at(np.arange(61, 423)), atol=1e-6)
    (short,) = expected.span(430, 460)
    assert short[0] == 430 and len(short[1]) == 30 and np.isfinite(short[1]).all()


def test_a_base_does_not_see_itself(genome, small_tiles):
    changed = genome.codes.copy()
    changed[107] = (changed[107] + 1) % 4
    other = genome_of(*np.split(changed, [430, 460]))
    memory = memory_of(genome_of(random_codes(9, 500), name="elsewhere"))
    model = small_model()
    model.memory = memory
    first, second = (Expectations(model, g, WINDOW).at(np.array([107, 108])) for g in (genome, other))
    assert np.allclose(first[0], second[0], atol=1e-6) and not np.allclose(first[1], second[1], atol=1e-4)


def test_likelihood_ratios_and_entropy_by_hand():
    logp = np.log(np.array([[0.5, 0.25, 0.125, 0.125], [0.25, 0.25, 0.25, 0.25]], dtype=np.float32))
    ratios = likelihood_ratios(logp, np.array([0, 4]))
    assert np.allclose(ratios[0], np.log([1, 0.5, 0.25, 0.25])) and np.isnan(ratios[1]).all()
    assert np.allclose(likelihood_ratios(logp, np.array([8 + 1, 2]))[0], np.log([2, 1, 0.5, 0.5]))  # soft-masked
    assert np.allclose(entropy(logp), [1.75, 2])


def test_a_causal_model_is_refused(genome):
    config = ModelConfig(width=16, layers=1, heads=2, memory_orders=(2,), memory_flanks=((1, 1),), objective="causal")
    with pytest.raises(InputError, match="two_sided"):
        Expectations(perturbed(TwoSided(config, None)), genome, WINDOW)
