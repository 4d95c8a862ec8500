"""Writing variants: what comes in goes out, with more INFO, sorted and indexed, in a file that htslib takes."""

import logging

import numpy as np
import pysam
import pytest
from helpers.genomes import genome_of
from helpers.nasty_variants import GENOME, RECORDS, REJECTS
from helpers.variants import COLUMNS, FORMAT, accepted, body_of, read_all, record, write_vcf
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.io.fasta import Genome
from dnalm.variant_files import sorting, writer
from dnalm.variant_files.writer import InfoField, VariantWriter

SCORE = InfoField("DNALM_LLR", 'score "of" the model')


def rewritten(tmp_path, records, fields=(), values=None, meta=(), samples=(), genome=GENOME, size=50_000):
    """Path of the file that the records become; ``values`` of a batch are made by a function of it."""
    source = write_vcf(tmp_path / "in.vcf", records, meta, samples)
    file, batches = read_all(source, genome, size)
    path = tmp_path / "out.vcf.gz"
    with VariantWriter(path, file.header, genome, list(fields)) as writer:
        for batch in batches:
            writer.write(batch, values(batch) if values else {})
    assert not list(tmp_path.glob(".writing*"))
    return path


def header_of(path):
    with pysam.BGZFile(str(path)) as file:
        return [line.decode() for line in file if line.startswith(b"#")]


def info_of(path):
    return [line.split("\t")[7] for line in body_of(path)]


def test_values_per_allele_record_and_reference(tmp_path):
    fields = [
        SCORE, InfoField("N", "count", "Integer"), InfoField("W", "word", "String"),
        InfoField("ALL", "all", number="R"), InfoField("ONE", "one", "String", "1"),
    ]  # fmt: skip
    values = {
        "DNALM_LLR": [1.23456, None, float("nan")], "N": [3, None, np.int64(4)], "W": ["a;b=c, d", None, "5%"],
        "ALL": np.array([1e-9, 123456.0, -0.5, np.inf, np.nan]), "ONE": ["x", None],
    }  # fmt: skip
    path = rewritten(tmp_path, [record(alt="C,G", info="DP=1"), record(pos=2, ref="C")], fields, lambda _: values)
    assert info_of(path) == [
        "DP=1;DNALM_LLR=1.235,.;N=3,.;W=a%3Bb%3Dc%2C%20d,.;ALL=1e-09,1.235e+05,-0.5;ONE=x",
        "DNALM_LLR=.;N=4;W=5%25;ALL=inf,.;ONE=.;DNALM_FLAG=no_alternative",
    ]
    accepted(path)
    with pysam.VariantFile(str(path)) as file:
        first, second = file
        assert first.info["DNALM_LLR"] == (pytest.approx(1.235), None)
        assert first.info["N"] == (3, None) and first.info["ONE"] == "x"
        assert second.info["DNALM_FLAG"] == ("no_alternative",)
        assert file.header.info["DNALM_LLR"].number == "A" and file.header.info["ALL"].number == "R"
        assert file.header.info["DNALM_LLR"].description == 'score \\"of\\" the model'


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_wrong_number_of_values_is_an_error_and_writes_nothing(tmp_path, count):
    with pytest.raises(ValueError, match=f"DNALM_LLR has {count} values, 3 are due"):
        rewritten(tmp_path, [record(alt="C,G"), record()], [SCORE], lambda _: {"DNALM_LLR": [0.0] * count})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.vcf"]
    with pytest.raises(ValueError, match="values of"):
        rewritten(tmp_path, [record()], [SCORE], lambda _: {"other": [0.0]})


def test_a_failed_run_leaves_the_old_file(tmp_path):
    path = rewritten(tmp_path, [record()])
    before = path.read_bytes()
    with pytest.raises(RuntimeError), VariantWriter(path, [FORMAT, COLUMNS], GENOME, []):
        raise RuntimeError
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".writing*"))


