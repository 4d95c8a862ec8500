"""BED and bigWig: what is read, every way a file can be wrong, and that pysam and pybigtools read what was written."""

import gzip

import numpy as np
import pandas as pd
import pysam
import pytest

from dnalm.annotation.bed import read_bed, write_bed, write_bigwig
from dnalm.errors import InputError
from dnalm.io.fetch import find_file

LENGTHS = {"I": 100, "II": 50}


def bed(tmp_path, text, name="x.bed"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["x.bed", "x.bed.gz"])
def test_intervals_come_as_they_are_on_the_contigs_of_the_genome(tmp_path, name):
    text = "#c\ntrack name=x\nbrowser hide\n\nchrI\t0\t100\tn\t3\t+\nchrII\t4\t9\nchrI\t5\t6\n"
    table = read_bed(bed(tmp_path, text, name), LENGTHS)
    rows = [("I", 0, 100, "."), ("II", 4, 9, "."), ("I", 5, 6, ".")]
    assert list(table.itertuples(index=False, name=None)) == rows


def test_strands_are_read_where_they_count(tmp_path):
    path = bed(tmp_path, "I\t0\t10\ta\t0\t-\nI\t5\t20\tb\t0\t+\n")
    assert list(read_bed(path, LENGTHS, stranded=True)["strand"]) == ["-", "+"]
    with pytest.raises(InputError, match=r"y.bed:1: strand '\.'"):
        read_bed(bed(tmp_path, "I\t0\t10\n", "y.bed"), LENGTHS, stranded=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("I\t0\t9\nI\t5\n", r"x\.bed:2: not an interval"),
        ("I\t-1\t5\n", r"x\.bed:1: not an interval"),
        ("I 1 5\n", r"x\.bed:1: not an interval"),
        ("#c\nI\t7\t7\n", r"x\.bed:2: start 7 is not below end 7"),
        ("I\t9\t3\n", r"x\.bed:1: start 9 is not below end 3"),
        ("I\t0\t100\nI\t90\t101\n", r"x\.bed:2: the interval ends at 101, the contig has 100 bases"),
        ("I\t0\t10\nV\t1\t5\n", r"x\.bed:2: contig 'V' is not in the sequence.*aliases"),
        ("trackless\t1\t5\n", r"x\.bed:1: contig 'trackless' is not in the sequence"),
        ("# nothing\n", r"x\.bed: the file holds no interval"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_bed(bed(tmp_path, text), LENGTHS)


def test_aliases_rename_contigs_and_leave_some_out(tmp_path):
    table = bed(tmp_path, "alpha\tII\nbeta\t-\n", "names.tsv")
    found = read_bed(bed(tmp_path, "alpha\t3\t9\nbeta\t0\t9999\n"), LENGTHS, aliases=table)
    assert found.values.tolist() == [["II", 3, 9, "."]]


def test_a_slice_of_a_genome_takes_its_part_of_every_interval(tmp_path):
    path = bed(tmp_path, "big\t0\t10\nbig\t95\t105\nbig\t120\t130\nother\t120\t121\nbig\t195\t900\n")
    found = read_bed(path, {"big": 100}, region={"contig": "big", "start": 100, "end": 200})
    assert found.values.tolist() == [["big", 0, 5, "."], ["big", 20, 30, "."], ["big", 95, 100, "."]]
    assert len(read_bed(bed(tmp_path, "chrIV\t9\t12\nchrV\t9\t12\n"), {"IV": 10}, region={"start": 0, "end": 10})) == 1
    path = bed(tmp_path, "big\t0\t10\n")
    with pytest.raises(InputError, match="no interval on big within the region"):
        read_bed(path, {"big": 100}, region={"contig": "big", "start": 1000, "end": 1100})


def test_files_are_looked_up_in_the_data_folders(tmp_path, monkeypatch):
    path = bed(tmp_path, "I\t0\t1\n")
    monkeypatch.setenv("DNALM_DATA", f"/nowhere:{tmp_path}")
    assert find_file("x.bed", "annotate: tracks") == path
    with pytest.raises(InputError, match=r"none\.bed: no such file"):
        find_file("none.bed", "annotate: tracks")


def test_written_bed_is_sorted_indexed_and_read_by_pysam(tmp_path):
    rows = [("II", 3, 9, "b"), ("I", 50, 60, "c"), ("I", 2, 8, "a")]
    path = tmp_path / "out.bed.gz"
    write_bed(pd.DataFrame(rows, columns=["contig", "start", "end", "name"]), LENGTHS, path)
    with pysam.TabixFile(str(path)) as file:
        assert [tuple(line.split("\t")) for line in file.fetch("I")] == [("I", "2", "8", "a"), ("I", "50", "60", "c")]
        assert [line.split("\t")[3] for line in file.fetch("I", 55, 56)] == ["c"]
    whole = path.read_bytes()
    write_bed(pd.DataFrame(rows, columns=["contig", "start", "end", "name"]), LENGTHS, path)
    assert path.read_bytes() == whole


def test_a_file_without_intervals_is_a_file_too(tmp_path):
    write_bed(pd.DataFrame(columns=["contig", "start", "end", "name"]), LENGTHS, tmp_path / "out.bed.gz")
    with pysam.TabixFile(str(tmp_path / "out.bed.gz")) as file:
        assert list(file.fetch()) == []


def test_bigwig_holds_the_values_of_every_base(tmp_path):
    pybigtools = pytest.importorskip("pybigtools", reason="the bigWig writer is not installed")
    rng = np.random.default_rng(1)
    values = {"z": rng.random(300).astype(np.float32), "a": np.repeat([-1, np.nan, 0.5], 40).astype(np.float32)}
    write_bigwig(values, tmp_path / "out.bw")
    file = pybigtools.open(str(tmp_path / "out.bw"))
    assert file.chroms() == {"z": 300, "a": 120}
    for contig, expected in values.items():
        found = np.concatenate([[v[2]] * (v[1] - v[0]) for v in file.records(contig)])
        np.testing.assert_allclose(found, np.round(expected[~np.isnan(expected)], 3), atol=1e-6)
