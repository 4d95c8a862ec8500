"""GTF and BED12 by hand: dialects of Ensembl, NCBI and UCSC, stop codons, genes that the file does not have, errors."""

import json
import re

import pytest
from Bio.Seq import Seq

from dnalm.annotation.features import coding_sequences, features_table
from dnalm.annotation.files import AnnotationFile
from dnalm.errors import InputError

LENGTHS = {"1": 1000, "X": 1000}
ENSEMBL = """\
#!genome-build R64-1-1
1	ensembl	gene	101	400	.	+	.	gene_id "G1"; gene_version "1"; gene_name "ab; c";
1	ensembl	transcript	101	400	.	+	.	gene_id "G1"; transcript_id "T1"; transcript_biotype "protein_coding";
1	ensembl	exon	101	150	.	+	.	gene_id "G1"; transcript_id "T1"; exon_number "1";
1	ensembl	CDS	111	150	.	+	0	gene_id "G1"; transcript_id "T1"; exon_number "1"; protein_id "P1";
1	ensembl	start_codon	111	113	.	+	0	gene_id "G1"; transcript_id "T1";
1	ensembl	exon	201	400	.	+	.	gene_id "G1"; transcript_id "T1"; exon_number "2";
1	ensembl	CDS	201	301	.	+	2	gene_id "G1"; transcript_id "T1"; exon_number "2";
1	ensembl	stop_codon	302	304	.	+	0	gene_id "G1"; transcript_id "T1";
1	ensembl	five_prime_utr	101	110	.	+	.	gene_id "G1"; transcript_id "T1";
1	ensembl	gene	501	700	.	-	.	gene_id "G2"; gene_biotype "lncRNA";
1	ensembl	transcript	501	700	.	-	.	gene_id "G2"; transcript_id "T2"; transcript_biotype "lncRNA";
1	ensembl	exon	501	700	.	-	.	gene_id "G2"; transcript_id "T2";
"""
UCSC = """\
X	ncbiRefSeq	stop_codon	101	103	0	-	.	gene_id "NM_1"; transcript_id "NM_1";
X	ncbiRefSeq	CDS	104	120	0	-	2	gene_id "NM_1"; transcript_id "NM_1";
X	ncbiRefSeq	exon	91	120	0	-	.	gene_id "NM_1"; transcript_id "NM_1";
X	ncbiRefSeq	CDS	201	210	0	-	0	gene_id "NM_1"; transcript_id "NM_1";
X	ncbiRefSeq	exon	201	240	0	-	.	gene_id "NM_1"; transcript_id "NM_1";
"""


def read(tmp_path, text, lengths=LENGTHS, name="anything.gff"):
    (tmp_path / name).write_text(text)
    file = AnnotationFile(tmp_path / name)
    return file.kind, features_table(file.rows(lengths))


def coding(table):
    return [tuple(r) for r in table.loc[table["type"] == "CDS", ["start", "end", "phase"]].itertuples(index=False)]


def test_ensembls_hierarchy_and_stop_codon(tmp_path):
    kind, table = read(tmp_path, ENSEMBL)
    assert kind == "gtf"
    assert coding(table) == [(110, 150, 0), (200, 304, 2)]
    rows = table.set_index("id")
    assert rows.loc["T1", ["type", "parent", "start", "end"]].tolist() == ["mRNA", "G1", 100, 400]
    assert rows.loc["G1", "type"] == "gene" and rows.loc["T2", "type"] == "lncRNA"
    assert json.loads(rows.loc["G1", "attributes"])["gene"] == "ab; c"
    assert sorted(table["type"]) == [
        "CDS", "CDS", "exon", "exon", "exon", "five_prime_UTR", "gene", "gene", "lncRNA", "mRNA",
    ]  # fmt: skip
    cds = coding_sequences(table, LENGTHS)
    assert cds[["start", "end", "parts", "partial", "pseudo"]].to_numpy().tolist() == [[110, 304, 2, False, False]]


def test_genes_and_transcripts_that_ucsc_does_not_write_are_made(tmp_path):
    _, table = read(tmp_path, UCSC)
    assert coding(table) == [(100, 120, 2), (200, 210, 0)]
    rows = table[table["type"].isin(["gene", "mRNA"])].set_index("type")
    assert rows.loc["gene", ["id", "start", "end", "strand"]].tolist() == ["gene:NM_1", 90, 240, "-"]
    assert rows.loc["mRNA", ["id", "parent", "start", "end"]].tolist() == ["NM_1", "gene:NM_1", 90, 240]


@pytest.mark.parametrize("strand", "+-")
@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_stop_codon_that_an_intron_cuts(tmp_path, strand, cut):
    """Oracle: the parts put together spell the protein that was planted."""
    gene = "ATGGCTGCTTAA"
    first, second = (gene[: 9 + cut], gene[9 + cut :]) if cut < 3 else (gene[:9], gene[9:])
    text = "CC" + first + "GTAAAAAAAAAAAAAAAAAAAAAG" + second + "CC"
    borders = [2, 2 + len(first), 26 + len(first), 26 + len(gene)]
    whole = [(borders[0], min(borders[1], 11)), (borders[2], borders[3])]
    cds, stops = [(2, 11)], [(11, 2 + len(first)), whole[1]]
    if strand == "-":
        text = str(Seq(text).reverse_complement())
        cds, stops = ([(len(text) - b, len(text) - a) for a, b in spans] for spans in (cds, stops))
    line = "c\tx\t{}\t{}\t{}\t.\t" + strand + '\t0\tgene_id "g"; transcript_id "t";\n'
    rows = [("CDS", *span) for span in cds] + [("stop_codon", *span) for span in stops if span[0] < span[1]]
    _, table = read(tmp_path, "".join(line.format(k, a + 1, b) for k, a, b in rows), {"c": len(text)})
    parts = coding(table)
    spliced = Seq("".join(text[a:b] for a, b, _ in parts))
    assert (spliced if strand == "+" else spliced.reverse_complement()) == gene
    ordered, done = (parts if strand == "+" else parts[::-1]), 0
    for start, end, phase in ordered:
        assert (done + phase) % 3 == 0
        done += end - start


