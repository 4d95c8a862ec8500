"""The k-mer regression: its features by slicing strings, its log-odds by hand, and what it learns."""

import numpy as np
import pytest
from helpers.genomes import genome_of, splits_of

from dnalm.annotation.track_labels import TrackLabels
from dnalm.baselines import kmer_logistic as module
from dnalm.baselines.kmer_logistic import K, KmerLogistic, Kmers, fit_track, kmer_logistic, reverse_kmers
from dnalm.sequence.alphabet import decode, encode, reverse_complement


def index(text):
    return int("".join(map(str, encode(text))), 4)


@pytest.fixture
def genome():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, 90).astype(np.uint8)
    codes[40] = 4
    return genome_of(codes[:60], codes[60:])


def text_of(genome):
    return [decode(np.asarray(genome.contig_codes(c))) for c in genome.contigs["contig"]]


def window_text(genome, place, window):
    """Letters of the window around a base, cut at the ends of its contig."""
    contig, at = genome.locate(place)
    letters = text_of(genome)[list(genome.contigs["contig"]).index(contig)]
    return letters[max(at - window // 2, 0) : at + window // 2 + 1]


def counted(text):
    found = np.zeros(4**K)
    for i in range(len(text) - K + 1):
        if "N" not in text[i : i + K]:
            found[index(text[i : i + K])] += 1
    return found


def test_reverse_complements_of_kmers():
    back = reverse_kmers(K)
    for text in ("AAAAC", "GATTA", "CGCGT"):
        assert back[index(text)] == index(decode(reverse_complement(encode(text))))


def test_counts_are_those_of_the_letters_in_the_window(genome):
    kmers, place = Kmers(genome), np.arange(90)
    ahead = kmers.counts(place, 21, np.zeros(90, dtype=bool), both=False)
    behind = kmers.counts(place, 21, np.ones(90, dtype=bool), both=False)
    both = kmers.counts(place, 21, np.zeros(90, dtype=bool), both=True)
    for i in place:
        text = window_text(genome, i, 21)
        turned = decode(reverse_complement(encode(text)))
        np.testing.assert_array_equal(ahead[i], counted(text))
        np.testing.assert_array_equal(behind[i], counted(turned))
        np.testing.assert_array_equal(both[i], counted(text) + counted(turned))


def test_log_odds_are_the_sum_of_the_weights_of_the_window(genome):
    rng, kmers, place = np.random.default_rng(2), Kmers(genome), np.arange(90)
    model = KmerLogistic(31, rng.normal(size=4**K), -0.5)
    for strand in "+-":
        features = kmers.counts(place, 31, np.full(90, strand == "-"), both=False)
        expected = 1 / (1 + np.exp(0.5 - features @ model.weights))
        np.testing.assert_allclose(model.probability(kmers, place, strand), expected, rtol=1e-6)


def planted(seed=3, length=30_000):
    """Random bases with stretches that are rich in one word on the forward strand."""
    rng = np.random.default_rng(seed)
    codes, truth = rng.integers(0, 4, length).astype(np.uint8), np.zeros(length, dtype=bool)
    for start in range(500, length - 500, 600):
        truth[start : start + 60] = True
        codes[start : start + 60] = np.tile(encode("GATTACAGCC"), 6)
    return genome_of(codes), truth


@pytest.mark.parametrize("stranded", [False, True])
def test_it_finds_planted_words_with_probabilities_of_the_genome(monkeypatch, stranded):
    monkeypatch.setattr(module, "SAMPLE", 600)
    genome, truth = planted()
    names = ("a+", "a-") if stranded else ("a",)
    both = np.stack([truth, np.zeros_like(truth)], axis=1)[:, : len(names)]
    labels = TrackLabels(names, both, np.ones(len(truth), dtype=bool))
    splits = splits_of(("c0", 0, 18_000, "train"), ("c0", 18_000, 24_000, "validation"), ("c0", 24_000, 30_000, "test"))
    columns = kmer_logistic(genome, splits, labels, ["a"], np.array([[24_000, 30_000]]), 1)
    mine = truth[24_000:]
    assert columns[names[0]][mine].mean() > 0.6
    assert columns[names[0]].mean() == pytest.approx(mine.mean(), abs=0.05)
    if stranded:
        assert columns["a-"].mean() < 0.05


def test_labels_beyond_the_training_bases_change_nothing(monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 200)
    genome, truth = planted(length=6000)
    changed = truth.copy()
    changed[4000:] = ~changed[4000:]
    one, two = (fit_track(Kmers(genome), t[:, None], np.arange(4000), 31, 0.1, 1) for t in (truth, changed))
    np.testing.assert_array_equal(one.weights, two.weights)
    assert one.intercept == two.intercept
