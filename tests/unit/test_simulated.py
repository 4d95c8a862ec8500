"""Controls keep the rules of matching, are never something observed, and come out the same from the same seed."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, planted_genome

from dnalm.sequence.alphabet import decode
from dnalm.variants.coding import read_coding
from dnalm.variants.simulated import (
    NEAR,
    blocks_of_genes,
    folds_of,
    for_users,
    gene_of_bases,
    match_controls,
    stretches,
    trinucleotides,
)


@pytest.fixture(scope="module")
def world():
    planted, rng = planted_genome(genes=40), np.random.default_rng(1)
    genome, coding = planted.genome, read_coding(planted.genome, planted.features)
    differing = np.sort(rng.choice(len(genome.codes), 1500, replace=False))
    free = rng.random(len(genome.codes)) < 0.9
    free[differing] = False
    counted = differing[rng.random(len(differing)) < 0.8]
    alt = (genome.codes[counted] + rng.integers(1, 4, len(counted))) % 4
    observed = pd.DataFrame({"position": counted, "alt": alt})
    return planted, coding, observed, free, match_controls(genome, coding, observed, free, 1)


def in_genes(planted):
    """Bases of planted genes: number of the gene, and whether it is read backwards."""
    length, found = len(planted.genome.codes), {}
    for number, (_, start, end, strand) in enumerate(planted.genes):
        found |= {p % length: (number, strand) for p in range(start, end)}
    return found


def test_pairs_share_all_that_they_are_matched_by(world):
    planted, _, observed, _, table = world
    text, genes = decode(planted.genome.codes), in_genes(planted)
    seen, controls = table[~table["simulated"]], table[table["simulated"]]
    assert len(seen) == len(controls) > 0.9 * len(observed)
    assert seen["pair"].tolist() == controls["pair"].tolist() == list(range(len(seen)))
    assert seen.merge(observed, on=["position", "alt"]).shape[0] == len(seen)
    for a, b in zip(seen.itertuples(), controls.itertuples(), strict=True):
        assert text[a.position - 1 : a.position + 2] == text[b.position - 1 : b.position + 2]
        assert a.alt == b.alt and a.ref == b.ref == "ACGT".index(text[a.position])
        mine, other = genes.get(a.position), genes.get(b.position)
        if a.matched == "gene":
            assert mine is not None and mine == other
        else:
            assert (mine or (0, ""))[1] == (other or (0, ""))[1] and a.position // NEAR == b.position // NEAR
    assert set(table["matched"]) == {"gene", "near"}


def test_strata_are_of_one_size_and_nothing_observed_is_a_control(world):
    planted, _, _, free, table = world
    three = trinucleotides(planted.genome)[table["position"]]
    keys = list(zip(three, table["alt"], table["gene"] >= 0, strict=True))
    kinds = [Counter(key for key, s in zip(keys, table["simulated"], strict=True) if s == kind) for kind in (0, 1)]
    assert kinds[0] == kinds[1] and len(kinds[0]) > 50
    controls = table.loc[table["simulated"], "position"]
    assert controls.is_unique and free[controls].all()


def test_controls_follow_from_the_seed(world):
    planted, coding, observed, free, table = world
    again = match_controls(planted.genome, coding, observed, free, 1)
    other = match_controls(planted.genome, coding, observed, free, 2)
    pd.testing.assert_frame_equal(table, again)
    assert (other["position"].to_numpy()[:100] != table["position"].to_numpy()[:100]).any()


def test_what_has_no_control_is_left_out(world):
    planted, coding, observed, free, _ = world
    assert match_controls(planted.genome, coding, observed, np.zeros_like(free), 1).empty
    few = np.zeros_like(free)
    few[np.flatnonzero(free)[:300]] = True
    table = match_controls(planted.genome, coding, observed, few, 1)
    assert 0 < table["simulated"].sum() < 300


def test_bases_know_their_gene(world):
    planted, coding, *_ = world
    gene = gene_of_bases(planted.genome, coding)
    genes = in_genes(planted)
    assert set(np.flatnonzero(gene >= 0).tolist()) == set(genes)
    for row in coding.table.index:
        assert len({genes[p][0] for p in np.flatnonzero(gene == row).tolist()}) == 1


def test_no_gene_is_divided_between_blocks(world):
    planted, coding, _, _, table = world
    block = blocks_of_genes(planted.genome, coding, table, 2000)
    inside = table["gene"] >= 0
    assert (pd.Series(block)[inside].groupby(table["gene"][inside]).nunique() == 1).all()
    assert np.array_equal(block[~inside], table["position"][~inside] // 2000)
    fold = folds_of(block, 4, 1)
    assert pd.Series(fold).groupby(block).nunique().eq(1).all() and set(fold) == {0, 1, 2, 3}
    assert np.array_equal(fold, folds_of(block, 4, 1)) and (fold != folds_of(block, 4, 2)).any()


def test_contigs_are_not_mixed():
    genome = genome_of("ACGTACG", "TTN", "GGCAT")
    words = trinucleotides(genome)
    assert words[[0, 6, 7, 8, 9, 10, 14]].tolist() == [-1] * 7
    assert words[1] == 16 * 0 + 4 * 1 + 2 and words[11] == 16 * 2 + 4 * 2 + 1
    assert stretches(genome, np.arange(15), 4).tolist() == [0] * 4 + [1] * 3 + [2] * 3 + [3] * 4 + [4]


def test_users_get_contigs_and_letters():
    table = pd.DataFrame({"position": [0, 9, 10, 13], "ref": [0, 1, 2, 0], "alt": [1, 3, 0, 2], "pair": 7})
    told = for_users(table, genome_of("ACGTACGTAC", "GGCATT").contigs)
    assert told[["contig", "position", "ref", "alt"]].to_numpy().tolist() == [
        ["c0", 0, "A", "C"], ["c0", 9, "C", "T"], ["c1", 0, "G", "A"], ["c1", 3, "A", "G"],
    ]  # fmt: skip
    assert told["pair"].eq(7).all() and table["position"].tolist() == [0, 9, 10, 13]