def test_a_transcript_at_two_places_stays_two(tmp_path):
    line = '1\tx\t{}\t{}\t{}\t.\t+\t0\tgene_id "g"; transcript_id "t";\n'
    places = [(101, 112), (501, 512)]
    text = "".join(line.format(kind, a, b) for a, b in places for kind in ("transcript", "exon", "CDS"))
    _, table = read(tmp_path, text)
    assert coding_sequences(table, LENGTHS)[["start", "end", "parts"]].to_numpy().tolist() == [
        [100, 112, 1], [500, 512, 1],
    ]  # fmt: skip
    assert table.loc[table["type"] == "mRNA", "id"].is_unique


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ('gene_biotype "transcribed_pseudogene"', {"pseudo"}), ('pseudo "true"', {"pseudo"}),
        ('tag "basic"; tag "cds_end_NF"', {"partial"}), ('partial "true"', {"partial"}), ('tag "basic"', set()),
    ],
)  # fmt: skip
def test_what_is_no_whole_gene(tmp_path, facts, expected):
    _, table = read(tmp_path, f'1\tx\tCDS\t1\t12\t.\t+\t0\tgene_id "g"; transcript_id "t"; {facts};\n')
    row = coding_sequences(table, LENGTHS).iloc[0]
    assert {key for key in ("pseudo", "partial") if row[key]} == expected


LINE = "1\tx\tCDS\t{}\t{}\t.\t{}\t0\t{}\n"
IDS = 'gene_id "g"; transcript_id "t";'
BAD = {
    "eight columns": (LINE.format(1, 9, "+", IDS) + "1\tx\tCDS\t1\t9\t.\t+\t0\n", r":2: 8 columns instead of 9\. GTF"),
    "no transcript": (LINE.format(1, 9, "+", 'gene_id "g";'), r":1: CDS without transcript_id\. GTF has"),
    "no gene": ('1\tx\tgene\t1\t9\t.\t+\t0\tgene_name "g"; transcript_id "t"\n', r":1: a gene without gene_id"),
    "start after end": (LINE.format(9, 1, "+", IDS), r":1: 9\.\.1 is not an interval"),
    "strand": (LINE.format(1, 9, "up", IDS), r":1: unknown strand 'up'"),
    "off the end": (LINE.format(990, 1100, "+", IDS), r":1: 1:990-1100 is off the contig's end \(1000 bases\)"),
}


@pytest.mark.parametrize(("text", "pattern"), BAD.values(), ids=BAD)
def test_broken_lines_are_named(tmp_path, text, pattern):
    with pytest.raises(InputError, match=r"anything\.gff" + pattern) as error:
        read(tmp_path, text)
    assert error.value.next_step


BED = "1\t100\t400\tt1\t0\t+\t110\t304\t0\t2\t50,200,\t0,100,\n"


def test_blocks_are_exons_and_thick_is_coding(tmp_path):
    kind, table = read(tmp_path, "track name=x\n" + BED)
    assert kind == "bed"
    assert coding(table) == [(110, 150, 0), (200, 304, 2)]
    assert table.loc[table["type"] == "exon", ["start", "end"]].to_numpy().tolist() == [[100, 150], [200, 400]]


def test_transcripts_with_common_coding_bases_are_one_gene(tmp_path):
    other = BED.replace("t1", "t2").replace("\t50,200,", "\t50,150,").replace("\t400\t", "\t350\t")
    minus, silent = BED.replace("t1", "t3").replace("+", "-"), BED.replace("t1", "t4").replace("110\t304", "100\t100")
    _, table = read(tmp_path, BED + other + minus + silent + BED)
    genes = table[table["type"].isin(["mRNA", "transcript"])].set_index("id")["parent"].to_dict()
    assert genes["t1"] == genes["t2"] == genes["t1#5"] and len({genes["t1"], genes["t3"], genes["t4"]}) == 3
    assert set(genes.values()) == set(table.loc[table["type"] == "gene", "id"])


def test_columns_of_gffread_name_genes_and_say_what_is_coding(tmp_path):
    marked = BED.rstrip("\n") + "\tCDS=110:304;CDSphase=0;geneID=g7\n"
    _, table = read(tmp_path, marked + BED.replace("t1", "rna").replace("110\t304", "100\t400"))
    assert coding(table) == [(110, 150, 0), (200, 304, 2)]
    assert table.set_index("id").loc["t1", "parent"] == "g7"


BAD_BED = {
    "six columns": ("1\t100\t400\tt1\t0\t+\n", r":1: 6 columns instead of 12\. Gene models need BED12"),
    "no number": (BED.replace("50,200", "50,x"), r":1: a column that is no number\. BED12 has"),
    "blocks": (BED.replace("\t2\t", "\t3\t"), r":1: blocks that are not count, sizes and starts"),
    "block off": (BED.replace("50,200,", "50,100,"), r":1: blocks or thick ends do not fit"),
    "off the end": (BED.replace("0,100,", "0,900,").replace("400", "1200"), r":1: 1:101-1200 is off the contig's end"),
}


@pytest.mark.parametrize(("text", "pattern"), BAD_BED.values(), ids=BAD_BED)
def test_broken_blocks_are_named(tmp_path, text, pattern):
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert re.search(pattern, str(error.value)) and error.value.next_step
