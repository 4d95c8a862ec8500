"""Gene models of annotations: what they are called, where they lie, what is read of them."""

import json

import numpy as np
import pytest
from Bio.Seq import Seq
from Bio.SeqFeature import CompoundLocation, SimpleLocation
from helpers.consequences import frames_genome, gene_rows, turned
from helpers.genomes import genome_of
from helpers.structures import feature_rows, planted_introns

from dnalm.annotation.features import features_table, read_gff3
from dnalm.sequence.alphabet import decode
from dnalm.variants.coding import COLUMNS, read_coding
from dnalm.variants.segments import Segments, coding_segments, unrolled
from dnalm.variants.terms import CODONS, RANK, TERMS


def test_coding_sequences_are_those_that_biopython_extracts():
    genome, genes, features = frames_genome(1, 11)
    size, text = len(genome.codes), Seq(decode(genome.codes))
    coding = read_coding(genome, features)
    assert list(coding.table.columns) == COLUMNS and len(coding.table) == len(genes)
    by_name = {f"g{i}": gene for i, gene in enumerate(genes)}
    for model, row in enumerate(coding.table.itertuples()):
        start, end, strand = by_name[row.gene]
        side = 1 if strand == "+" else -1
        place = SimpleLocation(start, min(end, size), side)
        if end > size:
            parts = [place, SimpleLocation(0, end - size, side)]
            place = CompoundLocation(parts[::side])
        letters = str(place.extract(text))
        assert decode(coding.sequence(genome, model)) == letters
        own = coding.codons[coding.first_codon[model] : coding.first_codon[model + 1]]
        assert "".join(CODONS[i] for i in own) == letters and row.codons * 3 == row.bases == len(letters)
        assert (row.start, row.end, row.strand, row.kind) == (start, end, strand, "coding")
        assert row.has_start and row.has_stop and not row.partial


def test_introns_are_spliced_out_on_both_strands():
    planted = planted_introns(6, genes=10, utr=5)
    coding = read_coding(planted.genome, planted.features)
    text = decode(planted.genome.codes)
    wanted = sorted(planted.genes, key=lambda gene: gene[2])
    for model, (row, (_, strand, parts)) in enumerate(zip(coding.table.itertuples(), wanted, strict=True)):
        letters = "".join(text[a:b] for a, b in parts)
        assert decode(coding.sequence(planted.genome, model)) == (letters if strand == "+" else turned(letters))
        assert sorted(row.parts.tolist()) == [list(part) for part in parts]
        assert (row.start, row.end) == (parts[0][0] - 5, parts[-1][1] + 5)


def test_segments_tile_a_gene_and_name_the_places_of_its_coding_sequence():
    planted = planted_introns(6, genes=10, utr=5)
    coding = read_coding(planted.genome, planted.features)
    s, codes = coding.segments, planted.genome.codes
    for model, row in enumerate(coding.table.itertuples()):
        sequence, seen = coding.sequence(planted.genome, model), np.zeros(row.end - row.start, dtype=int)
        for i in np.flatnonzero(s.model == model):
            if s.kind[i] != RANK["splice_region_variant"]:
                seen[s.start[i] - row.start : s.end[i] - row.start] += 1
            if s.at[i] >= 0:
                at = s.at[i] + np.arange(s.end[i] - s.start[i])
                here = codes[s.start[i] : s.end[i]]
                assert (sequence[at] == (here if row.strand == "+" else 3 - here[::-1])).all()
        assert (seen == 1).all()


def test_overlaps_are_those_of_all_pairs():
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 300, 60)
    rows = [(a, a + int(rng.integers(1, 80)), i, 0, 0, False) for i, a in enumerate(starts.tolist())]
    segments = Segments.of(rows)
    low = rng.integers(-5, 320, 200)
    high = low + rng.integers(0, 12, 200)
    query, hit = segments.overlaps(low, high)
    wanted = {
        (q, i) for q in range(200) for i in range(60)
        if max(low[q], segments.start[i]) < min(high[q], segments.end[i])
    }  # fmt: skip
    assert set(zip(query.tolist(), hit.tolist(), strict=True)) == wanted and len(query) == len(wanted)
    assert (np.diff(query) >= 0).all()


