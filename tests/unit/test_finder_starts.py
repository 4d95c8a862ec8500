"""The start model finds what was planted, and its likelihoods are those of the definition."""

import numpy as np
import pytest
from helpers.finder import random_candidates

from dnalm.genefinder.features import shine_dalgarno
from dnalm.genefinder.starts import (
    DOWNSTREAM,
    FAR,
    MOTIFS,
    NEAR,
    UPSTREAM,
    WIDTH,
    StartModel,
    fit_starts,
    surroundings,
)
from dnalm.sequence.alphabet import decode, encode

ATG, GTG = 14, 46


def windows(count, seed, motif=None, distance=7, share=1.0):
    rng = np.random.default_rng(seed)
    around = rng.integers(0, 4, (count, UPSTREAM + DOWNSTREAM)).astype(np.uint8)
    if motif:
        begin = UPSTREAM - distance - len(motif)
        rows = rng.random(count) < share
        around[rows, begin : begin + len(motif)] = encode(motif)
    return around


def test_surroundings_are_the_text_around_the_start():
    _, c = random_candidates()
    around = surroundings(c)
    for i in (0, len(c) // 2, len(c) - 1):
        text = c.texts[c.side[i]]
        np.testing.assert_array_equal(around[i], text[c.first[i] - UPSTREAM : c.first[i] + DOWNSTREAM])


def test_motif_likelihood_is_the_mixture_over_motifs_and_distances():
    rng = np.random.default_rng(0)
    matrices = rng.gamma(1.0, size=(MOTIFS, WIDTH, 4))
    weights = rng.dirichlet(np.ones(MOTIFS * (FAR - NEAR + 1))).reshape(MOTIFS, -1) * 0.7
    model = StartModel(matrices, weights, 0.3, np.zeros(64), np.zeros((UPSTREAM + DOWNSTREAM, 5)))
    around = windows(20, 1)
    around[3, 20:26] = 4  # N says nothing
    value, best, distance = model.motif(around)
    for i, row in enumerate(around):
        terms = {}
        for m in range(MOTIFS):
            for d in range(NEAR, FAR + 1):
                piece = row[UPSTREAM - d - WIDTH : UPSTREAM - d]
                ratio = np.prod([matrices[m, j, b] if b < 4 else 1.0 for j, b in enumerate(piece)])
                terms[m, d] = weights[m, d - NEAR] * ratio
        assert value[i] == pytest.approx(np.log(0.3 + sum(terms.values())))
        assert (best[i], distance[i]) == max(terms, key=terms.get)


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_a_planted_motif_and_its_distance_are_found(share):
    around = np.concatenate([windows(400, 0, "AGGAGG", 7, share), windows(4000, 1)])
    codon = np.where(np.arange(len(around)) < 400, ATG, GTG)
    model = fit_starts(around, codon, np.arange(400), np.arange(400, 4400))
    which = model.weights.sum(1).argmax()
    assert decode(model.matrices[which].argmax(1)) == "AGGAGG"
    assert NEAR + model.weights[which].argmax() == 7
    assert model.weights[which].max() == pytest.approx(share, abs=0.15)
    assert model.motif(around[:400])[0].mean() > model.motif(around[400:])[0].mean() + 2 * share
    assert model.codons[ATG] > 3 and model.codons[GTG] < -3


def test_without_a_motif_nothing_is_gained():
    around = windows(4000, 0)
    codon = np.full(len(around), ATG)
    model = fit_starts(around, codon, np.arange(400), np.arange(400, 4000))
    fresh = windows(2000, 5)
    assert abs(model.motif(fresh)[0].mean()) < 0.5
    assert abs(model.codons[ATG]) < 0.05


def test_fixed_places_learn_a_base_at_a_constant_distance():
    around = windows(2400, 0)
    around[:400, UPSTREAM - 10] = 3
    model = fit_starts(around, np.full(2400, ATG), np.arange(400), np.arange(400, 2400))
    assert model.places[UPSTREAM - 10, 3] == pytest.approx(np.log(4), abs=0.2)
    assert np.abs(model.places[UPSTREAM - 20, :4]).max() < 0.4
    assert (model.places[:, 4] == 0).all()


def test_shine_dalgarno_equals_a_search_for_the_longest_piece():
    around = windows(300, 3)
    around[0, UPSTREAM - 8 - 6 : UPSTREAM - 8] = encode("AGGAGG")
    run, distance = shine_dalgarno(around)
    tail = "TAAGGAGGTGA"
    for row, got in zip(around, run, strict=True):
        text = decode(row[:UPSTREAM])
        pieces = {tail[a:b] for a in range(len(tail)) for b in range(a + 1, len(tail) + 1)}
        best = max(
            (n for end in range(UPSTREAM - 14, UPSTREAM - 2) for n in range(1, 12) if text[end - n : end] in pieces),
            default=0,
        )
        assert got == (best if best > 1 else got) and (best > 1 or got <= 1)
    around[0, UPSTREAM - 8 :] = 1
    around[0, : UPSTREAM - 14] = 1
    run, distance = shine_dalgarno(around[:1])
    assert (run[0], distance[0]) == (6, 0)
