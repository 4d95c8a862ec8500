"""The report and the results table of a study of several genomes: all together, and each by itself."""

from html import unescape

import pandas as pd
import pytest
from helpers.study import gene_rows, language_rows, make_study, write_genome, write_stage

from dnalm.config import load_study
from dnalm.io.tables import METRIC_COLUMNS
from dnalm.report.genomes import data_card, gene_tables, language_tables
from dnalm.report.inputs import read_inputs
from dnalm.report.report import build_report
from dnalm.report.results_table import results_table

SHIFT = {"made": 0.0, "g": 0.1, "h": -0.2}


def by_dataset(rows):
    """The same rows for all genomes together and for each: values differ by a known number."""
    return [
        row | {"dataset": dataset} | ({"value": row["value"] + shift} if "value" in row else {})
        for dataset, shift in SHIFT.items()
        for row in rows
    ]


@pytest.fixture
def several(tmp_path):
    """A study of two genomes, the second without an organism in its record."""
    _, results, genomes, captions, names = make_study(tmp_path)
    sources = {"g": {"path": "g.fa", "group": "kin"}, "h": {"path": "h.fa"}}
    config = load_study({"study": "made", "genomes": sources}).model_dump(mode="json")
    write_genome(genomes / "h", "c1")
    for name, (metrics, comparisons) in (("pretrain", language_rows()), ("annotate", gene_rows())):
        write_stage(results / name, (by_dataset(metrics), by_dataset(comparisons)))
    (results / "annotate" / "h").mkdir()
    (results / "annotate" / "h" / "genes.gff3.gz").write_bytes(b"x")
    return config, results, genomes, captions, names


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_the_headline_is_of_all_genomes_and_tables_are_of_each(several):
    inputs = read_inputs(*several)
    assert inputs.pretrain.value("dnalm", "bits_per_base").value == pytest.approx(1.9)
    both, one = language_tables(inputs)
    assert [row[:3] for row in texts(one)] == [["g", "2.000", "2.030"], ["h", "1.700", "1.730"]]
    assert [row[:3] for row in texts(both)] == [["g", "1.100", "1.600"], ["h", "0.800", "1.300"]]
    assert {row[3] for row in texts(one)} == {"better"}
    f1 = gene_tables(inputs, ["closed_form", "pyrodigal_single"])[0]
    assert [row[0] for row in texts(f1)] == ["g", "h"]
    assert len(f1.columns) == len(f1.rows[0]) == 6


def test_the_page_names_all_genomes(several):
    page = unescape(build_report(read_inputs(*several)))
    assert "of <span>2 genomes</span>" in page
    assert "Genomes g, h, 20,000 bases" in page
    assert 'id="table-genomes"' in page and "<summary>Genome h</summary>" in page
    for path in ("annotate/g/genes.gff3.gz", "annotate/h/genes.gff3.gz", "../genomes/h/genome.fa.gz"):
        assert f'href="{path}"' in page
    assert page.count('id="table-contigs-') == 2
    assert build_report(read_inputs(*several)) == build_report(read_inputs(*several))


def test_the_genomes_table_says_what_is_in_which_part(several):
    table = data_card(read_inputs(*several))["table"]
    found = {row[0]: row[2:] for row in texts(table)}
    assert found["g"][0] == "kin" and found["h"][0] == "\N{EN DASH}"
    # 6000 of 10,000 bases of g are for training, 2000 for validation, 1500 for test; h is in none of the made-up blocks
    assert [value.replace("\N{NO-BREAK SPACE}", " ") for value in found["g"][2:5]] == ["60 %", "20 %", "15 %"]
    assert [value.replace("\N{NO-BREAK SPACE}", " ") for value in found["h"][2:5]] == ["0 %"] * 3


@pytest.mark.parametrize(
    ("said", "features", "cds"),
    [
        ({"annotated": False}, "no annotation", None), ({}, "no annotation", None),
        ({"annotated": True}, "none", "0"),
    ],
    ids=["none", "a card of an earlier version", "one without genes"],
)  # fmt: skip
def test_a_genome_without_annotation_is_not_one_without_genes(several, said, features, cds):
    inputs = read_inputs(*several)
    card = inputs.genomes["h"].card
    card |= {"features": {}, "cds": {"total": 0, "joined": 0, "pseudo": 0, "partial": 0}, **said}
    shown = data_card(inputs)
    facts = next(dict(genome["facts"]) for genome in shown["genomes"] if genome["name"] == "h")
    assert (facts["Features"], facts.get("CDS")) == (features, cds)
    assert {row[0]: row[-1] for row in texts(shown["table"])} == {"g": "80", "h": cds or "no annotation"}


def test_a_study_of_one_genome_has_no_table_of_genomes(tmp_path):
    inputs = read_inputs(*make_study(tmp_path))
    assert data_card(inputs)["table"] is None
    assert not any(table.rows for table in [*language_tables(inputs), *gene_tables(inputs, ["closed_form"])])
    page = build_report(inputs)
    assert "Genome g, 10,000 bases" in unescape(page) and 'id="table-genomes"' not in page


def test_the_results_table_tells_all_together_and_each():
    metrics = pd.DataFrame(by_dataset(language_rows()[0] + gene_rows()[0]), columns=METRIC_COLUMNS)
    text = results_table(metrics)
    assert text.startswith(results_table(metrics[metrics["dataset"] == "made"]).rstrip("\n"))
    rows = [line.split(" | ") for line in text.split("By genome")[1].splitlines() if line.startswith(("| g", "| h"))]
    assert [row[0].strip("| ") for row in rows] == ["genome", "g", "h"]
    assert [row[1].split()[0] for row in rows[1:]] == ["2.000", "1.700"]
    assert "By genome" not in results_table(metrics[metrics["dataset"] == "g"])
