"""The gene decoder: evidence against loops over bases, fits on data with known weights, choices within limits."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, log_softmax

from dnalm.evaluate.bases import bin_sums, calibration_error
from dnalm.sequence.alphabet import N
from dnalm.sequence.orfs import MAX_OPPOSITE, MAX_SAME, Orfs, find_orfs, start_key, stop_key
from dnalm.tasks.decode import (
    CLIP,
    GUESS,
    STARTS_KEPT,
    Decoder,
    Evidence,
    _ruled_out,
    class_odds,
    decode,
    fit_decoder,
    gather,
    gene_features,
    rank_starts,
)


def random_contig(seed, length):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, length).astype(np.uint8)
    codes[rng.integers(0, length, 3)] = N
    return codes, rng.normal(0, 4, (length, 6)), *rng.normal(0, 2, (3, length, 2))


@pytest.mark.parametrize("circular", [False, True])
def test_evidence_equals_a_loop_over_the_bases_of_each_candidate(circular):
    length, seen = 1500, set()
    for seed in range(5):
        codes, odds, starts, stops, context = random_contig(seed, length)
        found = gather(codes, odds, starts, stops, context, 11, 30, circular)
        orfs = found.orfs
        for i in range(len(orfs)):
            bases = [p % length for p in range(orfs.start[i], orfs.end[i])]
            side, bases = (0, bases) if orfs.strand[i] > 0 else (1, bases[::-1])
            coding = sum(np.clip(odds[base, 3 * side + n % 3], -CLIP, CLIP) for n, base in enumerate(bases))
            assert found.coding[i] == pytest.approx(coding / 100, abs=1e-9)
            assert found.stop[i] == stops[bases[-1], side]
            begins = bool(orfs.codon[i] >= 0)
            assert found.start[i] == (starts[bases[0], side] if begins else -3)
            assert found.context[i] == (context[bases[0], side] if begins else -3)
            seen.add((side, bool(orfs.end[i] > length), begins))
    # on the circle some cross the origin, on the line some have no start codon, on both strands
    assert {(side, circular, circular) for side in (0, 1)} <= seen


def test_log_odds_of_classes():
    p = np.random.default_rng(2).dirichlet(np.ones(7), 50)
    np.testing.assert_allclose(class_odds(np.log(p)), np.log(p[:, 1:] / (1 - p[:, 1:])), rtol=1e-9)
    certain = class_odds(np.array([[-30.0, 0.0, -30, -30, -30, -30, -30]], dtype=np.float32))
    assert np.isfinite(certain).all()
    assert certain[0, 0] > CLIP > -CLIP > certain[0, 1]


def orfs_of(group, lengths=None, starts=None):
    """Forward candidates far from each other; those of one group end together."""
    group = np.asarray(group)
    end = 10_000 * (group + 1)
    lengths = np.arange(len(group)) * 3 + 300 if lengths is None else lengths
    start = end - lengths if starts is None else starts
    ones = np.ones(len(group), dtype=np.int64)
    return Orfs(start, end, ones, group, 14 * ones, np.zeros(len(group), dtype=bool))


def test_ranks_are_a_softmax_over_the_starts_of_one_stop():
    rng = np.random.default_rng(3)
    group = rng.integers(0, 6, 40)
    group[group == 4] = 3  # numbers may have holes
    values = rng.normal(0, 3, (4, 40))
    found = Evidence(orfs_of(group), *values)
    weights = (0.7, -0.4, 1.3)
    logp, best = rank_starts(found, weights)
    value = 0.7 * found.start - 0.4 * found.coding + 1.3 * found.context
    for g in set(group.tolist()):
        mine = group == g
        np.testing.assert_allclose(logp[mine], log_softmax(value[mine]), atol=1e-12)
        assert best[mine].sum() == 1
        assert value[best & mine].item() == value[mine].max()


def test_keys_name_a_codon_whatever_the_side_of_the_origin():
    length = 100
    start, end = np.array([90, 90, 30, 30, 130]), np.array([120, 120, 60, 60, 160])
    strand = np.array([1, -1, 1, -1, 1])
    assert stop_key(start, end, strand, length).tolist() == [20, 190, 60, 130, 60]
    assert start_key(start, end, strand, length).tolist() == [90, 120, 30, 160, 30]


START_WEIGHTS = np.array([1.2, 0.6, 0.9])
GENE_WEIGHTS, BIAS = np.array([0.8, 0.3, 0.5, 0.4, 0.7, 0.2]), -1.5


def simulated(seed, stops):
    """Evidence and truth drawn from the decoder's own model with known weights."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(stops), rng.integers(2, 7, stops))
    n = len(group)
    shared = rng.normal(0, 1.5, stops)[group]
    lengths = rng.integers(30, 600, n) * 3
    found = Evidence(
        orfs_of(group, lengths), rng.normal(0, 2, n) + shared, rng.normal(0, 1, n), rng.normal(0, 1, stops)[group],
        rng.normal(0, 1, n),
    )  # fmt: skip
    # candidates of one stop must differ in their starts
    keep = np.unique(np.stack([group, lengths]), axis=1, return_index=True)[1]
    found = Evidence(found.orfs.take(keep), *(c[keep] for c in (found.coding, found.start, found.stop, found.context)))
    logp, best = rank_starts(found, START_WEIGHTS)
    chance = expit(gene_features(found) @ GENE_WEIGHTS + BIAS)
    is_gene = np.zeros(stops, dtype=bool)
    is_gene[found.orfs.group[best]] = rng.random(best.sum()) < chance[best]
    genes = []
    for g in np.flatnonzero(is_gene):
        mine = np.flatnonzero(found.orfs.group == g)
        i = rng.choice(mine, p=np.exp(logp[mine]) / np.exp(logp[mine]).sum())
        genes.append((found.orfs.start[i], found.orfs.end[i], "+"))
    return found, pd.DataFrame(genes, columns=["start", "end", "strand"]), is_gene, best


