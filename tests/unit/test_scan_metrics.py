"""Metrics of a scan: recall counted by hand, AUROC by scikit-learn, and what ties do."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of
from helpers.models import random_codes
from sklearn.metrics import average_precision_score, roc_auc_score

from dnalm.evaluate.scan import AWAY, Recall, evaluate_scan, recall_curve
from dnalm.figures.scanned_sample import draw_scanned
from dnalm.variants.places import in_contigs

SETTINGS = {"bootstrap": 40, "unit": 5000, "budget": 200, "seed": 1}


@pytest.fixture(scope="module")
def judged():
    """A genome of 200 kb with changes every 1,000 bases, and three methods: one knows, one half, one nothing."""
    rng = np.random.default_rng(1)
    genome = genome_of(random_codes(3, 120_000), random_codes(4, 80_000))
    place = np.arange(500, 200_000, 500)
    table = pd.DataFrame({"position": place, "planted": np.arange(len(place)) % 2 == 0, "read": place < 100_000})
    table["kind"] = np.array(["substitution", "real"])[np.arange(len(place)) // 2 % 2]
    table.loc[table["planted"] & (table["position"] % 9000 < 1000), "kind"] = "deletion"
    false = np.setdiff1d(np.arange(250, 200_000, 25), place)
    parts = []
    for method, lift in (("knows", 100.0), ("half", 1.5), ("nothing", 0.0)):
        for what, at in (("event", place), ("peak", false)):
            changed = table["planted"].to_numpy() if what == "event" else np.zeros(len(at))
            score = rng.normal(size=len(at)) + lift * changed
            parts.append(pd.DataFrame({"method": method, "what": what, "position": at, "score": score}))
    scores = pd.concat(parts, ignore_index=True)
    read, done = np.arange(200_000) < 100_000, table[table["planted"]]
    wrong, one = (done["kind"] != "real").to_numpy(), (done["kind"] != "deletion").to_numpy()
    noise = rng.normal(size=(2, len(done)))
    ranked = pd.DataFrame({"single": np.where(one, noise[0] + wrong, np.nan), "joint": noise[1] + wrong, "len": ~one})
    found = evaluate_scan(
        genome, *(in_contigs(t, genome.contigs) for t in (table, scores)), ranked.astype(float), read, "s",
        {"study": "x"}, SETTINGS,
    )  # fmt: skip
    return genome, table, scores, ranked, *map(pd.DataFrame, found)


def rows(metrics, stratum, metric):
    found = metrics[(metrics["stratum"] == stratum) & (metrics["metric"] == metric)]
    return found.set_index("method")["value"]


def test_values_are_those_of_scikit_learn_and_of_counting(judged):
    _, table, scores, _, metrics, _ = judged
    for prefix, here in (("", table["read"] | True), ("unread_", ~table["read"])):
        mine = (here & (table["kind"] == "substitution")).to_numpy()
        million = 0.1 if prefix else 0.2
        for method, part in scores.groupby("method"):
            event = part.loc[part["what"] == "event", "score"].to_numpy()
            want = roc_auc_score(table["planted"][mine], event[mine])
            assert rows(metrics, f"s_{prefix}substitution", "auroc")[method] == pytest.approx(want)
            peak = part[part["what"] == "peak"]
            near = abs(peak["position"].to_numpy()[:, None] - table.loc[table["planted"], "position"].to_numpy()).min(1)
            false = peak[(near > AWAY) & ((peak["position"] >= 100_000) | (not prefix))]["score"].to_numpy()
            done = event[mine & table["planted"].to_numpy()]
            limit = np.sort(false)[::-1][round(SETTINGS["budget"] * million)]
            recall = rows(metrics, f"s_{prefix}substitution", "recall_at_budget")[method]
            assert recall == pytest.approx((done > limit).mean(), abs=1e-9)
            if method == "knows":
                truth = np.arange(len(done) + len(false)) < len(done)
                exact = average_precision_score(truth, np.append(done, false))
                assert rows(metrics, f"s_{prefix}substitution", "auprc")[method] == pytest.approx(exact)


def test_errors_are_told_from_real_differences(judged):
    _, table, scores, _, metrics, comparisons = judged
    comparisons = comparisons[~comparisons["stratum"].str.contains("ranked")]
    event = scores[(scores["method"] == "half") & (scores["what"] == "event")]["score"].to_numpy()
    done = (table["planted"] & (table["kind"] != "deletion")).to_numpy()
    want = roc_auc_score(table["kind"][done] == "substitution", event[done])
    assert rows(metrics, "s_error_over_real", "auroc")["half"] == pytest.approx(want)
    assert set(comparisons["method_a"]) == {"knows"} and set(comparisons["method_b"]) == {"half", "nothing"}
    assert metrics[["ci_low", "ci_high"]].notna().all().all()
    assert (metrics["ci_low"] <= metrics["value"]).all() and (metrics["value"] <= metrics["ci_high"]).all()


@pytest.mark.parametrize(("prefix", "low", "high"), [("", 0, 2e5), ("read_", 0, 1e5), ("unread_", 1e5, 2e5)])
def test_rankings_of_differences_are_judged_where_they_say_something(judged, prefix, low, high):
    _, table, _, ranked, metrics, comparisons = judged
    done = table[table["planted"]].reset_index(drop=True)
    here = (done["position"] >= low) & (done["position"] < high)
    for stratum, methods, mine in (
        ("ranked_substitution", ["single", "joint"], here & (done["kind"] != "deletion")),
        ("ranked_errors", ["joint", "len"], here),
    ):
        found = rows(metrics, f"s_{prefix}{stratum}", "auroc")
        assert list(found.index) == methods
        for method in methods:
            want = roc_auc_score(done["kind"][mine] != "real", ranked[method][mine].astype(float))
            assert found[method] == pytest.approx(want)
        pair = comparisons[comparisons["stratum"] == f"s_{prefix}{stratum}"].iloc[0]
        assert (pair["method_a"], pair["method_b"]) == tuple(methods) and pair["n"] == mine.sum()
        assert pair["difference"] == pytest.approx(found[methods[0]] - found[methods[1]])


def test_places_with_one_score_are_taken_in_part():
    scores, positive = np.array([3.0, 2, 2, 2, 2, 2, 1, 1]), np.array([1, 1, 1, 0, 0, 0, 1, 0], dtype=bool)
    unit, allowed = np.arange(8) % 2, np.array([0.75, 0.75])
    # 1.5 of the three false flags with score 2 are let through: half of the two changes beside them count
    assert Recall(scores, positive, unit, 2, allowed)(np.ones(2)) == pytest.approx((1 + 2 * 0.5) / 4)
    assert Recall(scores, positive, unit, 2, np.array([2.0, 2.5]))(np.ones(2)) == 1.0


def test_units_without_a_score_allow_no_false_flags():
    scores, positive = np.array([3.0, 2, 1, 0]), np.array([1, 0, 1, 0], dtype=bool)
    statistic = Recall(scores, positive, np.arange(4) % 2, 4, np.array([0.25, 0.25, 50, 50]))
    assert statistic(np.ones(4)) == statistic(np.array([1.0, 1, 0, 0])) == 0.5


def test_a_curve_counts_what_is_above_each_false_flag():
    rate, found = recall_curve(np.array([5.0, 3, 1]), np.array([4.0, 2, 2, 0]), 2.0)
    assert rate.tolist() == [0, 0.5, 1, 1.5] and np.allclose(found, [1 / 3, 2 / 3, 2 / 3, 1])


def test_the_figure_says_what_is_found(judged):
    genome, table, scores, *_ = judged
    table, scores = (in_contigs(t, genome.contigs) for t in (table, scores))
    flags = pd.DataFrame(
        {"contig": ["c0", "c0", "c1"], "position": [500, 9, 380], "repair": ["substitute", "insert", "insert"],
         "ref": ["A", "", ""], "alt": ["C", "G", "G"], "score": 1.0, "gain": [3.0, 4.0, 2.0], "rank": [2, 1, 3]}
    )  # fmt: skip
    named = scores.replace({"method": {"knows": "dnalm_scan", "half": "dnalm", "nothing": "random"}})
    _, drawn, alt = draw_scanned(genome, flags, 200, table, named, named[:0])
    assert "Wrong base" in alt and "3 positions of 2 contigs" in alt
    flagged = drawn[drawn["panel"] == "flagged"]
    assert flagged["planted"].tolist() == [True, False]
    curve = drawn[(drawn["panel"] == "recall") & (drawn["method"] == "dnalm_scan")]
    assert (curve["found"] == 1).all() and set(curve["kind"]) == {"substitution", "deletion", "real"}
    _, alone, _ = draw_scanned(genome, flags, 200)
    assert len(alone) == 2
