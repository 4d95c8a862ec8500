"""Scores of labels against scikit-learn and against counting intervals one by one."""

import numpy as np
import pytest
from helpers.genomes import genome_of, splits_of
from sklearn.metrics import average_precision_score, f1_score, matthews_corrcoef, roc_auc_score

from dnalm.annotation.track_labels import TrackLabels
from dnalm.evaluate import tracks

LENGTH, SETTINGS = 4000, {"unit": 200, "bootstrap": 200}
COMMON = {"study": "s", "stage": "annotate", "splits_sha256": "0"}
SPLITS = splits_of(
    ("c0", 0, 1000, "train"), ("c0", 1000, 2000, "validation"), ("c0", 2000, 3000, "test"), ("c0", 3500, 4000, "test")
)
TEST = np.r_[2000:3000, 3500:4000]


def annotate(stranded=False, mode="multi_label"):
    rule = {"merge_gap": 0, "min_length": 1}
    return {"tracks": {"a": rule}, "mode": mode, "stranded": stranded, "priority": []}


def world(names, seed=1, share=0.2):
    """A genome with runs of labels and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, LENGTH).astype(np.uint8)
    codes[2100:2120] = 4
    edges = np.repeat(rng.random((LENGTH // 20, len(names))) < share, 20, axis=0)
    values = np.clip(0.3 * edges + 0.7 * rng.random(edges.shape), 0, 1).astype(np.float32)
    columns = {name: values[:, i] for i, name in enumerate(names)}
    return genome_of(codes), TrackLabels(names, edges, codes < 4), columns


def rows(genome, labels, columns, threshold=0.5, rules=None, **others):
    methods = {
        "dnalm": (np.array([[0, LENGTH]]), columns),
        "majority": tracks.constant(genome, SPLITS, labels),
        **others,
    }
    thresholds = {m: dict.fromkeys(labels.names, threshold) for m in methods}
    found = tracks.evaluate_tracks(
        genome, SPLITS, labels, methods, thresholds, rules or annotate(len(labels.names) > 1), SETTINGS, 1, COMMON
    )
    return [{(r["split"], r["method"] if "method" in r else r["method_b"], r["metric"]): r for r in t} for t in found]


@pytest.mark.parametrize("names", [("a",), ("a+", "a-")])
def test_scores_of_bases_are_those_of_scikit_learn(names):
    genome, labels, columns = world(names)
    metrics, _ = rows(genome, labels, columns)
    place = TEST[labels.known[TEST]]
    truth = np.concatenate([labels.truth[place, i] for i in range(len(names))])
    values = np.concatenate([columns[name][place] for name in names])
    expected = {
        "auprc": (average_precision_score(truth, values), 5e-3), "auroc": (roc_auc_score(truth, values), 1e-3),
        "base_f1": (f1_score(truth, values >= 0.5), 1e-9), "mcc": (matthews_corrcoef(truth, values >= 0.5), 1e-9),
    }  # fmt: skip
    for metric, (value, tolerance) in expected.items():
        row = metrics["test", "dnalm", metric]
        assert row["value"] == pytest.approx(value, abs=tolerance), metric
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
        assert (row["stratum"], row["n"]) == ("a", 1480)


def test_areas_of_binned_values_are_exact():
    rng = np.random.default_rng(4)
    bins, truth = rng.integers(0, 9, 500), rng.random(500) < 0.3
    sums = np.stack([np.bincount(bins, weights=w, minlength=12) for w in (truth, ~truth)], axis=1).ravel()
    assert tracks.auprc(sums) == pytest.approx(average_precision_score(truth, bins), abs=1e-12)
    assert tracks.auroc(sums) == pytest.approx(roc_auc_score(truth, bins), abs=1e-12)
    assert np.isnan(tracks.auprc(np.zeros(24)))


def test_bins_keep_the_order_of_values():
    rng = np.random.default_rng(5)
    values, truth = rng.random(3000) ** 8, rng.random(3000) < 0.01
    bins = tracks.bins_of(values, truth)
    assert (np.diff(bins[np.argsort(values, kind="stable")]) >= 0).all()
    assert bins.max() < tracks.BINS
    assert len(np.unique(bins[truth])) == truth.sum(), "labelled bases are told apart"


def test_a_constant_scores_the_prevalence():
    genome, labels, columns = world(("a",))
    metrics, comparisons = rows(genome, labels, columns, threshold=0.0)
    share = labels.truth[TEST[labels.known[TEST]], 0].mean()
    assert metrics["test", "majority", "auprc"]["value"] == pytest.approx(share)
    assert metrics["test", "majority", "auroc"]["value"] == 0.5
    assert metrics["test", "majority", "mcc"]["value"] == 0.0
    difference = comparisons["test", "majority", "auprc"]
    ours = metrics["test", "dnalm", "auprc"]["value"]
    assert difference["difference"] == pytest.approx(ours - share)
    assert difference["ci_low"] > 0


def test_intervals_are_found_and_right_when_half_of_them_is_covered():
    genome, labels, _ = world(("a",), share=0.0)
    truth, values = labels.truth[:, 0], np.zeros(LENGTH, dtype=np.float32)
    truth[2200:2300] = truth[2500:2600] = truth[2990:3010] = truth[3600:3620] = True
    values[2250:2300] = 0.9  # half of the first; a right call
    values[2551:2700] = 0.9  # 49 of 100 of the second; 49 of 149: wrong
    values[3505:3515] = 0.9  # nothing there: wrong
    values[3600:3700] = 0.9  # all of the last; 20 of 100: wrong
    metrics, _ = rows(genome, labels, {"a": values})
    sensitivity, precision = (metrics["test", "dnalm", f"interval_{m}"] for m in ("sensitivity", "precision"))
    assert (sensitivity["value"], sensitivity["n"]) == (2 / 4, 4)  # the third is cut at the edge of its block
    assert (precision["value"], precision["n"]) == (1 / 4, 4)


def test_methods_that_read_the_held_out_blocks_alone_get_the_same_scores():
    genome, labels, columns = world(("a",))
    held = np.array([[1000, 2000], [2000, 3000], [3500, 4000]])
    place = np.concatenate([np.arange(a, b) for a, b in held])
    metrics, comparisons = rows(genome, labels, columns, twin=(held, {"a": columns["a"][place]}))
    for metric in ("auprc", "auroc", "mcc", "base_f1", "interval_precision", "interval_sensitivity"):
        assert metrics["test", "twin", metric]["value"] == metrics["test", "dnalm", metric]["value"]
        assert comparisons["test", "twin", metric]["difference"] == 0
