"""Faulty and odd genomes: each is built, and the log says what was done, or is refused with place and next step."""

import gzip
import io
import logging
import re
import time

import numpy as np
import pandas as pd
import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from Bio.SeqFeature import CompoundLocation, SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord

from dnalm.annotation.features import coding_sequences
from dnalm.errors import InputError
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source
from dnalm.sequence.alphabet import decode
from dnalm.sequence.splits import blocks_of, make_splits, place_in, read_splits
from dnalm.sequence.windows import tile_windows

GENE = "ATGGCTAAATGA"
TEXT = GENE * 20
FASTA = f">c\n{TEXT}\n"
CDS = "c\tx\tCDS\t{}\t{}\t.\t{}\t{}\t{}\n"
GOOD = CDS.format(1, 12, "+", 0, "ID=g")


def build(tmp_path, files, **source):
    """Build from {name: text or bytes}; the first file is the sequence, a second one the annotation."""
    paths = []
    for name, content in files.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content.encode() if isinstance(content, str) else content)
    source |= dict(zip(("path", "annotation"), map(str, paths), strict=False))
    return build_genome("odd", resolve_source(source), source, tmp_path / "genome")


REFUSED = {
    "protein": (
        {"a.fa": ">p\nMKLVEEDRINK\n"},
        r"a\.fa:2: '[A-Z]' is not a nucleotide letter; this looks like a protein",
    ),
    "FASTQ": (
        {"a.fa": "@read1\nACGT\n+\nIIII\n"},
        r"a\.fa:1: this is a FASTQ file of reads, not a genome\. Give an assemb",
    ),
    "header alone": ({"a.fa": ">\nACGT\n"}, r"a\.fa:1: a header without a name\. Write >name"),
    "duplicate names": (
        {"a.fa": ">c 1\nA\n>c 2\nA\n"},
        r"a\.fa:3: contig c is there twice \(first in line 1\)\. Rename",
    ),
    "gzip within gzip": ({"a.fa": gzip.compress(gzip.compress(FASTA.encode()))}, r"a\.fa: a gzip file within a gzip"),
    "ZIP": ({"a.fa": b"PK\x03\x04rest"}, r"a\.fa: this is a ZIP archive\. Unpack it"),
    "UTF-16": ({"a.fa": FASTA.encode("utf-16")}, r"a\.fa:1: text in UTF-16\. Save it as UTF-8"),
    "UTF-16 without mark": ({"a.fa": FASTA.encode("utf-16-le")}, r"a\.fa:1: text in UTF-16"),
    "Git LFS": (
        {"a.fa": "version https://git-lfs.github.com/spec/v1\n"},
        r"this is a pointer of Git LFS.* git lfs pull",
    ),
    "VCF": ({"a.fa": "##fileformat=VCFv4.2\n"}, r"a\.fa:1: this is a VCF file of variants\. Give the genome"),
    "SAM": ({"a.fa": "@SQ\tSN:c\tLN:9\n"}, r"a\.fa:1: this is a SAM file of aligned reads"),
    "annotation as sequence": (
        {"a.fa": "##gff-version 3\n" + GOOD},
        r"a\.fa: this is an annotation.* \(no ##FASTA\)\. .*`path`",
    ),
    "sequence as annotation": (
        {"a.fa": FASTA, "b": FASTA},
        r"b:1: this is a FASTA file, not an annotation\. Give GFF3",
    ),
    "swapped": ({"a.gff3": GOOD, "b.fa": FASTA}, r"b\.fa:1: this is a FASTA file, not an annotation"),
    "off the end": (
        {"a.fa": FASTA, "b": CDS.format(230, 241, "+", 0, "ID=g")},
        r"b:1: c:230-241 is off the contig's end",
    ),
    "negative": (
        {"a.fa": FASTA, "b": CDS.format(-5, 12, "+", 0, "ID=g")},
        r"b:1: -5\.\.12 is not an interval.* 1-based",
    ),
    "start > end": ({"a.fa": FASTA, "b": CDS.format(12, 1, "+", 0, "ID=g")}, r"b:1: 12\.\.1 is not an interval"),
    "8 columns": ({"a.fa": FASTA, "b": "c\tx\tCDS\t1\t12\t.\t+\t0\n"}, r"b:1: 8 columns instead of 9\. GFF3 has nine"),
    "spaces": (
        {"a.fa": FASTA, "b": "##gff-version 3\n" + GOOD.replace("\t", " ")},
        r"b:2: 1 columns.* spaces where tabs",
    ),
    "strand": ({"a.fa": FASTA, "b": CDS.format(1, 12, "*", 0, "ID=g")}, r"b:1: unknown strand '\*'\. Use \+, - or"),
    "a feature below itself": (
        {"a.fa": FASTA, "b": CDS.format(1, 12, "+", 0, "ID=g;Parent=g")},
        r"b:1: .*g below g\. Corr",
    ),
    "parents in a circle": (
        {
            "a.fa": FASTA,
            "b": GOOD + "".join(f"c\tx\tgene\t1\t9\t.\t+\t.\tID={a};Parent={b}\n" for a, b in ("xy", "yz", "zx")),
        },
        r"b:2: features that are their own ancestors: x below y below z below x\. Correct the Parent",
    ),
    "unknown contig": (
        {"a.fa": FASTA, "b": GOOD.replace("c\t", "chr9\t", 1)},
        r"b:1: contig 'chr9' is not in the sequence",
    ),
    "web page": ({"a.fa": FASTA, "b": "<!DOCTYPE html>\n"}, r"b:1: this is a web page, not a data file\. Fetch"),
    "truncated gzip": ({"a.fa": gzip.compress(FASTA.encode() * 9)[:-12]}, r"a\.fa:\d+: damaged or truncated gzip file"),
    "binary": ({"a.fa": bytes(range(256))}, r"a\.fa:1: text before the first '>' header"),
    "BED of intervals": ({"a.fa": FASTA, "b": "c\t0\t12\n"}, r"b:1: 3 columns instead of 12\. Gene models need BED12"),
}


