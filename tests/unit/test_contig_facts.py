"""Other names of contigs, what they are, their genetic codes, and which of them are used."""

import json
import logging

import pandas as pd
import pytest

from dnalm.contigs.assembly_names import assembly_of
from dnalm.contigs.assembly_report import by_name, read_report
from dnalm.contigs.genetic_codes import contig_codes
from dnalm.contigs.names import match_contigs, read_landmarks
from dnalm.contigs.roles import ContigRole, role_of_record, role_of_text
from dnalm.contigs.selection import Selection
from dnalm.errors import InputError
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source

REPORT = (
    "# Assembly name:  R64\n# RefSeq assembly accession: GCF_000146045.2\n#\n"
    "# Sequence-Name\tSequence-Role\tAssigned-Molecule\tAssigned-Molecule-Location/Type\tGenBank-Accn\tRelationship\t"
    "RefSeq-Accn\tAssembly-Unit\tSequence-Length\tUCSC-style-name\n"
    "I\tassembled-molecule\tI\tChromosome\tBK006935.2\t=\tNC_001133.9\tPrimary Assembly\t240\tchrI\n"
    "MT\tassembled-molecule\tMT\tMitochondrion\tna\t<>\tNC_001224.1\tnon-nuclear\t120\tchrM\n"
    "p2\tassembled-molecule\t2\tPlasmid\tCP1.1\t=\tna\tPrimary Assembly\t60\tna\n"
    "s9\tunplaced-scaffold\tna\tna\tKN1.1\t=\tNW_1.1\tPrimary Assembly\t36\tchrUn_KN1v1\n"
    "a1\talt-scaffold\tI\tChromosome\tKI2.1\t=\tNT_2.1\tALT\t24\tchrI_KI2v1_alt\n"
)
SIZES = {"I": 240, "MT": 120, "p2": 60, "s9": 36, "a1": 24}
COLUMNS = {"ucsc": 9, "genbank": 4, "refseq": 6, "name": 0}


def report(tmp_path, text=REPORT):
    (tmp_path / "r.txt").write_text(text)
    return read_report(tmp_path / "r.txt")


def test_a_report_has_names_lengths_and_roles(tmp_path):
    entries = by_name(report(tmp_path))
    assert entries["chrI"] is entries["NC_001133.9"] is entries["BK006935.2"] is entries["I"]
    assert entries["MT"].names == {"MT", "NC_001224.1", "chrM"}
    roles = [entries[name].role.role for name in SIZES]
    assert roles == ["chromosome", "organelle", "plasmid", "unplaced", "alternate"]
    assert entries["MT"].role.organelle == "mitochondrion" and entries["s9"].length == 36


@pytest.mark.parametrize("annotation", COLUMNS)
@pytest.mark.parametrize("sequence", COLUMNS)
def test_any_column_finds_any_other(tmp_path, annotation, sequence):
    rows = [line.split("\t") for line in REPORT.splitlines() if not line.startswith("#")]
    rows = [row for row in rows if "na" not in (row[COLUMNS[annotation]], row[COLUMNS[sequence]])]
    lengths = {row[COLUMNS[sequence]]: int(row[8]) for row in rows}
    names = [row[COLUMNS[annotation]] for row in rows]
    (tmp_path / "a.gff3").write_text("".join(f"{name}\tx\tgene\t1\t9\t.\t+\t.\tID=g{name}\n" for name in names))
    found = match_contigs(read_landmarks(tmp_path / "a.gff3"), lengths, "a.gff3", None, report(tmp_path))
    assert found == {row[COLUMNS[annotation]]: row[COLUMNS[sequence]] for row in rows}