GFF = """##gff-version 3
c0\tx\tgene\t3\t32\t.\t+\t.\tID=gene:G1;Name=abc
c0\tx\tmRNA\t3\t32\t.\t+\t.\tID=transcript:T1;Parent=gene:G1;Name=abc-201
c0\tx\tCDS\t3\t14\t.\t+\t0\tID=CDS:P1;Parent=transcript:T1;product=a protein
c0\tx\tgene\t40\t51\t.\t-\t.\tID=gene-L2;locus_tag=L2
c0\tx\tCDS\t40\t51\t.\t-\t0\tID=cds-2;Parent=gene-L2;locus_tag=L2;gene=xyz
c0\tx\tCDS\t55\t66\t.\t+\t0\tID=cds-3;Name=alone
c0\tx\tgene\t70\t81\t.\t+\t.\tID=gene-4;locus_tag=L4;gene_biotype=pseudogene
c0\tx\tCDS\t70\t81\t.\t+\t0\tID=cds-4;Parent=gene-4;locus_tag=L4
c0\tx\tgene\t85\t95\t.\t-\t.\tID=gene-5;Name=trnX
c0\tx\ttRNA\t85\t95\t.\t-\t.\tID=rna-5;Parent=gene-5
c0\tx\texon\t85\t88\t.\t-\t.\tID=e1;Parent=rna-5
c0\tx\texon\t92\t95\t.\t-\t.\tID=e2;Parent=rna-5
c0\tx\tpseudogene\t97\t99\t.\t+\t.\tID=gene-6;Name=old
"""


def test_names_kinds_and_products(tmp_path):
    (tmp_path / "a.gff3").write_text(GFF)
    genome = genome_of("ACGTTGCA" * 13)
    coding = read_coding(genome, features_table(read_gff3(tmp_path / "a.gff3", {"c0": 104})))
    names = ["gene", "locus_tag", "product", "id", "kind", "strand"]
    assert sorted(map(tuple, coding.table[names].to_numpy().tolist())) == sorted([
        ("abc", "", "a protein", "transcript:T1", "coding", "+"), ("xyz", "L2", "", "cds-2", "coding", "-"),
        ("alone", "", "", "cds-3", "coding", "+"), ("L4", "L4", "", "cds-4", "pseudogene", "+"),
        ("trnX", "", "", "rna-5", "non_coding", "-"), ("old", "", "", "gene-6", "pseudogene", "+"),
    ])  # fmt: skip
    broken = coding.table[coding.table["kind"] == "pseudogene"]
    assert (broken["codons"] == 0).all() and len(broken.iloc[0]["parts"]) == 0


def test_one_transcript_of_a_locus_or_every_one():
    planted = planted_introns(2, genes=1, utr=4)
    _, strand, parts = planted.genes[0]
    rows = planted.features.to_dict("records") + feature_rows("c0", strand, parts[:1], "cut", 0, "gene-n1")
    features = features_table(rows)
    assert read_coding(planted.genome, features).table["id"].tolist() == ["rna-n1"]
    assert sorted(read_coding(planted.genome, features, every=True).table["id"]) == ["rna-cut", "rna-n1"]


def test_of_a_locus_without_a_whole_transcript_the_longest_is_taken():
    text = "CC" + "GTG" + "GCA" * 9 + "TAA" + "CC"
    rows = [gene_rows(a, 35, "+", name, 37, locus_tag="L")[0] for a, name in ((2, "long"), (11, "short"))]
    rows += gene_rows(2, 35, "+", "dead", 37, locus_tag="L", pseudo="true")
    table = read_coding(genome_of(text), features_table(rows)).table
    assert table[["gene", "problem"]].to_numpy().tolist() == [["long", "start codon"]]


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize(
    ("span", "phase", "partial", "ends"),
    [((2, 17), 0, False, (True, True)), ((5, 17), 0, True, (False, True)), ((4, 17), 1, True, (False, True)),
     ((2, 13), 0, True, (True, False)), ((2, 17), 0, True, (True, True)), ((5, 17), 0, False, (True, True))],
)  # fmt: skip
def test_which_ends_of_a_partial_gene_are_known(strand, span, phase, partial, ends):
    text = "CCATGGCAGCTGCTTAACC"
    span = span if strand == "+" else (len(text) - span[1], len(text) - span[0])
    more = {"partial": "true"} if partial else {}
    features = features_table(gene_rows(*span, strand, "g", len(text), phase, **more))
    row = read_coding(genome_of(text if strand == "+" else turned(text)), features).table.iloc[0]
    assert (row["has_start"], row["has_stop"]) == ends and row["phase"] == phase and row["partial"] == partial


