"""Genes across the origin of a circular contig, the same from GFF3, GTF and BED12."""

import pandas as pd
import pytest

from dnalm.annotation.features import coding_sequences
from dnalm.annotation.files import AnnotationFile
from dnalm.errors import InputError
from dnalm.genomes.build import build_genome
from dnalm.io.fetch import resolve_source

LENGTH = 2000
#: Coding parts, 1-based, counted on behind the end; what they are on the circle of 2000 bases, 0-based half-open.
#: A part that begins behind the end is only written so by BED12, whose blocks follow each other.
GENES = {
    "one part": ([(1901, 2100)], [(0, 100), (1900, 2000)]),
    "second part behind the end": ([(1801, 1900), (2051, 2150)], [(50, 150), (1800, 1900)]),
    "second part ends at the end": ([(1801, 1850), (1901, 2000)], [(1800, 1850), (1900, 2000)]),
    "two parts, the second across": ([(1701, 1790), (1902, 2061)], [(0, 61), (1700, 1790), (1901, 2000)]),
}


def gff3(parts, strand):
    start, end = parts[0][0], parts[-1][1]
    rows = [
        f"c\tx\tgene\t{start}\t{end}\t.\t{strand}\t.\tID=g",
        f"c\tx\tmRNA\t{start}\t{end}\t.\t{strand}\t.\tID=t;Parent=g",
    ]
    return "\n".join([*rows, *(f"c\tx\tCDS\t{a}\t{b}\t.\t{strand}\t.\tID=p;Parent=t" for a, b in parts), ""])


def phases(parts, strand):
    """Phase of every part, counted base by base."""
    bases = [(i, at) for i, (a, b) in enumerate(parts) for at in range(a, b + 1)]
    bases = bases if strand == "+" else bases[::-1]
    first = {}
    for number, (part, _) in enumerate(bases):
        first.setdefault(part, -number % 3)
    return [first[i] for i in range(len(parts))]


def gtf(parts, strand, said=True):
    known = phases(parts, strand) if said else ["."] * len(parts)
    names = 'gene_id "g"; transcript_id "t";'
    return "".join(f"c\tx\tCDS\t{a}\t{b}\t.\t{strand}\t{p}\t{names}\n" for (a, b), p in zip(parts, known, strict=True))


def bed(parts, strand):
    start, end = parts[0][0] - 1, parts[-1][1]
    sizes, starts = (",".join(map(str, n)) for n in ([b - a + 1 for a, b in parts], [a - 1 - start for a, _ in parts]))
    return f"c\t{start}\t{end}\tt\t0\t{strand}\t{start}\t{end}\t0\t{len(parts)}\t{sizes},\t{starts},\n"


FORMATS = {"gff3": gff3, "gtf": gtf, "gtf without phases": lambda *gene: gtf(*gene, said=False), "bed": bed}


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize(
    ("form", "gene"),
    [(form, gene) for form in FORMATS for gene in GENES if form == "bed" or "behind" not in gene],
)
def test_parts_and_phases_are_those_on_the_circle(tmp_path, form, gene, strand):
    """Oracle: every base of the coding sequence, one by one, has the place in its codon that its phase says."""
    parts, expected = GENES[gene]
    (tmp_path / "a").write_text(FORMATS[form](parts, strand))
    features = AnnotationFile(tmp_path / "a").rows({"c": LENGTH}, circular=True)
    cds = features[features["type"] == "CDS"].sort_values("start")
    assert list(cds[["start", "end"]].itertuples(index=False, name=None)) == expected
    in_codon = {}
    bases = [at for a, b in parts for at in range(a - 1, b)]
    for number, at in enumerate(bases if strand == "+" else bases[::-1]):
        in_codon[at % LENGTH] = number % 3
    for row in cds.itertuples(index=False):
        first = row.start if strand == "+" else row.end - 1
        assert in_codon[first] == -row.phase % 3


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("form", FORMATS)
def test_one_coding_sequence_crosses_the_origin(tmp_path, form, strand):
    (tmp_path / "c.fa").write_text(">c\n" + "ACGT" * 500 + "\n")
    (tmp_path / "a").write_text(FORMATS[form]([(1901, 2100)], strand))
    source = {"path": str(tmp_path / "c.fa"), "annotation": str(tmp_path / "a"), "circular": True, "genetic_code": 11}
    card = build_genome("g", resolve_source(source), source, tmp_path / "g")
    assert card["cds"]["crosses_origin"] == 1 and card["cds"]["joined"] == 0
    (cds,) = coding_sequences(pd.read_parquet(tmp_path / "g/features.parquet"), {"c": LENGTH}).itertuples()
    assert (cds.start, cds.end, cds.strand, cds.parts) == (1900, 2100, strand, 1)
    source["circular"] = False
    with pytest.raises(InputError, match=r"a:\d: c:1901-2100 is off the contig's end \(2000 bases\)"):
        build_genome("g", resolve_source(source), source, tmp_path / "h")


def test_genes_and_rna_are_cut_too(tmp_path):
    names = 'gene_id "g"; transcript_id "t"; transcript_biotype "rRNA";'
    (tmp_path / "a").write_text(
        "".join(f"c\tx\t{kind}\t1901\t2100\t.\t+\t.\t{names}\n" for kind in ("transcript", "exon"))
    )
    features = AnnotationFile(tmp_path / "a").rows({"c": LENGTH}, circular=True)
    assert sorted(features[["type", "start", "end"]].itertuples(index=False, name=None)) == [
        (kind, *span) for kind in ("exon", "gene", "rRNA") for span in ((0, 100), (1900, 2000))
    ]
