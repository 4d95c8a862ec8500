"""Per-base F1 and calibration against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import cds_rows, genome_of, splits_of
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, f1_score

from dnalm.annotation.features import features_table
from dnalm.annotation.labels import gene_labels
from dnalm.evaluate.bases import (
    BINS,
    bin_sums,
    calibration_error,
    called_bases,
    coding_probability,
    evaluate_bases,
    f1,
    reliability,
)
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS
from dnalm.sequence.alphabet import N
from dnalm.sequence.splits import split_intervals


def simulated(seed, n=2000, power=1.0):
    """Probabilities and outcomes; ``power`` 1 is perfectly calibrated."""
    rng = np.random.default_rng(seed)
    p = rng.beta(0.6, 0.6, n)
    return p, (rng.random(n) < p**power).astype(float)


def ece_of(p, outcome):
    """Expected calibration error from scikit-learn's reliability curve."""
    share, mean = calibration_curve(outcome, p, n_bins=BINS)
    counts = np.histogram(p, np.linspace(0, 1, BINS + 1))[0]
    counts = counts[counts > 0]
    return float((counts * np.abs(share - mean)).sum() / len(p))


@pytest.mark.parametrize("power", [1.0, 2.0, 0.3])
def test_calibration_error_and_reliability_equal_scikit_learn(power):
    p, outcome = simulated(1, power=power)
    sums = bin_sums(p, outcome, np.zeros(len(p), dtype=np.int64), 1)
    assert calibration_error(sums.reshape(-1)) == pytest.approx(ece_of(p, outcome), abs=1e-12)
    assert (calibration_error(sums.reshape(-1)) < 0.03) == (power == 1.0)
    share, mean = calibration_curve(outcome, p, n_bins=BINS)
    table = reliability(p, outcome)
    np.testing.assert_allclose(table[:, 0], mean)
    np.testing.assert_allclose(table[:, 1], share)
    assert table[:, 2].sum() == len(p)


