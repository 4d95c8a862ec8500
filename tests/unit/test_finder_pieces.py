"""Pieces of a genome: the sequence is that of the place, and cut genes keep their frame."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import cds_rows, genome_of
from test_finder_networks import lesson

from dnalm.annotation.features import features_table
from dnalm.genefinder.learning import learn
from dnalm.genefinder.pieces import LEAST, SIZES, cut_out, inside, pieces
from dnalm.genefinder.universal import train


def cds(*genes):
    return features_table(cds_rows(genes, {"c0": 100_000, "c1": 100_000}))


def test_a_piece_holds_the_bases_of_its_place():
    rng = np.random.default_rng(0)
    genome = genome_of(rng.integers(0, 4, 500), rng.integers(0, 4, 700), circular=True, code=4)
    piece = cut_out(genome, "c1", 100, 400, "p")
    np.testing.assert_array_equal(piece.contig_codes("c1"), genome.contig_codes("c1")[100:400])
    row = piece.contigs.iloc[0]
    assert (row["length"], row["offset"], row["genetic_code"]) == (300, 0, 4) and not row["circular"]
    assert piece.digest != genome.digest


@pytest.mark.parametrize("first", [1000, 1001, 1002])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_cut_genes_keep_whole_codons_of_their_own_frame(first, strand):
    spans = ((700, 1300), (1400, 1700), (2800, 3400))
    genes = cds(*(("c0", *span, strand) for span in spans), ("c1", 1400, 1700, strand))
    table = inside(genes, "c0", first, 2000)
    assert len(table) == 3 and table["contig"].eq("c0").all()
    for row, (start, end) in zip(table.itertuples(), spans, strict=True):
        assert (row.end - row.start) % 3 == 0
        assert ((row.start + first - start) % 3 == 0 and 0 <= row.start < 3) or row.start + first == start
        assert row.end + first == end or 0 <= 2000 - row.end < 3


def test_joined_genes_across_a_cut_and_remains_of_genes_are_left_out():
    joined = features_table(
        [dict(row, id="CDS-9") for row in cds_rows([("c0", 900, 990, "+"), ("c0", 1005, 1200, "+")], {"c0": 100_000})]
    )
    assert inside(joined, "c0", 1000, 2000).empty
    assert len(inside(joined, "c0", 800, 2000)) == 2
    assert inside(cds(("c0", 700, 1000 + LEAST - 1, "+")), "c0", 1000, 2000).empty


def test_pieces_are_drawn_from_long_contigs_in_all_sizes_they_allow():
    genome = genome_of(np.zeros(20_000, np.uint8), np.ones(60_000, np.uint8), np.zeros(10_000, np.uint8))
    drawn = list(pieces(genome, cds(), seed=1))
    assert [len(p.codes) for p, _ in drawn] == [size for size, count in SIZES[:2] for _ in range(count)]
    assert {p.contigs["contig"][0] for p, _ in drawn} == {"c0", "c1"}
    assert all(p.codes[0] == (p.contigs["contig"][0] == "c1") for p, _ in drawn)
    again = list(pieces(genome, cds(), seed=1))
    pd.testing.assert_frame_equal(again[0][1], drawn[0][1])
    assert [p.name for p, _ in again] == [p.name for p, _ in drawn]


def test_the_threshold_comes_from_groups_that_were_left_out():
    groups = {name: [[lesson(seed, noise=1.0)]] for seed, name in enumerate("abc")}
    networks = train(groups, seed=1)
    assert networks.facts["genomes"] == {"a": ["g0"], "b": ["g1"], "c": ["g2"]}
    assert networks.facts["genes"] == sum(lessons[0].true_genes for genomes in groups.values() for lessons in genomes)
    same = learn([one for genomes in groups.values() for one in genomes[0]], 1)
    x = groups["a"][0][0].table.gene
    np.testing.assert_array_equal(networks.gene.score(x), same.gene.score(x))
    assert train({"a": groups["a"]}, seed=1).threshold == 0.0
