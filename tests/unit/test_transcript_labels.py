"""Labels of genes with introns against a dictionary of bases for each transcript."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.genomes import genome_of, splits_of
from helpers.structures import feature_rows, gene_labels_of, planted_introns, random_text, transcripts_of

from dnalm.annotation.features import features_table
from dnalm.annotation.labels import gene_labels, require_genes
from dnalm.annotation.transcript_labels import TranscriptLabels, excluded_spans, transcript_labels
from dnalm.annotation.transcripts import read_transcripts
from dnalm.errors import InputError
from dnalm.sequence.gene_structure import CLASSES, SITES
from dnalm.sequence.orfs import find_orfs

CHOSEN, ALTERNATIVE, EXCLUDED = "chosen", "alternative", "excluded"


def blank(size=400, contigs=1):
    return genome_of(*["C" * size] * contigs, code=1)


def slow_labels(genome, genes, utr=0):
    """(classes as sets of names, sites as sets of columns) of every base."""
    classes = [set() for _ in range(len(genome.codes))]
    sites = [set() for _ in range(len(genome.codes))]
    for contig, strand, parts in genes:
        labels, used = gene_labels_of(parts, 1 if strand == "+" else -1, utr, utr)
        for base, name in labels.items():
            classes[genome.offset(contig) + base].add(name)
        for base, column in used:
            sites[genome.offset(contig) + base].add(column)
    return [c or {"none"} for c in classes], sites


@pytest.mark.parametrize("utr", [0, 5])
def test_labels_equal_those_of_each_gene_written_out(utr):
    planted = planted_introns(4, genes=15, contigs=2, utr=utr)
    labels = transcript_labels(planted.genome, read_transcripts(planted.genome, planted.features))
    classes, sites = slow_labels(planted.genome, planted.genes, utr)
    shares, everywhere = labels.classes[:], np.arange(len(planted.genome.codes))
    assert shares.shape == (len(everywhere), len(CLASSES)) and shares.dtype == np.float32
    for place, names in enumerate(classes):
        assert {CLASSES[i] for i in np.flatnonzero(shares[place])} == names
        assert shares[place].max() == pytest.approx(1 / len(names))
    for number, name in enumerate(SITES):
        got = labels.sites(name)[everywhere]
        for side in (0, 1):
            assert set(np.flatnonzero(got[:, side])) == {p for p, s in enumerate(sites) if 2 * number + side in s}
        assert (labels.candidates(name)[:] | ~got).all()  # a true site is where one can be
    assert labels.known.all()


def test_genes_in_one_piece_have_the_labels_that_they_have_without_introns():
    """Oracle: `dnalm.annotation.labels` on reading frames of random sequence."""
    genome = genome_of(random_text(np.random.default_rng(3), 6000), code=1)
    orfs = find_orfs(genome.codes, 1, 60)
    atg = (orfs.codon == 14) & ~orfs.partial
    rows = []
    for number in np.flatnonzero(atg)[::5]:
        rows += feature_rows("c0", "+-"[int(orfs.strand[number] < 0)], [(orfs.start[number], orfs.end[number])], number)
    features = features_table(rows)
    old, new = gene_labels(genome, features), transcript_labels(genome, read_transcripts(genome, features))
    assert old.starts.sum() > 10
    coding = [CLASSES.index(f"{s}{k}") for s in "+-" for k in "123"]
    np.testing.assert_allclose(new.classes[:][:, [0, *coding]], old.classes, atol=1e-3)
    np.testing.assert_array_equal(new.starts[:], old.starts)
    np.testing.assert_array_equal(new.stops[:], old.stops)
    np.testing.assert_array_equal(new.stop_codons[:], old.stop_codons)
    np.testing.assert_array_equal(new.known, old.known)


def test_bases_are_looked_up_by_any_index():
    planted = planted_introns(5, genes=4)
    labels = transcript_labels(planted.genome, read_transcripts(planted.genome, planted.features))
    place = np.random.default_rng(0).integers(0, len(planted.genome.codes), (3, 50))
    assert labels.classes[place].shape == (3, 50, 15)
    np.testing.assert_array_equal(labels.classes[place], labels.classes[:][place])
    np.testing.assert_array_equal(labels.donors[place], labels.donors[:][place])
    assert labels.start_codons[10:20].shape == (10, 2)
    hidden = replace(labels, known=labels.known & False)
    assert isinstance(hidden, TranscriptLabels) and not hidden.known.any()


def test_bits_take_six_bytes_a_base():
    labels = transcript_labels(blank(1000), transcripts_of(("c0", "+", [(10, 40)], CHOSEN)))
    arrays = (labels.class_bits, labels.known, labels.site_bits, labels.candidate_bits)
    assert sum(a.nbytes for a in arrays) == 6 * 1000


def test_overlapping_genes_share_their_bases():
    table = transcripts_of(("c0", "+", [(10, 40)], CHOSEN), ("c0", "-", [(31, 61)], CHOSEN))
    shares = transcript_labels(blank(), table).classes[:]
    both = shares[31:40]
    assert ((both > 0).sum(1) == 2).all() and np.allclose(both.max(1), 0.5)


def test_what_teaches_nothing():
    table = transcripts_of(
        ("c0", "+", [(50, 60), (90, 110)], CHOSEN),
        ("c0", "+", [(50, 66), (90, 110)], ALTERNATIVE),
        ("c0", "-", [(200, 210), (240, 250)], EXCLUDED),
    )
    table.at[0, "exon_starts"] = np.array([20, 50, 90, 140])
    table.at[0, "exon_ends"] = np.array([30, 60, 120, 145])
    unknown = {*range(60, 66), *range(200, 250), *range(30, 50), *range(120, 140)}
    labels = transcript_labels(blank(), table)
    assert set(np.flatnonzero(~labels.known)) == unknown
    utr = {p for p in range(400) if labels.classes[p][CLASSES.index("+utr")]}
    assert utr == {*range(20, 30), *range(110, 120), *range(140, 145)}


def test_excluded_spans_know_strands_and_origins():
    table = transcripts_of(("c0", "+", [(5, 9), (20, 30)], EXCLUDED), ("c0", "-", [(40, 50)], EXCLUDED))
    assert excluded_spans(table) == [(5, 30), (40, 50)]
    assert excluded_spans(table, "-.") == [(40, 50)]
    table["problem"] = "across the origin"
    assert excluded_spans(table, "+.") == [(5, 9), (20, 30)]


def test_a_study_without_genes_in_a_block_is_refused_as_before():
    genome = blank(300)
    labels = transcript_labels(genome, transcripts_of(("c0", "+", [(10, 40)], CHOSEN)))
    splits = splits_of(("c0", 0, 100, "train"), ("c0", 100, 200, "validation"), ("c0", 200, 300, "test"))
    with pytest.raises(InputError, match="no annotated genes in the validation blocks"):
        require_genes(genome, labels, splits)
