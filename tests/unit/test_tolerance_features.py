"""Features of changes against Biopython, trees against scikit-learn, words against Python's sets."""

import numpy as np
import pandas as pd
import pytest
from Bio.Align import substitution_matrices
from Bio.Data.CodonTable import unambiguous_dna_by_id
from Bio.SeqUtils.ProtParamData import kd
from helpers.alignments import turned
from helpers.genomes import genome_of, planted_genome
from sklearn.ensemble import HistGradientBoostingClassifier

from dnalm.baselines.kmer_lookup import unseen_words
from dnalm.sequence.alphabet import decode
from dnalm.variants.boosted import SETTINGS, BoostedTrees
from dnalm.variants.coding import read_coding
from dnalm.variants.codon_distance import CodonDistance
from dnalm.variants.terms import TERMS
from dnalm.variants.tolerance import ANNOTATED, SAME, annotated_features, rules

TABLE = unambiguous_dna_by_id[11]
BLOSUM = substitution_matrices.load("BLOSUM62")


def amino(codon):
    return "*" if codon in TABLE.stop_codons else TABLE.forward_table[codon]


@pytest.fixture(scope="module")
def world():
    planted, rng = planted_genome(genes=25), np.random.default_rng(2)
    genome, coding = planted.genome, read_coding(planted.genome, planted.features)
    codons = ["ACGT"[i // 16] + "ACGT"[i // 4 % 4] + "ACGT"[i % 4] for i in range(64)]
    counts = rng.integers(0, 500, 64).astype(float)
    distance = CodonDistance(rng.random((64, 64)), np.array([0.3, 0.6, 0.1]), counts, 0.5)
    position = rng.integers(0, len(genome.codes), 2000)
    alt = (genome.codes[position] + rng.integers(1, 4, 2000)) % 4
    return planted, codons, distance, position, alt, annotated_features(coding, distance, position, alt)


def test_features_are_those_of_the_translated_genes(world):
    planted, codons, distance, position, alt, features = world
    assert list(features) == ANNOTATED
    text, length, inside = decode(planted.genome.codes), len(planted.genome.codes), {}
    for _, start, end, strand in planted.genes:
        gene = "".join(text[p % length] for p in range(start, end))
        gene = gene if strand == "+" else turned(gene)
        for i in range(end - start):
            inside[(start + i if strand == "+" else end - 1 - i) % length] = (gene, i, strand)
    for row, (p, new) in enumerate(zip(position.tolist(), alt.tolist(), strict=True)):
        got = features.iloc[row]
        if p not in inside:
            assert TERMS[int(got["consequence"])] == "intergenic_variant" and got["codon_position"] == 0
            assert got.drop(["consequence", "codon_position"]).isna().all()
            continue
        gene, i, strand = inside[p]
        base = "ACGT"[new] if strand == "+" else "TGCA"[new]
        codon, number = gene[i // 3 * 3 : i // 3 * 3 + 3], i // 3
        after = codon[: i % 3] + base + codon[i % 3 + 1 :]
        total = len(gene) // 3
        assert got["codon_position"] == i % 3 + 1
        assert got["place_in_gene"] == pytest.approx(number / (total - 1))
        assert np.expm1([got["codons_before"], got["codons_behind"]]) == pytest.approx([number, total - 1 - number])
        n, m = codons.index(codon), codons.index(after)
        assert got["codon_usage"] == pytest.approx(np.log(distance.counts[n] + 1) - np.log(distance.counts[m] + 1))
        assert got["codon_distance"] == distance.score[n, m]
        if number == 0:
            continue  # a start codon is read as M
        a, b = amino(codon), amino(after)
        assert got["blosum62"] == (SAME if a == b else BLOSUM[a][b])
        assert (chr(int(got["residue_before"])), chr(int(got["residue_after"]))) == (a, b)
        want = [kd.get(a, np.nan), kd.get(b, np.nan)]
        assert np.array_equal(got[["hydropathy_before", "hydropathy_after"]].to_numpy(float), want, equal_nan=True)


def test_rules_put_the_worse_first(world):
    scores = rules(world[-1])
    rank = world[-1]["consequence"]
    stop, silent = (rank == TERMS.index(name) for name in ("stop_gained", "synonymous_variant"))
    assert scores["consequence_fixed"][stop].min() > scores["consequence_fixed"][silent].max()
    assert (scores["blosum62"][silent] == -SAME).all() and scores["blosum62"][stop].min() > -SAME
    assert all(np.isfinite(score).all() for score in scores.values())


def test_trees_are_scikit_learns_and_survive_a_file(tmp_path):
    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.normal(size=(1500, 4)), columns=list("abcd"))
    features = features.mask(rng.random(features.shape) < 0.2)
    positive = features["a"].fillna(1) + rng.normal(size=1500) > 0.5 * features["b"].fillna(-1)
    mine = BoostedTrees.fit(features, positive.to_numpy(), 1, max_iter=30)
    theirs = HistGradientBoostingClassifier(**{**SETTINGS, "max_iter": 30}, random_state=1)
    theirs.fit(features.to_numpy(), positive)
    other = pd.DataFrame(rng.normal(size=(400, 4)), columns=list("abcd")).mask(rng.random((400, 4)) < 0.3)
    want = theirs.decision_function(other.to_numpy())
    assert np.ptp(want) > 0.5
    np.testing.assert_allclose(mine.score(other[list("dcba")]), want, rtol=1e-12)
    mine.save(tmp_path / "x.npz")
    assert np.array_equal(BoostedTrees.load(tmp_path / "x.npz").score(other), mine.score(other))


@pytest.mark.parametrize("k", [3, 5])
def test_words_are_looked_up_on_both_strands_of_training_alone(k):
    rng = np.random.default_rng(k)
    texts = ["".join(rng.choice(list("ACGT"), 150)), "".join(rng.choice(list("ACGTN"), 90))]
    genome = genome_of(*texts)
    training = np.zeros(240, dtype=bool)
    training[10:60] = training[170:210] = True
    offset, known = {0: 0, 1: 150}, set()
    for number, text in enumerate(texts):
        for i in range(len(text) - k + 1):
            word, first = text[i : i + k], offset[number] + i
            if training[first : first + k].all() and "N" not in word:
                known |= {word, turned(word)}
    position, alt, want = [], [], []
    for number, text in enumerate(texts):
        for i in range(len(text)):
            for new in range(4):
                word = text[max(0, i - k // 2) : i] + "ACGT"[new] + text[i + 1 : i + k // 2 + 1]
                readable = len(word) == k and "N" not in word
                position, alt = [*position, offset[number] + i], [*alt, new]
                want.append(float(readable and word not in known))
    got = unseen_words(genome, training, np.array(position), np.array(alt), k)
    assert got.tolist() == want and 0 < np.mean(want) < 1
