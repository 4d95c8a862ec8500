"""Contigs of an annotation and of a sequence that go by different names."""

import json
import logging

import pandas as pd
import pytest

from dnalm.contigs.assembly_report import Entry
from dnalm.contigs.names import forms, match_contigs, read_aliases, read_landmarks
from dnalm.errors import InputError
from dnalm.genomes.build import build_genome
from dnalm.io.fetch import resolve_source

LENGTHS = {"I": 230, "II": 813, "Mito": 86}
REFSEQ = (
    "##sequence-region NC_1.9 1 230\n"
    "NC_1.9\tRefSeq\tregion\t1\t230\t.\t+\t.\tID=NC_1.9:1..230;Name=I;chromosome=I;genome=chromosome\n"
    "NC_1.9\tRefSeq\tgene\t10\t20\t.\t+\t.\tID=a\n"
    "NC_2.8\tRefSeq\tregion\t1\t813\t.\t+\t.\tID=NC_2.8:1..813;chromosome=II;genome=chromosome\n"
    "NC_2.8\tRefSeq\tregion\t1\t90\t.\t+\t.\tID=r2;Name=telomere\n"
    "NC_2.8\tRefSeq\tgene\t10\t20\t.\t+\t.\tID=b\n"
    "NC_3.1\tRefSeq\tregion\t1\t86\t.\t+\t.\tID=NC_3.1:1..86;Is_circular=true;genome=mitochondrion\n"
    "NC_3.1\tRefSeq\tgene\t10\t20\t.\t+\t.\tID=c\n"
)


def matched(tmp_path, text, lengths=LENGTHS, aliases=None):
    path = tmp_path / "a.gff3"
    path.write_text(text)
    if aliases is not None:
        (tmp_path / "aliases.tsv").write_text(aliases)
        aliases = read_aliases(tmp_path / "aliases.tsv", lengths)
    return match_contigs(read_landmarks(path), lengths, path, aliases)


def refused(tmp_path, pattern, *arguments, **options):
    with pytest.raises(InputError, match=pattern) as error:
        matched(tmp_path, *arguments, **options)
    assert error.value.where and error.value.next_step and "\n" not in str(error.value)


def genes(*names):
    return "".join(f"{name}\tx\tgene\t1\t9\t.\t+\t.\tID=g{name}\n" for name in names)


def sizes(**lengths):
    return "".join(f"##sequence-region {name} 1 {length}\n" for name, length in lengths.items())


def test_landmark_lines_name_and_measure_contigs(tmp_path):
    (tmp_path / "a.gff3").write_text(REFSEQ)
    marks = read_landmarks(tmp_path / "a.gff3")
    assert {name: mark.length for name, mark in marks.items()} == {"NC_1.9": 230, "NC_2.8": 813, "NC_3.1": 86}
    assert marks["NC_2.8"].names == {"II"}
    assert [mark.line for mark in marks.values()] == [3, 6, 8]
    assert [mark.circular for mark in marks.values()] == [False, False, True]


