"""The tables and headline numbers of the report."""

from math import nan

import pandas as pd
import pytest
from helpers.study import FOUND, GENES, gene_rows, gene_scores, make_study, metric_row, stage, write_benchmark

from dnalm.report import numbers, tables, tiles
from dnalm.report.inputs import read_benchmarks, read_inputs
from dnalm.report.results import Estimate

SPACE, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"


def texts(table):
    return [[cell.text for cell in row] for row in table.rows]


def test_tiles_stand_beside_the_rulers_and_pyrodigal(tmp_path):
    inputs = read_inputs(*make_study(tmp_path))
    shown = tiles.headline(inputs.pretrain, inputs.annotate, inputs.splits, inputs.leakage)
    assert [(t.value, t.versus, t.verdict) for t in shown] == [
        ("1.000", "Flank counts: 1.500", "better"),
        ("1.900", "Markov mixture (frozen): 1.930", "better"),
        ("0.900", "Pyrodigal, self-trained: 0.950", "no clear difference"),
        ("0.750", "Pyrodigal, self-trained: 0.850", "no clear difference"),
        ("1,500", f"with {GENES} genes to find", ""),
        (f"100{SPACE}%", "2 of 3 windows match", ""),
    ]
    assert shown[4].note == f"15{SPACE}% of the genome"
    assert shown[5].note == f"of a window at 80{SPACE}% identity (rRNA)"


def test_matrix_marks_the_best_and_survives_holes():
    rows = [
        metric_row("pretrain", "dnalm", "bits_per_base", 1.9001),
        metric_row("pretrain", "tied", "bits_per_base", 1.8999),
        metric_row("pretrain", "worse", "bits_per_base", 1.95),
        metric_row("pretrain", "dnalm", "bits_per_base", nan, nan, nan, "rna", n=0),
        metric_row("pretrain", "worse", "bits_per_base", 1.5, nan, nan, "rna", n=7),
    ]
    places = [("bits_per_base", "all"), ("bits_per_base", "rna")]
    table = tables.matrix("t", "caption", stage(rows), ["dnalm", "tied", "worse"], places)
    dash = numbers.MISSING
    assert texts(table) == [["dnalm", "1.900", dash], ["tied", "1.900", dash], ["worse", "1.950", "1.500"]]
    assert [[cell.strong for cell in row[1:]] for row in table.rows] == [[True, False], [True, False], [False, True]]
    assert table.rows[0][1].note == "1.890 to 1.910"
    assert table.rows[2][2].note == ""
    assert [column.label for column in table.columns] == ["Method", "All bases", "RNA genes"]


def test_higher_is_better_where_it_is():
    table = tables.matrix("t", "c", stage(gene_rows()[0]), list(FOUND), [("gene_f1_exact", "all"), ("brier", "all")])
    assert [row[0].text for row in table.rows if row[1].strong] == ["Pyrodigal, self-trained"]
    assert [row[0].text for row in table.rows if row[2].strong] == ["dnalm"]


def test_comparisons_show_verdict_difference_and_interval():
    table = tables.comparisons(
        "t", "c", stage(*gene_rows()), "gene_f1_3prime", ["closed_form", "longest_orf", "pyrodigal_meta"]
    )
    ours, theirs = (gene_scores(*FOUND[m])["gene_f1_3prime"] for m in ("dnalm", "closed_form"))
    d = ours - theirs
    interval = f"+{d - 0.01:.3f} to +{d + 0.01:.3f}"
    assert texts(table)[0] == ["Closed form (counts)", "better", f"+{d:.3f}", interval, "", str(GENES)]
    assert [row[1].text for row in table.rows] == ["better", "no clear difference"]


def test_whiskers_share_one_scale_with_zero_and_cut_off_outliers():
    drawn = tables.whiskers(
        [Estimate(1, 0, 2, 1), Estimate(-1, -2, 0, 1), Estimate(nan, nan, nan), Estimate(50, 1, 99)]
    )
    first, second, none, outlier = drawn
    assert none is None
    assert len({w.zero for w in (first, second, outlier)}) == 1
    assert first.low == second.high == first.zero
    assert first.value - first.zero == pytest.approx(second.zero - second.value)
    assert second.low < second.value < second.high
    assert (first.cut_high, outlier.cut_low, outlier.cut_high) == (False, False, True)
    assert all(0 <= x <= 100 for w in (first, second, outlier) for x in (w.low, w.value, w.high, w.zero))
    assert tables.whiskers([Estimate(0, 0, 0)])[0].zero == tables.whiskers([Estimate(0, 0, 0)])[0].value


def test_gene_table_counts_genes():
    table = tables.gene_table("t", "c", stage(gene_rows()[0]), list(FOUND))
    assert [[int(x) for x in row[1:]] for row in texts(table)] == [
        [found, right, GENES - found, extra] for found, right, extra in FOUND.values()
    ]


def test_splits_and_leakage_add_up(tmp_path):
    inputs = read_inputs(*make_study(tmp_path))
    parts = {row[0]: row[1:] for row in texts(tables.splits_table(inputs.splits, inputs.windows))}
    assert parts["Test"] == ["1", "1,500", f"15.0{SPACE}%", "3"]
    assert parts["Gaps, not used"] == ["1", "500", f"5.0{SPACE}%", numbers.MISSING]
    assert texts(tables.leakage_table(inputs.leakage)) == [
        ["Test", "no match", "1", f"33.3{SPACE}%", numbers.MISSING, numbers.MISSING],
        ["Test", "rRNA", "1", f"33.3{SPACE}%", f"100{SPACE}%", f"80{SPACE}%"],
        ["Test", "repeat", "1", f"33.3{SPACE}%", f"8{SPACE}%", f"100{SPACE}%"],
        ["Validation", "no match", "1", f"100.0{SPACE}%", numbers.MISSING, numbers.MISSING],
    ]


def test_benchmarks_in_order_with_holes_and_total(tmp_path):
    for name, seconds, memory, load in (("slow", 90, 10, 80), ("big", 3, 2000, 0), ("unknown", 1, "NA", "-")):
        write_benchmark(tmp_path / f"{name}.tsv", seconds, memory, load)
    for name in ("report", "results_table"):
        write_benchmark(tmp_path / f"{name}.tsv", 1000, 1)
    table = tables.benchmark_table(read_benchmarks([tmp_path, tmp_path / "absent"]))
    dash = numbers.MISSING
    assert texts(table) == [
        ["slow", "1 min 30 s", "10 MB", f"80{SPACE}%"],
        ["big", "3.0 s", "2,000 MB", dash],
        ["unknown", "1.0 s", dash, dash],
    ]
    assert [cell.text for cell in table.foot] == ["All 3 steps", "1 min 34 s", "2,000 MB", ""]
    assert [row[1].bar for row in table.rows] == [100.0, pytest.approx(3.3), pytest.approx(1.1)]
    assert [row[2].bar for row in table.rows] == [0.5, 100.0, None]


def test_plain_table_keeps_what_the_file_says():
    data = pd.DataFrame({"name": ["a", None], "x": [-1.5, nan], "n": [3, 4], "on": [True, False]})
    table = tables.plain_table("t", "c", data)
    assert texts(table) == [["a", f"{MINUS}1.5", "3", "True"], [numbers.MISSING, numbers.MISSING, "4", "False"]]
    assert [column.kind for column in table.columns] == ["text", "number", "number", "text"]