@pytest.mark.parametrize(
    "text",
    [
        "# sequenceName\talias names\tUCSC database: sacCer3\nchrI\tI\tNC_001133.9\nchrM\tMT\tNC_001224.1\n",
        "# ucsc\tassembly\trefseq\nchrI\tI\tNC_001133.9\nchrM\tMT\tNC_001224.1\n",
        "I\tchrI\tensembl\nNC_001133.9\tchrI\trefseq\nMT\tchrM\tensembl,genbank\nNC_001224.1\tchrM\trefseq\n",
    ],
)
def test_tables_of_ucsc_in_three_forms(tmp_path, text):
    assert {entry.names for entry in report(tmp_path, text)} == {
        frozenset({"chrI", "I", "NC_001133.9"}), frozenset({"chrM", "MT", "NC_001224.1"}),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", r"r\.txt: the file names no contig\. Give NCBI's"),
        ("I\n", r"r\.txt:1: one column\. chromAlias"),
        (REPORT + "x\ty\n", r"r\.txt:10: 2 columns instead of 10"),
        (REPORT.replace("\t240\t", "\tlong\t"), r"r\.txt:5: a length of 'long'"),
        (
            REPORT.replace("NC_001224.1", "NC_001133.9"),
            r"r\.txt:6: the name NC_001133\.9 is there twice \(first in line 5",
        ),
        (REPORT.replace("\nMT\t", "\nBK006935.2\t"), r"r\.txt:6: the name BK006935\.2 is there twice"),
        ("c1\ta\nc2\tb\na\tb\n", r"r\.txt:3: the name a is there twice \(first in line 1"),
    ],
)
def test_a_broken_report_is_named(tmp_path, text, pattern):
    with pytest.raises(InputError, match=pattern) as error:
        report(tmp_path, text)
    assert error.value.next_step


def test_names_that_several_contigs_have_are_not_used(tmp_path, caplog):
    caplog.set_level("INFO")
    text = REPORT
    for name in ("I", "MT", "s9"):
        text = text.replace(f"\n{name}\t", "\nANONYMOUS\t")
    entries = by_name(report(tmp_path, text))
    assert "ANONYMOUS" not in entries
    assert entries["NC_001133.9"].length == 240 and entries["KN1.1"].length == 36 and entries["chrM"].length == 120
    assert "several contigs have the names ANONYMOUS, which are not used" in caplog.text


@pytest.mark.parametrize(
    ("name", "description", "role"),
    [
        ("NC_001224.1", "Saccharomyces cerevisiae S288C mitochondrion, complete genome", "organelle"),
        ("NC_000932.1", "Arabidopsis thaliana chloroplast, complete genome", "organelle"),
        ("NC_002127.1", "Escherichia coli O157:H7 str. Sakai plasmid pOSAK1, complete sequence", "plasmid"),
        ("NC_000913.3", "Escherichia coli str. K-12 substr. MG1655, complete genome", "chromosome"),
        ("NW_1.1", "Homo sapiens unplaced genomic scaffold, GRCh38.p14 Primary Assembly", "unplaced"),
        ("NW_2.1", "Homo sapiens chromosome 1 genomic patch of type FIX, GRCh38.p14 PATCHES, fix patch", "alternate"),
        ("I", "dna:chromosome chromosome:R64-1-1:I:1:230218:1 REF", "chromosome"),
        ("KI270302.1", "dna:scaffold scaffold:GRCh38:KI270302.1:1:2274:1 REF", "unplaced"),
        ("chrM", "", "organelle"), ("MT", "", "organelle"), ("ChrC", "", "organelle"), ("M", "", "chromosome"),
        ("chr1", "", "chromosome"), ("2L", "", "chromosome"), ("chr6_GL000250v2_alt", "", "alternate"),
        ("chrUn_KI270302v1", "", "unplaced"), ("chr1_KI270706v1_random", "", "unplaced"),
        ("scaffold_12", "", "unplaced"),
        ("NODE_1_length_300_cov_2.1", "", "unplaced"), ("contig00001", "", "unplaced"), ("pBAD", "", "chromosome"),
        ("superb", "", "chromosome"), ("Mito", "dna:chromosome chromosome:R64-1-1:Mito:1:85779:1 REF", "organelle"),
        ("CHR_HSCHR1_1_CTG3", "dna:chromosome chromosome:GRCh38:1:1:9:1 HAP", "alternate"),
    ],
)  # fmt: skip
def test_roles_by_words(name, description, role):
    assert role_of_text(name, description).role == role


