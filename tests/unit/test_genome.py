"""The genome stage on the embedded genome, against Biopython, pysam and pyfaidx."""

import gzip
import hashlib
import json

import numpy as np
import pandas as pd
import pysam
import pytest
from Bio import SeqIO
from pyfaidx import Fasta

from dnalm.annotation.features import coding_sequences
from dnalm.errors import InputError
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import EMBEDDED, LocalGenome, resolve_source
from dnalm.sequence.alphabet import decode
from dnalm.sequence.genetic_code import translate

NAME = "chlamydia_trachomatis_d_uw3cx"
SOURCE = {"embedded": NAME}
FILES = {
    "annotation.gff3.gz", "annotation.gff3.gz.tbi", "codes.npy", "contigs.parquet", "features.parquet", "genome.fa.gz",
    "genome.fa.gz.fai", "genome.fa.gz.gzi", "genome.json", "provenance.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def record():
    with gzip.open(EMBEDDED / NAME / "genome.gbk.gz", "rt") as file:
        return SeqIO.read(file, "genbank")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("genomes") / "chlamydia"
    build_genome("chlamydia", resolve_source(SOURCE), SOURCE, folder)
    return folder


@pytest.fixture(scope="module")
def card(folder):
    return json.loads((folder / "genome.json").read_text())


def test_the_directory_holds_the_contract_and_nothing_else(folder):
    assert {p.name for p in folder.iterdir()} == FILES


def test_sequence_is_biopythons_in_every_form(folder, record):
    genome, text = load_genome(folder), str(record.seq)
    assert decode(genome.codes) == text
    name = genome.contigs["contig"].item()
    with pysam.FastaFile(str(folder / "genome.fa.gz")) as file:
        assert file.fetch(name) == text
    with Fasta(str(folder / "genome.fa.gz")) as file:
        assert str(file[name][500_000:500_090]) == text[500_000:500_090]
    assert decode(genome.fetch(name, 1_042_500, 1_042_540)) == (text * 2)[1_042_500:1_042_540]


def test_data_card_counts_what_the_record_holds(card, record):
    text = str(record.seq)
    assert card["bases"] == len(text) == 1_042_519
    assert card["gc"] == pytest.approx((text.count("G") + text.count("C")) / len(text), abs=1e-6)
    assert (card["n"], card["soft_masked_share"], card["circular"], card["genetic_code"]) == (0, 0, True, 11)
    kinds = [f.type for f in record.features if f.type != "source"]
    assert card["features"] == {kind: kinds.count(kind) for kind in sorted(set(kinds))}
    assert card["cds"] == {
        "total": 895, "joined": 1, "pseudo": 0, "partial": 2, "crosses_origin": 0,
        "start_share": 1.0, "stop_share": 1.0, "frame_share": 1.0,
    }  # fmt: skip


def test_every_cds_translates_to_the_records_protein(folder, record):
    genome = load_genome(folder)
    contig = genome.contigs["contig"].item()
    cds = coding_sequences(pd.read_parquet(folder / "features.parquet"), {contig: genome.length(contig)})
    known = {}
    for feature in record.features:
        if feature.type == "CDS" and len(feature.location.parts) == 1:
            place = (int(feature.location.start), int(feature.location.end), feature.location.strand)
            known[place] = feature.qualifiers["translation"][0]
    compared = 0
    for row in cds[(cds["parts"] == 1) & ~cds["partial"]].itertuples():
        codes = genome.fetch(contig, row.start, row.end)
        protein = translate(codes if row.strand == "+" else 3 - codes[::-1], 11)
        assert protein.rstrip("*") == known[row.start, row.end, {"+": 1, "-": -1}[row.strand]]
        compared += 1
    assert compared == 892


def test_gff3_answers_queries_as_the_record_does(folder, record):
    with pysam.TabixFile(str(folder / "annotation.gff3.gz"), parser=pysam.asGFF3()) as file:
        contig = file.contigs[0]
        found = {(r.start, r.end, r.strand) for r in file.fetch(contig, 600_000, 620_000) if r.feature == "CDS"}
    expected = {
        (int(f.location.start), int(f.location.end), {1: "+", -1: "-"}[f.location.strand])
        for f in record.features
        if f.type == "CDS" and f.location.start < 620_000 and f.location.end > 600_000
    }
    assert found == expected
    assert len(found) > 10


def test_provenance_names_the_source_and_the_checksum(folder):
    provenance = json.loads((folder / "provenance.json").read_text())
    data = (EMBEDDED / NAME / "genome.gbk.gz").read_bytes()
    assert provenance["sha256"] == hashlib.sha256(data).hexdigest()
    assert provenance["bytes"] == len(data)
    assert provenance["licence"].startswith("GenBank record: NCBI places no restrictions")
    assert "r-cran-seqinr 4.2-23-1" in provenance["source"]


def test_a_second_build_gives_the_same_bytes(folder, tmp_path):
    build_genome("chlamydia", resolve_source(SOURCE), SOURCE, tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_digest_follows_sequence_and_names(tmp_path):
    digests = set()
    for i, text in enumerate((">a\nACGT\n", ">a\nACGA\n", ">b\nACGT\n", ">a\nAC\n>b\nGT\n")):
        path = tmp_path / f"{i}.fa"
        path.write_text(text)
        source = {"path": str(path)}
        digests.add(build_genome("x", resolve_source(source), source, tmp_path / f"g{i}")["digest"])
    assert len(digests) == 4


def test_a_region_is_cut_out_with_the_features_that_lie_inside(tmp_path, folder, caplog):
    source = SOURCE | {"region": {"start": 100_000, "end": 160_000}}
    with caplog.at_level("INFO"):
        card = build_genome("slice", resolve_source(source), source, tmp_path)
    whole, part = load_genome(folder), load_genome(tmp_path)
    np.testing.assert_array_equal(part.codes, whole.codes[100_000:160_000])
    assert card["circular"] is False
    before = pd.read_parquet(folder / "features.parquet")
    inside = before[(before["start"] >= 100_000) & (before["end"] <= 160_000)]
    after = pd.read_parquet(tmp_path / "features.parquet")
    assert after["start"].tolist() == (inside["start"] - 100_000).tolist()
    assert after["id"].tolist() == inside["id"].tolist()
    cut = before[(before["end"] > 100_000) & (before["start"] < 160_000)]
    cut = cut[(cut["start"] < 100_000) | (cut["end"] > 160_000)]
    assert f"region: {cut['id'].nunique()} features cross its edge" in caplog.text


def test_a_joined_feature_with_a_part_outside_is_not_left_as_a_stump(tmp_path):
    (tmp_path / "a.fa").write_text(">c\n" + "ACGTTGCA" * 100 + "\n")
    lines = [f"c\tx\tCDS\t{a}\t{b}\t.\t+\t0\tID=j\n" for a, b in ((101, 130), (501, 560))]
    lines.append("c\tx\tCDS\t201\t260\t.\t+\t0\tID=k\n")
    (tmp_path / "a.gff3").write_text("".join(lines))
    source = {"path": str(tmp_path / "a.fa"), "annotation": str(tmp_path / "a.gff3")}
    source |= {"region": {"contig": "c", "start": 80, "end": 400}}
    build_genome("slice", resolve_source(source), source, tmp_path / "g")
    features = pd.read_parquet(tmp_path / "g" / "features.parquet")
    assert features[["id", "start", "end"]].to_numpy().tolist() == [["k", 120, 180]]


@pytest.mark.parametrize(
    ("given", "expected"), [({}, 11), ({"genetic_code": 4}, 4)], ids=["from the record", "from the config"]
)
def test_genetic_code(tmp_path, given, expected):
    source = SOURCE | given | {"region": {"start": 0, "end": 3000}}
    assert build_genome("x", resolve_source(source), source, tmp_path)["genetic_code"] == expected
    assert load_genome(tmp_path).contigs["genetic_code"].tolist() == [expected]


def test_genetic_code_and_circularity_of_gff3_and_their_overrides(tmp_path):
    (tmp_path / "a.fa").write_text(">c\n" + "ACGT" * 100 + "\n>d\nACGT\n")
    (tmp_path / "a.gff3").write_text(
        "c\tx\tregion\t1\t400\t.\t+\t.\tID=c;Is_circular=true\nc\tx\tCDS\t1\t90\t.\t+\t0\tID=k;transl_table=4\n"
    )
    source = {"path": str(tmp_path / "a.fa"), "annotation": str(tmp_path / "a.gff3")}
    assert build_genome("x", resolve_source(source), source, tmp_path / "g")["genetic_code"] == 4
    assert load_genome(tmp_path / "g").contigs["circular"].tolist() == [True, False]
    source |= {"circular": False, "genetic_code": 1}
    assert build_genome("x", resolve_source(source), source, tmp_path / "h")["genetic_code"] == 1
    assert load_genome(tmp_path / "h").contigs["circular"].tolist() == [False, False]


def test_contigs_are_left_out_with_their_features(tmp_path, caplog):
    fasta, gff = tmp_path / "a.fa", tmp_path / "a.gff3"
    fasta.write_text(">one\nACGTACGTAC\n>mito\nTTTTTTTT\n>two\nGGGG\n")
    gff.write_text(
        "##gff-version 3\n##sequence-region one 1 10\n##sequence-region mito 1 8\n##sequence-region two 1 4\n"
        "one\tx\tgene\t1\t9\t.\t+\t.\tID=a\nmito\tx\tregion\t1\t8\t.\t+\t.\tID=mito;Is_circular=true\n"
        "mito\tx\tgene\t1\t6\t.\t+\t.\tID=b\n"
    )
    files = LocalGenome(fasta, gff, {})
    with caplog.at_level("INFO"):
        card = build_genome("g", files, {"leave_out": ["mito"]}, tmp_path / "g")
    assert [c["contig"] for c in card["contigs"]] == ["one", "two"] and card["bases"] == 14 and not card["circular"]
    assert pd.read_parquet(tmp_path / "g" / "features.parquet")["id"].tolist() == ["a"]
    assert "left out (leave_out): 1 contigs, 8 bases: mito" in caplog.text and "1 rows of features" in caplog.text
    for names, message in ((["mit"], r"no contig 'mit'. Known: one, mito, two"), (["one", "mito", "two"], "is left")):
        with pytest.raises(InputError, match=message):
            build_genome("g", files, {"leave_out": names}, tmp_path / "h")


def test_soft_masking_and_ambiguity_are_kept_and_counted(tmp_path):
    (tmp_path / "a.fa").write_text(">c\nACGTacgtRYnn\n")
    source = {"path": str(tmp_path / "a.fa")}
    card = build_genome("x", resolve_source(source), source, tmp_path / "g")
    assert (card["n"], card["bases"], card["gc"], card["soft_masked_share"]) == (4, 12, 0.5, 0.5)
    with pysam.FastaFile(str(tmp_path / "g" / "genome.fa.gz")) as file:
        assert file.fetch("c") == "ACGTacgtRYnn"
    assert decode(load_genome(tmp_path / "g").codes) == "ACGTacgtNNnn"


def test_a_failed_build_leaves_the_former_one_untouched(tmp_path):
    (tmp_path / "a.fa").write_text(">c\nACGT\n")
    source = {"path": str(tmp_path / "a.fa")}
    build_genome("x", resolve_source(source), source, tmp_path / "g")
    before = {p.name: p.read_bytes() for p in (tmp_path / "g").iterdir()}
    with pytest.raises(InputError):
        build_genome("x", resolve_source(source), source | {"genetic_code": 7}, tmp_path / "g")
    assert {p.name: p.read_bytes() for p in (tmp_path / "g").iterdir()} == before