def test_fields_are_checked():
    for wrong in ({"name": "a b"}, {"name": ""}, {"name": "a", "type": "Flag"}, {"name": "a", "number": "G"}):
        with pytest.raises(ValueError):
            InfoField(**{"description": "", **wrong})
    with pytest.raises(ValueError, match=r"ends with \.gz"):
        VariantWriter("a.vcf", [], GENOME, [])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (".", "DNALM_LLR=1"), ("", "DNALM_LLR=1"), ("A", "A;DNALM_LLR=1"), ("A=1;", "A=1;DNALM_LLR=1"),
        ("DNALM_LLR=7", "DNALM_LLR=1"), ("A;DNALM_LLR=7,8;B", "A;B;DNALM_LLR=1"),
        ("DNALM_FLAG=star;DNALM_LLR=.", "DNALM_LLR=1"), ("DNALM_LLR;A", "A;DNALM_LLR=1"),
        ("XDNALM_LLR=2;DNALM_LLR2=3", "XDNALM_LLR=2;DNALM_LLR2=3;DNALM_LLR=1"),
    ],
)  # fmt: skip
def test_info_is_added_and_replaced(tmp_path, before, after):
    path = rewritten(tmp_path, [record(info=before)], [SCORE], lambda _: {"DNALM_LLR": [1.0]})
    assert info_of(path) == [after]
    accepted(path)


def test_a_file_that_was_scored_before_is_as_if_it_was_not(tmp_path):
    records = [record(), record(ref="G"), record(pos=2, ref="C", alt="T,<DEL>", info="A=1"), record(pos=2, ref="C")]
    records = [*records, record(pos=1)]
    once = rewritten(tmp_path, records, [SCORE], lambda b: {"DNALM_LLR": np.ones(len(b.alleles))})
    file, (batch,) = read_all(once, GENOME)
    twice = tmp_path / "twice.vcf.gz"
    with VariantWriter(twice, file.header, GENOME, [SCORE]) as writer:
        writer.write(batch, {"DNALM_LLR": np.ones(len(batch.alleles))})
    rows = [[line.split("\t") for line in body_of(path)] for path in (once, twice)]
    assert [row[:7] for row in rows[1]] == [row[:7] for row in rows[0]]
    assert [sorted(row[7].split(";")) for row in rows[1]] == [sorted(row[7].split(";")) for row in rows[0]]
    assert sorted(header_of(twice)) == sorted(header_of(once))
    assert len(set(header_of(twice))) == len(header_of(twice))


def test_without_fields_only_flags_are_added(tmp_path):
    path = rewritten(tmp_path, [record(), record(ref="G"), record(alt="C,*")])
    assert info_of(path) == [".", "DNALM_FLAG=ref_mismatch", "DNALM_FLAG=duplicate,star"]


def test_contigs_are_defined_as_the_records_call_them(tmp_path):
    rows = [record("chrc1"), record("other"), record("c0")]
    names = [line for line in header_of(rewritten(tmp_path, rows)) if line.startswith("##contig")]
    assert names == ["##contig=<ID=c0,length=100>", "##contig=<ID=chrc1,length=20>", "##contig=<ID=other>"]
    meta = ['##contig=<length=20,ID=chrc1,note="it\'s">']
    names = [line for line in header_of(rewritten(tmp_path, rows, meta=meta)) if line.startswith("##contig")]
    assert names == [*meta, "##contig=<ID=c0,length=100>", "##contig=<ID=other>"]
    path = rewritten(tmp_path, [])
    assert [line for line in header_of(path) if line.startswith("##contig")] == [
        "##contig=<ID=c0,length=100>", "##contig=<ID=c1,length=20>",
    ]  # fmt: skip
    assert accepted(path) == []
    assert path.with_name("out.vcf.gz.tbi").exists()


def test_names_beyond_the_limit_are_not_defined(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "NAMES_DEFINED", 3)
    path = rewritten(tmp_path, [record(f"x{i}") for i in range(10)], size=2)
    assert sum("ID=x" in line for line in header_of(path)) == 3
    assert len(accepted(path)) == 10


NASTY = [line for line, _ in RECORDS.values()]


