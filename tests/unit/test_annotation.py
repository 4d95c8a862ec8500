import gzip
import io
import json

import pandas as pd
import pysam
import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import CompoundLocation, SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord

from dnalm.annotation.features import (
    coding_sequences,
    features_gff3,
    features_table,
    read_genbank,
    read_gff3,
    write_gff3,
)
from dnalm.contigs.names import read_landmarks
from dnalm.errors import InputError

LENGTH = 600
SEQUENCE = "ACGTTGCAAC" * 60


def genbank(tmp_path, features, topology="circular", sequence=SEQUENCE, name="REC1", compress=False):
    """A GenBank file that Biopython writes."""
    record = SeqRecord(Seq(sequence), id=f"{name}.1", name=name)
    record.annotations |= {"molecule_type": "DNA", "topology": topology}
    for kind, location, qualifiers in features:
        record.features.append(SeqFeature(location, type=kind, qualifiers=qualifiers))
    text = io.StringIO()
    SeqIO.write(record, text, "genbank")
    path = tmp_path / ("a.gbk.gz" if compress else "a.gbk")
    path.write_bytes(gzip.compress(text.getvalue().encode()) if compress else text.getvalue().encode())
    return path


def table_of(rows, lengths=None, circular=None):
    return coding_sequences(features_table(rows), lengths or {"REC1.1": LENGTH}, circular)