@pytest.fixture(scope="module")
def fit():
    found, truth, _, _ = simulated(4, 4000)
    everything = np.ones(len(found.orfs), dtype=bool)
    return fit_decoder(found, truth, everything, 10**9)


def test_planted_weights_are_recovered(fit):
    np.testing.assert_allclose(fit.start_weights, START_WEIGHTS, atol=0.2)
    np.testing.assert_allclose(fit.gene_weights, GENE_WEIGHTS, atol=0.2)
    assert fit.gene_bias == pytest.approx(BIAS, abs=0.3)


def test_scores_are_probabilities_on_new_data(fit):
    found, _, is_gene, best = simulated(5, 3000)
    p = expit(gene_features(found)[best] @ np.array(fit.gene_weights) + fit.gene_bias)
    outcome = is_gene[found.orfs.group[best]].astype(float)
    table = bin_sums(p, outcome, np.zeros(len(p), dtype=np.int64), 1)
    assert calibration_error(table.reshape(-1)) < 0.04
    assert 0.1 < outcome.mean() < 0.9
    # a decoder that is too sure is told apart
    sure = expit(3 * (gene_features(found)[best] @ np.array(fit.gene_weights) + fit.gene_bias))
    assert calibration_error(bin_sums(sure, outcome, np.zeros(len(p), dtype=np.int64), 1).reshape(-1)) > 0.1
    called = decode(found, fit, 10**9)
    _, best = rank_starts(found, fit.start_weights)
    p = expit(gene_features(found)[best] @ np.array(fit.gene_weights) + fit.gene_bias)
    by_stop = dict(zip(found.orfs.end[best].tolist(), p, strict=True))
    assert len(called) > 500
    for gene in called.itertuples():
        assert gene.score == pytest.approx(by_stop[gene.end])