def test_every_nasty_record_comes_out_as_it_went_in_and_htslib_takes_it(tmp_path):
    lines = [*NASTY, *(bad.decode("utf-8", "surrogateescape") for bad, _ in REJECTS.values())]
    (tmp_path / "in.vcf").write_bytes("\n".join([FORMAT, COLUMNS, *lines]).encode("utf-8", "surrogateescape") + b"\n")
    file, batches = read_all(tmp_path / "in.vcf", GENOME)
    path = tmp_path / "out.vcf.gz"
    with VariantWriter(path, file.header, GENOME, [SCORE]) as writer:
        for batch in batches:
            writer.write(batch, {"DNALM_LLR": np.zeros(len(batch.alleles))})
    assert len(accepted(path)) == len(NASTY)
    rows = sorted((line.split("\t") for line in body_of(path)), key=lambda row: int(row[7].rpartition("=")[2]))
    assert [row[:7] for row in rows] == [line.split("\t")[:7] for line in NASTY]
    assert path.with_name("out.vcf.gz.csi").exists()  # for a record at the last position of the format


@pytest.mark.parametrize("name", RECORDS)
def test_htslib_takes_each_nasty_record(tmp_path, name):
    path = rewritten(tmp_path, [RECORDS[name][0]], [SCORE], lambda b: {"DNALM_LLR": np.zeros(len(b.alleles))})
    with pysam.VariantFile(str(path)) as file:
        (row,) = file
    assert row.info["DNALM_LLR"] == (0.0,) * len(row.info["DNALM_LLR"])


META = {
    "no quotes": "##INFO=<ID=X,Number=1,Type=Integer,Description=a, b>", "no ID": '##INFO=<Number=1,Description="a">',
    "unclosed": '##INFO=<ID=X,Number=1,Type=Integer,Description="a', "empty": "##", "words": "##hello there",
    "contig without a name": "##contig=<length=4>", "comment": "#comment", "ClinVar": '##ID=<Description="ClinVar">',
    "strange type": '##INFO=<ID=X,Number=Q,Type=Word,Description="a">', "not ASCII": "##source=é",
    "a DNALM field in words": '##x=<ID=y,Description="ID=DNALM_LLR">',
}  # fmt: skip


@pytest.mark.parametrize("name", META)
def test_htslib_takes_each_nasty_header(tmp_path, name):
    path = rewritten(tmp_path, [record(info="X=1")], [SCORE], lambda _: {"DNALM_LLR": [0.5]}, meta=[META[name]])
    assert ("#" * (name == "comment") + META[name]) in header_of(path)
    assert len(accepted(path)) == 1


# order

UNSORTED = [("c1", 5), ("c0", 9), ("c0", 2), ("x", 3), ("c1", 2), ("c0", 2), ("x", 1), ("c0", 9)]


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("run", [1, 2, 1000])
def test_records_that_are_not_sorted_are_sorted_and_say_their_line(tmp_path, size, run, monkeypatch, caplog):
    monkeypatch.setattr(sorting, "RUN_RECORDS", run)
    monkeypatch.setattr(sorting, "MERGED", 2)
    rows = [record(c, p, info=f"I={i};DNALM_LINE=77", rest="GT\t0/1") for i, (c, p) in enumerate(UNSORTED)]
    rows.insert(3, "no record")
    path = rewritten(tmp_path, rows, size=size, samples=["s"])
    seen = [line.split("\t") for line in body_of(path)]
    order = ["c0", "c1", "x"]
    expected = sorted(UNSORTED, key=lambda row: (order.index(row[0]), row[1]))
    assert [(row[0], int(row[1])) for row in seen] == expected
    by_line = sorted(seen, key=lambda row: int(row[7].rpartition("=")[2]))
    assert [row[7].split(";")[0] for row in by_line] == [f"I={i}" for i in range(len(UNSORTED))]
    assert [int(row[7].rpartition("DNALM_LINE=")[2]) for row in by_line] == [3, 4, 5, 7, 8, 9, 10, 11]
    assert all(row[7].count("DNALM_LINE") == 1 and row[9] == "0/1" for row in seen)
    equal = [int(row[7].rpartition("=")[2]) for row in seen if row[:2] == ["c0", "9"]]
    assert equal == sorted(equal)
    assert len(accepted(path)) == len(UNSORTED)
    assert "the input is not sorted, the output is" in caplog.text
    with pysam.VariantFile(str(path)) as file:
        assert [row.pos for row in file.fetch("c0", 1, 9)] == [2, 2, 9, 9]


