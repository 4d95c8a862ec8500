"""Coding potential against counting by hand."""

import numpy as np
import pytest
from helpers.finder import random_candidates

from dnalm.genefinder.coding import (
    Background,
    coding_gain,
    expected_contexts,
    frame_scores,
    interpolate,
    own_score,
)
from dnalm.genefinder.seed import PROTEIN, likely_codons, protein_gains, protein_score, six_frames
from dnalm.sequence.alphabet import encode
from dnalm.sequence.genetic_code import codon_index, genetic_code
from dnalm.sequence.kmers import kmer_index

#: Codons that coding models begin with.
CODONS = np.arange(1.0, 65.0)


def test_interpolation_falls_back_to_shorter_contexts():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, 4**3).astype(float)
    counts[16:20] = 0  # context CA was never seen
    got = np.exp(interpolate(counts, prior=2.0)).reshape(4, 4, 4)
    by_base = (counts.reshape(16, 4).sum(0) + 2 * 0.25) / (counts.sum() + 2)
    for a in range(4):
        for b in range(4):
            one = counts.reshape(4, 4, 4)[:, b].sum(0)
            one = (one + 2 * by_base) / (one.sum() + 2)
            two = counts.reshape(4, 4, 4)[a, b]
            np.testing.assert_allclose(got[a, b], (two + 2 * one) / (two.sum() + 2))
    np.testing.assert_allclose(got.sum(2), 1)


def learned():
    _, c = random_candidates()
    background, chosen = Background.of(c.texts, CODONS), np.flatnonzero(c.bases > 60)
    return c, background, chosen, coding_gain(c, chosen, background)


def test_counts_of_codon_positions_equal_a_loop():
    c, background, chosen, gain = learned()
    counts = CODONS.sum() * expected_contexts(CODONS / CODONS.sum())
    for i in chosen:
        for k, p in enumerate(range(c.first[i], c.last[i] - 3)):
            if background.indices[c.side[i], p] >= 0:
                counts[k % 3, background.indices[c.side[i], p]] += 1
    np.testing.assert_allclose(gain, np.clip(interpolate(counts) - background.logp, -4, 4))


def test_the_background_is_the_genome_from_both_strands():
    c, background, _, _ = learned()
    counts = np.zeros(4**6)
    for text in c.texts:
        for word in np.lib.stride_tricks.sliding_window_view(text, 6):
            if (word < 4).all():
                counts[int("".join(map(str, word)), 4)] += 1
    np.testing.assert_allclose(background.logp, interpolate(counts))


def test_sums_equal_adding_up_base_by_base_in_every_frame():
    c, background, _, gain = learned()
    indices, sums = background.indices, background.sums(gain)
    own, frames = own_score(c, sums), frame_scores(c, sums)
    total = c.texts.shape[1]

    def add(side, first, last, shift):
        value = 0.0
        for p in range(first, last):
            if indices[side, p] >= 0:
                value += gain[(p - first - shift) % 3, indices[side, p]]
        return value

    for i in np.random.default_rng(0).choice(len(c), 40, replace=False):
        side, first, last = c.side[i], c.first[i], c.last[i] - 3
        expected = [add(side, first, last, shift) for shift in range(3)]
        expected += [add(1 - side, total - last, total - first, shift) for shift in range(3)]
        np.testing.assert_allclose(frames[i], expected, atol=1e-8)
        assert own[i] == pytest.approx(expected[0])


def test_expected_contexts_are_those_of_random_codons():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(64, 0.3))
    codons = rng.choice(64, 300_000, p=shares)
    text = np.stack([codons // 16, codons // 4 % 4, codons % 4], 1).ravel().astype(np.uint8)
    index = kmer_index(text, 6)
    expected = expected_contexts(shares)
    np.testing.assert_allclose(expected.sum(1), 1)
    for phase in range(3):
        seen = np.bincount(index[phase::3][2:], minlength=4**6) / len(index[phase::3][2:])
        assert np.abs(seen - expected[phase]).sum() < 0.12
        wrong = expected[(phase + 1) % 3]
        assert np.abs(seen - wrong).sum() > 0.3


def test_protein_gains_are_log_ratios_of_amino_acids():
    counts = np.random.default_rng(0).integers(1, 100, 64)
    amino = genetic_code(11)[0]
    gains = protein_gains(counts, 11)
    sense = sum(n for n, a in zip(counts, amino, strict=True) if a != "*")
    leucine = sum(n for n, a in zip(counts, amino, strict=True) if a == "L")
    assert gains[amino.index("L")] == pytest.approx(np.log(0.0965) - np.log((leucine + 1) / (sense + 20)))
    assert all(gains[i] == 0 for i, a in enumerate(amino) if a == "*")
    assert sum(PROTEIN.values()) == pytest.approx(100, abs=0.2)


def test_protein_score_equals_a_loop():
    _, c = random_candidates()
    counts = six_frames([codon_index(text) for text in c.texts])
    gains, score = protein_gains(counts, 11), protein_score(c)
    for i in np.random.default_rng(0).choice(len(c), 30, replace=False):
        text = c.texts[c.side[i], c.first[i] : c.last[i] - 3]
        codons = codon_index(text)[::3]
        assert score[i] == pytest.approx(gains[codons[codons >= 0]].sum())


def test_likely_codons_follow_the_genome_among_synonymous_ones():
    texts = np.stack([encode("ACG" * 400), encode("CGT" * 400)])
    shares = likely_codons(texts, 4)
    amino = np.array(list(genetic_code(4)[0]))
    assert shares.sum() == pytest.approx(1)
    assert shares[amino == "*"].sum() == 0 and shares[amino == "W"].sum() > 0
    acg, aca = (encode(codon) @ [16, 4, 1] for codon in ("ACG", "ACA"))
    assert shares[acg] > 50 * shares[aca]
