"""The start matrix: counts against a loop, and a planted ribosome binding site that it must find."""

import numpy as np
import pytest
from helpers.genomes import RIBOSOME_SITE, SPACER, features_of, genome_of
from sklearn.metrics import roc_auc_score

from dnalm.annotation.labels import gene_labels
from dnalm.sequence.alphabet import decode, encode, reverse_complement
from dnalm.sequence.genetic_code import stop_codons
from dnalm.sequence.splits import SPLITS, split_labels
from dnalm.sequence.start_context import LEFT, PSEUDO, RIGHT, earlier_starts, start_context, start_matrix


def scored(genome, candidates, starts, usable):
    return start_context(genome, candidates, start_matrix(genome, candidates, starts, usable))


def training_of(planted):
    return split_labels(planted.genome, planted.splits) == SPLITS.index("train")


@pytest.fixture(scope="module")
def labels(planted):
    return gene_labels(planted.genome, planted.features)


def test_real_starts_of_test_blocks_stand_out(planted, labels):
    score = scored(planted.genome, labels.start_codons, labels.starts, training_of(planted))
    test = split_labels(planted.genome, planted.splits) == SPLITS.index("test")
    mask = labels.start_codons & test[:, None]
    assert labels.starts[mask].sum() > 15
    assert roc_auc_score(labels.starts[mask], score[mask]) > 0.99


def test_the_planted_site_is_where_the_information_is(planted, labels):
    """With one column substituted at a time, the site's bases cost most; the spacer and what is before cost little."""
    codes = np.asarray(planted.genome.codes)
    usable = np.ones(len(codes), dtype=bool)
    score = scored(planted.genome, labels.start_codons, labels.starts, usable)
    matrix = matrix_of(planted.genome, labels, usable)
    places = np.flatnonzero(labels.starts[:, 0] & (np.arange(len(codes)) > LEFT))
    around = codes[places[:, None] + np.arange(-LEFT, RIGHT)]
    np.testing.assert_allclose(score[places, 0], value_of(matrix, around))
    loss = np.zeros(LEFT)
    for column in range(LEFT):
        changed = around.copy()
        changed[:, column] = (changed[:, column] + 1) % 4
        loss[column] = (score[places, 0] - value_of(matrix, changed)).mean()
    site = np.zeros(LEFT, dtype=bool)
    site[LEFT - SPACER - len(RIBOSOME_SITE) : LEFT - SPACER] = True
    assert loss[site].min() > 2.0
    assert abs(loss[~site]).max() < 1.0


def matrix_of(genome, labels, usable):
    """Log-odds of the bases at each column around real starts against other candidates, by a plain loop."""
    codes, total = np.asarray(genome.codes) & 7, len(genome.codes)
    counts = np.full((2, LEFT + RIGHT, 5), PSEUDO)
    for side in (0, 1):
        for place in np.flatnonzero(labels.start_codons[:, side] & usable):
            for column in range(LEFT + RIGHT):
                step = column - LEFT
                base = codes[(place + step if side == 0 else place - step) % total]
                base = 3 - base if side == 1 and base < 4 else base
                counts[int(labels.starts[place, side]), column, base] += 1
    shares = np.log(counts / counts.sum(2, keepdims=True))
    return shares[1] - shares[0]


def value_of(matrix, around):
    return matrix[np.arange(LEFT + RIGHT), around].sum(1)


def small(strand="+", seed=1):
    """A circle of 600 random bases with Ns and two genes."""
    codes = np.random.default_rng(seed).integers(0, 4, 600).astype(np.uint8)
    codes[::97] = 4
    for start in (10, 300):
        gene = encode("ATG" + "GCA" * 9 + "TAA")
        codes[start : start + 33] = gene if strand == "+" else reverse_complement(gene)
    genome = genome_of(codes, circular=True)
    return genome, gene_labels(genome, features_of(genome, [("c0", 10, 43, strand), ("c0", 300, 333, strand)]))


@pytest.mark.parametrize("strand", ["+", "-"])
def test_scores_equal_a_plain_loop(strand):
    genome, labels = small(strand)
    usable = np.ones(600, dtype=bool)
    usable[200:290] = False
    score, matrix = scored(genome, labels.start_codons, labels.starts, usable), matrix_of(genome, labels, usable)
    for side in (0, 1):
        for place in range(600):
            if not labels.start_codons[place, side]:
                assert score[place, side] == -20
                continue
            bases = [genome.codes[(place + (j if side == 0 else -j)) % 600] for j in range(-LEFT, RIGHT)]
            bases = [3 - b if side == 1 and b < 4 else b for b in bases]
            assert score[place, side] == pytest.approx(matrix[np.arange(LEFT + RIGHT), bases].sum(), abs=1e-9)


def test_labels_outside_of_training_are_not_looked_at(planted, labels):
    training = training_of(planted)
    before = scored(planted.genome, labels.start_codons, labels.starts, training)
    starts = labels.starts & training[:, None]
    np.testing.assert_array_equal(before, scored(planted.genome, labels.start_codons, starts, training))
    fewer = starts.copy()
    fewer[np.flatnonzero(starts.any(1))[:20]] = False
    assert (before != scored(planted.genome, labels.start_codons, fewer, training)).any()


def test_the_reverse_complement_mirrors_the_scores(planted, labels):
    genome = planted.genome
    flipped = genome_of(reverse_complement(genome.codes), circular=True)
    size, everywhere = len(genome.codes), np.ones(len(genome.codes), dtype=bool)
    genes = [(c, (size - e) % size, (size - e) % size + e - s, "-+"[d == "-"]) for c, s, e, d in planted.genes]
    mirror = gene_labels(flipped, features_of(flipped, genes))
    one = scored(genome, labels.start_codons, labels.starts, everywhere)
    two = scored(flipped, mirror.start_codons, mirror.starts, everywhere)
    np.testing.assert_allclose(one, two[::-1, ::-1], atol=1e-9)


def test_a_start_near_a_contigs_edge_does_not_read_the_neighbour():
    codes = np.random.default_rng(3).integers(0, 4, 1000).astype(np.uint8)
    codes[500:503] = encode("ATG")
    scores = []
    for base in range(4):
        codes[490:500] = base
        genome = genome_of(codes[:500], codes[500:])
        labels = gene_labels(genome, features_of(genome, [("c1", 0, 30, "+"), ("c0", 60, 90, "+")]))
        usable = np.ones(1000, dtype=bool)
        usable[480:520] = False
        scores.append(scored(genome, labels.start_codons, labels.starts, usable)[500, 0])
    assert len(set(scores)) == 1


@pytest.mark.parametrize("code", [1, 4])
def test_earlier_starts_equal_a_walk_back_to_the_last_stop_codon(code):
    rng = np.random.default_rng(code)
    codes = encode(
        "".join(rng.choice(["ATG", "TGA", "TAA", "CAT", "A", "CC", "GN"], 400, p=[0.4, 0.1, 0.1, *[0.1] * 4]))
    )
    stops, found = stop_codons(code), earlier_starts(codes, code)
    for side, text in enumerate((decode(codes), decode(reverse_complement(codes)))):
        for place in range(len(text)):
            number, at = 0, place - 3
            while at >= 0 and text[at : at + 3] not in stops:
                number += text[at : at + 3] == "ATG"
                at -= 3
            assert found[place if side == 0 else len(text) - 1 - place, side] == number
    assert found.max() > 3
