"""Genes with introns in figure, report and results table: what a study of known scores makes of them."""

import re

import numpy as np
import pandas as pd
import pytest
from helpers.study import comparison_row, make_study, metric_row

from dnalm.evaluate.verify import expected_of
from dnalm.figures.gene_structures import LEVELS, SCORES, draw_gene_structures
from dnalm.figures.style import save_figure
from dnalm.figures.vocabulary import METHOD_LABELS, METRIC_LABELS
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS
from dnalm.report import structures
from dnalm.report.inputs import read_inputs
from dnalm.report.report import build_report
from dnalm.report.results import Stage, verdict
from dnalm.report.results_table import results_table

#: F1 of genes by finder; exons are 0.01 below, bases 0.05 above.
VALUES = {"dnalm": 0.9, "dnalm_alone": 0.84, "dnalm_random_init": 0.88, "closed_form": 0.8, "augustus": 0.89}
SHIFTS = {"gene": 0.0, "exon": -0.01, "base": 0.05}


def rows(methods=tuple(VALUES)):
    """(metrics, comparisons); only the differences from closed form and the network alone are clear of zero."""
    metrics, comparisons = [], []
    for level, shift in SHIFTS.items():
        for score in SCORES:
            name = f"{level}_{score}_structure"
            for method in methods:
                metrics.append(metric_row("annotate", method, name, VALUES[method] + shift, n=597))
                if method != "dnalm":
                    d = VALUES["dnalm"] - VALUES[method]
                    comparisons.append(comparison_row("annotate", method, name, d, d - 0.03, d + 0.03, n=597))
    return metrics, comparisons


def stage_of(methods=tuple(VALUES)):
    metrics, comparisons = rows(methods)
    return Stage(pd.DataFrame(metrics, columns=METRIC_COLUMNS), pd.DataFrame(comparisons, columns=COMPARISON_COLUMNS))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    config, results, genomes, captions, names = make_study(tmp_path_factory.mktemp("study"), genes=rows())
    config["annotate"]["labels"] = "structures"
    return build_report(read_inputs(config, results, genomes, captions, names))


def test_sentences_say_what_the_comparisons_say():
    genes, exons = structures.sentences(stage_of())
    assert genes.startswith(
        "For whole genes (F1), 597 in the test blocks, the model shows **no clear difference from**"
    )
    assert "AUGUSTUS: 0.900 against 0.890" in genes and "is **better than**" in genes and "against 0.800" in genes
    assert exons.startswith("For exons (F1)") and "0.890 against 0.880" in exons
    counts, twin = structures.parts(stage_of())
    assert "**better than** the network without counts: 0.900 against 0.840" in counts
    assert "no clear difference from** its twin without any pretraining" in twin


def test_finders_that_were_not_run_are_not_spoken_of():
    genes, _ = structures.sentences(stage_of(("dnalm", "closed_form")))
    assert "AUGUSTUS" not in genes and structures.parts(stage_of(("dnalm", "closed_form"))) == []
    alone, _ = structures.sentences(stage_of(("dnalm",)))
    assert alone == "For whole genes (F1), 597 in the test blocks, the model reaches 0.900."
    assert structures.sentences(stage_of(("closed_form",))) == []
    assert verdict("gene_f1_structure", stage_of().difference("closed_form", "gene_f1_structure")) == "better"


def test_the_page_tells_of_introns_and_not_of_bacteria(page):
    section = page.split('<section id="genes">')[1].split("</section>")[0]
    assert "whole transcript with the longest coding sequence" in section
    assert "Pyrodigal" not in section and "Two twins" not in section
    assert "AUGUSTUS" in section and "species" in section
    assert "Taking the counts away leaves the network alone" in section
    assert "Gene F1, all exons" in page.split('<section id="genes">')[0]  # a tile
    assert len(re.findall("For whole genes", page)) == 2  # summary and section


def test_the_figure_draws_every_score_once_and_the_same_twice(tmp_path):
    metrics = pd.DataFrame(rows()[0], columns=METRIC_COLUMNS)
    extra = metrics.assign(split="validation", value=0.1)
    files = []
    for name in "ab":
        figure, table, alt = draw_gene_structures(pd.concat([metrics, extra]))
        outputs = [str(tmp_path / f"{name}.{kind}") for kind in ("svg", "png", "pdf", "tsv")]
        save_figure(figure, table, alt, outputs)
        files.append([open(path, "rb").read() for path in outputs])
    assert files[0] == files[1]
    assert len(table) == len(LEVELS) * len(SCORES) * len(VALUES) and (table["value"] > 0.5).all()
    drawn = [line for ax in figure.axes for line in ax.lines if len(line.get_xdata()) == len(SCORES)]
    values = np.sort(np.concatenate([line.get_xdata() for line in drawn]))
    np.testing.assert_allclose(values, np.sort(table["value"]))
    for ax in figure.axes:
        low, high = ax.get_xlim()
        assert all(((low <= x) & (x <= high)).all() for line in drawn if line.axes is ax for x in [line.get_xdata()])
    assert "F1 of genes, all exons: dnalm 0.900 [" in alt and "AUGUSTUS 0.890" in alt


def test_the_figure_without_some_finders():
    metrics = pd.DataFrame(rows(("dnalm", "closed_form"))[0], columns=METRIC_COLUMNS)
    metrics.loc[metrics["metric"].str.contains("precision"), ["value", "ci_low", "ci_high"]] = np.nan
    _, table, alt = draw_gene_structures(metrics)
    assert set(table["method"]) == {"dnalm", "closed_form"} and "AUGUSTUS" not in alt


def test_the_results_table_has_a_row_per_finder():
    metrics = pd.DataFrame(rows()[0], columns=METRIC_COLUMNS)
    text = results_table(metrics)
    assert text.startswith("Genes with introns, 597 in test blocks")
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert [line.split(" | ")[0].strip("| ") for line in lines] == [
        METHOD_LABELS[m] for m in ("dnalm", "dnalm_alone", "augustus", "closed_form", "dnalm_random_init")
    ]
    assert lines[0].split(" | ")[1].startswith("0.900 [") and lines[0].split(" | ")[3].startswith("0.950 [")


def test_every_score_has_a_name_and_a_tolerance():
    metrics = pd.DataFrame(rows()[0], columns=METRIC_COLUMNS)
    assert set(metrics["metric"]) <= set(METRIC_LABELS)
    assert (expected_of(metrics)["tolerance"] > 0).all()
