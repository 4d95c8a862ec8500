"""Reading variants: what each nasty file or record becomes."""

import gzip
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from helpers.genomes import genome_of
from helpers.nasty_variants import FIRST, GENOME, RECORDS, REJECTS
from helpers.variants import COLUMNS, FORMAT, read_all, record, vcf_text, write_vcf
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.contigs.names import read_aliases
from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.sequence.alphabet import decode
from dnalm.variant_files import alleles as vcf_alleles
from dnalm.variant_files import reader as vcf
from dnalm.variant_files.lines import _all_records, _columns, _Rejected, line_blocks, read_records
from dnalm.variant_files.reader import open_variants


def alleles_of(tmp_path, *records, **options):
    _, batches = read_all(write_vcf(tmp_path / "a.vcf", records), GENOME, **options)
    return pd.concat([batch.alleles for batch in batches], ignore_index=True)


def rows_of(table):
    rows = table[["position", "ref", "alt_bases", "kind", "flag"]].astype(object)
    return [tuple(None if value is np.nan else value for value in row) for row in rows.itertuples(index=False)]


@pytest.mark.parametrize("name", RECORDS)
def test_record(tmp_path, name):
    line, expected = RECORDS[name]
    table = alleles_of(tmp_path, line)
    assert rows_of(table) == expected
    assert table["alt"].tolist() == list(range(len(expected)))
    assert not table["duplicate"].any()


def test_all_records_at_once_are_as_one_by_one(tmp_path):
    table = alleles_of(tmp_path, *(line for line, _ in RECORDS.values()))
    assert rows_of(table) == [row for _, rows in RECORDS.values() for row in rows]
    counts = [len(rows) for _, rows in RECORDS.values()]
    assert table["record"].tolist() == np.repeat(np.arange(len(RECORDS)), counts).tolist()
    assert (table["line"] == table["record"] + 3).all()
    assert set(table["flag"]) == {*vcf_alleles.FLAGS, ""}


def test_the_table_has_the_promised_columns(tmp_path):
    table = alleles_of(tmp_path, record(), record("x"))
    assert table.columns.tolist() == vcf_alleles.COLUMNS
    assert table["contig"].tolist() == ["c0", ""]
    assert all(table[name].dtype == object for name in ("contig", "ref", "alt_bases", "flag"))
    assert table["position"].dtype == np.int64
    assert table["kind"].cat.categories.tolist() == ["snv", "mnv", "insertion", "deletion", "indel"]
    assert table["duplicate"].dtype == bool


@pytest.mark.parametrize("name", REJECTS)
def test_what_is_no_record_is_listed_and_the_run_goes_on(tmp_path, name, caplog):
    bad, reason = REJECTS[name]
    path = tmp_path / "a.vcf"
    good = record().encode()
    path.write_bytes("\n".join([FORMAT, COLUMNS, ""]).encode() + b"\n".join([good, bad, good, b""]))
    file, batches = read_all(path, GENOME)
    assert [line for batch in batches for line in batch.lines] == [tuple(record().split("\t"))] * 2
    assert np.concatenate([batch.numbers for batch in batches]).tolist() == [3, 5]
    (row,) = file.rejects.itertuples(index=False)
    assert (row.line == 4 and row.reason in reason.split("|")) or "columns" in row.reason
    assert row.text == bad.decode("utf-8", "replace")[:200]
    assert file.rejected.total() == 1
    assert f"1 lines are no records and are left out: 1 {row.reason}" in caplog.text


