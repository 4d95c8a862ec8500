"""What a user may get wrong: one line with the place and the next step, and nothing half-written."""

import gzip
import re

import numpy as np
import pandas as pd
import pytest

from dnalm.config import load_study
from dnalm.errors import DnalmError, InputError
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import EMBEDDED, resolve_source
from dnalm.sequence.alphabet import decode
from dnalm.sequence.windows import tile_windows

GENBANK = EMBEDDED / "chlamydia_trachomatis_d_uw3cx" / "genome.gbk.gz"
SEQUENCE = "ATGGCTAAATGA" * 20
FASTA = f">chr1\n{SEQUENCE}\n"
GENE = "chr1\tx\tCDS\t1\t12\t.\t+\t0\tID=g\n"


def build(tmp_path, sequence, annotation=None, name="a.fa", **source):
    """Build a genome from file contents (text or bytes)."""
    for file, content in ((name, sequence), ("a.gff3", annotation)):
        if content is not None:
            (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    source["path"] = str(tmp_path / name)
    if annotation is not None:
        source["annotation"] = str(tmp_path / "a.gff3")
    return build_genome("toy", resolve_source(source), source, tmp_path / "genome")


def refused(tmp_path, pattern, *arguments, **options):
    """The build fails with one clean line and leaves nothing in the output folder."""
    with pytest.raises(InputError) as error:
        build(tmp_path, *arguments, **options)
    check_message(error.value, pattern)
    assert not list((tmp_path / "genome").rglob("*"))


def check_message(error, pattern):
    assert isinstance(error, DnalmError)
    assert re.search(pattern, str(error)), str(error)
    assert "\n" not in str(error)
    assert error.where
    assert error.next_step


BAD_FASTA = {
    "empty": ("", r"a\.fa: the file holds no sequence\. Give a FASTA"),
    "only blank lines": ("\n\n", r"a\.fa: the file holds no sequence"),
    "no header": ("ACGT\nACGT\n", r"a\.fa:1: text before the first '>' header"),
    "duplicate contig": (">a\nAC\n>b\nAC\n>a\nGG\n", r"a\.fa:5: contig a is there twice \(first in line 1\)\. Rename"),
    "contig without sequence": (">a\n>b\nAC\n", r"a\.fa:1: contig a has no sequence"),
    "last contig without sequence": (">a\nAC\n>b\n", r"a\.fa:3: contig b has no sequence"),
    "nameless contig": (">a\nAC\n> \nAC\n", r"a\.fa:3: a header without a name"),
    "protein": (">a\nACGT\nMKLVE\n", r"a\.fa:3: 'E' is not a nucleotide letter; this looks like a protein"),
    "a stray letter": (">a\nACGTACGTACGT\nACGE\n", r"a\.fa:3: 'E' is not a nucleotide letter\. Remove it or write N"),
    "alignment gaps": (">a\nAC--GT\n", r"a\.fa:2: '-' is not a nucleotide letter"),
    "web page": ("<!DOCTYPE html>\n<html>404</html>\n", r"a\.fa:1: this is a web page, not a data file\. Fetch"),
    "not ASCII": (">a\nACG\u00e9T\n", r"a\.fa:2: '.' is not a nucleotide letter"),
    "binary": (b"\x00\x01\x02\xff", r"a\.fa:1: text before the first '>' header"),
}


@pytest.mark.parametrize(("content", "pattern"), BAD_FASTA.values(), ids=BAD_FASTA)
def test_fasta(tmp_path, content, pattern):
    refused(tmp_path, pattern, content)


BAD_GFF = {
    "eight columns": (GENE + "chr1\tx\tCDS\t1\t12\t.\t+\t0\n", r"a\.gff3:2: 8 columns instead of 9\. GFF3 has nine"),
    "spaces": ("chr1 x CDS 1 12 . + 0 ID=g\n", r"a\.gff3:1: 1 columns instead of 9"),
    "start after end": ("\nchr1\tx\tCDS\t12\t1\t.\t+\t0\tID=g\n", r"a\.gff3:2: 12\.\.1 is not an interval"),
    "0-based": ("chr1\tx\tCDS\t0\t12\t.\t+\t0\tID=g\n", r"a\.gff3:1: 0\.\.12 is not an interval.*1-based"),
    "no number": ("chr1\tx\tCDS\tone\t12\t.\t+\t0\tID=g\n", r"a\.gff3:1: one\.\.12 is not an interval"),
    "unknown strand": ("chr1\tx\tCDS\t1\t12\t.\tplus\t0\tID=g\n", r"a\.gff3:1: unknown strand 'plus'\. Use \+, - or"),
    "unknown contig": ("chrI\tx\tCDS\t1\t12\t.\t+\t0\tID=g\n", r"a\.gff3:1: contig 'chrI' is not in .* It has chr1"),
    "off the end": (
        "chr1\tx\tCDS\t232\t243\t.\t+\t0\tID=g\n",
        r"a\.gff3:1: chr1:232-243 is off the contig's end \(240 bases\)\. Is this the annotation of another assembly",
    ),
    "web page": ("<html>\n", r"a\.gff3:1: this is a web page"),
}


@pytest.mark.parametrize(("content", "pattern"), BAD_GFF.values(), ids=BAD_GFF)
def test_gff3(tmp_path, content, pattern):
    refused(tmp_path, pattern, FASTA, content)


def test_annotation_of_another_assembly(tmp_path):
    codes = np.random.default_rng(0).integers(0, 4, 30_000).astype(np.uint8)
    lines = [f"chr1\tx\tCDS\t{i * 900 + 1}\t{i * 900 + 600}\t.\t+\t0\tID=g{i}\n" for i in range(30)]
    pattern = r"a\.gff3: only \d+% of 30 CDS begin with a start and \d+% end .* the annotation of another assembly"
    refused(tmp_path, pattern, f">chr1\n{decode(codes)}\n", "".join(lines))


def test_shifted_annotation_of_the_real_genome(tmp_path):
    """The same genome, every feature 1 base off: what a wrong release looks like."""
    text = gzip.decompress(GENBANK.read_bytes()).decode()
    head, origin, sequence = text.partition("ORIGIN")
    sequence = sequence.replace("1 gcggccgccc", "1 cggccgcccg", 1)
    shifted = re.sub(
        r"^( {5}CDS +)(\d+)\.\.(\d+)$", lambda m: f"{m[1]}{int(m[2]) + 1}..{int(m[3]) + 1}", head, flags=re.M
    )
    shifted = re.sub(
        r"^( {5}CDS +complement\()(\d+)\.\.(\d+)\)$",
        lambda m: f"{m[1]}{int(m[2]) + 1}..{int(m[3]) + 1})", shifted, flags=re.M,
    )  # fmt: skip
    refused(tmp_path, r"a\.gbk: only [0-4]\d?% of 893 CDS begin", shifted + origin + sequence, name="a.gbk")


@pytest.mark.parametrize("name", ["a.fa.gz", "a.gbk.gz"])
@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_damaged_gzip(tmp_path, name, damage):
    whole = GENBANK.read_bytes() if "gbk" in name else gzip.compress((FASTA * 1).encode() + b"ACGT" * 9999, mtime=0)
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0xFF
    content = whole[: len(whole) * 2 // 3] if damage == "truncated" else bytes(flipped)
    refused(
        tmp_path, rf"{name}.*(damaged or truncated gzip|cannot be read as GenBank).*Fetch it again", content, name=name
    )


BAD_GENBANK = {
    "no record": ("hello\n", r"a\.gb:1: text before the first '>' header"),
    "empty": ("", r"a\.gb: the file holds no sequence"),
    "no sequence": (
        "LOCUS       X                    120 bp    DNA     linear   BCT 01-JAN-2000\nACCESSION   X\nVERSION     X.1\n"
        "FEATURES             Location/Qualifiers\n     CDS             1..12\nCONTIG      join(AE1.1:1..120)\n//\n",
        r"a\.gb: record X\.1 has no sequence\. Fetch it with its ORIGIN",
    ),
    "off the end": (
        "LOCUS       X                     12 bp    DNA     linear   BCT 01-JAN-2000\nACCESSION   X\nVERSION     X.1\n"
        "FEATURES             Location/Qualifiers\n     CDS             1..15\nORIGIN\n        1 atggctaaat ga\n//\n",
        r"X\.1:15: CDS ends off the contig \(12 bases\)",
    ),
}


@pytest.mark.parametrize(("content", "pattern"), BAD_GENBANK.values(), ids=BAD_GENBANK)
def test_genbank(tmp_path, content, pattern):
    refused(tmp_path, pattern, content, name="a.gb")


def test_truncated_plain_genbank(tmp_path):
    text = gzip.decompress(GENBANK.read_bytes())
    for size in (len(text) // 4, len(text) - 1000):
        refused(tmp_path, r"a\.gbk: cannot be read as GenBank \(.*\)\. Fetch it again", text[:size], name="a.gbk")


def test_genbank_with_two_records_of_one_name(tmp_path):
    one = (
        "LOCUS       X                     12 bp    DNA     linear   BCT 01-JAN-2000\nACCESSION   X\nVERSION     X.1\n"
        "FEATURES             Location/Qualifiers\nORIGIN\n        1 atggctaaat ga\n//\n"
    )
    refused(tmp_path, r"a\.gb: contig X\.1 is there twice", one + one, name="a.gb")


def test_genbank_with_a_separate_annotation(tmp_path):
    refused(
        tmp_path, "a.gff3: a GenBank file brings its own annotation. Leave it out", "LOCUS       X\n", GENE, name="a.gb"
    )


def test_wrong_checksum(tmp_path):
    refused(tmp_path, r"a\.fa: sha256 is [0-9a-f]{64}, expected 0{64}\. The file is damaged", FASTA, sha256="0" * 64)


def test_unknown_genetic_code(tmp_path):
    refused(tmp_path, r"genetic_code: there is no genetic code 7\. NCBI's are \[1, 2, 3", FASTA, genetic_code=7)


@pytest.mark.parametrize(
    ("region", "pattern"),
    [
        ({"start": 100, "end": 241}, r"chr1:101-241: region is off the contig\. It has 240 bases"),
        ({"start": 50, "end": 50}, r"chr1:51-50: region is off the contig"),
        ({"contig": "chr2", "start": 0, "end": 9}, r"genomes: region: no contig 'chr2'\. Known: chr1"),
    ],
)
def test_region(tmp_path, region, pattern):
    refused(tmp_path, pattern, FASTA, region=region)


def test_output_below_a_file(tmp_path):
    (tmp_path / "genome").write_text("in the way")
    with pytest.raises(InputError) as error:
        build(tmp_path, FASTA)
    check_message(error.value, r"genome: cannot write here \(File exists\)\. Check the path and its permissions")
    assert (tmp_path / "genome").read_text() == "in the way"


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ({"path": "nowhere/a.fa"}, r"genomes: path: nowhere/a\.fa: no such file\. Check the path"),
        ({"embedded": "clamydia_trachomatis"}, r"no embedded genome 'clamydia_trachomatis'\. Known: chlamydia_trach"),
        ({"ncbi": "GCF_1", "file": "b.gbff.gz"}, r"b\.gbff\.gz of GCF_1 was not found\. Download it .*DNALM_DATA"),
    ],
)
def test_source_that_is_not_there(monkeypatch, tmp_path, source, pattern):
    monkeypatch.setenv("DNALM_DATA", str(tmp_path))
    with pytest.raises(InputError) as error:
        resolve_source(source)
    check_message(error.value, pattern)


GENOMES = {"toy": {"embedded": "x"}}


@pytest.mark.parametrize(
    ("config", "pattern"),
    [
        ({"study": "s", "genomes": GENOMES, "split": {}}, r"config: unknown key split, did you mean splits\?"),
        ({"study": "s", "genomes": GENOMES, "splits": {"tset": 0.2}}, r"splits\.tset, did you mean test\?"),
        ({"study": "s", "genomes": GENOMES, "splits": {"test": 1.5}}, r"splits\.test: .* less than 1 \(got '1\.5'\)"),
        ({"study": "s", "genomes": {"toy": {"embeded": "x"}}}, r"embeded, did you mean embedded\?"),
        ({"study": "s", "genomes": {"toy": {}}}, r"give exactly one of embedded, path, ncbi, ensembl, ucsc and url"),
        (
            {"study": "s", "genomes": GENOMES, "splits": {"gap": 100}},
            r"config: splits\.gap is 100, it must be at least min\(pretrain\.window, 1000\) = 512\. config/README",
        ),
        ({"study": "../s", "genomes": GENOMES}, r"study: .*match pattern"),
    ],
)
def test_config(config, pattern):
    with pytest.raises(InputError) as error:
        load_study(config)
    check_message(error.value, pattern)


WELCOME = {
    "lower case": (f">chr1\n{SEQUENCE.lower()}\n", SEQUENCE),
    "lower case with a gap": (f">chr1\n{SEQUENCE.lower()}NN\n", SEQUENCE + "NN"),
    "CR LF": (f">chr1 with words\r\n{SEQUENCE[:60]}\r\n{SEQUENCE[60:]}\r\n", SEQUENCE),
    "no final newline": (f">chr1\n{SEQUENCE}", SEQUENCE),
    "IUPAC": (">chr1\nACGTRYKMSWBDHVN\n", "ACGTNNNNNNNNNNN"),
    "RNA": (">chr1\nACGU\n", "ACGT"),
    "shorter than a window": (">chr1\nAC\n", "AC"),
    "bgzip or gzip without a suffix": (gzip.compress(FASTA.encode()), SEQUENCE),
}


@pytest.mark.parametrize(("content", "expected"), WELCOME.values(), ids=WELCOME)
def test_unusual_but_good_input_works(tmp_path, content, expected):
    card = build(tmp_path, content)
    genome = load_genome(tmp_path / "genome")
    assert decode(genome.codes) == expected
    assert card["n"] == expected.upper().count("N")
    splits = pd.DataFrame(
        [("toy", "chr1", 0, len(expected), "test")], columns=["genome", "contig", "start", "end", "split"]
    )
    windows = tile_windows(genome, splits, 512)
    assert windows[["start", "end"]].to_numpy().tolist() == [[0, len(expected)]]


def test_gff3_with_cr_lf_comments_and_a_good_gene_works(tmp_path):
    card = build(tmp_path, FASTA, "##gff-version 3\r\n#!x\r\n\r\n" + GENE.replace("\n", "\r\n"))
    assert card["cds"]["total"] == 1
    assert card["cds"]["start_share"] == card["cds"]["stop_share"] == 1.0
