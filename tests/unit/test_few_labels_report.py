"""Few labels as figure, section of the report and tables of a page."""

import re
from html import unescape

import numpy as np
import pytest
from helpers.few_labels import (
    ARMS,
    HALF,
    NUMBERS,
    PYRODIGAL,
    comparisons_of,
    costs_of,
    make_few_study,
    metrics_of,
    value_of,
)
from helpers.study import make_study

from dnalm.errors import InputError
from dnalm.evaluate.verify import expected_of
from dnalm.figures.few_labels import PANELS, draw_few_labels
from dnalm.figures.style import save_figure
from dnalm.io.provenance import ROOT
from dnalm.report.few_labels import FewLabels, costs_table, difference_tables, main, sentences, values_table
from dnalm.report.inputs import read_inputs
from dnalm.report.report import build_report
from dnalm.report.results_table import markers, results_table


@pytest.fixture(scope="module")
def drawn():
    return draw_few_labels(metrics_of(), costs_of())


def few(**more):
    return FewLabels(metrics_of(), comparisons_of(**more), costs_of())


# Figure


def test_every_value_of_the_tables_is_drawn_at_its_number_of_genes(drawn):
    figure, table, _ = drawn
    means = table[table["seed"] == "mean"]
    for row in means.itertuples():
        assert row.value == pytest.approx(value_of(row.method, row.genes, row.metric))
        assert row.labelled_genes == NUMBERS[row.genes]
    assert len(means) == len(PANELS) * len(ARMS) * len(NUMBERS)
    assert (table[table["method"] == "pyrodigal_single"]["value"] == PYRODIGAL).all()
    for ax, metric in zip(figure.axes, PANELS, strict=True):
        assert ax.get_xscale() == "log"
        assert [text.get_text() for text in ax.get_xticklabels()] == ["10", "50", "all\n(812)"]
        lines = [line for line in ax.lines if len(line.get_xdata()) == len(NUMBERS) and line.get_linestyle() == "-"]
        wanted = [[value_of(arm, genes, metric) for genes in NUMBERS] for arm in ARMS]
        np.testing.assert_allclose(sorted(line.get_ydata().tolist() for line in lines), sorted(wanted))
        for line in lines:
            np.testing.assert_allclose(line.get_xdata(), list(NUMBERS.values()), rtol=0.08)
        low, high = ax.get_ylim()
        assert low <= min(map(min, wanted)) - HALF and high >= PYRODIGAL


def test_the_alternative_text_tells_every_number_and_one_seed_no_seeds(drawn):
    assert "means of 2 seeds" in drawn[2]
    assert "Right stop codon, 10 genes: " in drawn[2] and "Closed form (counts) 0.600 [0.580, 0.620]" in drawn[2]
    assert "without labels: Pyrodigal, self-trained 0.950" in drawn[2]
    _, table, alt = draw_few_labels(metrics_of((3,)), costs_of((3,)))
    assert "seeds" not in alt
    assert len(table) == len(PANELS) * (len(ARMS) * len(NUMBERS) + 1)


def test_the_same_bytes_twice(tmp_path):
    paths = [tmp_path / name for name in ("few.svg", "few.png", "few.tsv")]
    written = []
    for _ in range(2):
        save_figure(*draw_few_labels(metrics_of(), costs_of()), paths)
        written.append([path.read_bytes() for path in paths])
    assert written[0] == written[1]


def test_the_figure_has_a_rule_an_adapter_and_a_caption():
    assert "rule figure_few_labels:" in (ROOT / "workflow/rules/few_labels.smk").read_text()
    caption = (ROOT / "workflow/report/few_labels.rst").read_text().strip()
    assert 1 <= len(re.findall(r"[.?](?:\s|$)", caption)) <= 3
    for path in (ROOT / "workflow/scripts").glob("*few_labels*.py"):
        assert len(path.read_text().splitlines()) <= 30


# Report