SAMPLES = {
    "no samples": (".", "fewer or more columns than the header"),
    "one sample of two": ("GT\t0/1", "fewer or more columns than the header"),
    "three samples of two": ("GT\t0\t0\t1", "fewer or more columns than the header"),
    "too many fields": ("GT\t0/1:3\t0/0", "a sample has more fields than FORMAT"),
    "too many, too few": ("GT:DP\t0/1:3:9\t0/0", None),
    "FORMAT empty": ("\t0\t0", "FORMAT is no list of names"),
    "FORMAT has commas": ("GT,DP\t0\t0", "FORMAT is no list of names"),
    "fewer fields": ("GT:DP:GQ\t0/1\t.", None),
    "all fields": ("GT:DP\t0/1:3\t1|1:4", None),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples(tmp_path, name):
    rest, reason = SAMPLES[name]
    path = write_vcf(tmp_path / "a.vcf", [record(rest=rest), record(rest="GT\t0\t1")], samples=["s1", "s2"])
    file, batches = read_all(path, GENOME)
    lines = [line for batch in batches for line in batch.lines]
    assert [line[8] for line in lines] == ([rest] if reason is None else []) + ["GT\t0\t1"]
    assert file.rejects["reason"].tolist() == ([] if reason is None else [reason])


def test_rejects_are_all_counted_and_some_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(vcf, "REJECTS_LISTED", 3)
    path = write_vcf(tmp_path / "a.vcf", ["x" * 1000] * 5 + [record(pos="x"), record()])
    file, batches = read_all(path, GENOME)
    assert sum(len(batch.lines) for batch in batches) == 1
    assert dict(file.rejected) == {"no tabs between the columns": 5, "POS is no whole number": 1}
    assert file.rejects["line"].tolist() == [3, 4, 5]
    assert set(file.rejects["text"]) == {"x" * 200}
    list(file.batches())
    assert file.rejected.total() == 6  # counted anew


BAD_FILES = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n\n\n", "the file is empty"),
    "empty gzip": (gzip.compress(b""), "the file is empty"),
    "web page": (b"<!DOCTYPE html>\n<html>", "this is a web page, no VCF"),
    "packed web page": (gzip.compress(b"\n<html>"), "this is a web page, no VCF"),
    "FASTA": (b">c0\nACGT\n", "this is a FASTA file"),
    "SAM": (b"@HD\tVN:1.6\n", "FASTQ or SAM"),
    "zip": (b"PK\x03\x04abc", "this is a ZIP archive"),
    "bzip2": (b"BZh91AY", "this is a bzip2 file"),
    "binary": (b"\x7fELF\0\0\0", "this is a binary file"),
    "BAM": (gzip.compress(b"BAM\1\0\0"), "this is a binary file"),
    "UTF-16 file": (vcf_text([record()]).encode("utf-16"), "text in UTF-16"),
    "records alone": (record().encode(), ":1: no line #CHROM"),
    "meta lines alone": ((FORMAT + "\n##x=y\n").encode(), ":2: no line #CHROM"),
    "records before the column line": (f"{FORMAT}\n{record()}\n{COLUMNS}".encode(), ":2: no line #CHROM"),
    "GFF3": (b"##gff-version 3\nc0\tx\tgene\t1\t9\t.\t+\t.\tID=a\n", ":2: no line #CHROM"),
    "table with a header": (b"CHROM\tPOS\tREF\tALT\nc0\t1\tA\tC\n", ":1: no line #CHROM"),
    "columns missing": (f"{FORMAT}\n#CHROM\tPOS\tID\tREF\tALT\n".encode(), ":2: the columns are"),
    "columns in another order": (COLUMNS.replace("REF\tALT", "ALT\tREF").encode(), ":1: the columns are"),
    "no FORMAT before samples": (f"{COLUMNS}\ts1\ts2".encode(), ":1: the columns are"),
    "FORMAT without samples": (f"{COLUMNS}\tFORMAT".encode(), ":1: a column FORMAT without a sample"),
    "columns with spaces": (COLUMNS.replace("\t", " ").encode(), ":1: no tabs between the columns"),
    "sample twice": (f"{COLUMNS}\tFORMAT\ta\tb\ta".encode(), ":1: sample 'a' is there twice"),
    "sample without a name": (f"{COLUMNS}\tFORMAT\ta\t".encode(), ":1: a sample without a name"),
    "gzip cut in the header": (gzip.compress(vcf_text([record()]).encode())[:30], "damaged or truncated gzip"),
    "gzip of two bytes": (b"\x1f\x8b", "damaged or truncated gzip"),
    "BCF of five bytes": (b"BCF\2\2", "the BCF header cannot be read"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_is_no_vcf(tmp_path, name):
    content, pattern = BAD_FILES[name]
    path = tmp_path / "a.vcf"
    path.write_bytes(content)
    with pytest.raises(InputError, match=pattern) as error:
        open_variants(path, GENOME)
    assert str(path) in error.value.where and error.value.next_step and "\n" not in str(error.value)


def test_no_file_and_a_folder(tmp_path):
    for path, pattern in ((tmp_path / "none.vcf", "no such file"), (tmp_path, "cannot read it")):
        with pytest.raises(InputError, match=pattern):
            open_variants(path, GENOME)


MANY = [record(pos=i % 100 + 1, ref=FIRST[i % 100], alt="N", info=f"I={i};R={i * 7919 % 10007}") for i in range(20_000)]


def test_a_gzip_file_that_is_cut_off_says_where(tmp_path):
    path, packed = tmp_path / "a.vcf.gz", gzip.compress(vcf_text(MANY).encode())
    path.write_bytes(packed[: len(packed) // 2])
    file, seen = open_variants(path, GENOME), 0
    with pytest.raises(InputError, match="damaged or truncated gzip file") as error:
        for batch in file.batches(100):
            seen = int(batch.numbers[-1])
    line = int(error.value.where.rpartition(":")[2])
    assert seen <= line < len(MANY)
    assert line > len(MANY) // 4


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("cut", ["end", "middle"])
def test_a_bgzip_file_that_is_cut_off_is_refused_at_once(tmp_path, binary, cut):
    path = bgzip(tmp_path, MANY, binary)
    packed = path.read_bytes()
    path.write_bytes(packed[:-28] if cut == "end" else packed[: len(packed) // 2])
    with pytest.raises(InputError, match=r"cut off|truncated") as error:
        open_variants(path, GENOME)
    if not binary and cut == "end":
        assert error.value.where.endswith(f":{len(MANY) + 5}")


def bgzip(tmp_path, records, binary=False, samples=()):
    """The records as bgzip VCF, or as BCF."""
    meta = [
        "##contig=<ID=c0>", '##INFO=<ID=I,Number=1,Type=Integer,Description="i">',
        '##INFO=<ID=R,Number=1,Type=Integer,Description="r">', '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">',
    ][: 3 + bool(samples)]  # fmt: skip
    plain = write_vcf(tmp_path / "plain.vcf", records, meta, samples)
    path = tmp_path / ("a.bcf" if binary else "a.vcf.gz")
    if not binary:
        pysam.tabix_compress(str(plain), str(path), force=True)
        return path
    verbosity = pysam.set_verbosity(0)
    with pysam.VariantFile(str(plain)) as source, pysam.VariantFile(str(path), "wb", header=source.header) as out:
        for row in source:
            out.write(row)
    pysam.set_verbosity(verbosity)
    return path


PACKINGS = ("plain", "CR LF", "gzip", "two gzips", "bgzip", "BCF", "BOM", "no last newline", "blank lines")


def packed(tmp_path, how, records):
    text, path = vcf_text(records, ["##contig=<ID=c0>"], ["s1"]), tmp_path / "odd name.txt"
    half = text.index("\n", len(text) // 2) + 1
    contents = {
        "plain": text, "CR LF": text.replace("\n", "\r\n"), "BOM": "\ufeff" + text, "no last newline": text.rstrip(),
        "blank lines": text.replace("\n", "\n\n") + "\n",
        "gzip": gzip.compress(text.encode()),
        "two gzips": gzip.compress(text[:half].encode()) + gzip.compress(text[half:].encode()),
    }  # fmt: skip
    if how not in contents:
        return bgzip(tmp_path, records, how == "BCF", ["s1"])
    content = contents[how]
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("how", PACKINGS)
def test_every_packing_gives_the_same_records(tmp_path, how):
    records = [record(pos=i + 1, ref=FIRST[i], alt="T,G", info=f"I={i}", rest=f"GT\t0/{i % 3}") for i in range(50)]
    file, batches = read_all(packed(tmp_path, how, records), GENOME, size=7)
    assert ["\t".join(line) for batch in batches for line in batch.lines] == records
    assert file.header[0].startswith("##fileformat=VCF") and file.header[-1] == f"{COLUMNS}\tFORMAT\ts1"
    numbers = np.concatenate([batch.numbers for batch in batches])
    first = 1 if how == "BCF" else len(file.header) + 1
    if how not in ("blank lines", "bgzip"):
        assert numbers.tolist() == list(range(first, first + 50))
    assert sum(len(batch.lines) for batch in batches) == 50 and len(batches) >= 8


def test_bcf_numbers_and_rejects(tmp_path):
    file, batches = read_all(bgzip(tmp_path, MANY[:2500], binary=True), GENOME)
    assert np.concatenate([batch.numbers for batch in batches]).tolist() == list(range(1, 2501))
    assert file.rejects.empty


def test_header_is_put_right(tmp_path, caplog):
    path = tmp_path / "a.vcf"
    path.write_bytes(b"##source=\xe9\n#a comment\n" + COLUMNS.lower().encode() + b"\n" + record().encode())
    file, batches = read_all(path, GENOME)
    assert file.header == ["##fileformat=VCFv4.2", "##source=\udce9", "##a comment", COLUMNS]
    assert "no line ##fileformat" in caplog.text
    assert batches[0].numbers.tolist() == [4]
    late = write_vcf(tmp_path / "b.vcf", [record()], ["##x=y"])
    late.write_text("##first=1\n" + late.read_text())
    assert open_variants(late, GENOME).header[:3] == [FORMAT, "##first=1", "##x=y"]


def test_header_without_records(tmp_path):
    file, batches = read_all(write_vcf(tmp_path / "a.vcf", []), GENOME)
    assert batches == [] and file.rejects.empty


# contig names


def named(*names):
    genome = genome_of(*["ACGT" * 5] * len(names))
    return Genome("g", genome.codes, genome.contigs.assign(contig=names), "x")


@pytest.mark.parametrize(
    ("name", "contigs", "expected"),
    [
        ("chr1", ("1", "2"), "1"),
        ("2", ("chr1", "chr2"), "chr2"),
        ("NC_000913", ("NC_000913.3", "p"), "NC_000913.3"),
        ("NC_000913.2", ("NC_000913.3", "p"), "NC_000913.3"),
        ("chrM", ("1", "MT"), "MT"),
        ("1", ("chr1", "Chr1"), ""),
        ("chr1", ("chr1", "1"), "chr1"),
        ("3", ("1", "2"), ""),
    ],
)
def test_names_of_contigs(tmp_path, name, contigs, expected, caplog):
    path = write_vcf(tmp_path / "a.vcf", [record(name), record(name, 5)])
    with caplog.at_level(logging.INFO):
        _, batches = read_all(path, named(*contigs), size=1)
    assert {contig for batch in batches for contig in batch.alleles["contig"]} == {expected}
    assert batches[0].contigs == {name: expected}
    told = [r.getMessage() for r in caplog.records]
    if name == expected:
        assert told == []
    else:
        expect = f"contig names matched: {name} is {expected}" if expected else f"the genome has not: {name}"
        assert len(told) == 1 and expect in told[0]


def test_aliases(tmp_path):
    genome = named("c0", "c1")
    (tmp_path / "aliases.tsv").write_text("one\tc0\nc0\tc1\nc1\t-\n")
    aliases = read_aliases(tmp_path / "aliases.tsv", {"c0": 20, "c1": 20})
    path = write_vcf(tmp_path / "a.vcf", [record("one"), record("c0"), record("c1")])
    _, (batch,) = read_all(path, genome, aliases=aliases)
    assert batch.alleles["contig"].tolist() == ["c0", "c1", ""]
    assert batch.alleles["position"].tolist() == [0, 20, -1]
    with pytest.raises(InputError, match="the alias of 'one', 'c7', is no contig"):
        open_variants(path, genome, {"one": "c7"})


# duplicates


def test_duplicates(tmp_path):
    table = alleles_of(
        tmp_path, record(), record(alt="c"), record(alt="T,T"), record(ref="ACG", alt="ACT"),
        record(pos=3, ref="G", alt="T"), record("x"), record("x"), record(alt="<DEL>"), record(alt="<DEL>"),
        record("c0", 100, "A", "AG"), record("c1", 1, "A", "GA"), record(pos=100, ref="A", alt="AG"),
    )  # fmt: skip
    assert np.flatnonzero(table["duplicate"]).tolist() == [1, 3, 5, 12]
    assert (table["flag"][table["duplicate"]] == "").all()


def test_an_indel_written_at_another_place_of_its_repeat_is_a_duplicate(tmp_path):
    genome = genome_of("GCACACAGTTTTG", "CATTT")
    rows = [
        record(pos=2, ref="CAC", alt="C"), record(pos=5, ref="ACA", alt="A"), record(pos=4, ref="CACAG", alt="CAG"),
        record(pos=8, ref="G", alt="GT"), record(pos=12, ref="T", alt="TT"),  # one T more
        record(pos=9, ref="TT", alt="T"), record(pos=12, ref="TG", alt="G"),  # one T less
        record("c1", 5, "T", "TT"), record("c1", 2, "A", "AT"), record("c1", 1, "C", "CT"),
    ]  # fmt: skip
    _, (batch,) = read_all(write_vcf(tmp_path / "a.vcf", rows), genome)
    assert batch.alleles["flag"].eq("").all()
    assert np.flatnonzero(batch.alleles["duplicate"]).tolist() == [1, 2, 4, 6, 8]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_duplicates_do_not_depend_on_the_batches(tmp_path, size, monkeypatch):
    monkeypatch.setattr(vcf_alleles, "NEARBY", 5)
    rng = np.random.default_rng(1)
    places = rng.integers(0, 12, 60)
    rows = [(int(p), "C" if FIRST[p] != "C" else "T") for p in places]
    table = alleles_of(tmp_path, *(record(pos=p + 1, ref=FIRST[p], alt=alt) for p, alt in rows), size=size)
    expected = [row in rows[max(i - 5, 0) : i] for i, row in enumerate(rows)]
    assert table["duplicate"].tolist() == expected
    assert 10 < sum(expected) < 50


# properties

letter = st.sampled_from("ACGTacgtNR")
alt_text = st.one_of(st.text(letter, min_size=1, max_size=6), st.sampled_from(["<DEL>", "*", ".", "A[c1:3[", ""]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 97), st.integers(1, 4), st.lists(alt_text, min_size=1, max_size=3)), min_size=1)
)
def test_alleles_without_a_flag_give_the_sequence_of_the_record(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("v") / "a.vcf"
    write_vcf(path, [record(pos=p + 1, ref=FIRST[p : p + n], alt=",".join(alts)) for p, n, alts in rows])
    _, (batch,) = read_all(path, GENOME)
    genome = decode(GENOME.codes).upper()
    sources = [(p, n, alt) for p, n, alts in rows for alt in alts]
    assert len(batch.alleles) == len(sources)
    for (p, n, alt), row in zip(sources, batch.alleles.itertuples(), strict=True):
        n = min(n, len(FIRST) - p)
        plain = set(alt.upper()) <= set("ACGT") and alt != "" and alt.upper() != FIRST[p : p + n]
        assert (row.flag == "") == plain
        if plain:
            changed = genome[: row.position] + row.alt_bases + genome[row.position + len(row.ref) :]
            assert changed == genome[:p] + alt.upper() + genome[p + n :]
            assert genome[row.position : row.position + len(row.ref)] == row.ref


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([record().encode(), *(bad for bad, _ in REJECTS.values())]), min_size=1, max_size=4))
def test_all_lines_at_once_are_checked_as_one_by_one(raws):
    texts = [raw.decode("utf-8", "surrogateescape") for raw in raws]
    expected = []
    for text in texts:
        try:
            expected.append(_columns(text, -1))
        except _Rejected:
            expected.append(None)
    assert _all_records(texts, [tuple(t.split("\t", 8)) for t in texts]) <= all(expected)
    good, lines, bad = read_records(texts, -1)
    assert lines == [e for e in expected if e] and good == [i for i, e in enumerate(expected) if e]
    assert [i for i, _ in bad] == [i for i, e in enumerate(expected) if not e]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.builds(str.__add__, st.text("ab\xe9", max_size=5), st.sampled_from(["", "\r"])), max_size=12),
    st.integers(1, 7), st.booleans(),
)  # fmt: skip
def test_blocks_are_lines(tmp_path_factory, lines, block, end):
    path = tmp_path_factory.mktemp("l") / "a"
    content = "\n".join(lines) + ("\n" if end and lines else "")
    path.write_bytes(content.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnalm.variant_files.lines._BLOCK", block)
        found = [(first + i, line) for first, part in line_blocks(path) for i, line in enumerate(part)]
    whole = [line.rstrip("\r") for line in content.split("\n")]
    whole = whole[:-1] if content.endswith("\n") or not content else whole
    assert found == list(enumerate(whole, 1))


# size

STREAM = """
import resource, sys
import numpy as np
sys.path[:0] = [{tests!r}, {scripts!r}]
from helpers.genomes import genome_of
from dnalm.variant_files.reader import open_variants
from dnalm.variant_files.writer import InfoField, VariantWriter
genome = genome_of("ACGT" * 50_000)
def run(path):
    file = open_variants(path, genome)
    with VariantWriter(path + ".out.vcf.gz", file.header, genome, [InfoField("S", "score")]) as writer:
        for batch in file.batches(10_000):
            writer.write(batch, {{"S": np.zeros(len(batch.alleles))}})
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(run({small!r}), run({large!r}))
"""


def test_memory_does_not_grow_with_the_file(tmp_path):
    sizes = {"small": 20_000, "large": 120_000}
    for name, count in sizes.items():
        with open(tmp_path / name, "w") as out:
            out.write(vcf_text([]))
            out.writelines(record(pos=i + 1, ref="ACGT"[i % 4], alt="N", info=f"I={i}") + "\n" for i in range(count))
    tests, scripts = Path(__file__).parents[1], Path(vcf.__file__).parents[2]
    script = STREAM.format(
        tests=str(tests), scripts=str(scripts), small=str(tmp_path / "small"), large=str(tmp_path / "large")
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    small, large = map(float, done.stdout.split())
    assert large - small < 30, f"{small:.0f} MB for {sizes['small']} records, {large:.0f} MB for {sizes['large']}"


def test_long_records_make_small_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(vcf, "BATCH_LETTERS", 10_000)
    records = [record(info="A=" + "x" * 4000) for _ in range(1000)]
    _, batches = read_all(write_vcf(tmp_path / "a.vcf", records), GENOME)
    assert sum(len(batch.lines) for batch in batches) == 1000
    assert len(batches) >= 3  # a block of the file is the smallest piece
