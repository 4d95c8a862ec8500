"""Transcripts from the dialects of GFF3, their checks, and the choice of one per locus."""

import logging

import numpy as np
import pandas as pd
import pytest
from Bio.Seq import Seq
from helpers.genomes import genome_of
from helpers.structures import feature_rows, planted_introns

from dnalm.annotation.features import coding_sequences, features_table, read_gff3
from dnalm.annotation.transcripts import coding_codes, coding_places, intron_kinds, read_transcripts, structure_keys
from dnalm.sequence.alphabet import decode, encode, reverse_complement

#: A gene of three exons with introns of 20 bases, phases 0, 2, 1 as GFF3 has them.
EXONS = ["ATGGCTGCTGCTG", "CTGCTGCTGCTGC", "TGCTGCTTAA"]
INTRON = "GTATGT" + "T" * 11 + "CAG"
GENE = INTRON.join(EXONS)
LEFT, RIGHT = "C" * 30, "C" * 40
TEXT = LEFT + GENE + RIGHT
SPANS = [(30, 43), (63, 76), (96, 106)]
PHASES = [0, 2, 1]


def text_with(**changes):
    """TEXT with letters replaced: place=letters."""
    letters = list(TEXT)
    for place, new in changes.items():
        letters[int(place[1:]) : int(place[1:]) + len(new)] = new
    return "".join(letters)


def genome(text=TEXT, strand="+", circular=False):
    return genome_of(text if strand == "+" else decode(reverse_complement(encode(text))), circular=circular, code=1)


def cds_lines(strand, attributes, phases=PHASES, spans=SPANS, kind="CDS"):
    """GFF3 lines of coding parts; ``attributes`` once or for each part."""
    size, lines = len(TEXT), []
    several = attributes if isinstance(attributes, list) else [attributes] * len(spans)
    for (a, b), phase, text in zip(spans, phases, several, strict=True):
        low, high = (a, b) if strand == "+" else (size - b, size - a)
        shown = phase if kind == "CDS" else "."
        lines.append(f"c0\tx\t{kind}\t{low + 1}\t{high}\t.\t{strand}\t{shown}\t{text}")
    return lines


def line(kind, attributes, strand, a=30, b=106):
    return cds_lines(strand, attributes, [0], [(a, b)], kind)[0]


def table_of(tmp_path, lines, text=TEXT, strand="+", circular=False, **options):
    path = tmp_path / "a.gff3"
    path.write_text("##gff-version 3\n" + "\n".join(lines) + "\n")
    g = genome(text, strand, circular)
    rows = read_gff3(path, {"c0": len(text)}, {"c0"} if circular else set())
    return read_transcripts(g, features_table(rows), **options)


