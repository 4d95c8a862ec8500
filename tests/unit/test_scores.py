"""Scores of bases: those of one long window, of every base, and with nothing in the context that may not be read."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers.genomes import splits_of
from helpers.models import FLANKS, ORDERS, REACH, SMALL, contigs_of, memory_of, random_codes, small_model, tensor
from helpers.pretraining import COLUMNS
from helpers.tokens import token_model
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import N, reverse_complement
from dnalm.sequence.batches import Batch, tile
from dnalm.tasks import scoring
from dnalm.tasks.language import VALIDATION_BASES, validation_pieces
from dnalm.tasks.scoring import recounted, score, score_held_out, score_positions, spread_positions

#: Context beyond which no output of the small models changes.
MARGIN = REACH + max(max(ORDERS), *map(max, FLANKS))


# Windows


def test_scores_are_those_of_one_long_window():
    genome = contigs_of([900], random_codes(7, 900, n_share=0.02))
    model = small_model(genome, [[0, 300]])
    pieces = tile(np.array([[310, 500], [640, 871]]), 48)
    found = score(model, genome, pieces, MARGIN, batch=3)
    codes, positions = genome.codes[None], np.arange(900)[None]
    with torch.inference_mode():
        output = model(tensor(codes), model.lookup(codes, (genome.digest, positions)))
    place = np.concatenate([np.arange(start, end) for start, end in pieces])
    for name, logp in zip(COLUMNS, (output.forward, output.reverse, output.two_sided), strict=True):
        truth = codes[0, place]
        expected = -logp[0].numpy()[place, np.minimum(truth, 3)] / np.log(2)
        np.testing.assert_array_equal(np.isnan(found[name]), truth == N)
        np.testing.assert_allclose(found[name][truth < N], expected[truth < N], atol=2e-5)
        assert found[name].dtype == np.float32


@pytest.mark.parametrize(("stride", "batch"), [(48, 1), (48, 100), (7, 5), (300, 2)])
def test_scores_do_not_depend_on_pieces_and_batches(stride, batch):
    genome = contigs_of([900], random_codes(7, 900, n_share=0.02))
    model = small_model(genome, [[0, 300]])
    span = np.array([[310, 571]])
    expected = score(model, genome, tile(span, 48), MARGIN, batch=3)
    found = score(model, genome, tile(span, stride), MARGIN, batch=batch)
    for name in COLUMNS:
        np.testing.assert_allclose(found[name], expected[name], atol=2e-5)


def test_a_memory_leaves_out_the_base_that_is_scored():
    """Training bases can be scored too, and are not recognised by their own copy: contexts of 16 occur once only."""
    genome = contigs_of([2000], random_codes(8, 2000))
    config = dataclasses.replace(SMALL, memory_orders=(16,), memory_flanks=((8, 8),))
    model = TwoSided(config, memory_of(genome, config=config))
    for mix in (model.tower.mix, model.fusion.mix):
        mix.gates.bias.data.fill_(6.0)
        mix.vote.bias.data.zero_()
    own = score(model, genome, np.array([[500, 900]]), 64)
    stranger = contigs_of([2000], genome.codes, digest="elsewhere")
    remembered = score(model, stranger, np.array([[500, 900]]), 64)
    for name in COLUMNS:
        np.testing.assert_allclose(own[name], 2, atol=1e-5)
        assert remembered[name].max() < 0.1


@pytest.mark.parametrize("circular", [False, True])
def test_every_base_of_every_contig_is_scored(circular):
    """Contigs shorter than a window, and last pieces of a few bases."""
    lengths = [203, 40, 1, 97, 130]
    genome = contigs_of(lengths, random_codes(9, sum(lengths)), circular=circular)
    edges = np.cumsum([0, *lengths])
    pieces = tile(np.stack([edges[:-1], edges[1:]], axis=1), 64)
    scores = score(small_model(), genome, pieces, 32)
    for name in COLUMNS:
        assert len(scores[name]) == sum(lengths)
        assert np.isfinite(scores[name]).all()


def test_contigs_are_no_context_of_each_other():
    codes = random_codes(10, 400)
    changed = codes.copy()
    changed[150:] = random_codes(11, 250)
    model, piece = small_model(), np.array([[100, 150]])
    a, b = (score(model, contigs_of([150, 250], c), piece, 32) for c in (codes, changed))
    for name in COLUMNS:
        np.testing.assert_array_equal(a[name], b[name])
    joined = score(model, contigs_of([400], changed), piece, 32)
    assert not np.allclose(joined["two_sided"], a["two_sided"], atol=1e-3)


def test_a_circle_has_context_at_its_origin():
    genome = contigs_of([300], random_codes(12, 300), circular=True)
    turned = contigs_of([300], np.roll(genome.codes, 100), circular=True)
    model = small_model()
    found = score(model, genome, np.array([[0, 40]]), MARGIN)
    expected = score(model, turned, np.array([[100, 140]]), MARGIN)
    for name in COLUMNS:
        np.testing.assert_allclose(found[name], expected[name], atol=2e-5)


@pytest.mark.parametrize("size", [48, 64, 70, 90, 127, 150])
def test_round_a_short_circle_no_base_is_its_own_context(size):
    """Windows of 64 with 32 bases of context go round such a plasmid more than once.

    The probabilities of the four bases a place can hold, each scored in a genome that holds it, must sum to one.
    """
    codes = random_codes(13, size)
    model = small_model(config=dataclasses.replace(SMALL, attention_span=100))
    pieces = tile(np.array([[0, size]]), 64)
    for i in (0, 5, size // 2, size - 1):
        total = 0.0
        for base in range(4):
            codes[i] = base
            total += 2.0 ** -score(model, contigs_of([size], codes, circular=True), pieces, 32)["two_sided"][i]
        assert total == pytest.approx(1, abs=1e-4)


def test_blanked_context_is_not_read():
    genome = contigs_of([400], random_codes(14, 400))
    allowed = np.zeros(400, dtype=bool)
    allowed[145:215] = True
    changed = genome.codes.copy()
    changed[~allowed] = random_codes(15, int((~allowed).sum()))
    model, piece = small_model(), np.array([[150, 210]])
    first = score(model, genome, piece, 60, allowed)
    second = score(model, contigs_of([400], changed), piece, 60, allowed)
    free = score(model, genome, piece, 60)
    for name in COLUMNS:
        np.testing.assert_array_equal(first[name], second[name])
        assert not np.allclose(first[name], free[name], atol=1e-4)


def test_the_other_strand_costs_the_same():
    codes = random_codes(16, 500, n_share=0.02)
    model = small_model()
    plus = score(model, contigs_of([500], codes), np.array([[100, 350]]), 64)
    minus = score(model, contigs_of([500], reverse_complement(codes)), np.array([[150, 400]]), 64)
    np.testing.assert_allclose(plus["two_sided"], minus["two_sided"][::-1], atol=2e-5)
    np.testing.assert_allclose(plus["causal_forward"], minus["causal_reverse"][::-1], atol=2e-5)


def test_no_pieces_no_scores():
    scores = score(small_model(), contigs_of([100]), np.empty((0, 2), np.int64), 32)
    assert scores == {}


def test_soft_masked_bases_are_scored_like_others():
    codes = random_codes(17, 300)
    model, piece = small_model(), np.array([[100, 200]])
    plain = score(model, contigs_of([300], codes), piece, 32)
    masked = score(model, contigs_of([300], codes | 8), piece, 32)
    np.testing.assert_array_equal(plain["two_sided"], masked["two_sided"])


MIXED = splits_of(
    ("c0", 0, 400, "train"), ("c0", 400, 440, "gap"), ("c0", 440, 700, "test"), ("c0", 700, 900, "validation"),
    ("c0", 900, 940, "gap"), ("c0", 940, 1300, "train"), ("c0", 1300, 1340, "gap"), ("c0", 1340, 1500, "validation"),
)  # fmt: skip


def test_held_out_scores_are_validation_then_test():
    genome = contigs_of([1500], random_codes(18, 1500, n_share=0.02))
    model = small_model(genome, [[0, 400], [940, 1300]])
    intervals, columns = score_held_out(model, genome, MIXED, 64)
    assert intervals.tolist() == [[700, 900], [1340, 1500], [440, 700]]
    place = np.concatenate([np.arange(start, end) for start, end in intervals])
    for name in COLUMNS:
        assert len(columns[name]) == len(place)
        np.testing.assert_array_equal(np.isnan(columns[name]), genome.codes[place] == N)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_held_out_scores_of_a_split_read_no_base_of_another(split):
    """Bases of one split are replaced: only the scores of that split may change."""
    genome = contigs_of([1500], random_codes(19, 1500))
    model = small_model(genome, [[0, 400], [940, 1300]])
    changed = genome.codes.copy()
    for row in MIXED[MIXED["split"] == split].itertuples():
        changed[row.start : row.end] = (changed[row.start : row.end] + 1 + np.arange(row.end - row.start) % 3) % 4
    before = score_held_out(model, genome, MIXED, 64)[1]
    after = score_held_out(model, contigs_of([1500], changed), MIXED, 64)[1]
    owner = np.repeat(["validation", "test"], [360, 260])
    for name in COLUMNS:
        same = before[name] == after[name]
        assert same[owner != split].all()
        assert split == "train" or not same[owner == split].any()


def test_held_out_scores_read_gaps():
    genome = contigs_of([1500], random_codes(20, 1500))
    changed = genome.codes.copy()
    changed[400:440] = 3 - changed[400:440]
    model = small_model()
    before = score_held_out(model, genome, MIXED, 64)[1]
    after = score_held_out(model, contigs_of([1500], changed), MIXED, 64)[1]
    different = np.flatnonzero(before["two_sided"] != after["two_sided"])
    assert different.min() == 360, "the first test base, whose left neighbour lies in the gap"
    assert different.max() < 360 + MARGIN


@settings(max_examples=30, deadline=None)
@example([60_000, 35_000], 512)
@given(st.lists(st.integers(100, 60_000), min_size=1, max_size=8), st.sampled_from([64, 512, 5000]))
def test_validation_pieces_are_evenly_spread_and_no_more_than_promised(sizes, window):
    edges = np.cumsum([0, *[n + 100 for n in sizes]])
    intervals = np.stack([edges[:-1], edges[1:] - 100], axis=1)
    pieces, everything = validation_pieces(intervals, window), tile(intervals, window)
    bases, total = (int((p[:, 1] - p[:, 0]).sum()) for p in (pieces, everything))
    assert bases <= VALIDATION_BASES + window
    assert bases >= min(total, VALIDATION_BASES) / 2 - window
    kept = [int(np.flatnonzero((everything == piece).all(1))[0]) for piece in pieces]
    assert len(set(np.diff(kept))) <= 1


# Single positions, masked models, another memory


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.integers(1, 300))
def test_spread_positions_are_distinct_even_and_inside(sizes, count):
    edges = np.cumsum([0, *[n + 3 for n in sizes]])
    intervals = np.stack([edges[:-1], edges[1:] - 3], axis=1)
    place = [p for start, end in intervals for p in range(start, end)]
    found = spread_positions(intervals, count)
    assert len(found) == min(count, len(place)) == len(set(found))
    ranks = np.searchsorted(place, found)
    assert [place[r] for r in ranks] == found.tolist()
    steps = np.diff([*ranks, len(place)])
    assert steps.max() - steps.min() <= 1 and ranks[0] == 0


@pytest.mark.parametrize(
    "model", [small_model(), token_model("local", "base"), token_model("hybrid", "kmer_overlapping")]
)
def test_a_single_position_is_scored_in_the_middle_of_its_window(model):
    """At the ends of a contig, at the border of what may be read, on an N, in batches of any size."""
    genome = contigs_of([300, 90], random_codes(22, 390, n_share=0.03))
    allowed = np.ones(390, dtype=bool)
    allowed[200:] = False
    positions = np.array([0, 1, 100, 180, 199, *np.flatnonzero(genome.codes[:200] == N)[:2]])
    found = score_positions(model, genome, positions, 40, allowed, batch=3)
    for position, bits in zip(positions, found, strict=True):
        place = np.arange(position - 20, position + 20)
        inside = (place >= 0) & (place < 200)
        codes = np.where(inside, genome.codes[np.maximum(place, 0)], N)[None]
        where = np.where(inside, place, -1)[None]
        windows = Batch(genome.digest, codes, where, np.zeros((1, 40), dtype=bool))
        true = genome.codes[position]
        expected = np.nan if true == N else -model.two_sided_at(windows, np.array([20]))[0, true] / np.log(2)
        assert bits == pytest.approx(expected, rel=1e-5, nan_ok=True)


def test_single_positions_of_a_two_sided_model_cost_what_its_windows_say():
    genome = contigs_of([600], random_codes(23, 600))
    model, positions = small_model(genome), np.arange(200, 260)
    single = score_positions(model, genome, positions, 2 * MARGIN + 2)
    np.testing.assert_allclose(single, score(model, genome, np.array([[200, 260]]), MARGIN)["two_sided"], atol=2e-5)


def test_a_masked_model_is_scored_at_positions_of_each_split(monkeypatch):
    monkeypatch.setattr(scoring, "POSITIONS", 12)
    genome = contigs_of([1500], random_codes(24, 1500))
    model = token_model("local", "kmer")
    intervals, columns = score_held_out(model, genome, MIXED, 32)
    assert set(columns) == {"two_sided"} and len(columns["two_sided"]) == 620
    scored = np.flatnonzero(np.isfinite(columns["two_sided"]))
    place = np.concatenate([np.arange(start, end) for start, end in intervals])
    wanted = [spread_positions(intervals[:2], 12), spread_positions(intervals[2:], 12)]
    np.testing.assert_array_equal(place[scored], np.concatenate(wanted))
    allowed = np.zeros(1500, dtype=bool)
    for start, end in ((400, 440), (440, 700), (900, 940), (1300, 1340)):
        allowed[start:end] = True
    expected = score_positions(model, genome, wanted[1], 32, allowed)
    np.testing.assert_allclose(columns["two_sided"][scored[12:]], expected, rtol=1e-6)


def test_only_the_wanted_splits_are_scored():
    genome = contigs_of([1500], random_codes(25, 1500))
    model = small_model(genome, [[0, 400]])
    intervals, columns = score_held_out(model, genome, MIXED, 64, ("test",))
    both = score_held_out(model, genome, MIXED, 64)[1]
    assert intervals.tolist() == [[440, 700]]
    for name in COLUMNS:
        np.testing.assert_array_equal(columns[name], both[name][360:])


def test_a_recounted_model_has_the_memory_of_the_whole_genome_and_its_old_weights():
    genome = contigs_of([700, 800], random_codes(26, 1500))
    model, whole = small_model(genome, [[0, 400]]), small_model(genome, [[0, 700], [700, 1500]])
    expected = score_held_out(whole, genome, MIXED, 64)[1]
    before = {name: t.clone() for name, t in model.state_dict().items()}
    found = score_held_out(recounted(model, genome), genome, MIXED, 64)[1]
    assert all(torch.equal(t, before[name]) for name, t in model.state_dict().items())
    for name in COLUMNS:
        np.testing.assert_array_equal(found[name], expected[name])