def test_slippage_reads_a_base_twice_or_leaves_one_out():
    text = "CCATGGCAGCTGCTGTAACC"
    for spans, letters in (([(2, 8), (7, 18)], "ATGGCAAGCTGCTGTAA"), ([(2, 8), (9, 18)], "ATGGCACTGCTGTAA")):
        common = gene_rows(2, 18, "+", "g", 20)[0]
        genome = genome_of(text)
        coding = read_coding(genome, features_table([common | {"start": a, "end": b} for a, b in spans]))
        assert decode(coding.sequence(genome, 0)) == letters
        kinds = {TERMS[kind] or "coding" for kind in coding.segments.kind}
        assert kinds == ({"coding"} if len(letters) == 17 else {"coding", "coding_sequence_variant"})


def test_genes_in_pieces_that_cannot_be_read_are_unclear():
    rows = gene_rows(2, 8, "+", "g", 20)
    features = features_table([rows[0], rows[0] | {"start": 11, "end": 17, "strand": "-"}])
    coding = read_coding(genome_of("CCATGGCAGCTGCTGTAACC"), features)
    assert coding.table["kind"].tolist() == ["unclear"] and not len(coding.codons)
    assert {TERMS[kind] for kind in coding.segments.kind} == {"coding_sequence_variant"}


def test_contigs_have_their_own_genetic_codes():
    gene = "CCATGTGATAACC"
    genome = genome_of(gene, gene)
    genome.contigs["genetic_code"] = [4, 11]
    rows = gene_rows(2, 11, "+", "a", 13)
    rows += [rows[0] | {"contig": "c1", "id": "b", "attributes": json.dumps({"gene": "b"})}]
    table = read_coding(genome, features_table(rows)).table
    assert table["genetic_code"].tolist() == [4, 11] and table["parts"].iloc[1].tolist() == [[15, 24]]


def test_parts_across_the_origin_come_in_their_order_along_the_circle():
    assert unrolled([(0, 5), (10, 20), (80, 90), (95, 100)], 100, True) == [(80, 90), (95, 100), (100, 105), (110, 120)]
    for same in ([(0, 5), (10, 20)], [(0, 100)], [(3, 5), (90, 100)]):
        assert unrolled(same, 100, True) == same
    assert unrolled([(0, 5), (90, 100)], 100, False) == [(0, 5), (90, 100)]


def test_an_intron_across_the_origin():
    """Exons 30..40 and 70..80, unrolled; and 25..30, 43..52 on a circle of 45 bases."""
    rows = coding_segments([(30, 40), (70, 80)], [(30, 40), (70, 80)], False, 20)
    sites = {(a, b) for a, b, kind, _ in rows if TERMS[kind].startswith(("splice_d", "splice_a"))}
    assert sites == {(40, 42), (68, 70)}
    text = "C" * 45
    common = gene_rows(30, 40, "+", "g", 45)[0]
    spans = [(25, 30), (43, 45), (0, 7)]
    features = features_table([common | {"start": a, "end": b} for a, b in spans])
    coding = read_coding(genome_of(text, circular=True), features, min_intron=5)
    donors = coding.segments.kind == RANK["splice_donor_variant"]
    assert coding.segments.start[donors].tolist() == [30] and coding.table[["start", "end"]].to_numpy().tolist() == [
        [25, 52]
    ]