@pytest.mark.parametrize(
    ("said", "role"),
    [
        ({"organelle": "plastid:chloroplast"}, ("organelle", "plastid")), ({"plasmid": "pX"}, ("plasmid", "")),
        ({"genome": "mitochondrion"}, ("organelle", "mitochondrion")), ({"chromosome": "1"}, ("chromosome", "")),
        ({"genome": "genomic"}, ("unplaced", "")),
        ({"chromosome": "Unknown", "genome": "genomic"}, ("unplaced", "")),
    ],
)  # fmt: skip
def test_roles_by_records(said, role):
    found = role_of_record(said)
    assert (found.role, found.organelle) == role
    assert role_of_record({"strain": "x"}) is None


NUCLEAR, MITO, PLASTID = ContigRole(), ContigRole("organelle", "mitochondrion"), ContigRole("organelle", "plastid")


def cds(**codes):
    rows = [(contig, f"{contig}{i}", code) for contig, many in codes.items() for i, code in enumerate(many)]
    attributes = [json.dumps({"transl_table": str(code)} if code else {}) for *_, code in rows]
    ids = {"contig": [r[0] for r in rows], "id": [r[1] for r in rows]}
    return pd.DataFrame({**ids, "type": "CDS", "attributes": attributes})


@pytest.mark.parametrize(
    ("roles", "features", "source", "expected"),
    [
        ({"1": NUCLEAR, "MT": MITO}, cds(**{"1": [0] * 9, "MT": [2] * 3}), {"genetic_code": 1}, (1, 1, 2)),
        ({"1": NUCLEAR, "MT": MITO}, cds(**{"1": [11] * 9, "MT": [2] * 30}), {}, (11, 11, 2)),
        ({"1": NUCLEAR, "MT": MITO}, cds(), {"genetic_code": 1}, (1, 1, 4)),
        ({"1": NUCLEAR, "MT": MITO}, cds(MT=[2]), {"organelle_genetic_code": 3}, (11, 11, 3)),
        ({"1": NUCLEAR, "MT": MITO, "Pt": PLASTID}, cds(), {"genetic_code": 1}, (1, 1, 1, 11)),
        ({"MT": MITO, "Pt": PLASTID}, cds(), {"organelle_genetic_code": {"mitochondrion": 5}}, (5, 5, 11)),
        ({"MT": MITO}, cds(), {"genetic_code": 2}, (2, 2)),
        ({"MT": MITO}, cds(MT=[2, 2, 0]), {}, (2, 2)),
        ({"1": NUCLEAR, "2": NUCLEAR}, cds(**{"1": [0, 0, 0], "2": [3, 3]}), {"genetic_code": 1}, (1, 1, 1)),
    ],
)  # fmt: skip
def test_an_organelle_has_its_own_code(roles, features, source, expected):
    code, table = contig_codes(roles, features, source)
    assert (code, *table.values()) == expected


def test_a_guess_is_a_warning(caplog):
    contig_codes({"1": NUCLEAR, "MT": MITO}, cds(), {"genetic_code": 1})
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "MT: nothing says the genetic code of this mitochondrion, 4 is taken" in record.message
    assert "organelle_genetic_code" in record.message


def chosen(source, sizes=SIZES, roles=None):
    selection = Selection(source)
    kept = [name for name, size in sizes.items() if selection.keeps(name, size, (roles or {}).get(name, "chromosome"))]
    for name, size in sizes.items():
        selection.measure(name, size)
    selection.finish()
    return kept, selection.record


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        ({}, "I MT p2 s9 a1"), ({"keep": ["I", "?2"]}, "I p2"), ({"leave_out": ["M*", "a1"]}, "I p2 s9"),
        ({"min_length": 60}, "I MT p2"), ({"roles": ["plasmid", "organelle"]}, "MT p2"),
        ({"keep": ["*"], "leave_out": ["[ps]?"], "min_length": 30}, "I MT"),
    ],
)  # fmt: skip
def test_contigs_are_chosen(source, kept):
    roles = {"MT": "organelle", "p2": "plasmid"}
    names, record = chosen(source, roles=roles)
    assert names == kept.split()
    assert sum(r["bases"] for r in record.values()) == sum(n for name, n in SIZES.items() if name not in names)