@pytest.mark.parametrize(("files", "pattern"), REFUSED.values(), ids=REFUSED)
def test_refused_with_place_and_next_step(tmp_path, files, pattern):
    with pytest.raises(InputError) as error:
        build(tmp_path, files)
    assert re.search(pattern, str(error.value)), str(error.value)
    assert error.value.where and error.value.next_step and "\n" not in str(error.value)
    assert not list((tmp_path / "genome").rglob("*"))


def spans(table):
    return table[["start", "end", "parts"]].to_numpy().tolist()


ONE = [[0, 12, 1]]
BUILT = {
    "byte-order mark": ({"a.fa": b"\xef\xbb\xbf" + FASTA.encode()}, {"c": TEXT}, [], ""),
    "Mac line ends": (
        {"a.fa": FASTA.replace("\n", "\r"), "b": ("##gff-version 3\n" + GOOD).replace("\n", "\r")},
        {"c": TEXT},
        ONE,
        "",
    ),
    "CR LF": ({"a.fa": FASTA.replace("\n", "\r\n"), "b": GOOD.replace("\n", "\r\n")}, {"c": TEXT}, ONE, ""),
    "tabs in headers": ({"a.fa": f">c\tchromosome\t1\n{TEXT}\n", "b": GOOD}, {"c": TEXT}, ONE, ""),
    "blank lines and spaces": ({"a.fa": f"\n>c\n\n {TEXT[:7]} {TEXT[7:]}\n\n\n"}, {"c": TEXT}, [], ""),
    "RNA": ({"a.fa": f">c\n{TEXT.replace('T', 'U')}\n", "b": GOOD}, {"c": TEXT}, ONE, ""),
    "only N": (
        {"a.fa": f">c\n{TEXT}\n>n\n{'N' * 50}\n"},
        {"c": TEXT, "n": "N" * 50},
        [],
        "1 contigs hold no known base: n",
    ),
    "nothing but N": ({"a.fa": ">n\nNNNNNNNN\n"}, {"n": "N" * 8}, [], "1 contigs hold no known base: n"),
    "one base": ({"a.fa": f"{FASTA}>d\nA\n"}, {"c": TEXT, "d": "A"}, [], ""),
    "no soft mask": ({"a.fa": FASTA}, {"c": TEXT}, [], "no lower case: the sequence has no soft mask"),
    "all lower case": (
        {"a.fa": f">c\n{TEXT.lower()}\n", "b": GOOD},
        {"c": TEXT},
        ONE,
        "all letters are lower case: that is no",
    ),
    "ambiguity codes": ({"a.fa": ">c\nACGTRRyKN\n"}, {"c": "ACGTNNnNN"}, [], "models read as N: R 2, Y 1, K 1"),
    "twins": (
        {"a.fa": ">a\nAACCG\n>b\nCGGTT\n"},
        {"a": "AACCG", "b": "CGGTT"},
        [],
        "same sequence, or its reverse complement.*a = b",
    ),
    "no phases": (
        {"a.fa": FASTA, "b": CDS.format(1, 4, "+", ".", "ID=g") + CDS.format(9, 16, "+", ".", "ID=g")},
        {"c": TEXT},
        [[0, 16, 2]],
        "2 parts of 1 coding sequences have no phase; it was counted",
    ),
    "orphans": (
        {"a.fa": FASTA, "b": CDS.format(1, 12, "+", 0, "Parent=t1")},
        {"c": TEXT},
        ONE,
        r"1 parents are named and not there \(t1",
    ),
    "no strand": ({"a.fa": FASTA, "b": CDS.format(1, 12, "?", 0, "ID=g")}, {"c": TEXT}, ONE, ""),
    "trans-spliced": (
        {"a.fa": FASTA, "b": CDS.format(1, 12, "+", 0, "ID=g") + CDS.format(50, 61, "-", 0, "ID=g")},
        {"c": TEXT},
        [[0, 61, 2]],
        "",
    ),
    "several parents": (
        {"a.fa": FASTA, "b": CDS.format(1, 12, "+", 0, "Parent=t1,t2")},
        {"c": TEXT},
        ONE * 2,
        "2 parents are named",
    ),
    "GFF3 with its FASTA": ({"a.gff": f"##gff-version 3\n{GOOD}##FASTA\n{FASTA}"}, {"c": TEXT}, ONE, ""),
    "GFF3 with FASTA beside one": ({"a.fa": FASTA, "b": f"{GOOD}##FASTA\n>other\nAC\n"}, {"c": TEXT}, ONE, ""),
    "empty annotation": (
        {"a.fa": FASTA, "b": "##gff-version 3\n"},
        {"c": TEXT},
        [],
        "1 contigs have no annotation: c; 100.0 %",
    ),
    "GTF called GFF": (
        {
            "a.fa": FASTA,
            "b.gff": CDS.format(1, 9, "+", 0, 'gene_id "g"; transcript_id "t";')
            + CDS.format(10, 12, "+", 0, 'gene_id "g"; transcript_id "t";').replace("CDS", "stop_codon"),
        },
        {"c": TEXT},
        ONE,
        "",
    ),
    "escaped name": (
        {"a.fa": FASTA.replace(">c", ">c,1"), "b": GOOD.replace("c\t", "c%2C1\t", 1)},
        {"c,1": TEXT},
        ONE,
        "c%2C1 is c,1",
    ),
}


