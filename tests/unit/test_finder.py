"""The whole finder on a piece of a real genome, on both strands, on drafts, and on what is hardly a genome."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.finder import mirrored
from helpers.genomes import genome_of

from dnalm.genefinder.finder import find_genes, read
from dnalm.genefinder.learning import learn
from dnalm.genefinder.lessons import lesson_of, load_lessons, save_lessons
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source
from dnalm.sequence.alphabet import decode

BASES = 220_000


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    """The first 220 kb of the embedded genome with its annotation, as a linear contig."""
    folder = tmp_path_factory.mktemp("piece")
    source = {"embedded": "chlamydia_trachomatis_d_uw3cx", "region": {"start": 0, "end": BASES}}
    build_genome("piece", resolve_source(source), source, folder)
    return load_genome(folder), pd.read_parquet(Path(folder) / "features.parquet")


@pytest.fixture(scope="module")
def reading(piece):
    return read(piece[0])


def stops(table):
    stop = np.where(table["strand"] == "+", table["end"], table["start"])
    return set(zip(table["contig"], table["strand"], stop, strict=True))


def test_self_training_finds_the_genes_without_labels(piece, reading):
    genome, features = piece
    truth = lesson_of(genome, features, reading)
    genes = find_genes(genome, None, reading)
    index = reading.candidates
    true = {
        (genome.contigs["contig"][0], "+-"[index.side[i]], (index.end if index.side[i] == 0 else index.start)[i])
        for i in truth.table.index[truth.gene]
    }
    hits = len(stops(genes) & true)
    assert len(true) > 150
    assert 2 * hits / (len(genes) + truth.true_genes) > 0.9


def test_networks_are_at_least_as_good_where_they_were_trained(piece, reading):
    genome, features = piece
    truth = lesson_of(genome, features, reading)
    genes = find_genes(genome, learn([truth], seed=1), reading)
    c = reading.candidates
    true = {(int(c.start[i]), int(c.end[i])) for i in truth.table.index[truth.start]}
    exact = sum((g.start, g.end) in true for g in genes.itertuples())
    assert 2 * exact / (len(genes) + truth.true_genes) > 0.85
    assert genes["score"].between(0, 1).all()


def test_the_other_strand_has_the_same_genes(piece, reading):
    genome, _ = piece
    other = mirrored(genome)
    genes, flipped = find_genes(genome, None, reading), find_genes(other, None)
    mirror = {(BASES - g.end, BASES - g.start, "-" if g.strand == "+" else "+") for g in genes.itertuples()}
    assert mirror == {(g.start, g.end, g.strand) for g in flipped.itertuples()}


def test_features_are_the_same_from_both_strands(piece, reading):
    other = read(mirrored(piece[0]))
    a, b = reading.candidates, other.candidates
    place = {
        (BASES - int(b.end[i]), BASES - int(b.start[i]), 1 - int(b.side[i])): row
        for row, i in enumerate(other.table.index)
    }
    rows = [place[int(a.start[i]), int(a.end[i]), int(a.side[i])] for i in reading.table.index]
    np.testing.assert_allclose(other.table.start[rows], reading.table.start, atol=1e-3)
    names = [n for n in reading.table.gene_names if not n.startswith(("front", "back", "rival", "over_rival"))]
    columns = [reading.table.gene_names.index(n) for n in names]
    np.testing.assert_allclose(other.table.gene[rows][:, columns], reading.table.gene[:, columns], atol=1e-3)


def test_every_call_is_a_reading_frame(piece, reading):
    genome, _ = piece
    for gene in find_genes(genome, None, reading).itertuples():
        assert (gene.end - gene.start) % 3 == 0
        assert 0 <= gene.start < gene.end <= BASES
        assert gene.partial or gene.codon in (14, 46, 62)


def test_a_draft_of_many_contigs_is_read_whole(piece):
    genome, _ = piece
    codes = np.asarray(genome.codes) & 7
    cuts = np.sort(np.random.default_rng(0).choice(np.arange(200, BASES - 200), 60, replace=False))
    draft = genome_of(*np.split(codes, cuts), "N" * 300, "ACGTACGT")
    genes = find_genes(draft, None)
    whole = find_genes(genome, None)
    assert 0.8 * len(whole) < len(genes) < 1.5 * len(whole)
    assert genes["partial"].sum() > 20
    assert genes["contig"].nunique() > 50


@pytest.mark.parametrize("letters", ["", "N" * 1000, "ACGT" * 10, "ATGGCCTAA"])
def test_hardly_a_genome_has_no_genes(letters):
    assert len(find_genes(genome_of(letters or "A"), None)) == 0


def test_a_plasmid_is_too_small_to_learn_from_and_still_read(piece):
    genome, _ = piece
    small = genome_of(decode(np.asarray(genome.codes[40_000:55_000]) & 7))
    genes = find_genes(small, None)
    bases = sum(gene.end - gene.start for gene in genes.itertuples())
    assert bases > 4000


def test_saved_lessons_are_the_same(piece, reading, tmp_path):
    genome, features = piece
    truth = lesson_of(genome, features, reading)
    save_lessons([truth, replace(truth, name="other", weight=0.5)], tmp_path / "lessons.npz")
    loaded, other = load_lessons(tmp_path / "lessons.npz")
    np.testing.assert_array_equal(loaded.table.gene, truth.table.gene)
    np.testing.assert_array_equal(loaded.candidates.group, truth.candidates.group)
    assert (loaded.name, loaded.true_genes, other.name, other.weight) == ("piece", truth.true_genes, "other", 0.5)
    assert loaded.table.start_names == truth.table.start_names
    assert loaded.start.sum() > 150 and loaded.gene.sum() >= loaded.start.sum() and loaded.neutral.dtype == bool
