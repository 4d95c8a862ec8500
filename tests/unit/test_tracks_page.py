"""Figure and section of the report on labels of the user's own."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, splits_of
from helpers.study import comparison_row, metric_row, stage
from sklearn.metrics import precision_recall_curve

from dnalm.annotation.track_labels import TrackLabels
from dnalm.figures import style
from dnalm.figures.tracks import draw_track_precision_recall, precision_recall
from dnalm.report import own_labels
from dnalm.report.results_table import results_table

ANNOTATE = {"tracks": {"repeat": {}, "prophage": {}}, "stranded": False, "mode": "multi_label"}
SCORES = {"dnalm": 0.8, "kmer_logistic": 0.6, "dnalm_random_init": 0.79, "majority": 0.25}


def rows():
    """(metrics, comparisons): clearly better than the regression, not than the twin."""
    metrics, comparisons = [], []
    for track in ANNOTATE["tracks"]:
        for method, value in SCORES.items():
            metrics.append(metric_row("annotate", method, "auprc", value, stratum=track))
            d = SCORES["dnalm"] - value
            if method != "dnalm":
                comparisons.append(comparison_row("annotate", method, "auprc", d, d - 0.05, d + 0.05, stratum=track))
    return metrics, comparisons


def test_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    truth = rng.random(120) < 0.3
    values = np.round(rng.random(120) + 0.3 * truth, 2)
    curve = precision_recall(values, truth)
    precision, recall, _ = precision_recall_curve(truth, values)
    known = dict(zip(recall[:-1].round(9), precision[:-1], strict=True))
    for point in curve.itertuples():
        assert round(point.recall, 9) in known
    assert curve["recall"].iloc[-1] == 1
    assert curve["precision"].iloc[-1] == pytest.approx(truth.mean())


def test_the_figure_has_a_panel_per_track_and_is_the_same_twice(tmp_path):
    rng = np.random.default_rng(2)
    genome = genome_of(rng.integers(0, 4, 900).astype(np.uint8))
    labels = TrackLabels(("repeat", "prophage"), rng.random((900, 2)) < 0.3, np.ones(900, dtype=bool))
    splits = splits_of(("c0", 0, 400, "train"), ("c0", 400, 900, "test"))
    columns = {name: rng.random(900) for name in labels.names}
    found = {method: (np.array([[0, 900]]), columns) for method in ("kmer_logistic", "dnalm")}
    metrics, _ = rows()
    drawn = draw_track_precision_recall(genome, splits, labels, found, pd.DataFrame(metrics))
    figure, table, alt = drawn
    assert [ax.get_title(loc="left") for ax in figure.axes if ax.get_visible()] == ["repeat", "prophage"]
    assert set(table["track"]) == {"repeat", "prophage"} and set(table["method"]) == {"dnalm", "kmer_logistic"}
    assert "repeat: dnalm 0.800 [0.790, 0.810]" in alt and "Base rate 0.250" in alt
    for name in ("one", "two"):
        drawn = draw_track_precision_recall(genome, splits, labels, found, pd.DataFrame(metrics))
        style.save_figure(*drawn, [tmp_path / f"{name}.svg", tmp_path / f"{name}.tsv"])
    for kind in ("svg", "tsv"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


def test_the_report_says_what_is_better_and_what_is_not():
    said = own_labels.sentences(stage(*rows()), ANNOTATE)
    assert len(said) == 2
    assert "`repeat` (25 % of the test bases)" in said[0].replace("\N{NO-BREAK SPACE}", " ")
    assert "0.800" in said[0] and "**better** than the k-mer regression (0.600)" in said[0]
    assert "**not clearly different** from its twin without pretraining (0.790)" in said[0]


def test_the_section_has_a_table_of_every_track():
    part = own_labels.section(stage(*rows()), ANNOTATE)
    names = [table.name for table in part["tables"]]
    assert names == ["track-repeat", "track-repeat-auprc-against", "track-prophage", "track-prophage-auprc-against"]
    assert len(part["tables"][0].rows) == len(SCORES)
    assert part["more"] == []


def test_the_table_for_a_readme_has_a_row_of_every_track_and_method():
    metrics = pd.DataFrame(rows()[0])
    lines = results_table(metrics).splitlines()
    assert lines[0] == "Labels of 1,000 test bases; higher is better, 95 % intervals in brackets:"
    assert "| prophage | Base rate | 0.250 [0.240, 0.260] | \N{EN DASH} | \N{EN DASH} |" in lines
    assert len(lines) == 4 + 2 * len(SCORES)
