"""Genetic codes where no coding sequence names one: by the source, the lineage of the record, or as a warning."""

import json
import logging

import pytest

from dnalm.config import load_study
from dnalm.contigs.unsaid_codes import UnsaidCodes, unsaid_codes
from dnalm.genomes.build import build_genome
from dnalm.io.fetch import resolve_source

GENE = "ATGGCTAAATGA"
FASTA = f">1\n{GENE * 20}\n>MT\n{GENE * 9}\n"
GFF3 = "##gff-version 3\n1\tx\tCDS\t1\t12\t.\t+\t0\tID=g\nMT\tx\tCDS\t1\t12\t.\t+\t0\tID=h\n"
NCBI = GFF3.replace("3\n", "3\n#!gff-spec-version 1.21\n#!processor NCBI annotwriter\n", 1)
NCBI_GTF = '#!genome-build-accession NCBI_Assembly:GCF_1.2\n1\tx\tCDS\t1\t9\t.\t+\t0\tgene_id "g"; transcript_id "t";\n'
EUKARYOTE = [
    "Eukaryota; Fungi; Dikarya; Ascomycota; Saccharomycotina;",
    "Saccharomycetes; Saccharomycetales; Saccharomycetaceae;",
]
BACTERIUM, OLD = ["Bacteria; Pseudomonadota; Gammaproteobacteria."], ["Eubacteria; Chlamydiales; Chlamydia."]
HUMAN = ["Eukaryota; Metazoa; Chordata; Craniata; Vertebrata; Mammalia; Homo."]
VIRUS = ["Viruses; Riboviria; Orthornavirae; Coronaviridae."]


def built(tmp_path, sequence, annotation=None, **given):
    """(code of the genome, codes of contigs) as the card has them."""
    (tmp_path / "sequence").write_text(sequence)
    source = {"path": str(tmp_path / "sequence"), **given}
    if annotation is not None:
        (tmp_path / "annotation").write_text(annotation)
        source["annotation"] = str(tmp_path / "annotation")
    card = build_genome("g", resolve_source(source), source, tmp_path / "g")
    return card["genetic_code"], *(contig["genetic_code"] for contig in card["contigs"])


def record(lineage, cds=True, said="", name="X", organelle=""):
    """A GenBank record of 240 bases."""
    lines = [f"LOCUS       {name} 240 bp DNA linear PLN 01-JAN-2000", "DEFINITION  x.", f"ACCESSION   {name}",
             f"VERSION     {name}.1", "SOURCE      some", "  ORGANISM  Some organism"]  # fmt: skip
    lines += [f"            {line}" for line in lineage] + ["FEATURES             Location/Qualifiers"]
    lines += ["     source          1..240", *[f'                     /organelle="{organelle}"'] * bool(organelle)]
    lines += ["     CDS             1..12", f"                     {said or '/gene=g'}"] if cds else []
    rows = [f"{start + 1:9d} {(GENE * 5).lower()}" for start in range(0, 240, 60)]
    return "\n".join([*lines, "ORIGIN", *rows, "//", ""])


def warnings_of(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (record(EUKARYOTE), (1, 1)), (record(VIRUS), (1, 1)), (record([]), (1, 1)), (record(BACTERIUM), (11, 11)),
        (record(OLD), (11, 11)), (record(EUKARYOTE, said="/transl_table=12"), (12, 12)),
        (record(VIRUS, said="/transl_table=11"), (11, 11)), (record(BACTERIUM, cds=False), (11, 11)),
        (record(EUKARYOTE, cds=False), (11, 11)),
        (record(EUKARYOTE) + record(EUKARYOTE, name="Y", organelle="mitochondrion"), (1, 1, 3)),
        (record(HUMAN, organelle="mitochondrion"), (2, 2)),
        (record(HUMAN, organelle="mitochondrion", said="/transl_table=5"), (5, 5)),
    ],
)  # fmt: skip
def test_a_record_says_it_by_its_lineage_or_by_naming_none(tmp_path, caplog, text, expected):
    assert built(tmp_path, text) == expected
    assert not [text for text in warnings_of(caplog) if "genetic code" in text]


def test_records_say_it_for_a_sequence_of_another_file(tmp_path):
    assert built(tmp_path, f">X.1\n{GENE * 20}\n", record(EUKARYOTE)) == (1, 1)
    embl = (
        "ID   X; SV 1; linear; genomic DNA; STD; PRO; 240 BP.\nXX\nOS   Some organism\nOC   {}.\nXX\n"
        "FH   Key             Location/Qualifiers\nFH\nFT   CDS             1..12\nSQ   Sequence 240 BP;\n"
    )
    rows = "".join(f"     {GENE.lower() * 5} {end}\n" for end in range(60, 241, 60))
    for lineage, code in (("Eukaryota; Metazoa", 1), ("Archaea; Methanobacteriota", 11)):
        assert built(tmp_path, embl.format(lineage) + rows + "//\n") == (code, code)