def test_refseq_names_find_ensembls_contigs(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert matched(tmp_path, REFSEQ) == {"NC_1.9": "I", "NC_2.8": "II", "NC_3.1": "Mito"}
    assert "landmark: 3" in caplog.text and "NC_1.9 is I" in caplog.text


def test_aliases_of_ensembls_landmark_line_find_accessions(tmp_path):
    text = "I\tsgd\tchromosome\t1\t230\t.\t.\t.\tID=chromosome:I;Alias=BK006935.2,NC_001133.9\n" + genes("I")
    assert matched(tmp_path, text, {"NC_001133.9": 230, "NC_001134.8": 230}) == {"I": "NC_001133.9"}


@pytest.mark.parametrize(
    ("annotation", "sequence"),
    [
        ("chr1", "1"), ("1", "chr1"), ("Chr1", "chromosome_1"), ("chrM", "MT"), ("Mito", "chrM"), ("MtDNA", "MT"),
        ("ChrC", "Pt"), ("chrX", "X"), ("NC_000913", "NC_000913.3"), ("NC_001133.9", "gi|6319247|ref|NC_001133.9|"),
        ("scaffold_7", "Scaffold_7"),
    ],
)  # fmt: skip
def test_common_forms_of_a_name(tmp_path, annotation, sequence):
    lengths = {"2": 50, sequence: 50, "chr17": 50}
    assert matched(tmp_path, genes(annotation), lengths) == {annotation: sequence}


def test_a_contig_called_m_or_c_is_no_organelle():
    assert forms("M") == {"m"} and forms("C") == {"c"}
    assert forms("chrM") & forms("MT") and forms("chrC") & forms("Pt")
    assert not forms("1.1") & forms("1.2")


def test_the_exact_name_wins_over_everything_else(tmp_path):
    assert matched(tmp_path, genes("chr1", "1"), {"1": 10, "chr1": 10}) == {"chr1": "chr1", "1": "1"}


def test_a_length_that_only_one_contig_has_decides(tmp_path):
    text = sizes(x=230, y=813) + genes("x", "y")
    assert matched(tmp_path, text) == {"x": "I", "y": "II"}
    refused(tmp_path, r"a\.gff3:3: contig 'x' is not in the sequence", sizes(x=231) + "\n" + genes("x"))
    twins = {"a": 50, "b": 50}
    refused(tmp_path, r"contig 'x' of the annotation could be a, b", sizes(x=50) + genes("x"), twins)
    refused(tmp_path, r"contig 'x' is not in", sizes(x=50, y=50) + genes("x", "y"), {"a": 50})


def test_a_length_tells_between_contigs_of_one_form(tmp_path):
    lengths = {"chr1": 40, "Chr1": 50}
    assert matched(tmp_path, sizes(**{"1": 50}) + genes("1"), lengths) == {"1": "Chr1"}
    refused(tmp_path, r"contig '1' of the annotation could be Chr1, chr1", genes("1"), lengths)


@pytest.mark.parametrize("name", ["I", "chrI"])
def test_another_length_is_another_assembly(tmp_path, name):
    refused(
        tmp_path, rf"a\.gff3:2: contig {name} has 229 bases in the annotation, I has 230 in the sequence\..*assembly",
        sizes(**{name: 229}) + genes(name),
    )  # fmt: skip
    for part in (f"##sequence-region {name} 20 120\n", f"{name}\tx\tregion\t1\t8\t.\t+\t.\tID=arm\n"):
        assert matched(tmp_path, part + genes(name)) == {name: "I"}


def warned_of_versions(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and "other versions" in r.message]


@pytest.mark.parametrize(
    ("annotation", "sequence", "said"),
    [
        (genes("NC_000001.10"), "NC_000001.11", "NC_000001.10 there, NC_000001.11 here (no length to compare)"),
        (sizes(**{"NC_000001.10": 50}) + genes("NC_000001.10"), "gi|5|ref|NC_000001.11|",
         "NC_000001.10 there, NC_000001.11 here (the same length)"),
        ("I\tx\tchromosome\t1\t50\t.\t.\t.\tID=I;Alias=BK006935.1,NC_001133.8\n" + genes("I"), "NC_001133.9",
         "NC_001133.8 there, NC_001133.9 here (the same length)"),
        (genes("NC_000001.11"), "NC_000001.11", ""), (genes("NC_000001"), "NC_000001.11", ""),
        (genes("NC_000001.11"), "NC_000001", ""), (genes("chr1"), "1", ""),
    ],
)  # fmt: skip
def test_another_version_of_an_accession_is_a_warning_with_both(tmp_path, caplog, annotation, sequence, said):
    matched(tmp_path, annotation, {sequence: 50})
    told = warned_of_versions(caplog)
    assert [said in text for text in told] == [True] * bool(said)


def test_the_report_knows_the_version_of_the_sequence(tmp_path, caplog):
    (tmp_path / "a.gff3").write_text("NC_000001.10\tx\tregion\t1\t50\t.\t+\t.\tName=1\n" + genes("NC_000001.10"))
    marks = read_landmarks(tmp_path / "a.gff3")
    report = [Entry(frozenset({"chr1", "1", "CM000663.2", "NC_000001.11"}), 50, None, 1)]
    assert match_contigs(marks, {"chr1": 50}, tmp_path / "a.gff3", None, report) == {"NC_000001.10": "chr1"}
    assert "NC_000001.10 there, NC_000001.11 here" in warned_of_versions(caplog)[0]


def test_another_version_of_another_length_is_refused_with_both(tmp_path):
    text = sizes(**{"NC_000001.10": 49}) + genes("NC_000001.10")
    pattern = r"contig NC_000001\.10 has 49 bases in the annotation, NC_000001\.11 has 50 in the sequence"
    refused(tmp_path, pattern, text, {"NC_000001.11": 50})


def test_what_is_left_over_is_named_with_its_line(tmp_path):
    refused(tmp_path, r"a\.gff3:2: contig 'plasmid' is not in the sequence\. It has I, II, Mito", genes("I", "plasmid"))


def test_two_names_of_one_contig_are_refused(tmp_path):
    refused(
        tmp_path, r"chrI and CHRI of the annotation are both I", genes("chrI", "CHRI"), aliases="chrI\tI\nCHRI\tI\n"
    )
    refused(tmp_path, r"contig 'CHRI' is not in the sequence", genes("chrI", "CHRI"))


def test_the_users_table_comes_first_and_can_leave_contigs_out(tmp_path, caplog):
    table = "# mine\nI\tII\nscaffold\t-\n\nunused\tMito\n"
    assert matched(tmp_path, genes("I", "scaffold"), aliases=table) == {"I": "II", "scaffold": None}
    assert "features on scaffold are left out" in caplog.text


@pytest.mark.parametrize(
    ("table", "pattern"),
    [
        ("I II\n", r"aliases\.tsv:1: 1 columns\. Write the annotation's name, a tab"),
        ("I\t\n", r"aliases\.tsv:1: 2 columns"),
        ("I\tII\nI\tMito\n", r"aliases\.tsv:2: I is there twice"),
        ("x\tIII\n", r"aliases\.tsv:1: contig 'III' is not in the sequence. It has I, II, Mito"),
    ],
)
def test_a_broken_table_is_refused(tmp_path, table, pattern):
    refused(tmp_path, pattern, genes("I"), aliases=table)


def test_contigs_without_annotation_are_told(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        matched(tmp_path, genes("I"))
    assert "2 contigs have no annotation: II, Mito" in caplog.text


@pytest.mark.parametrize(("bare", "level"), [(10, logging.INFO), (400, logging.WARNING)])
def test_a_chromosome_without_annotation_is_a_warning_and_scraps_are_not(tmp_path, caplog, bare, level):
    with caplog.at_level(logging.INFO):
        matched(tmp_path, genes("2L"), {"2L": 1000, "2R": bare})
    (told,) = [record for record in caplog.records if "no annotation: 2R" in record.message]
    assert told.levelno == level and f"{100 * bare / (1000 + bare):.1f} % of all bases" in told.message


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "2 contigs have no annotation: 2R, X; 60.0 % of all bases"), ({"leave_out": ["X"]}, "1 contigs have no "
        "annotation: 2R; 50.0 % of all bases"), ({"keep": ["2L"]}, ""), ({"min_length": 300}, "2R; 50.0 %"),
        ({"region": {"contig": "2L", "start": 0, "end": 300}}, ""),
        ({"region": {"contig": "2R", "start": 0, "end": 300}}, "2R; 100.0 %"),
    ],
)  # fmt: skip
def test_contigs_that_are_not_used_do_not_count_as_without_genes(tmp_path, caplog, given, told):
    sizes = {"2L": 480, "2R": 480, "X": 240}
    (tmp_path / "a.fa").write_text("".join(f">{name}\n{'ATGGCTAAATGA' * (n // 12)}\n" for name, n in sizes.items()))
    (tmp_path / "a.gff3").write_text("2L\tx\tCDS\t1\t12\t.\t+\t0\tID=g\n")
    source = {"path": str(tmp_path / "a.fa"), "annotation": str(tmp_path / "a.gff3"), "genetic_code": 1, **given}
    build_genome("g", resolve_source(source), source, tmp_path / "g")
    found = [r.getMessage() for r in caplog.records if "count as sequence without genes" in r.message]
    assert len(found) == bool(told) and all(told in text for text in found)


