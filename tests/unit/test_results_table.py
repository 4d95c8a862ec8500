import pandas as pd
import pytest

from dnalm.evaluate.verify import expected_of
from dnalm.io.tables import METRIC_COLUMNS, write_metrics, write_tsv
from dnalm.report.results_table import results_table


def metric(method, name, value, split="test", stratum="all", n=1234567, seed=1):
    row = {"study": "s", "stage": "x", "dataset": "g", "split": split, "stratum": stratum, "method": method}
    row |= {"metric": name, "value": value, "ci_low": value - 0.01, "ci_high": value + 0.01, "n": n, "seed": seed}
    return row | {"splits_sha256": "0"}


DASH = "\N{EN DASH}"
LANGUAGE = [
    metric("dnalm", "bits_per_base", 1.89),
    metric("dnalm", "bits_per_base", 1.11, split="validation"),
    metric("dnalm", "bits_per_base", 1.22, stratum="coding"),
    metric("markov_order_3", "bits_per_base", 1.95),
    metric("markov_order_12", "bits_per_base", 1.94),
    metric("markov_order_16", "bits_per_base", 1.96),
    metric("markov_mixture", "bits_per_base", 1.92),
    metric("dnalm", "bits_per_base_two_sided", 1.81),
    metric("flank_counts", "bits_per_base_two_sided", 1.90),
]
GENES = [
    metric("dnalm", "gene_f1_3prime", 0.97512, n=162),
    metric("dnalm", "gene_f1_exact", 0.86, n=162),
    metric("dnalm", "start_accuracy", 0.88, n=162),
    metric("dnalm", "base_f1", 0.98, n=1000),
    metric("pyrodigal_single", "gene_f1_3prime", 0.99, n=162),
    metric("dnalm_memory_only", "gene_f1_3prime", 0.96, n=162),
    metric("majority", "brier", 0.08),
]


def table(rows):
    return pd.DataFrame(rows, columns=METRIC_COLUMNS)


def cells(text):
    """Rows of the Markdown tables in a text, as lists of cells, without their rules."""
    rows = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return [row for row in rows if set("".join(row)) - set("-:")]


def test_language_rows_are_those_of_all_test_bases_with_the_best_single_order():
    text = results_table(table(LANGUAGE))
    assert "1,234,567 test bases" in text
    assert cells(text)[1:] == [
        ["one direction", "dnalm", "1.8900", "[1.8800, 1.9000]"],
        ["one direction", "Markov mixture (frozen)", "1.9200", "[1.9100, 1.9300]"],
        ["one direction", "Markov, order 12 (best order on test)", "1.9400", "[1.9300, 1.9500]"],
        ["both sides", "dnalm", "1.8100", "[1.8000, 1.8200]"],
        ["both sides", "Flank counts", "1.9000", "[1.8900, 1.9100]"],
    ]
    assert "Genes" not in text


def test_gene_rows_have_an_interval_in_every_cell_and_a_dash_for_what_was_not_measured():
    rows = cells(results_table(table(LANGUAGE + GENES)))
    head = rows.index(["method", "F1, 3' end", "F1, both ends", "start accuracy", "base F1"])
    assert rows[head + 1 :] == [
        ["dnalm", "0.975 [0.965, 0.985]", "0.860 [0.850, 0.870]", "0.880 [0.870, 0.890]", "0.980 [0.970, 0.990]"],
        ["Pyrodigal, self-trained", "0.990 [0.980, 1.000]", *[DASH] * 3],
        ["Memory-only twin", "0.960 [0.950, 0.970]", *[DASH] * 3],
    ]
    assert "Genes, 162 in test blocks" in results_table(table(LANGUAGE + GENES))


def test_the_mean_of_several_seeds_stands_for_them():
    seeds = [metric("dnalm", "bits_per_base", value, seed=s) for s, value in ((1, 1.7), ("mean", 1.75), (2, 1.8))]
    assert cells(results_table(table(seeds)))[1][2] == "1.7500"


def test_a_recounted_memory_stands_beside_the_model():
    rows = [*LANGUAGE, metric("dnalm_recounted", "bits_per_base_two_sided", 1.7)]
    assert [row[1] for row in cells(results_table(table(rows))) if row[0] == "both sides"] == [
        "dnalm", "dnalm, memory recounted", "Flank counts",
    ]  # fmt: skip


def test_a_comparison_has_a_table_of_its_own_and_leaves_the_others_alone():
    arms = [
        metric(m, name, value, seed=seed) | {"stage": "compare"}
        for m, name, value, seed in (
            ("dnalm", "bits_per_base", 1.6, 1), ("dnalm", "bits_per_base", 1.5, "mean"),
            ("dnalm", "bits_per_base_two_sided", 1.4, "mean"), ("transformer", "bits_per_base_two_sided", 1.45, "mean"),
            ("markov_mixture", "bits_per_base", 1.55, float("nan")),
        )
    ]  # fmt: skip
    text = results_table(table(LANGUAGE + arms))
    alone = results_table(table(LANGUAGE))
    assert text.startswith(alone.rstrip())
    assert cells(text.removeprefix(alone.rstrip())) == [
        ["method", "both sides", "one direction"],
        ["dnalm", "1.4000 [1.3900, 1.4100]", "1.5000 [1.4900, 1.5100]"],
        ["Transformer", "1.4500 [1.4400, 1.4600]", DASH],
        ["Markov mixture (frozen)", DASH, "1.5500 [1.5400, 1.5600]"],
    ]


def test_a_value_that_is_not_defined_has_no_row():
    text = results_table(table([*LANGUAGE[1:], metric("dnalm", "bits_per_base", float("nan"))]))
    assert ["one direction", "Markov mixture (frozen)"] == cells(text)[1][:2]


@pytest.mark.parametrize("rows", [LANGUAGE, LANGUAGE + GENES], ids=["language", "genes"])
def test_metrics_and_the_expected_file_give_the_same_table(tmp_path, rows):
    write_metrics(rows, tmp_path / "all_metrics.tsv")
    metrics = pd.read_csv(tmp_path / "all_metrics.tsv", sep="\t")
    write_tsv(expected_of(metrics), tmp_path / "expected.tsv")
    assert results_table(pd.read_csv(tmp_path / "expected.tsv", sep="\t")) == results_table(metrics)


def test_a_comparison_alone_has_no_table_of_what_was_not_scored():
    arms = [metric("dnalm", "bits_per_base", 1.5, seed="mean") | {"stage": "compare"}]
    text = results_table(table(arms))
    assert text.startswith("Language models compared") and text.count("| --- |") == 1