DIALECTS = {
    "RefSeq": lambda s: [
        line("gene", "ID=gene-Y1;gene_biotype=protein_coding;partial=true", s, 25, 110),
        line("mRNA", "ID=rna-1;Parent=gene-Y1;partial=true", s, 25, 110),
        *cds_lines(s, "ID=exon-1;Parent=rna-1", spans=[(25, 43), (63, 76), (96, 110)], kind="exon"),
        *cds_lines(s, "ID=cds-1;Parent=rna-1;protein_id=x"),
    ],
    "WormBase": lambda s: [
        line("gene", "ID=Gene:W1", s, 25, 110), line("mRNA", "ID=Transcript:a;Parent=Gene:W1", s, 25, 110),
        line("mRNA", "ID=Transcript:b;Parent=Gene:W1", s, 28, 110),
        *cds_lines(s, "Parent=Transcript:a", spans=[(25, 43), (63, 76), (96, 110)], kind="exon"),
        *cds_lines(s, "Parent=Transcript:b", spans=[(28, 43), (63, 76), (96, 110)], kind="exon"),
        *cds_lines(s, "ID=CDS:a;Parent=Transcript:a,Transcript:b"),
        *cds_lines(s, "Name=RNASeq intron", spans=[(43, 63)], phases=[0], kind="intron"),
    ],
    "TAIR": lambda s: [
        line("gene", "ID=AT1;Name=AT1", s, 25, 110), line("mRNA", "ID=AT1.1;Parent=AT1", s, 25, 110),
        line("protein", "ID=AT1.1-Protein;Derives_from=AT1.1", s),
        *cds_lines(s, "Parent=AT1.1", spans=[(25, 30)], phases=[0], kind="five_prime_UTR"),
        *cds_lines(s, "Parent=AT1.1", spans=[(25, 43), (63, 76), (96, 110)], kind="exon"),
        *cds_lines(s, "Parent=AT1.1,AT1.1-Protein;"),
    ],
    "FlyBase": lambda s: [
        line("gene", "ID=FBgn1", s, 25, 110), line("mRNA", "ID=FBtr1;Parent=FBgn1", s, 25, 110),
        line("mRNA", "ID=FBtr2;Parent=FBgn1", s, 25, 110),
        *cds_lines(s, ["Parent=FBtr1,FBtr2", "Parent=FBtr1", "Parent=FBtr1,FBtr2"]),
        *cds_lines(s, "Parent=FBtr2", spans=[(63, 76)], phases=[2]),
        *cds_lines(s, "Parent=FBtr1,FBtr2", spans=[(25, 43), (63, 76), (96, 110)], kind="exon"),
    ],
    "SGD": lambda s: [line("gene", "ID=YAL1", s), *cds_lines(s, "Parent=YAL1;Name=YAL1;")],
    "no exon rows": lambda s: [
        line("gene", "ID=g", s, 25, 110), line("mRNA", "ID=t;Parent=g", s, 25, 110), *cds_lines(s, "Parent=t"),
        *cds_lines(s, "Parent=t", spans=[(25, 30)], phases=[0], kind="five_prime_UTR"),
        *cds_lines(s, "Parent=t", spans=[(106, 110)], phases=[0], kind="three_prime_UTR"),
    ],
    "an ID for each part": lambda s: [
        line("gene", "ID=g", s), line("mRNA", "ID=t;Parent=g", s),
        *cds_lines(s, [f"ID=t.CDS.{i};Parent=t" for i in range(3)]),
    ],
    "one ID and no parent": lambda s: cds_lines(s, "ID=cds-1;locus_tag=L1"),
}  # fmt: skip


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_tells_the_same_gene(tmp_path, dialect, strand):
    table = table_of(tmp_path, DIALECTS[dialect](strand), strand=strand)
    chosen = table[table["role"] == "chosen"]
    assert len(chosen) == 1 and set(table["role"]) <= {"chosen", "alternative"}
    assert table["locus"].nunique() == 1 and (table["problem"] == "").all()
    row, size = chosen.iloc[0], len(TEXT)
    spans = SPANS if strand == "+" else [(size - b, size - a) for a, b in SPANS[::-1]]
    assert list(zip(row["cds_starts"], row["cds_ends"], strict=True)) == spans
    assert row["cds_phases"].tolist() == (PHASES if strand == "+" else PHASES[::-1])
    assert (row["start"], row["end"], row["strand"]) == (spans[0][0], spans[-1][1], strand)
    wide = dialect not in ("SGD", "an ID for each part", "one ID and no parent")
    outer = [25, 110] if strand == "+" else [size - 110, size - 25]
    assert [row["exon_starts"][0], row["exon_ends"][-1]] == (outer if wide else [row["start"], row["end"]])
    assert len(row["exon_starts"]) == 3
    assert decode(coding_codes(genome(strand=strand).codes, row)) == "".join(EXONS)


def test_two_coding_sequences_below_one_gene_stay_two(tmp_path):
    lines = [line("gene", "ID=g", "+"), *cds_lines("+", "ID=a;Parent=g")]
    lines += cds_lines("+", "ID=b;Parent=g", spans=[(30, 43), (96, 106)], phases=[0, 2])
    table = table_of(tmp_path, lines)
    assert sorted(table["id"]) == ["a", "b"] and set(table["locus"]) == {"g"}
    assert table.set_index("id")["role"].to_dict() == {"a": "chosen", "b": "alternative"}
    assert table.set_index("id")["exon_starts"].map(len).to_dict() == {"a": 3, "b": 2}


PROBLEMS = {
    "start codon": (text_with(p30="TTG"), {}),
    "stop codon": (text_with(p103="TCA"), {}),
    "stop codon inside": (text_with(p36="TAA"), {}),
    "splice sites": (text_with(p43="CT"), {}),
    "splice sites: acceptor": (text_with(p61="AC"), {}),
    "unknown bases": (text_with(p37="N"), {}),
    "phases": (TEXT, {"phases": [0, 1, 1]}),
    "not a multiple of three": (TEXT, {"spans": [(30, 43), (63, 76), (96, 105)]}),
    "intron too short": (TEXT, {"spans": [(30, 43), (44, 62), (63, 76)], "phases": [0, 2, 2]}),
    "partial": (TEXT, {"attributes": "ID=c;Parent=t;partial=true"}),
    "pseudogene": (TEXT, {"attributes": "ID=c;Parent=t;pseudo=true"}),
}