def test_only_usable_candidates_are_learned_from():
    found, truth, _, _ = simulated(6, 600)
    usable = found.orfs.group < 400
    inside = truth[truth["end"] <= 10_000 * 400]
    before = fit_decoder(found, inside, usable, 10**9)
    noise = np.random.default_rng(7).normal(0, 9, len(usable))
    other = Evidence(
        found.orfs, *(np.where(usable, c, noise) for c in (found.coding, found.start, found.stop, found.context))
    )
    assert fit_decoder(other, inside, usable, 10**9) == before
    assert fit_decoder(found, truth, np.ones_like(usable), 10**9) != before


def test_genes_of_the_reverse_strand_and_across_the_origin_are_recognised():
    """Truth is matched by stop and start codon: turning the circle gives the same fit."""
    length = 6000
    codes, odds, starts, stops, context = random_contig(8, length)
    found = gather(codes, odds, starts, stops, context, 11, 90, True)
    pick = np.random.default_rng(9).choice(len(found.orfs), 40, replace=False)
    pick = pick[np.unique(found.orfs.group[pick], return_index=True)[1]]
    fits = []
    for shift in (0, 1777, 4321):
        turned = gather(*(np.roll(x, -shift, axis=0) for x in (codes, odds, starts, stops, context)), 11, 90, True)
        begin = (found.orfs.start[pick] - shift) % length
        truth = pd.DataFrame({"start": begin, "end": begin + (found.orfs.end - found.orfs.start)[pick]})
        truth["strand"] = np.where(found.orfs.strand[pick] > 0, "+", "-")
        fits.append(fit_decoder(turned, truth, np.ones(len(turned.orfs), dtype=bool), length))
    for other in fits[1:]:
        np.testing.assert_allclose(other.start_weights, fits[0].start_weights, atol=1e-2)
        np.testing.assert_allclose(other.gene_weights, fits[0].gene_weights, atol=1e-2)


