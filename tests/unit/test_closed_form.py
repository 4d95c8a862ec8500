"""Codon-position Markov models against dictionaries of strings."""

from collections import Counter

import numpy as np
import pytest
from helpers.genomes import features_of, genome_of

from dnalm.annotation.labels import gene_labels
from dnalm.baselines.closed_form import ORDER, PSEUDO, closed_form_predictions, coding_odds, genes_gain, shrunk
from dnalm.sequence.alphabet import N, decode, reverse_complement
from dnalm.sequence.splits import SPLITS, split_labels

K = ORDER + 1


@pytest.fixture(scope="module")
def toy():
    """Two genes and an N; the second gene may not be learned from."""
    codes = np.random.default_rng(1).integers(0, 4, 900).astype(np.uint8)
    codes[400] = N
    genome = genome_of(codes)
    labels = gene_labels(genome, features_of(genome, [("c0", 30, 330, "+"), ("c0", 420, 720, "-")]))
    training = np.arange(900) < 600
    return genome, labels, training


def by_strings(genome, labels, training):
    """Log-likelihood ratios from counters of k-mers, base by base on both strands."""
    text = decode(genome.codes)
    reading = (text, decode(reverse_complement(genome.codes)))
    tables = {name: Counter() for name in ("none", 0, 1, 2)}

    def kmer(side, place):
        at = place if side == 0 else len(text) - 1 - place
        found = reading[side][max(at - ORDER, 0) : at + 1]
        return found if len(found) == K and "N" not in found else None

    for place in range(len(text)):
        for side in (0, 1):
            word = kmer(side, place)
            if word and training[place] and labels.known[place]:
                tables["none"][word] += labels.classes[place, 0] == 1
                for position in range(3):
                    tables[position][word] += labels.classes[place, 1 + 3 * side + position] == 1

    def probability(name, word):
        total = sum(tables[name][word[:-1] + b] + PSEUDO for b in "ACGT")
        return (tables[name][word] + PSEUDO) / total

    odds = np.zeros((len(text), 6))
    for place in range(len(text)):
        for side in (0, 1):
            word = kmer(side, place)
            for position in range(3) if word else ():
                ratio = probability(position, word) / probability("none", word)
                odds[place, 3 * side + position] = np.log(ratio)
    return odds


def odds_of(genome, labels, training):
    return coding_odds(genome, genes_gain(genome, labels, training))


def test_odds_equal_counters_of_strings(toy):
    np.testing.assert_allclose(odds_of(*toy), by_strings(*toy), atol=1e-9)


def test_bases_without_a_whole_kmer_say_nothing(toy):
    odds = odds_of(*toy)
    assert not odds[:ORDER, :3].any()
    assert not odds[400 : 400 + K, :3].any()
    assert not odds[400 - ORDER : 401, 3:].any()
    assert not odds[-ORDER:, 3:].any()


def test_the_reverse_complement_swaps_the_strands(toy):
    genome, _, training = toy
    flipped = genome_of(reverse_complement(genome.codes))
    labels = gene_labels(flipped, features_of(flipped, [("c0", 570, 870, "-"), ("c0", 180, 480, "+")]))
    odds = odds_of(flipped, labels, training[::-1])
    np.testing.assert_allclose(odds[::-1][:, [3, 4, 5, 0, 1, 2]], odds_of(*toy), atol=1e-12)


def test_labels_outside_of_training_are_not_looked_at(toy):
    genome, labels, training = toy
    other = gene_labels(genome, features_of(genome, [("c0", 30, 330, "+"), ("c0", 420, 600, "-")]))
    assert (labels.classes != other.classes)[600:].any()
    # the shorter gene begins at 600, so that its codon positions below are those of the long one
    np.testing.assert_array_equal(odds_of(genome, labels, training), odds_of(genome, other, training))


def test_unknown_bases_teach_nothing(toy):
    genome, labels, training = toy
    known = labels.known.copy()
    known[100:200] = False
    holes = type(labels)(labels.classes, known, labels.starts, labels.stops, labels.start_codons, labels.stop_codons)
    np.testing.assert_allclose(odds_of(genome, holes, training), by_strings(genome, holes, training), atol=1e-9)
    assert (odds_of(genome, holes, training) != odds_of(*toy)).any()


def test_frames_of_held_out_genes_are_told_apart(planted):
    labels = gene_labels(planted.genome, planted.features)
    split = split_labels(planted.genome, planted.splits)
    odds, starts, stops = closed_form_predictions(
        planted.genome, genes_gain(planted.genome, labels, split == SPLITS.index("train"))
    )
    assert odds.shape == (len(split), 6)
    assert not starts.any() and not stops.any()
    genes = planted.inside("test")
    for _, start, end, strand in genes:
        place = np.arange(start, end)
        total = [odds[place, (place - start - shift) % 3].sum() for shift in range(3)]
        total += [odds[place, 3 + (end - 1 - place - shift) % 3].sum() for shift in range(3)]
        assert np.argmax(total) == (0 if strand == "+" else 3)
        assert max(total) > 0
    assert len(genes) > 15


def test_shrunk_counts_lean_on_shorter_contexts():
    rng, weight = np.random.default_rng(2), 7.0
    text = "".join(rng.choice(list("ACGT"), 300, p=[0.4, 0.1, 0.2, 0.3]))
    counts = np.zeros((2, 64, 4))
    for a, b, c, d in zip(text, text[1:], text[2:], text[3:], strict=False):
        context = 16 * "ACGT".index(a) + 4 * "ACGT".index(b) + "ACGT".index(c)
        counts[0, context, "ACGT".index(d)] += 1
    words = [text[i : i + 4] for i in range(len(text) - 3)]

    def by_hand(context, base):
        if not context:
            return (sum(w[3] == base for w in words) + PSEUDO) / (len(words) + 4 * PSEUDO)
        here = [w[3] for w in words if w[:3].endswith(context)]
        return (here.count(base) + weight * by_hand(context[1:], base)) / (len(here) + weight)

    found = shrunk(counts, weight)
    np.testing.assert_allclose(found.sum(2), 1)
    for word in [*words[:40], "CCCC", "GCGC"]:
        context = 16 * "ACGT".index(word[0]) + 4 * "ACGT".index(word[1]) + "ACGT".index(word[2])
        assert found[0, context, "ACGT".index(word[3])] == pytest.approx(by_hand(word[:3], word[3]))
    np.testing.assert_allclose(found[1], 0.25)