def test_blocks_of_contigs_in_any_order_are_sorted_enough(tmp_path, caplog):
    rows = [record("c1", 3), record("c1", 3), record("c0", 1), record("c0", 4, "T")]
    with caplog.at_level(logging.WARNING):
        path = rewritten(tmp_path, rows, size=2)
    assert [line.split("\t")[0] for line in body_of(path)] == ["c1", "c1", "c0", "c0"]
    assert "DNALM_LINE" not in "".join(header_of(path) + body_of(path))
    assert "sorted" not in caplog.text
    accepted(path)


contig_and_place = st.tuples(st.sampled_from(["c0", "c1", "chrc0", "x"]), st.integers(0, 110))
info_text = st.sampled_from([".", "A", "A=1;B=x y", "DNALM_LLR=9;A", "END=50"])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(contig_and_place, st.sampled_from(["C", "G,<DEL>", "."]), info_text), max_size=12))
def test_round_trip(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("r")
    lines = [
        record(c, p, alt=alt, info=info, name=f"id{i}", filters="q1;PASS", rest=f"GT:X\t0/1:{i}\t.")
        for i, ((c, p), alt, info) in enumerate(rows)
    ]
    path = rewritten(
        folder, lines, [SCORE], lambda b: {"DNALM_LLR": np.arange(len(b.alleles))}, samples=["s 1", "s2"], size=5
    )
    assert len(accepted(path)) == len(rows)
    out = {line.split("\t")[2]: line.split("\t") for line in body_of(path)}
    for i, line in enumerate(lines):
        before, after = line.split("\t"), out[f"id{i}"]
        assert after[:7] + after[8:] == before[:7] + before[8:]
        kept = [part for part in before[7].split(";") if part != "." and not part.startswith("DNALM_LLR=")]
        ours = [part for part in after[7].split(";") if part.startswith("DNALM_")]
        assert after[7].split(";") == kept + ours and len({part.split("=")[0] for part in ours}) == len(ours)


# index


def test_a_contig_beyond_tbi_has_a_csi_index(tmp_path):
    genome = Genome("g", GENOME.codes, genome_of("A").contigs.assign(length=2**29 + 1), "x")
    rewritten(tmp_path, [record()], genome=genome)
    assert (tmp_path / "out.vcf.gz.csi").exists() and not (tmp_path / "out.vcf.gz.tbi").exists()
    rewritten(tmp_path, [record()])
    assert (tmp_path / "out.vcf.gz.tbi").exists() and not (tmp_path / "out.vcf.gz.csi").exists()


def test_the_same_input_gives_the_same_bytes(tmp_path):
    contents = [
        rewritten(tmp_path, NASTY, [SCORE], lambda b: {"DNALM_LLR": np.ones(len(b.alleles))}).read_bytes()
        for _ in range(2)
    ]
    assert contents[0] == contents[1]


def test_the_index_finds_records(tmp_path):
    rows = [record("c0", i, "ACGT"[(i - 1) % 4], info=f"I={i}") for i in range(1, 101)] + [record("c1", 7)]
    path = rewritten(tmp_path, rows)
    with pysam.TabixFile(str(path)) as file:
        assert [row.split("\t")[1] for row in file.fetch("c0", 39, 42)] == ["40", "41", "42"]
        assert file.contigs == ["c0", "c1"]


def test_equal_records_keep_their_order_through_many_merges(tmp_path, monkeypatch):
    monkeypatch.setattr(sorting, "RUN_RECORDS", 1)
    monkeypatch.setattr(sorting, "MERGED", 2)
    path = rewritten(tmp_path, [record(pos=50), *(record(name=f"id{i}") for i in range(9))])
    assert [line.split("\t")[2] for line in body_of(path)] == [*(f"id{i}" for i in range(9)), "."]


@pytest.mark.parametrize("size", [1, 100])
def test_a_contig_that_comes_back_is_not_sorted(tmp_path, size):
    path = rewritten(tmp_path, [record(pos=1), record("c1"), record(pos=9)], size=size)
    assert [line.split("\t")[0] for line in body_of(path)] == ["c0", "c0", "c1"]
    assert len(accepted(path)) == 3


def test_the_mark_of_the_end_is_there_once(tmp_path):
    mark = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
    content = rewritten(tmp_path, [record()]).read_bytes()
    assert content.count(mark) == 1 and content.endswith(mark)