def test_reliability_of_empty_bins_is_undefined():
    table = reliability(np.array([0.01, 0.02, 0.97, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
    assert np.isnan(table[1:9, :2]).all()
    assert table[:, 2].tolist() == [2, *[0] * 8, 2]
    assert table[9, :2].tolist() == [0.985, 1.0]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7))
def test_sums_of_groups_are_those_of_the_whole(seed, groups):
    p, outcome = simulated(seed, 300)
    group = np.random.default_rng(seed).integers(0, groups, 300)
    parts = bin_sums(p, outcome, group, groups)
    assert parts.shape == (groups, BINS, 3)
    np.testing.assert_allclose(parts.sum(0), bin_sums(p, outcome, np.zeros(300, dtype=np.int64), 1)[0], atol=1e-9)
    for g in range(groups):
        mine = group == g
        if mine.any():
            assert calibration_error(parts[g].reshape(-1)) == pytest.approx(ece_of(p[mine], outcome[mine]), abs=1e-12)


def test_f1_equals_scikit_learn():
    rng = np.random.default_rng(3)
    truth, called = rng.random(400) < 0.4, rng.random(400) < 0.5
    sums = np.array([(truth & called).sum(), called.sum(), truth.sum()], dtype=float)
    assert f1(sums) == pytest.approx(f1_score(truth, called))
    stacked = f1(np.stack([sums, np.zeros(3), [0.0, 5.0, 5.0]]))
    assert stacked[0] == pytest.approx(f1_score(truth, called))
    assert np.isnan(stacked[1])
    assert stacked[2] == 0


def test_probability_of_coding_on_either_strand():
    p = np.random.default_rng(4).dirichlet(np.ones(7), 20).T.astype(np.float32)
    columns = {f"p{i}": row for i, row in enumerate(p)}
    np.testing.assert_allclose(coding_probability(columns), p[1:].sum(0), atol=1e-6)


SPLITS = splits_of(
    ("c0", 0, 1500, "train"), ("c0", 1500, 1600, "gap"), ("c0", 1600, 2300, "validation"), ("c0", 2300, 2400, "gap"),
    ("c0", 2400, 3000, "test"), ("c1", 0, 900, "test"),
)  # fmt: skip


@pytest.fixture(scope="module")
def toy():
    """Two contigs with genes on both strands that overlap, a pseudogene and Ns."""
    rng = np.random.default_rng(5)
    codes = [rng.integers(0, 4, n).astype(np.uint8) for n in (3000, 900)]
    codes[0][2500:2510] = N
    genome = genome_of(*codes, circular=True)
    lengths = {"c0": 3000, "c1": 900}
    genes = [
        ("c0", 300, 900, "+"), ("c0", 1700, 2000, "-"), ("c0", 2450, 2750, "+"), ("c0", 2720, 2900, "-"),
        ("c1", 90, 390, "-"), ("c1", 810, 960, "+"),
    ]  # fmt: skip
    rows = cds_rows(genes, lengths)
    rows += [r | {"id": "pseudo"} for r in cds_rows([("c1", 500, 590, "+")], lengths, pseudo="true")]
    return genome, gene_labels(genome, features_table(rows))


def calls_of(*rows):
    return pd.DataFrame(rows, columns=["contig", "start", "end", "strand"])


def test_called_bases_by_strand_and_round_the_origin(toy):
    genome, _ = toy
    covered = called_bases(genome, calls_of(("c0", 2990, 3010, "+"), ("c1", 5, 9, "-"), ("c1", 7, 12, "-")))
    assert np.flatnonzero(covered[:, 0]).tolist() == [*range(10), *range(2990, 3000)]
    assert np.flatnonzero(covered[:, 1]).tolist() == list(range(3005, 3012))


CALLS = {
    "dnalm": calls_of(("c0", 2480, 2750, "+"), ("c0", 2750, 2900, "-"), ("c1", 90, 420, "-"), ("c0", 1700, 2000, "-")),
    "other": calls_of(("c0", 2400, 3000, "+"), ("c1", 0, 900, "-"), ("c1", 480, 600, "+"), ("c0", 1600, 1900, "-")),
}


@pytest.fixture(scope="module")
def result(toy):
    genome, labels = toy
    intervals = np.concatenate([split_intervals(genome, SPLITS, s) for s in ("validation", "test")])
    total = int(np.diff(intervals).sum())
    rng = np.random.default_rng(6)
    columns = {f"p{i}": row.astype(np.float32) for i, row in enumerate(rng.dirichlet(np.ones(7), total).T)}
    probabilities = {"dnalm": (intervals, columns), "twin": (intervals, {k: v[::-1] for k, v in columns.items()})}
    common = {"study": "s", "stage": "annotate", "dataset": "g", "splits_sha256": "abc"}
    settings_ = {"unit": 100, "bootstrap": 200}
    rows = evaluate_bases(genome, SPLITS, labels, probabilities, CALLS, settings_, 1, common)
    return *rows, intervals, columns


def truth_by_hand():
    """(position, coding on each strand, usable) of the test bases, from the coordinates above."""
    coding = np.zeros((3900, 2), dtype=bool)
    coding[2450:2750, 0] = coding[2720:2900, 1] = coding[3090:3390, 1] = True
    coding[3810:3900, 0] = coding[3000:3060, 0] = True
    usable = np.zeros(3900, dtype=bool)
    usable[2400:3900] = True
    usable[2500:2510] = usable[3500:3590] = False
    return coding, usable


def test_base_f1_of_called_genes_equals_scikit_learn(toy, result):
    coding, usable = truth_by_hand()
    metrics = pd.DataFrame(result[0]).set_index(["split", "method", "metric"])
    for method, calls in CALLS.items():
        covered = called_bases(toy[0], calls)
        row = metrics.loc["test", method, "base_f1"]
        assert row["value"] == pytest.approx(f1_score(coding[usable].ravel(), covered[usable].ravel()))
        assert row["n"] == usable.sum() == 1400
        assert row["ci_low"] <= row["value"] <= row["ci_high"]


def test_brier_and_calibration_equal_scikit_learn(result):
    coding, usable = truth_by_hand()
    metrics, _, intervals, columns = result
    metrics = pd.DataFrame(metrics).set_index(["split", "method", "metric"])["value"]
    p = np.full(3900, np.nan)
    p[np.concatenate([np.arange(a, b) for a, b in intervals])] = 1 - columns["p0"].astype(float)
    truth = coding.any(1)[usable].astype(float)
    assert metrics["test", "dnalm", "brier"] == pytest.approx(brier_score_loss(truth, p[usable]))
    assert metrics["test", "dnalm", "ece"] == pytest.approx(ece_of(p[usable], truth))


def test_the_constant_is_the_coding_share_of_training_blocks(result):
    coding, usable = truth_by_hand()
    truth = coding.any(1)[usable]
    metrics = pd.DataFrame(result[0]).set_index(["split", "method", "metric"])["value"]
    share = 600 / 1500
    assert metrics["test", "majority", "brier"] == pytest.approx(((truth - share) ** 2).mean())
    assert metrics["test", "majority", "ece"] == pytest.approx(abs(truth.mean() - share))


def test_rows_follow_the_contract_and_compare_with_ours(result):
    metrics, comparisons = result[:2]
    assert all(set(row) == set(METRIC_COLUMNS) for row in metrics)
    assert all(set(row) == set(COMPARISON_COLUMNS) for row in comparisons)
    pairs = {(r["metric"], r["method_b"]) for r in comparisons}
    assert pairs == {("base_f1", "other"), *((m, b) for m in ("brier", "ece") for b in ("twin", "majority"))}
    values = pd.DataFrame(metrics).set_index(["split", "method", "metric"])["value"]
    for row in comparisons:
        ours, theirs = (
            values[row["split"], "dnalm", row["metric"]],
            values[row["split"], row["method_b"], row["metric"]],
        )
        assert row["difference"] == pytest.approx(ours - theirs)
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]


def test_labels_of_test_blocks_change_only_test_numbers(toy, result):
    """The base rate and the validation rows come from elsewhere."""
    genome, _ = toy
    other = gene_labels(
        genome, features_table(cds_rows([("c0", 300, 900, "+"), ("c0", 1700, 2000, "-")], {"c0": 3000, "c1": 900}))
    )
    metrics, _ = evaluate_bases(
        genome, SPLITS, other, {"dnalm": result[2:]}, CALLS, {"unit": 100, "bootstrap": 200}, 1,
        {"study": "s", "stage": "annotate", "dataset": "g", "splits_sha256": "abc"},
    )  # fmt: skip

    def rows(table, split):
        return {(r["method"], r["metric"]): r["value"] for r in table if r["split"] == split and r["method"] != "twin"}

    assert rows(metrics, "validation") == rows(result[0], "validation")
    assert rows(metrics, "test") != rows(result[0], "test")