def gff(tmp_path, *lines):
    path = tmp_path / "a.gff3"
    path.write_text("##gff-version 3\n" + "".join(line.replace(" ", "\t", 8) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("compress", [False, True])
def test_simple_features_keep_place_strand_and_type(tmp_path, compress):
    features = [
        ("CDS", SimpleLocation(9, 99, 1), {"locus_tag": ["b1"]}),
        ("tRNA", SimpleLocation(150, 225, -1), {}),
        ("source", SimpleLocation(0, LENGTH, 1), {}),
    ]
    contigs, rows = read_genbank(genbank(tmp_path, features, compress=compress))
    assert contigs == [("REC1.1", SEQUENCE.encode(), True)]
    table = features_table(rows)
    assert table[["start", "end", "strand", "type", "phase"]].to_numpy().tolist() == [
        [9, 99, "+", "CDS", 0],
        [150, 225, "-", "tRNA", -1],
    ]
    assert json.loads(table["attributes"][0]) == {"locus_tag": "b1"}


@pytest.mark.parametrize("strand", [1, -1])
def test_joined_parts_and_phases_spell_the_protein(tmp_path, strand):
    """Oracle: translating each part from its own phase gives the codons that lie whole in that part."""
    parts = [SimpleLocation(20, 61, strand), SimpleLocation(100, 132, strand), SimpleLocation(200, 217, strand)]
    location = CompoundLocation(parts if strand == 1 else parts[::-1])
    _, rows = read_genbank(genbank(tmp_path, [("CDS", location, {})]))
    table = features_table(rows)
    assert len(set(table["id"])) == 1
    whole = location.extract(Seq(SEQUENCE))
    order = table if strand == 1 else table[::-1]
    done = 0
    for row in order.itertuples():
        assert (done + row.phase) % 3 == 0
        assert row.phase in (0, 1, 2)
        piece = Seq(SEQUENCE[row.start : row.end])
        piece = piece if strand == 1 else piece.reverse_complement()
        assert str(whole)[done : done + len(piece)] == str(piece)
        done += len(piece)
    cds = table_of(rows)
    assert cds[["start", "end", "parts", "crosses_origin"]].to_numpy().tolist() == [[20, 217, 3, False]]


@pytest.mark.parametrize("strand", [1, -1])
def test_a_cds_across_the_origin_is_one_part_again(tmp_path, strand):
    parts = [SimpleLocation(540, LENGTH, strand), SimpleLocation(0, 33, strand)]
    location = CompoundLocation(parts if strand == 1 else parts[::-1])
    _, rows = read_genbank(genbank(tmp_path, [("CDS", location, {})]))
    row = table_of(rows).iloc[0]
    assert (row["start"], row["end"], row["parts"], row["crosses_origin"]) == (540, 633, 1, True)
    assert (SEQUENCE * 2)[row["start"] : row["end"]] == "".join(SEQUENCE[p.start : p.end] for p in parts)
    linear = table_of(rows, circular=set()).iloc[0]
    assert (linear["start"], linear["end"], linear["parts"], linear["crosses_origin"]) == (0, LENGTH, 2, False)


@pytest.mark.parametrize(
    ("spans", "start", "end", "parts"),
    [
        ([(0, 30), (60, 90), (540, 600)], 540, 690, 2),
        ([(0, 30), (400, 420), (540, 600)], 400, 630, 2),
        ([(0, 200), (210, 600)], 210, 800, 1),
    ],
)
def test_introns_near_the_origin_stay_on_their_side(tmp_path, spans, start, end, parts):
    rows = [
        {"contig": "c", "start": a, "end": b, "strand": "+", "type": "CDS", "phase": 0, "id": "x", "parent": "",
         "attributes": "{}"}
        for a, b in spans
    ]  # fmt: skip
    row = table_of(rows, {"c": LENGTH}).iloc[0]
    assert (row["start"], row["end"], row["parts"], row["crosses_origin"]) == (start, end, parts, True)


@pytest.mark.parametrize(
    ("place", "partial"),
    [("<10..99", True), ("10..>99", True), ("complement(10..>99)", True), ("join(<550..600,1..30)", True),
     ("join(550..600,1..>30)", True), ("10..99", False), ("join(AB000001.1:1..9,10..99)", True)],
)  # fmt: skip
def test_fuzzy_ends_mean_partial(tmp_path, place, partial):
    path = genbank(tmp_path, [("CDS", SimpleLocation(0, 3, 1), {})])
    path.write_text(path.read_text().replace("CDS             1..3", f"CDS             {place}"))
    _, rows = read_genbank(path)
    assert table_of(rows)["partial"].tolist() == [partial]


def test_pseudo_and_codon_start(tmp_path):
    features = [
        ("CDS", SimpleLocation(0, 30, 1), {"pseudo": [""]}),
        ("CDS", SimpleLocation(100, 131, 1), {"codon_start": ["3"]}),
        ("variation", SimpleLocation(50, 50, 1), {}),
    ]
    _, rows = read_genbank(genbank(tmp_path, features))
    assert table_of(rows)["pseudo"].tolist() == [True, False]
    assert features_table(rows)["phase"].tolist() == [0, 2]


def test_the_same_genes_come_from_gff3_and_genbank(tmp_path):
    parts = [SimpleLocation(540, LENGTH, -1), SimpleLocation(0, 33, -1)]
    features = [("CDS", SimpleLocation(40, 100, 1), {}), ("CDS", CompoundLocation(parts[::-1]), {})]
    _, rows = read_genbank(genbank(tmp_path, features))
    path = gff(
        tmp_path,
        "REC1.1 x region 1 600 . + . ID=r;Is_circular=true",
        "REC1.1 x CDS 41 100 . + 0 ID=a",
        "REC1.1 x CDS 541 633 . - 0 ID=b",
    )
    assert [name for name, mark in read_landmarks(path).items() if mark.circular] == ["REC1.1"]
    other = read_gff3(path, {"REC1.1": LENGTH}, {"REC1.1"})
    columns = ["contig", "start", "end", "strand", "type", "phase"]
    one, two = features_table(rows)[columns], features_table(other)[columns]
    pd.testing.assert_frame_equal(
        one.sort_values("start", ignore_index=True), two.sort_values("start", ignore_index=True)
    )
    compared = ["start", "end", "strand", "parts", "partial", "pseudo", "crosses_origin"]
    pd.testing.assert_frame_equal(table_of(rows)[compared], table_of(other)[compared])


def test_gff3_pseudogenes_children_parents_escapes_and_embedded_fasta(tmp_path):
    path = gff(
        tmp_path,
        "# a comment",
        "c x gene 1 90 . + . ID=g1;pseudo=true",
        "c x CDS 1 90 . + 0 ID=c1;Parent=g1",
        "c x mRNA 101 300 . + . ID=m2",
        "c x CDS 101 150 . + 0 Parent=m2;product=a%2Cb",
        "c x CDS 201 300 . + 1 Parent=m2;product=a%2Cb",
        "c x CDS 400 450 . ? 0 ID=c3;partial=true",
        "##FASTA",
        ">c",
    )
    rows = read_gff3(path, {"c": LENGTH})
    cds = table_of(rows, {"c": LENGTH}, set())
    assert cds[["start", "end", "strand", "parts", "pseudo", "partial"]].to_numpy().tolist() == [
        [0, 90, "+", 1, True, False],
        [100, 300, "+", 2, False, False],
        [399, 450, ".", 1, False, True],
    ]
    assert json.loads(rows.loc[rows["parent"] == "m2", "attributes"].iloc[0])["product"] == "a,b"


def test_a_contig_beyond_what_a_tbi_holds_has_a_csi(tmp_path):
    lengths, rows = (
        {"a": 100, "huge": 830_000_000},
        "a x gene 1 9 . + . ID=a\nhuge x gene 800000001 800000900 . + . ID=g",
    )
    features_gff3(features_table(read_gff3(gff(tmp_path, *rows.split("\n")), lengths)), lengths, tmp_path / "x.gff3.gz")
    assert not (tmp_path / "x.gff3.gz.tbi").exists()
    index = str(tmp_path / "x.gff3.gz.csi")
    with pysam.TabixFile(str(tmp_path / "x.gff3.gz"), index=index, parser=pysam.asGFF3()) as file:
        assert [row.start for row in file.fetch("huge", 800_000_500, 800_000_501)] == [800_000_000]


def test_written_gff3_is_sorted_indexed_and_reads_back(tmp_path):
    path = gff(
        tmp_path,
        "b x CDS 10 30 . - 0 ID=z;product=semi%3Bcolon%3Dsign",
        "a x gene 301 400 . + . ID=g",
        "a x CDS 301 399 . + 2 ID=c;Parent=g",
    )
    lengths = {"a": 500, "b": 100}
    features = features_table(read_gff3(path, lengths))
    for name in ("one", "two"):
        features_gff3(features, lengths, tmp_path / name / "annotation.gff3.gz")
    for suffix in ("", ".tbi"):
        same = [(tmp_path / name / f"annotation.gff3.gz{suffix}").read_bytes() for name in ("one", "two")]
        assert same[0] == same[1]
    with pysam.TabixFile(str(tmp_path / "one" / "annotation.gff3.gz"), parser=pysam.asGFF3()) as file:
        assert file.contigs == ["a", "b"]
        assert [(r.feature, r.start, r.end, r.strand) for r in file.fetch("a", 350, 351)] == [
            ("CDS", 300, 399, "+"),
            ("gene", 300, 400, "+"),
        ]
        assert list(file.fetch("b", 50, 60)) == []
    back = features_table(read_gff3(tmp_path / "one" / "annotation.gff3.gz", lengths))
    key = ["contig", "start", "type"]
    pd.testing.assert_frame_equal(
        back.sort_values(key, ignore_index=True), features.sort_values(key, ignore_index=True)
    )


def test_an_annotation_without_features_is_a_valid_indexed_file(tmp_path):
    path = tmp_path / "annotation.gff3.gz"
    features_gff3(features_table([]), {"a": 10}, path)
    with pysam.TabixFile(str(path)) as file:
        assert file.contigs == []
    assert gzip.decompress(path.read_bytes()) == b"##gff-version 3\n##sequence-region a 1 10\n"
    assert coding_sequences(features_table([]), {"a": 10}).empty


def test_scores_are_written_with_four_digits(tmp_path):
    rows = [("a", "gene", 0, 9, 0.123456, "+", ".", {"ID": "x"}), ("a", "gene", 9, 12, float("nan"), "-", ".", {})]
    write_gff3(rows, {"a": 20}, tmp_path / "g.gff3.gz")
    lines = gzip.decompress((tmp_path / "g.gff3.gz").read_bytes()).decode().splitlines()[2:]
    assert lines == ["a\tdnalm\tgene\t1\t9\t0.1235\t+\t.\tID=x", "a\tdnalm\tgene\t10\t12\t.\t-\t.\t."]


def test_a_feature_past_the_end_of_a_linear_contig_is_an_error(tmp_path):
    path = gff(tmp_path, "c x CDS 541 633 . - 0 ID=b")
    with pytest.raises(InputError, match=r"a\.gff3:2: c:541-633 is off the contig's end"):
        read_gff3(path, {"c": LENGTH})
    assert len(read_gff3(path, {"c": LENGTH}, {"c"})) == 2