@pytest.mark.parametrize("strand", ["+", "-"])
@pytest.mark.parametrize("problem", PROBLEMS)
def test_a_transcript_that_cannot_be_is_kept_with_its_problem(tmp_path, caplog, problem, strand):
    text, options = PROBLEMS[problem]
    lines = [line("mRNA", "ID=t;Parent=g", strand), *cds_lines(strand, **{"attributes": "ID=c;Parent=t", **options})]
    with caplog.at_level(logging.INFO):
        table = table_of(tmp_path, lines, text, strand)
    expected = problem.partition(":")[0]
    assert table[["problem", "role"]].to_numpy().tolist() == [[expected, "excluded"]]
    assert f"1 loci teach nothing: {expected} 1" in caplog.text


@pytest.mark.parametrize(("donor", "acceptor"), [("GT", "AG"), ("GC", "AG"), ("AT", "AC")])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_three_kinds_of_introns_are_right_and_counted(tmp_path, caplog, donor, acceptor, strand):
    text = text_with(p43=donor, p61=acceptor)
    lines = [line("mRNA", "ID=t;Parent=g", strand), *cds_lines(strand, "Parent=t")]
    with caplog.at_level(logging.INFO):
        table = table_of(tmp_path, lines, text, strand)
    kinds = intron_kinds(genome(text, strand).codes, table.iloc[0])
    assert sorted(kinds) == sorted([f"{donor}-{acceptor}", "GT-AG"])
    assert table["role"].item() == "chosen"
    assert f"{donor}-{acceptor}" in caplog.text.partition("splice sites: ")[2]


def test_the_shortest_intron_is_a_setting(tmp_path):
    lines = [line("mRNA", "ID=t;Parent=g", "+"), *cds_lines("+", "Parent=t")]
    assert table_of(tmp_path, lines, min_intron=20)["problem"].item() == ""
    assert table_of(tmp_path, lines, min_intron=21)["problem"].item() == "intron too short"


@pytest.mark.parametrize(
    ("first", "second", "problem"), [("AT", "GGCTTAA", "start codon"), ("ATGGCTT", "AA", "stop codon")]
)
def test_a_start_or_stop_codon_in_two_pieces_is_a_problem(tmp_path, first, second, problem):
    cut = 30 + len(first)
    spans = [(30, cut), (cut + len(INTRON), cut + len(INTRON) + len(second))]
    lines = cds_lines("+", "ID=c", [0, -len(first) % 3], spans)
    assert table_of(tmp_path, lines, LEFT + first + INTRON + second + RIGHT)["problem"].item() == problem


def test_parts_on_both_strands_are_a_problem(tmp_path):
    lines = [line("mRNA", "ID=t", "+"), *cds_lines("+", "Parent=t")]
    lines[2] = lines[2].replace("\t+\t", "\t-\t")
    assert table_of(tmp_path, lines)["problem"].item() == "on both strands"


def test_a_transcript_across_the_origin_is_no_intron(tmp_path):
    lines = [f"c0\tx\tCDS\t{len(TEXT) - 8}\t{len(TEXT) + 9}\t.\t+\t0\tID=c"]
    assert table_of(tmp_path, lines, circular=True)["problem"].item() == "across the origin"


def test_pseudogenes_and_genes_of_transposons_are_excluded_whatever_they_hold(tmp_path):
    lines = [
        line("pseudogene", "ID=p", "+"), line("pseudogenic_transcript", "ID=p.1;Parent=p", "+"),
        line("gene", "ID=q;pseudo=true", "-"), line("transposable_element_gene", "ID=te", "+", 0, 20),
        line("gene", "ID=g;gene_biotype=pseudogene", "+"), line("mRNA", "ID=t;Parent=g", "+"),
        *cds_lines("+", "Parent=t"),
    ]  # fmt: skip
    table = table_of(tmp_path, lines)
    assert set(table["role"]) == {"excluded"} and set(table["problem"]) == {"pseudogene"}
    assert sorted(table["id"]) == ["p", "q", "t", "te"]


def test_genes_of_transposons_of_wormbase_are_excluded_though_their_rows_are_those_of_genes(tmp_path):
    lines = [
        line("gene", "ID=Gene:W1;biotype=transposon_protein_coding", "-"), line("mRNA", "ID=CDS:a;Parent=Gene:W1", "-"),
        *cds_lines("-", "Parent=CDS:a", kind="exon"),
        line("gene", "ID=Gene:W2;biotype=protein_coding", "+"), line("mRNA", "ID=t;Parent=Gene:W2", "+"),
        *cds_lines("+", "ID=CDS:t;Parent=t"),
    ]  # fmt: skip
    table = table_of(tmp_path, lines).set_index("id")
    assert table["role"].to_dict() == {"Gene:W1": "excluded", "t": "chosen"}
    assert table.loc["Gene:W1", ["start", "end"]].tolist() == [len(TEXT) - 106, len(TEXT) - 30]