def test_a_name_with_brackets_means_itself_first():
    assert chosen({"keep": ["c[1]"]}, {"c[1]": 5, "d": 5})[0] == ["c[1]"]


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ({"keep": ["I", "x*"]}, r"genomes: keep: no contig 'x\*'\. Known: I, MT, p2"),
        ({"leave_out": ["II"]}, r"genomes: leave_out: no contig 'II'"),
        ({"min_length": 999}, r"genomes: min_length: no contig is left \(5 shorter than 999\)"),
        ({"roles": ["plasmid"]}, r"genomes: roles: no contig is left \(5 role chromosome\)"),
    ],
)
def test_a_choice_that_means_nothing_is_refused(source, pattern):
    with pytest.raises(InputError, match=pattern):
        chosen(source)


def write_genome(tmp_path, names):
    texts = {name: "ATGGCTAAATGA" * (size // 12) for name, size in zip(names, SIZES.values(), strict=True)}
    (tmp_path / "a.fa").write_text("".join(f">{name}\n{text}\n" for name, text in texts.items()))
    (tmp_path / "r.txt").write_text(REPORT)
    return {"path": str(tmp_path / "a.fa"), "report": str(tmp_path / "r.txt"), "genetic_code": 1}


def test_a_genome_is_built_with_a_report(tmp_path, caplog):
    source = write_genome(tmp_path, ["chrI", "chrM", "p2", "NW_1.1", "KI2.1"])
    (tmp_path / "a.gtf").write_text(
        'NC_001133.9\tx\tCDS\t1\t9\t.\t+\t0\tgene_id "g"; transcript_id "t";\n'
        'NC_001133.9\tx\tstop_codon\t10\t12\t.\t+\t0\tgene_id "g"; transcript_id "t";\n'
        'MT\tx\tCDS\t1\t9\t.\t+\t0\tgene_id "h"; transcript_id "u"; transl_table "3";\n'
        'KI2.1\tx\tCDS\t1\t9\t.\t+\t0\tgene_id "i"; transcript_id "v";\n'
    )
    source |= {"annotation": str(tmp_path / "a.gtf"), "roles": ["chromosome", "organelle", "unplaced"]}
    with caplog.at_level(logging.INFO):
        card = build_genome("g", resolve_source(source), source, tmp_path / "g")
    genome = load_genome(tmp_path / "g")
    assert genome.contigs["contig"].tolist() == ["chrI", "chrM", "NW_1.1"]
    assert genome.contigs["genetic_code"].tolist() == [1, 3, 1]
    assert genome.contigs["role"].tolist() == ["chromosome", "organelle", "unplaced"]
    assert card["roles"] == {"chromosome": 1, "organelle": 1, "unplaced": 1}
    assert "left out (role alternate): 1 contigs, 24 bases: KI2.1" in caplog.text
    assert "genetic code 1; 1 contigs have another: chrM 3" in caplog.messages
    provenance = json.loads((tmp_path / "g" / "provenance.json").read_text())
    assert provenance["left_out"]["role plasmid"] == {"contigs": 1, "bases": 60, "names": ["p2"]}
    assert len(provenance["report_sha256"]) == 64


def test_a_region_line_of_another_name_makes_an_organelle(tmp_path, caplog):
    (tmp_path / "a.fa").write_text(f">c1\n{'ATGGCTAAATGA' * 9}\n>c2\n{'ATGGCTAAATGA' * 5}\n")
    (tmp_path / "a.gff3").write_text(
        "NC_2.1\tx\tregion\t1\t60\t.\t+\t.\tID=r;genome=mitochondrion\n"
        "NC_2.1\tx\tCDS\t1\t12\t.\t+\t0\tID=g;transl_table=3\n"
    )
    source = {"path": str(tmp_path / "a.fa"), "annotation": str(tmp_path / "a.gff3"), "genetic_code": 1}
    card = build_genome("g", resolve_source(source), source, tmp_path / "g")
    assert [(c["role"], c["genetic_code"]) for c in card["contigs"]] == [("chromosome", 1), ("organelle", 3)]
    assert "contig c2: by the annotation its role is organelle, not chromosome" in caplog.text


def test_a_report_of_another_assembly_is_refused(tmp_path):
    source = write_genome(tmp_path, ["chrI", "chrM", "p2", "NW_1.1", "KI2.1"])
    (tmp_path / "r.txt").write_text(REPORT.replace("\t240\t", "\t241\t"))
    with pytest.raises(InputError, match=r"r\.txt:5: contig chrI has 241 bases in the report and 240 in the sequence"):
        build_genome("g", resolve_source(source), source, tmp_path / "g")
    (tmp_path / "r.txt").write_text("x\ty\n")
    with pytest.raises(
        InputError, match=r"r\.txt: the report has none of the names of the sequence \(chrI, chrM, p2\)"
    ):
        build_genome("g", resolve_source(source), source, tmp_path / "g")


SAYS = {
    "#!genome-build R64\n#!genome-build-accession NCBI_Assembly:GCF_000146045.2\n": "R64 (GCF_000146045.2)",
    "#!genome-version R64-1-1\n": "R64-1-1",
    "##genome-build NCBI GRCh37\n": "GRCh37",
    "##description: evidence-based annotation of the human genome (GRCh38), version 44\n": "GRCh38",
    ">1 dna:chromosome chromosome:GRCh37:1:1:9:1 REF\nACGT\n": "GRCh37",
    ">NC_000001.11 Homo sapiens chromosome 1, GRCh38.p14 Primary Assembly\nACGT\n": "GRCh38.p14",
    REPORT: "R64 (GCF_000146045.2)",
    ">a\nACGT\n": "",
}


@pytest.mark.parametrize(("text", "said"), SAYS.items(), ids=[said or "nothing" for said in SAYS.values()])
def test_what_files_say_of_their_assembly(tmp_path, text, said):
    (tmp_path / "file").write_text(text)
    assert str(assembly_of(tmp_path / "file")) == said


def test_names_of_files_and_patches(tmp_path):
    (tmp_path / "GCF_000146045.2_R64_genomic.fna.gz").write_text(">a\nAC\n")
    (tmp_path / "patch").write_text("#!genome-build GRCh38.p14\n")
    (tmp_path / "plain").write_text("#!genome-build GRCh38\n")
    one, two, three = (assembly_of(tmp_path / n) for n in ("GCF_000146045.2_R64_genomic.fna.gz", "patch", "plain"))
    assert str(one) == "R64 (GCF_000146045.2)" and one.differs(two) and not two.differs(three)


def test_both_assemblies_are_named_where_files_do_not_fit(tmp_path):
    (tmp_path / "a.fa").write_text(">1 dna:chromosome chromosome:GRCh37:1:1:12:1 REF\nATGGCTAAATGA\n")
    (tmp_path / "a.gff3").write_text("#!genome-build GRCh38.p14\n1\tx\tgene\t1\t99\t.\t+\t.\tID=g\n")
    source = {"path": str(tmp_path / "a.fa"), "annotation": str(tmp_path / "a.gff3")}
    pattern = (
        r"a\.gff3:2: 1:1-99 is off .*another assembly.* The sequence says that it is GRCh37, the annotation GRCh38"
    )
    with pytest.raises(InputError, match=pattern):
        build_genome("g", resolve_source(source), source, tmp_path / "g")


def test_two_names_that_fit_are_a_warning(tmp_path, caplog):
    (tmp_path / "a.fa").write_text(">1 dna:chromosome chromosome:R64-1-1:1:1:12:1 REF\nATGGCTAAATGA\n")
    (tmp_path / "a.gff3").write_text("#!genome-build R64\n1\tx\tgene\t1\t9\t.\t+\t.\tID=g\n")
    source = {"path": str(tmp_path / "a.fa"), "annotation": str(tmp_path / "a.gff3")}
    build_genome("g", resolve_source(source), source, tmp_path / "g")
    assert "R64-1-1, the annotation R64: if these are two names of one assembly, nothing is wrong" in caplog.text