def test_a_genome_is_built_under_the_names_of_the_sequence(tmp_path):
    letters = {"I": "ATGGCTAAATGA" * 20, "Mito": "ATGGCTAAATGA" * 10, "III": "ACGT" * 9}
    (tmp_path / "a.fa").write_text("".join(f">{name}\n{text}\n" for name, text in letters.items()))
    (tmp_path / "a.gff3").write_text(
        sizes(**{"NC_1.9": 240})
        + "NC_1.9\tx\tregion\t1\t240\t.\t+\t.\tName=I\nNC_1.9\tx\tCDS\t1\t12\t.\t+\t0\tID=g\n"
        + "NC_7.2\tx\tregion\t1\t120\t.\t+\t.\tgenome=mitochondrion;Is_circular=true\n"
        + "NC_7.2\tx\tCDS\t109\t132\t.\t+\t0\tID=h\nlost\tx\tCDS\t1\t12\t.\t+\t0\tID=k\n"
    )
    (tmp_path / "t.tsv").write_text("lost\t-\n")
    source = {"path": str(tmp_path / "a.fa"), "annotation": str(tmp_path / "a.gff3"), "genetic_code": 1}
    with pytest.raises(InputError, match="contig 'lost' is not in the sequence"):
        build_genome("g", resolve_source(source), source, tmp_path / "g")
    source["aliases"] = str(tmp_path / "t.tsv")
    build_genome("g", resolve_source(source), source, tmp_path / "g")
    features = pd.read_parquet(tmp_path / "g" / "features.parquet")
    spans = features[["contig", "start", "end"]].itertuples(index=False, name=None)
    assert sorted(spans) == [("I", 0, 12), ("Mito", 0, 12), ("Mito", 108, 120)]
    contigs = pd.read_parquet(tmp_path / "g" / "contigs.parquet").set_index("contig")
    assert contigs["circular"].to_dict() == {"I": False, "Mito": True, "III": False}
    assert "aliases_sha256" in json.loads((tmp_path / "g" / "provenance.json").read_text())


def test_a_genome_takes_the_code_that_most_coding_sequences_name(tmp_path):
    """Oracle: a mitochondrion names its code in every CDS, a nuclear genome in none."""
    (tmp_path / "a.fa").write_text(">I\n" + "ATGGCTAAATGA" * 20 + "\n")
    row = "I\tx\tCDS\t{}\t{}\t.\t+\t0\tID={}{}\n"
    rows = [row.format(1 + 12 * i, 12 + 12 * i, i, ";transl_table=3" if i < 2 else "") for i in range(5)]
    for kept, code in ((rows, 11), (rows[:3], 3)):
        (tmp_path / "a.gff3").write_text("".join(kept))
        source = {"path": str(tmp_path / "a.fa"), "annotation": str(tmp_path / "a.gff3")}
        assert build_genome("g", resolve_source(source), source, tmp_path / f"g{code}")["genetic_code"] == code