@pytest.mark.parametrize(("annotation", "code"), [(NCBI, 1), (NCBI_GTF, 1), (GFF3, 11), (None, 11)])
def test_ncbi_leaves_one_out_and_others_leave_a_warning(tmp_path, caplog, annotation, code):
    with caplog.at_level(logging.INFO):
        assert built(tmp_path, FASTA, annotation) == (code, code, 4)
    told = [text for text in warnings_of(caplog) if "most coding sequences name no genetic code" in text]
    assert bool(told) == (annotation == GFF3)
    assert "`genetic_code` sets it" in caplog.text


@pytest.mark.parametrize(
    ("sequence", "annotation", "annotated"),
    [(FASTA, None, False), (FASTA, "##gff-version 3\n", True), (FASTA, GFF3, True), (record([]), None, True)],
)
def test_the_card_says_whether_there_is_an_annotation(tmp_path, sequence, annotation, annotated):
    built(tmp_path, sequence, annotation)
    assert json.loads((tmp_path / "g/genome.json").read_text())["annotated"] is annotated


def test_what_the_config_or_most_coding_sequences_say_comes_first(tmp_path, caplog):
    assert built(tmp_path, FASTA, NCBI, genetic_code=6) == (6, 6, 4)
    assert built(tmp_path, FASTA, NCBI.replace("ID=g", "ID=g;transl_table=11")) == (11, 11, 4)
    assert "name no genetic code" not in caplog.text


@pytest.mark.parametrize(
    ("source", "genome", "mitochondrion"),
    [
        ({"ensembl": {"species": "homo_sapiens", "release": 113}}, 1, 2),
        ({"ensembl": {"species": "saccharomyces_cerevisiae", "release": 113}}, 1, 3),
        ({"ensembl": {"species": "drosophila_melanogaster", "release": 113}}, 1, 5),
        ({"ensembl": {"species": "caenorhabditis_elegans", "release": 60, "division": "metazoa"}}, 1, 5),
        ({"ensembl": {"species": "ciona_intestinalis", "release": 113}}, 1, 13),
        ({"ensembl": {"species": "nematostella_vectensis", "release": 60, "division": "metazoa"}}, 1, None),
        ({"ensembl": {"species": "mycoplasma_genitalium", "release": 60, "division": "bacteria"}}, None, None),
        ({"ucsc": "hg38"}, 1, 2), ({"ucsc": "mm39"}, 1, 2), ({"ucsc": "sacCer3"}, 1, 3), ({"ucsc": "dm6"}, 1, 5),
        ({"ucsc": "droSim1"}, 1, 5), ({"ucsc": "ce11"}, 1, 5), ({"ucsc": "caePb2"}, 1, 5),
        ({"ucsc": "bruMal2"}, 1, 5), ({"ucsc": "dp4"}, 1, 5), ({"ucsc": "ci3"}, 1, 13),
        ({"ucsc": "strPur2"}, 1, 9), ({"ucsc": "cerSim1"}, 1, 2), ({"ucsc": "cavPor3"}, 1, 2),
        ({"ucsc": {"assembly": "danRer11", "track": "refGene"}}, 1, 2), ({"ucsc": "GCA_000002.1"}, 1, None),
        ({"path": "x"}, None, None),
    ],
)  # fmt: skip
def test_providers_say_it(source, genome, mitochondrion):
    parsed = (
        load_study({"study": "s", "genomes": {"g": source}}).genomes["g"].model_dump(mode="json", exclude_none=True)
    )
    found = unsaid_codes(parsed)
    assert (found.genome, found.mitochondrion) == (genome, mitochondrion)


@pytest.mark.parametrize(
    ("lineage", "code"),
    [
        ("Eukaryota; Metazoa; Ecdysozoa; Arthropoda; Hexapoda", 5),
        ("Eukaryota; Viridiplantae; Streptophyta; Embryophyta", 1),
        ("Eukaryota; Metazoa; Chordata; Tunicata; Ascidiacea", 13), ("Eukaryota; Metazoa; Cnidaria", None),
        ("Eukaryota; Fungi; Saccharomycetales; Debaryomycetaceae; Candida", None),
    ],
)  # fmt: skip
def test_mitochondria_by_lineage(lineage, code):
    assert unsaid_codes({}, [lineage], insdc=True) == UnsaidCodes(1, code, "INSDC's default")


def test_a_mitochondrion_of_which_nothing_is_known_is_a_warning(tmp_path, caplog):
    text = record(["Eukaryota; Fungi; Candida."]) + record([], name="Y", organelle="mitochondrion")
    assert built(tmp_path, text) == (1, 1, 4)
    assert any("nothing says the genetic code of this mitochondrion, 4 is taken" in m for m in warnings_of(caplog))