def test_sentences_say_who_is_first_and_what_intervals_say():
    stop, exact = sentences(few())
    assert stop.startswith("**Gene F1, 3' end.** With 10 genes *Closed form (counts)* is highest (0.600)")
    assert stop.count("With ") == 3 and "With all 812 genes" in stop
    assert "beside the closed form: **worse** (difference \N{MINUS SIGN}0.100" in stop
    assert "beside fresh weights on equal compute: **better** (difference +0.200" in stop
    assert "beside the closed form: **no clear difference** (difference \N{MINUS SIGN}0.050" in exact


def test_a_difference_can_be_asked_for_both_ways_round():
    tables = few(wide=0.03)
    there, back = (tables.difference(*pair, "gene_f1_3prime", "50") for pair in (ARMS[:2], ARMS[1::-1]))
    assert (there.value, there.low, there.high) == pytest.approx((0.05, 0.02, 0.08))
    assert (back.value, back.low, back.high) == pytest.approx((-0.05, -0.08, -0.02))
    assert tables.difference("pretrained", "longest_orf", "gene_f1_3prime", "50") is None


def test_tables_hold_means_and_finders_without_labels_in_every_column():
    table = values_table(few(), "gene_f1_exact")
    assert [c.label for c in table.columns] == ["Method", "10 genes", "50 genes", "all 812 genes"]
    cells = {row[0].text: row[1:] for row in table.rows}
    assert [c.text for c in cells["Pretrained on this genome"]] == ["0.250", "0.300", "0.350"]
    assert [c.text for c in cells["Pyrodigal, self-trained"]] == ["0.950"] * 3
    strong = [name for name, row in cells.items() for c in row if c.strong]
    assert strong == ["Closed form (counts)"] * 3
    rows = difference_tables(few())[0].rows
    assert len(rows) == 5 * len(NUMBERS)
    assert rows[0][0].text == "Pretrained on this genome minus the closed form, 10 genes"
    costs = {row[0].text: [c.text for c in row[1:]] for row in costs_table(few()).rows}
    assert costs["Pretrained on this genome, 50 genes"][4] == "1500"
    assert costs["Closed form (counts), 50 genes"][4] == "–"  # noqa: RUF001 - as the tables have it


def test_the_page_has_the_section_and_other_studies_have_none(tmp_path):
    study = make_few_study(tmp_path / "few")
    page = unescape(build_report(read_inputs(*study)))
    section = page.split('<section id="few-labels">')[1].split("</section>")[0]
    for part in ("figure-few_labels", "table-few-gene-f1-3prime", "5 side by side", "1.5 CPU minutes", "2 seeds"):
        assert part in section
    assert 'href="few_labels/arms.tsv"' in page and '<a href="#few-labels">' in page
    other = build_report(read_inputs(*make_study(tmp_path / "other", annotate=False)))
    assert "few-labels" not in other
    (study[1] / "few_labels" / "arms.tsv").unlink()
    with pytest.raises(InputError, match=r"arms\.tsv: no such file"):
        read_inputs(*study)


def test_the_tables_of_a_page_are_written_between_its_markers(tmp_path, monkeypatch):
    study = make_few_study(tmp_path)
    page, (first, last) = tmp_path / "page.md", markers("made")
    page.write_text(f"before\n{first}\nold\n{last}\nafter\n")
    monkeypatch.setattr("sys.argv", ["few_labels", str(study[1] / "few_labels"), str(page)])
    main()
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text
    assert "](../images/made/few_labels.png)" in text
    assert "| Pretrained on this genome | 0.500 [0.480, 0.520] | 0.600 [0.580, 0.620] | 0.700 [0.680, 0.720] |" in text


def test_the_page_of_the_documentation_has_a_place_for_the_study():
    page = (ROOT / "docs/how-to/few-labels.md").read_text()
    assert all(page.count(marker) == 1 for marker in markers("few_labels"))


def test_trainings_by_time_are_neither_expected_again_nor_in_the_main_table():
    table = metrics_of().assign(stratum="all")
    with pytest.raises(InputError, match="no row of the test split"):
        expected_of(table)
    assert "Pretrained" not in results_table(metrics_of())
