"""Per-base gene labels against Biopython's own features and codon tables."""

import numpy as np
import pandas as pd
import pytest
from Bio import SeqIO
from Bio.Data import CodonTable
from Bio.Seq import Seq
from Bio.SeqFeature import AfterPosition, BeforePosition, CompoundLocation, SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord
from helpers.genomes import features_of, genome_of

from dnalm.annotation.features import features_table, read_genbank
from dnalm.annotation.labels import candidate_codons, gene_labels, genome_cds, whole_genes
from dnalm.sequence.alphabet import decode

LENGTH = 1200


def location(*spans, strand=1):
    parts = [SimpleLocation(a, b, strand) for a, b in spans]
    parts = parts if strand > 0 else parts[::-1]
    return parts[0] if len(parts) == 1 else CompoundLocation(parts)


#: name: (location, qualifiers, whether it teaches)
CASES = {
    "forward": (location((30, 120)), {}, True),
    "reverse": (location((150, 240), strand=-1), {}, True),
    "reverse overlapping forward": (location((100, 160), strand=-1), {}, True),
    "same strand, another frame": (location((221, 281), strand=-1), {}, True),
    "same strand, same frame": (location((330, 390)), {}, True),
    "inside it": (location((351, 390)), {}, True),
    "joined": (location((420, 450), (460, 490)), {}, False),
    "joined, reverse, overlapping a whole one": (location((500, 530), (541, 560), strand=-1), {}, False),
    "whole one below": (location((510, 600)), {}, True),
    "pseudo": (location((620, 680)), {"pseudo": [""]}, False),
    "pseudogene": (location((690, 720), strand=-1), {"pseudogene": ["unknown"]}, False),
    "partial 5'": (SimpleLocation(BeforePosition(730), 790, 1), {}, False),
    "partial 3'": (SimpleLocation(800, AfterPosition(860), -1), {}, False),
    "out of frame": (location((870, 930 + 1)), {}, False),
    "across the origin": (CompoundLocation([SimpleLocation(1150, LENGTH, 1), SimpleLocation(0, 25, 1)]), {}, True),
    "across it, reverse": (CompoundLocation([SimpleLocation(0, 22, -1), SimpleLocation(1162, LENGTH, -1)]), {}, True),
}  # fmt: skip


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The record that Biopython holds, and the genome and features that dnalm reads from its GenBank file."""
    letters = decode(np.random.default_rng(0).integers(0, 4, LENGTH).astype(np.uint8))
    record = SeqRecord(Seq(letters), id="REC1.1", name="REC1")
    record.annotations |= {"molecule_type": "DNA", "topology": "circular"}
    record.features = [SeqFeature(place, "CDS", qualifiers=q) for place, q, _ in CASES.values()]
    record.features.append(SeqFeature(location((940, 1000)), "tRNA"))
    path = tmp_path_factory.mktemp("labels") / "toy.gbk"
    SeqIO.write(record, path, "genbank")
    _, rows = read_genbank(path)
    genome = genome_of(letters, circular=True)
    genome.contigs["contig"] = "REC1.1"
    return record, genome, features_table(rows)


def test_labels_equal_an_independent_labelling_with_biopython(toy):
    record, genome, features = toy
    labels = gene_labels(genome, features)
    classes, known = np.zeros((LENGTH, 7)), np.ones(LENGTH, dtype=bool)
    starts, stops = np.zeros((2, LENGTH, 2), dtype=bool)
    for feature, (_, _, teaches) in zip(record.features, CASES.values(), strict=False):
        # Biopython iterates over a location's bases in reading order
        bases, side = list(feature.location), 0 if feature.location.strand > 0 else 1
        if not teaches:
            known[min(bases) : max(bases) + 1] = False
            continue
        for i, base in enumerate(bases):
            classes[base, 1 + 3 * side + i % 3] = 1
        starts[bases[0], side] = stops[bases[-1], side] = True
    classes[classes.sum(1) == 0, 0] = 1
    classes /= classes.sum(1, keepdims=True)
    np.testing.assert_allclose(labels.classes, classes, atol=1e-3)
    np.testing.assert_array_equal(labels.known, known)
    np.testing.assert_array_equal(labels.starts, starts)
    np.testing.assert_array_equal(labels.stops, stops)
    assert set(np.unique(labels.classes.max(1))) == {0.5, 1.0}  # overlaps are shared
    assert labels.classes.sum(1) == pytest.approx(1, abs=2e-3)


def test_whole_genes_are_those_that_teach(toy):
    _, genome, features = toy
    cds = genome_cds(genome, features)
    assert len(cds) == len(CASES)
    assert len(whole_genes(cds)) == sum(teaches for _, _, teaches in CASES.values())
    assert cds["crosses_origin"].sum() == 2
    assert cds.loc[cds["crosses_origin"], "end"].tolist() == [LENGTH + 25, LENGTH + 22]


def walk_codons(letters, table, circular):
    """First bases of start codons and last bases of stop codons of both strands, one codon at a time."""
    starts, stops = np.zeros((2, len(letters), 2), dtype=bool)
    complement = str(Seq(letters).complement())
    for i in range(len(letters)):
        if not circular and i + 3 > len(letters):
            break
        places = [(i + j) % len(letters) for j in range(3)]
        ahead = "".join(letters[p] for p in places)
        behind = "".join(complement[p] for p in places[::-1])
        for side, codon, first, last in ((0, ahead, places[0], places[2]), (1, behind, places[2], places[0])):
            starts[first, side] = codon in ("ATG", "GTG", "TTG")
            stops[last, side] = codon in table.stop_codons
    return starts, stops


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("code", [4, 11])
def test_candidate_codons_equal_a_walk_with_biopythons_table(code, circular):
    rng = np.random.default_rng(code)
    contigs = ["".join(rng.choice(list("ACGTN"), n, p=[0.24, 0.24, 0.24, 0.24, 0.04])) for n in (301, 200, 3)]
    genome = genome_of(*contigs, circular=circular, code=code)
    genome.codes[::3] |= 8  # the soft mask must not matter
    starts, stops = candidate_codons(genome)
    table = CodonTable.unambiguous_dna_by_id[code]
    offset = 0
    for letters in contigs:
        want_starts, want_stops = walk_codons(letters, table, circular)
        np.testing.assert_array_equal(starts[offset : offset + len(letters)], want_starts)
        np.testing.assert_array_equal(stops[offset : offset + len(letters)], want_stops)
        offset += len(letters)
    assert starts.sum() > 20
    assert stops.sum() > 20


def test_planted_genes_start_and_stop_at_candidate_codons(planted):
    labels = gene_labels(planted.genome, planted.features)
    assert labels.known.all()
    assert labels.starts.sum() == labels.stops.sum() == len(planted.genes)
    assert not (labels.starts & ~labels.start_codons).any()
    assert not (labels.stops & ~labels.stop_codons).any()


def test_contigs_do_not_mix():
    genome = genome_of("A" * 100, "C" * 200)
    labels = gene_labels(genome, features_of(genome, [("c1", 30, 60, "-")]))
    coding = np.flatnonzero(labels.classes[:, 0] == 0)
    assert coding.tolist() == list(range(130, 160))
    assert np.argwhere(labels.starts).tolist() == [[159, 1]]
    assert np.argwhere(labels.stops).tolist() == [[130, 1]]


@pytest.mark.parametrize("circular", [True, False])
def test_a_join_from_end_to_end_crosses_the_origin_only_on_a_circle(circular):
    rows = [
        {"contig": "c0", "start": a, "end": b, "strand": "+", "type": "CDS", "phase": 0, "id": "x", "parent": "",
         "attributes": "{}"}
        for a, b in ((0, 60), (200, 300))
    ]  # fmt: skip
    genome = genome_of("A" * 300, circular=circular)
    cds = genome_cds(genome, features_table(rows))
    assert cds["parts"].item() == (1 if circular else 2)


def test_no_features_no_genes():
    genome = genome_of("ACGT" * 50)
    labels = gene_labels(genome, features_table([]))
    assert (labels.classes[:, 0] == 1).all()
    assert labels.known.all()
    assert isinstance(genome_cds(genome, features_table([])), pd.DataFrame)
