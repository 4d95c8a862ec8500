"""A distance between codons from the company they keep: on made-up genomes with a made-up genetic code."""

import logging

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of
from sklearn.metrics import roc_auc_score

from dnalm.variants import codon_distance
from dnalm.variants.codon_distance import (
    DIMENSIONS,
    FAR,
    NEAR,
    PLACE_WEIGHT,
    PSEUDOCOUNT,
    UNSEEN,
    CodonDistance,
    changes,
    company,
    cosine_distance,
    count_pairs,
    weighted_median,
)
from dnalm.variants.codon_frames import CodonFrames

#: A code that is not nature's: 20 meanings dealt out at random, and three codons that never occur.
MEANING = np.random.default_rng(5).permutation(np.append(np.arange(61) % 20, [-1, -1, -1]))
GENES, CODONS = 150, 1000


def invented(offset=4, seed=1):
    """Genes whose meanings depend on the one ``offset`` codons before: genome, calls, and the genes' kinds (1 or -1).

    The kinds differ in codon usage.
    """
    rng = np.random.default_rng(seed)
    likes = rng.dirichlet(np.full(20, 0.3), 20)  # which meaning follows which, ``offset`` codons later
    meanings = np.zeros((GENES, CODONS), dtype=np.int64)
    meanings[:, :offset] = rng.integers(0, 20, (GENES, offset))
    for i in range(offset, CODONS):
        chance = 0.5 * likes[meanings[:, i - offset]] + 0.5 / 20
        meanings[:, i] = (chance.cumsum(1) < rng.random((GENES, 1))).sum(1).clip(max=19)
    kind = rng.choice([-1, 1], GENES)
    usage = np.exp(rng.normal(0, 0.5, 64) + 0.5 * kind[:, None] * rng.normal(size=64))
    codons = np.zeros_like(meanings)
    for m in range(20):
        mine = np.flatnonzero(MEANING == m)
        share = usage[:, mine].cumsum(1) / usage[:, mine].sum(1, keepdims=True)
        pick = (rng.random((GENES, CODONS, 1)) > share[:, None]).sum(-1).clip(max=len(mine) - 1)
        codons = np.where(meanings == m, mine[pick], codons)
    bases = codons[..., None] // np.array([16, 4, 1]) % 4
    starts = 3 * CODONS * np.arange(GENES)
    calls = pd.DataFrame({"contig": "c0", "start": starts, "end": starts + 3 * CODONS, "strand": "+", "score": 1.0})
    return genome_of(bases.ravel().astype(np.uint8)), calls, kind


@pytest.fixture(scope="module")
def world():
    return invented()


@pytest.fixture(scope="module")
def learned(world):
    return CodonDistance.learn(*world[:2])


def separation(distance):
    """AUROC of codons of two meanings being farther apart than those of one."""
    known = np.flatnonzero(MEANING >= 0)
    a, b = np.triu_indices(len(known), 1)
    return roc_auc_score(MEANING[known[a]] != MEANING[known[b]], distance[known[a], known[b]])


def test_codons_of_one_meaning_are_near_each_other_whatever_the_code(learned):
    assert separation(learned.distance) > 0.97


def test_nothing_is_learned_from_codons_in_random_order(world):
    assert 0.35 < separation(CodonDistance.learn(*world[:2], shuffle=1).distance) < 0.65


def test_nothing_is_learned_from_company_at_other_distances():
    """A dependence at distance 30 is neither counted nor mistaken for one at 3 or 4."""
    assert 0.35 < separation(CodonDistance.learn(*invented(offset=30)[:2]).distance) < 0.65


def test_codons_that_never_occur_are_farthest(learned):
    never = np.flatnonzero(MEANING < 0)
    known = np.flatnonzero(MEANING >= 0)
    assert (learned.counts[never] == 0).all()
    assert (learned.distance[np.ix_(known, never)] == UNSEEN).all()
    assert learned.distance[np.ix_(known, known)].max() <= UNSEEN
    np.testing.assert_allclose(learned.distance, learned.distance.T, atol=1e-9)
    assert (np.diag(learned.distance) == 0).all()


def test_only_training_bases_are_looked_at(world):
    genome, calls, _ = world
    training = np.ones(len(genome.codes), dtype=bool)
    training[150_000:260_001] = False
    codes = genome.codes.copy()
    codes[150_000:260_001] = np.random.default_rng(2).integers(0, 4, 110_001)
    other = type(genome)("g", codes, genome.contigs, "x")
    one, two = (CodonDistance.learn(g, calls, training) for g in (genome, other))
    np.testing.assert_array_equal(one.score, two.score)
    assert one.neutral == two.neutral
    inside = training.reshape(-1, 3).all(1) & (np.arange(GENES * CODONS) % CODONS % (CODONS - 1) > 0)
    assert one.counts.sum() == inside.sum()


def test_pairs_are_counted_inside_of_calls_alone():
    rng = np.random.default_rng(3)
    codons, call = rng.integers(-1, 64, 400), np.sort(rng.integers(0, 20, 400))
    for offset in (1, 4, 15):
        expected = np.zeros((64, 64))
        for i in range(400 - offset):
            if call[i] == call[i + offset] and codons[i] >= 0 and codons[i + offset] >= 0:
                expected[codons[i], codons[i + offset]] += 1
        np.testing.assert_array_equal(count_pairs(codons, call, offset), expected)