@pytest.mark.parametrize(("files", "contigs", "cds", "told"), BUILT.values(), ids=BUILT)
def test_built_and_told(tmp_path, caplog, files, contigs, cds, told):
    with caplog.at_level(logging.INFO):
        build(tmp_path, files)
    genome = load_genome(tmp_path / "genome")
    assert {name: decode(genome.contig_codes(name)) for name in genome.contigs["contig"]} == contigs
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    assert spans(coding_sequences(pd.read_parquet(tmp_path / "genome" / "features.parquet"), lengths)) == cds
    assert re.search(told, caplog.text), caplog.text


NAMES = ["gi|1|ref|NC_1.1|", "a:b", "a,b", "Müller", "x=y;z", "100%", 'q"uote"', "NA", "1", "@at", "(p)", "~", "a/b"]


def test_names_with_odd_letters_go_through_files_splits_and_windows(tmp_path):
    fasta = "".join(f">{name} words\n{TEXT * 20}\n" for name in NAMES)
    rows = "".join(GOOD.replace("c\t", f"{name}\t", 1).replace("ID=g", f"ID=g{i}") for i, name in enumerate(NAMES))
    build(tmp_path, {"a.fa": fasta, "b.gff3": rows})
    genome = load_genome(tmp_path / "genome")
    assert genome.contigs["contig"].tolist() == NAMES
    features = pd.read_parquet(tmp_path / "genome" / "features.parquet")
    assert features["contig"].tolist() == NAMES
    settings = {"by": "contig", "test": 0.2, "validation": 0.2, "gap": 100, "block": 1000}
    splits = make_splits([genome], settings, 1)
    splits.to_csv(tmp_path / "s.tsv", sep="\t", index=False)
    assert read_splits(tmp_path / "s.tsv")["contig"].tolist() == NAMES
    assert set(tile_windows(genome, splits, 512)["contig"]) == set(NAMES)


