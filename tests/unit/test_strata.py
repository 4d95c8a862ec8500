"""Kinds of scored bases: by hand, over an origin, and against the labels of the whole genome."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import cds_rows, genome_of

from dnalm.annotation.features import features_table
from dnalm.annotation.labels import gene_labels
from dnalm.evaluate.strata import ScoredBases, strata_of

NO_LEAKAGE = pd.DataFrame({"genome": "g", "contig": ["c0"], "start": [0], "end": [9], "matched": [0]})


def row_of(kind, contig, start, end, strand="+"):
    return {
        "contig": contig, "start": start, "end": end, "strand": strand, "type": kind, "phase": -1,
        "id": f"{kind}{start}", "parent": "", "attributes": "{}",
    }  # fmt: skip


def strata(genome, rows, intervals, leakage=NO_LEAKAGE):
    scored = ScoredBases(genome, np.array(intervals))
    found = strata_of(scored, features_table(rows), leakage)
    return {name: set(scored.position[mask].tolist()) for name, mask in found.items()}


@pytest.fixture(scope="module")
def toy():
    rng = np.random.default_rng(0)
    genome = genome_of(rng.integers(0, 4, 500), rng.integers(0, 4, 300))
    lengths = {"c0": 500, "c1": 300}
    rows = cds_rows([("c0", 230, 260, "+"), ("c0", 440, 470, "-"), ("c1", 30, 60, "+")], lengths)
    rows += [r | {"id": "pseudo"} for r in cds_rows([("c0", 250, 280, "+")], lengths, pseudo="true")]
    rows += [row_of("tRNA", "c0", 300, 320), row_of("rRNA", "c1", 100, 150), row_of("gene", "c1", 200, 250)]
    leakage = pd.DataFrame({"contig": ["c0", "c1"], "start": [440, 0], "end": [460, 100], "matched": [31, 0]})
    return genome, rows, leakage.assign(genome="g")


def test_by_hand(toy):
    genome, rows, leakage = toy
    places = strata(genome, rows, [(0, 500), (500, 800)], leakage)
    assert list(places) == [
        "all", "coding", "codon_position_1", "codon_position_2", "codon_position_3", "intergenic", "rna",
        "repeat", "unique",
    ]  # fmt: skip
    plus, minus, other = set(range(230, 250)), set(range(440, 470)), set(range(530, 560))  # 250..260 is pseudo too
    assert places["all"] == set(range(800))
    assert places["coding"] == plus | minus | other
    assert places["codon_position_1"] == {*range(230, 250, 3), *range(469, 439, -3), *range(530, 560, 3)}
    assert places["codon_position_2"] == {*range(231, 250, 3), *range(468, 439, -3), *range(531, 560, 3)}
    assert places["codon_position_3"] == {*range(232, 250, 3), *range(467, 439, -3), *range(532, 560, 3)}
    assert places["rna"] == {*range(300, 320), *range(600, 650)}
    assert places["repeat"] == set(range(440, 460))
    assert places["unique"] == set(range(800)) - places["repeat"]
    assert places["intergenic"] == set(range(800)) - places["coding"] - places["rna"] - set(range(250, 280))


@pytest.mark.parametrize("seed", range(3))
def test_parts_of_a_genome_in_any_order_are_as_the_whole(toy, seed):
    genome, rows, leakage = toy
    rng = np.random.default_rng(seed)
    cuts = np.unique([0, 500, 800, *rng.integers(1, 800, 30)])
    parts = np.stack([cuts[:-1], cuts[1:]], axis=1)
    parts = rng.permutation(parts)[: len(parts) // 2]
    chosen = {place for a, b in parts for place in range(a, b)}
    whole = strata(genome, rows, [(0, 500), (500, 800)], leakage)
    assert strata(genome, rows, parts, leakage) == {name: places & chosen for name, places in whole.items()}


@pytest.mark.parametrize("strand", "+-")
def test_a_gene_over_the_origin(strand):
    genome = genome_of(np.zeros(100, dtype=int), np.zeros(50, dtype=int), circular=True)
    rows = [*cds_rows([("c0", 91, 121, strand)], {"c0": 100, "c1": 50}), row_of("tRNA", "c1", 40, 55)]
    places = strata(genome, rows, [(100, 150), (95, 100), (0, 30)])
    read = [*range(91, 100), *range(21)] if strand == "+" else [*range(20, -1, -1), *range(99, 90, -1)]
    for number in range(3):
        assert places[f"codon_position_{number + 1}"] == set(read[number::3]) - set(range(91, 95))
    assert places["rna"] == {*range(140, 150), *range(100, 105)}


def test_as_the_labels_that_genes_are_learned_from():
    rng = np.random.default_rng(3)
    genome = genome_of(rng.integers(0, 4, 3000))
    genes = [
        ("c0", int(a), int(a) + 3 * int(n), "+-"[int(n) % 2]) for a, n in rng.integers((0, 5), (2700, 100), (40, 2))
    ]
    rows = cds_rows(genes, {"c0": 3000})
    rows += [r | {"id": "part"} for r in cds_rows([("c0", 1000, 1090, "+")], {"c0": 3000}, partial="true")]
    labels, scored = gene_labels(genome, features_table(rows)), ScoredBases(genome, np.array([[500, 2500]]))
    found = strata_of(scored, features_table(rows), NO_LEAKAGE)
    coding, known = labels.classes[500:2500, 1:] > 0, labels.known[500:2500]
    np.testing.assert_array_equal(found["coding"], coding.any(1) & known)
    np.testing.assert_array_equal(found["intergenic"], ~coding.any(1) & known)
    for position in range(3):
        both = coding[:, position] | coding[:, position + 3]
        np.testing.assert_array_equal(found[f"codon_position_{position + 1}"], both & known)


def test_messenger_rna_is_not_the_rna_stratum(toy):
    genome, rows, _ = toy
    whole = [(0, 800)]
    assert strata(genome, [*rows, row_of("mRNA", "c0", 225, 265)], whole)["rna"] == strata(genome, rows, whole)["rna"]


def test_lower_case_letters_are_a_stratum_where_there_are_any():
    genome = genome_of("ACGTacgtACGT")
    assert strata(genome, [], [(2, 8)])["soft_masked"] == {4, 5, 6, 7}
    assert strata(genome, [], [(2, 8)])["not_soft_masked"] == {2, 3}
    assert "soft_masked" not in strata(genome, [], [(0, 4)])


@pytest.mark.parametrize("rows", [[], [row_of("tRNA", "c0", 2, 5)]], ids=["no annotation", "RNA alone"])
def test_where_no_coding_sequence_is_known_nothing_is_intergenic(rows):
    found = strata(genome_of("ACGTACGTACGT"), rows, [(0, 12)])
    assert list(found) == ["all", "rna", "repeat", "unique"]
    assert found["all"] == set(range(12)) and found["rna"] == (set(range(2, 5)) if rows else set())


def test_of_several_genomes_those_without_coding_sequences_have_no_intergenic_bases():
    genome = genome_of("A" * 30, "C" * 40, "G" * 50)
    genome.contigs["genome"] = ["one", "one", "bare"]
    rows = cds_rows([("c0", 3, 12, "+")], {"c0": 30})
    found = strata(genome, rows, [(0, 120)], NO_LEAKAGE.iloc[:0])
    assert found["coding"] == set(range(3, 12))
    assert found["intergenic"] == {*range(3), *range(12, 70)}  # c1 of the annotated genome too
    assert found["all"] == found["unique"] == set(range(120))