def test_scores_are_distance_and_mean_of_the_place(learned):
    for c, a, place in changes()[::7]:
        expected = learned.distance[c, a] + PLACE_WEIGHT * learned.places[place]
        assert learned.score[c, a] == pytest.approx(expected)
    far = learned.distance[0, 63] + PLACE_WEIGHT * learned.places.max()  # AAA to TTT changes all
    assert learned.score[0, 63] == pytest.approx(far)


def test_company_is_what_the_formula_says():
    """The singular vectors of the weighted log-ratios, by way of the eigenvectors of their Gram matrix."""
    rng = np.random.default_rng(7)
    near, far = rng.poisson(30.0, (64, 64)).astype(float), rng.poisson(900.0, (64, 64)).astype(float)
    counts = rng.integers(1, 40_000, 64).astype(float)
    share = counts / counts.sum()
    ratio = np.log((near + PSEUDOCOUNT) / (far * near.sum() / far.sum() + PSEUDOCOUNT))
    rows = np.sqrt(share)[:, None] * np.hstack([ratio * np.sqrt(share), ratio.T * np.sqrt(share)])
    values, vectors = np.linalg.eigh(rows @ rows.T)
    first = np.argsort(-values)[:DIMENSIONS]
    want = vectors[:, first] * np.sqrt(values[first]) / np.sqrt(share)[:, None]
    found = company(near, far, counts)
    np.testing.assert_allclose(found @ found.T, want @ want.T, rtol=1e-6, atol=1e-6)


def test_means_of_places_are_weighted_by_codons(world):
    frames = CodonFrames.of(*world[:2])
    codons = np.where(frames.edge, -1, frames.codons)
    near = count_pairs(codons, frames.call, NEAR)
    far = sum(count_pairs(codons, frames.call, offset) for offset in FAR)
    learned = CodonDistance.of_counts(near, far, np.bincount(codons[codons >= 0], minlength=64).astype(float))
    for place in range(3):
        mine = [(c, a) for c, a, p in changes() if p == place and learned.counts[c] and learned.counts[a]]
        mean = np.average([learned.distance[m] for m in mine], weights=[learned.counts[c] for c, _ in mine])
        assert learned.places[place] == pytest.approx(mean)


def test_changes_are_all_one_base_changes():
    letters = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
    expected = {
        (i, j, [x != y for x, y in zip(a, b, strict=True)].index(True))
        for i, a in enumerate(letters)
        for j, b in enumerate(letters)
        if sum(x != y for x, y in zip(a, b, strict=True)) == 1
    }
    assert set(changes()) == expected and len(changes()) == 576


def test_substitutions_are_looked_up_and_those_without_a_frame_are_neutral(world, learned):
    genome, calls, _ = world
    frames = CodonFrames.of(genome, calls[:1])
    position, alt = np.array([3, 4, 5, 5000]), np.array([0, 1, 2, 3])
    codon = genome.codes[3:6].astype(int)
    expected = []
    for place in range(3):
        after = codon.copy()
        after[place] = alt[place]
        expected.append(learned.score[codon @ [16, 4, 1], after @ [16, 4, 1]])
    scores = learned.score_substitutions(frames, position, alt)
    np.testing.assert_allclose(scores, [*expected, learned.neutral])
    weights = np.array([(learned.score[c, a], learned.counts[c]) for c, a, _ in changes() if learned.counts[c] > 0])
    below = weights[weights[:, 0] < learned.neutral, 1].sum() / weights[:, 1].sum()
    above = weights[weights[:, 0] > learned.neutral, 1].sum() / weights[:, 1].sum()
    assert below < 0.5 and above <= 0.5


def test_cosine_distance_of_rows():
    x = np.array([[1.0, 0], [2, 0], [0, 3], [-1, 0], [0, 0]])
    expected = [[0, 0, 1, 2, 1], [0, 0, 1, 2, 1], [1, 1, 0, 1, 1], [2, 2, 1, 0, 1], [1, 1, 1, 1, 1]]
    np.testing.assert_allclose(cosine_distance(x), expected)


def test_weighted_median_equals_the_median_of_repeated_values():
    rng = np.random.default_rng(6)
    values, weights = rng.normal(size=31), rng.integers(0, 5, 31)
    repeated = np.sort(np.repeat(values, weights))
    assert weighted_median(values, weights) == repeated[(len(repeated) - 1) // 2]
    assert weighted_median(np.empty(0), np.empty(0)) == 0


def test_few_codons_are_warned_of_and_none_is_no_error(caplog):
    genome = genome_of("ATGAAATAA" * 4)
    calls = pd.DataFrame({"contig": "c0", "start": [0], "end": [9], "strand": "+", "score": 1.0})
    with caplog.at_level(logging.WARNING):
        one = CodonDistance.learn(genome, calls)
        CodonDistance.learn(genome, calls[:0])
    assert f"expect little below {codon_distance.FEW}" in caplog.text
    assert np.isfinite(one.score).all()