def flat_file(form):
    """A circular record with a gene across its origin, as Biopython writes it."""
    record = SeqRecord(Seq("TAAATAAC" + "C" * 92 + "ATGGC"), id="R1.1", name="R1")
    record.annotations |= {"molecule_type": "DNA", "topology": "circular"}
    join = CompoundLocation([SimpleLocation(100, 105, 1), SimpleLocation(0, 7, 1)])
    record.features = [
        SeqFeature(SimpleLocation(0, 105), "source", qualifiers={"organelle": ["mitochondrion"]}),
        SeqFeature(join, "CDS", qualifiers={"transl_table": ["4"]}),
    ]
    text = io.StringIO()
    SeqIO.write(record, text, form)
    return record, text.getvalue()


@pytest.mark.parametrize("form", ["genbank", "embl"])
def test_flat_files_with_a_gene_across_the_origin(tmp_path, form):
    record, text = flat_file(form)
    card = build(tmp_path, {"a.txt": text})
    genome = load_genome(tmp_path / "genome")
    assert decode(genome.codes) == str(record.seq)
    assert (card["circular"], card["genetic_code"], card["roles"]) == (True, 4, {"organelle": 1})
    assert (card["cds"]["crosses_origin"], card["cds"]["start_share"], card["cds"]["stop_share"]) == (1, 1.0, 1.0)


@pytest.mark.parametrize("form", ["genbank", "embl"])
def test_flat_files_as_annotations_of_a_fasta_file(tmp_path, form):
    record, text = flat_file(form)
    card = build(tmp_path, {"a.fa": f">chrM\n{record.seq}\n", "b.txt": text})
    assert (card["circular"], card["cds"]["crosses_origin"], card["cds"]["start_share"]) == (True, 1, 1.0)
    assert [c["genetic_code"] for c in card["contigs"]] == [4]
    with pytest.raises(InputError, match=r"b\.txt:1: contig 'R1\.1' is not in the sequence"):
        build(tmp_path, {"a.fa": ">other\nACGT\n", "b.txt": text})


@pytest.mark.parametrize(
    "rows",
    [CDS.format(101, 112, "+", 0, "ID=g"), CDS.format(101, 105, "+", 0, "ID=g") + CDS.format(1, 7, "+", 1, "ID=g")],
)
def test_both_styles_of_gff3_across_the_origin(tmp_path, rows):
    record, _ = flat_file("genbank")
    region = "c\tx\tregion\t1\t105\t.\t+\t.\tID=c;Is_circular=true\n"
    card = build(tmp_path, {"a.fa": f">c\n{record.seq}\n", "b.gff3": region + rows})
    assert (card["cds"]["crosses_origin"], card["cds"]["start_share"], card["cds"]["stop_share"]) == (1, 1.0, 1.0)


def test_a_hundred_thousand_contigs_take_seconds(tmp_path):
    """In CPU time: what was quadratic took an hour."""
    count, rng = 100_000, np.random.default_rng(0)
    letters = decode(rng.integers(0, 4, 30 * count).astype(np.uint8))
    names = [f"scaffold_{i}" for i in range(count)]
    fasta = "".join(f">{name}\n{letters[30 * i : 30 * i + 30 - i % 7]}\n" for i, name in enumerate(names))
    rows = "".join(f"Scaffold_{i}\tx\tgene\t1\t12\t.\t+\t.\tID=g{i}\n" for i in range(0, count, 10))
    begin = time.process_time()
    card = build(tmp_path, {"a.fa": fasta, "b.gff3": rows}, min_length=25, leave_out=["scaffold_1"])
    genome = load_genome(tmp_path / "genome")
    assert len(genome.contigs) == sum(30 - i % 7 >= 25 for i in range(count)) - 1
    assert card["features"] == {"gene": sum(30 - i % 7 >= 25 for i in range(0, count, 10))}
    splits = make_splits([genome], {"by": "contig", "test": 0.2, "validation": 0.1, "gap": 0, "block": 1000}, 1)
    assert len(tile_windows(genome, splits, 512)) == len(genome.contigs)
    whole = genome.contigs.assign(start=0, end=genome.contigs["length"])
    for split in ("train", "test"):
        blocks = blocks_of(splits, genome, split)
        overlaps, inside = place_in(whole, blocks)
        assert (overlaps == whole["contig"].isin(blocks["contig"])).all() and (overlaps == inside).all()
    assert time.process_time() - begin < 60