def test_a_protein_whose_row_is_cut_off_is_no_transcript(tmp_path):
    lines = [*cds_lines("+", "Parent=AT1.1,AT1.1-Protein;"), line("mRNA", "ID=AT2.1", "-")]
    assert table_of(tmp_path, lines)["id"].tolist() == ["AT1.1"]
    assert table_of(tmp_path, cds_lines("+", "Parent=a,b"))["id"].tolist() == ["a", "b"]


def test_the_longest_whole_coding_sequence_is_chosen_then_the_longest_transcript_then_the_first_id(caplog):
    g = genome_of(LEFT + GENE + RIGHT + LEFT + GENE + RIGHT, code=1)
    short = [(30, 43), (63, 76), (96, 106)]
    rows = feature_rows("c0", "+", short, "b", 2, "L") + feature_rows("c0", "+", short, "a", 2, "L")
    rows += feature_rows("c0", "+", short, "c", 1, "L")
    rows += feature_rows("c0", "+", [(30, 109)], "broken", 0, "L")  # longer, but not whole
    shift = len(TEXT)
    rows += feature_rows("c0", "+", [(a + shift, b + shift) for a, b in short], "only", 0, "M")
    with caplog.at_level(logging.INFO):
        table = read_transcripts(g, features_table(rows)).set_index("id")
    assert table["role"].to_dict() == {
        "rna-a": "chosen", "rna-b": "alternative", "rna-c": "alternative", "rna-broken": "alternative",
        "rna-only": "chosen",
    }  # fmt: skip
    assert "5 coding transcripts of 2 loci; 1 loci have several" in caplog.text
    assert "2 genes with 4 introns" in caplog.text


def test_planted_genes_come_back_and_translate_like_biopython():
    planted = planted_introns(1, genes=25, utr=7)
    table = read_transcripts(planted.genome, planted.features)
    assert (table["role"] == "chosen").all() and len(table) == 25
    expected = {(c, s, tuple(parts)) for c, s, parts in planted.genes}
    found = set()
    for t in table.itertuples():
        parts = tuple(zip(t.cds_starts.tolist(), t.cds_ends.tolist(), strict=True))
        found.add((t.contig, t.strand, parts))
        letters = decode(planted.genome.codes)
        text = "".join(letters[a:b] for a, b in parts)
        text = text if t.strand == "+" else str(Seq(text).reverse_complement())
        assert decode(coding_codes(planted.genome.codes, t)) == text
        protein = str(Seq(text).translate())
        assert protein[0] == "M" and protein.index("*") == len(protein) - 1
        place = coding_places(t)
        assert len(place) == len(text) and (np.diff(place) > 0).all() == (t.strand == "+")
        assert t.exon_starts[0] == t.start - 7 and t.exon_ends[-1] == t.end + 7
    assert found == expected


def test_the_table_survives_parquet_and_names_structures(tmp_path):
    planted = planted_introns(2, genes=6)
    table = read_transcripts(planted.genome, planted.features)
    table.to_parquet(tmp_path / "t.parquet")
    back = pd.read_parquet(tmp_path / "t.parquet")
    assert structure_keys(back).tolist() == structure_keys(table).tolist()
    assert len(set(structure_keys(table))) == 6
    other = table.assign(cds_ends=[ends + 3 for ends in table["cds_ends"]])
    assert not set(structure_keys(other)) & set(structure_keys(table))


def test_no_transcripts_give_an_empty_table():
    g = genome()
    table = read_transcripts(g, features_table([]))
    assert table.empty and list(table.columns)[-1] == "role"


def test_coding_sequences_of_shared_parts_are_one_for_each_transcript(tmp_path):
    path = tmp_path / "a.gff3"
    path.write_text("\n".join(DIALECTS["FlyBase"]("+")) + "\n")
    cds = coding_sequences(features_table(read_gff3(path, {"c0": len(TEXT)})), {"c0": len(TEXT)})
    assert cds[["id", "start", "end", "parts"]].to_numpy().tolist() == [
        ["CDS:FBtr1", 30, 106, 3],
        ["CDS:FBtr2", 30, 106, 3],
    ]
    path.write_text("\n".join(DIALECTS["TAIR"]("+")) + "\n")
    cds = coding_sequences(features_table(read_gff3(path, {"c0": len(TEXT)})), {"c0": len(TEXT)})
    assert cds["id"].tolist() == ["CDS:AT1.1"]