def test_candidates_that_overlap_a_true_gene_are_ruled_out():
    rng = np.random.default_rng(12)
    starts = np.sort(rng.integers(0, 9000, 25))
    truth = pd.DataFrame({"start": starts, "end": starts + rng.integers(90, 900, 25)}).sample(frac=1, random_state=1)
    begin = rng.integers(0, 9500, 300)
    end, nothing = begin + rng.integers(90, 600, 300), np.zeros(300, dtype=np.int64)
    orfs = Orfs(begin, end, nothing + 1, np.arange(300), nothing, nothing.astype(bool))
    covered = set()
    for gene in truth.itertuples():
        covered |= set(range(gene.start, gene.end))
    expected = [len(covered & set(range(a, b))) > min(60, (b - a) // 2) for a, b in zip(begin, end, strict=True)]
    assert _ruled_out(orfs, truth).tolist() == expected
    assert 0 < sum(expected) < 300
    assert not _ruled_out(orfs, truth.iloc[:0]).any()


def test_without_genes_the_guess_stays():
    found, truth, _, _ = simulated(10, 50)
    everything = np.ones(len(found.orfs), dtype=bool)
    fit = fit_decoder(found, truth.iloc[:0], everything, 10**9)
    assert fit.start_weights == GUESS
    assert np.isfinite(fit.gene_weights).all()
    assert fit_decoder(found, truth, ~everything, 10**9).start_weights == GUESS


@pytest.mark.parametrize("circular", [False, True])
def test_called_genes_keep_to_the_overlap_limits_and_use_a_stop_once(circular):
    length = 30_000
    codes, odds, starts, stops, context = random_contig(11, length)
    found = gather(codes, odds + 0.5, starts, stops, context, 11, 60, circular)
    genes = decode(found, Decoder((0.5, 0.3, 0.5), (0.5, 0.5, 0.2, 0.3, 0.3, 0.3), 2.0), length)
    assert len(genes) > 100
    assert genes["score"].between(0, 1).all()
    candidates = set(zip(found.orfs.start, found.orfs.end, np.where(found.orfs.strand > 0, "+", "-"), strict=True))
    assert candidates >= set(zip(genes["start"], genes["end"], genes["strand"], strict=True))
    covered = [{p % length for p in range(g.start, g.end)} for g in genes.itertuples()]
    overlapping = 0
    for (a, one), (b, two) in itertools.combinations(enumerate(covered), 2):
        shared = len(one & two)
        if not shared:
            continue
        overlapping += 1
        first, second = (a, b) if genes["start"][b] % length in one else (b, a)
        tails = (genes["strand"][first], genes["strand"][second]) == ("+", "-")
        assert shared <= (MAX_OPPOSITE if tails else MAX_SAME)
        assert 2 * shared <= min(len(one), len(two))
    assert overlapping > 10
    side = np.where(genes["strand"] == "+", 1, -1)
    assert len(set(stop_key(genes["start"], genes["end"], side, length).tolist())) == len(genes)


def test_the_best_start_is_called_and_a_likely_other_one_where_it_must_give_way():
    orfs = Orfs(*(np.array(x) for x in ([0, 870, 900], [903, 1500, 1500], [1, 1, 1], [0, 1, 1], [14] * 3, [False] * 3)))
    flat = np.zeros(3)
    decoder = Decoder((1.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0, 0.0, 0.0), 3.0)
    free = decode(Evidence(orfs, flat, np.array([0.0, 1.0, 0.0]), flat, flat), decoder, 3000)
    assert free["start"].tolist() == [0, 870]  # 33 bases of overlap cost less than the worse start
    dear = Orfs(orfs.start - np.array([0, 40, 0]), *list(orfs.__dict__.values())[1:])
    pushed = decode(Evidence(dear, flat, np.array([0.0, 1.0, 0.0]), flat, flat), decoder, 3000)
    assert pushed["start"].tolist() == [0, 900]  # 73 bases are not allowed
    hopeless = decode(Evidence(dear, flat, np.array([0.0, 12.0, 0.0]), flat, flat), decoder, 3000)
    assert hopeless["start"].tolist() in ([0], [830])  # the other start is too unlikely to be tried
    np.testing.assert_allclose(pushed["score"], expit(3.0))


def test_few_starts_of_a_stop_take_part():
    """The best start is forbidden by a strong neighbour; of the others only the likeliest may replace it."""
    group = np.zeros(STARTS_KEPT + 2, dtype=np.int64)
    starts = np.array([100, 130, 160, 190, 220, 250])[: len(group)]
    start = np.concatenate([[0], starts])
    end = np.concatenate([[261], np.full(len(group), 900)])
    ones = np.ones(len(start), dtype=np.int64)
    orfs = Orfs(start, end, ones, np.concatenate([[0], group + 1]), 14 * ones, ones == 0)
    logit = np.concatenate([[0.0], -0.5 * np.arange(len(group))])
    flat = np.zeros(len(start))
    decoder = Decoder((1.0, 0.0, 0.0), (0.0,) * 6, 3.0)
    called = decode(Evidence(orfs, flat, logit, flat, flat), decoder, 2000)
    # starts up to 190 overlap the neighbour by more than 60 bases, and the fifth and sixth are not tried
    assert called["start"].tolist() in ([0], [100])


def test_weights_survive_a_file(tmp_path, fit):
    fit.save(tmp_path / "decoder.json")
    assert Decoder.load(tmp_path / "decoder.json") == fit


def test_a_contig_without_candidates_has_no_genes():
    codes = np.zeros(50, dtype=np.uint8)
    found = gather(codes, np.zeros((50, 6)), *np.zeros((3, 50, 2)), 11, 90, False)
    assert len(found.orfs) == len(find_orfs(codes, 11, 90))
    assert decode(found, Decoder(GUESS, (0.0,) * 6, 0.0), 50).empty
