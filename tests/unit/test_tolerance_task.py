"""Scores of held-out blocks: no block teaches itself, a planted leak is caught; metrics against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import planted_genome
from helpers.models import small_model
from sklearn.metrics import average_precision_score, roc_auc_score

from dnalm.errors import InputError
from dnalm.evaluate.tolerance import evaluate_tolerance
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS
from dnalm.sequence.splits import split_intervals
from dnalm.tasks import state_changes, tolerance
from dnalm.tasks.observed import matched_changes, with_features
from dnalm.tasks.state_changes import STATES, StateChanges
from dnalm.tasks.substitutions import Expectations
from dnalm.tasks.tolerance import (
    EMBEDDED,
    FITTED,
    LANGUAGE,
    REACH,
    boosting,
    final_scorer,
    held_out_scores,
    language_features,
    logistic,
    shares,
    unfitted_scores,
)
from dnalm.variants.coding import read_coding
from dnalm.variants.simulated import folds_of
from dnalm.variants.terms import RANK
from dnalm.variants.tolerance import ANNOTATED, annotated_distance, annotated_features

SILENT, MISSENSE, STOP, OUTSIDE = (
    RANK[name] for name in ("synonymous_variant", "missense_variant", "stop_gained", "intergenic_variant")
)


def made_up(rows=1200, seed=0):
    """Changes whose consequence says something, with every column; 40 blocks."""
    rng = np.random.default_rng(seed)
    simulated = np.tile([False, True], rows // 2)
    chance = np.where(simulated[:, None], [0.3, 0.55, 0.03, 0.12], [0.75, 0.12, 0.01, 0.12])
    which = (rng.random(rows)[:, None] > chance.cumsum(1)).sum(1).clip(max=3)
    table = pd.DataFrame(rng.normal(size=(rows, len(ANNOTATED) + len(LANGUAGE))), columns=[*ANNOTATED, *LANGUAGE])
    table["consequence"] = np.array([SILENT, MISSENSE, STOP, OUTSIDE], dtype=float)[which]
    table["codon_position"] = np.where(which == 3, 0, 1 + which.clip(max=2)).astype(float)
    table.loc[which == 3, ANNOTATED[2:]] = np.nan
    block = np.sort(rng.integers(0, 40, rows))
    extra = {"simulated": simulated, "block": block, "fold": folds_of(block, 4, 1), "read": block < 30}
    return table.assign(**extra, kmer_lookup=1.0)


def test_a_leak_through_the_block_is_caught(monkeypatch):
    monkeypatch.setattr(tolerance, "FITTED", {"trees": boosting(["leak"]), "line": logistic(["leak"])})
    rng = np.random.default_rng(1)
    block = np.repeat(np.arange(40), 150)
    simulated = rng.random(40)[block] < 0.5  # all of a block is alike, and its number gives it away
    features = pd.DataFrame({"leak": block + 0.1 * rng.random(len(block))})
    by_chance = rng.integers(0, 5, len(block))
    leaky = held_out_scores(features, simulated, by_chance, 1)["trees"]
    fair = held_out_scores(features, simulated, folds_of(block, 5, 1), 1)["trees"]
    assert roc_auc_score(simulated, leaky) > 0.95
    assert roc_auc_score(simulated, fair) < 0.75


def test_every_score_is_of_a_fit_without_its_fold(monkeypatch):
    seen = []

    def spy(features, simulated, seed):
        seen.append(set(features["block"]))
        assert len(features) == len(simulated)
        return lambda some: np.full(len(some), len(seen), dtype=float)

    monkeypatch.setattr(tolerance, "FITTED", {"spy": spy})
    table = made_up()
    score = held_out_scores(table, table["simulated"].to_numpy(), table["fold"].to_numpy(), 1)["spy"]
    assert len(seen) == 4
    for number, mine in enumerate(seen, 1):
        assert mine.isdisjoint(table.loc[score == number, "block"])
        assert mine | set(table.loc[score == number, "block"]) == set(table["block"])


def test_shares_are_log_odds_and_missing_values_do_no_harm():
    table = made_up()
    simulated = table["simulated"].to_numpy()
    score = shares(table, simulated, 1)(table)
    for rank in (SILENT, MISSENSE, STOP, OUTSIDE):
        mine = table["consequence"] == rank
        want = np.log((simulated[mine].sum() + 1) / ((~simulated[mine]).sum() + 1))
        assert score[mine] == pytest.approx(want)
    both = [logistic([*ANNOTATED, *LANGUAGE])(table, simulated, 1)(table) for _ in range(2)]
    assert np.isfinite(both[0]).all() and np.array_equal(*both)
    assert roc_auc_score(simulated, both[0]) > 0.7


def test_metrics_are_scikit_learns_inside_of_folds():
    table, rng = made_up(2000), np.random.default_rng(3)
    simulated, fold = table["simulated"].to_numpy(), table["fold"].to_numpy()
    scores = {"dnalm_tolerance": simulated + rng.normal(size=2000), "consequence": np.zeros(2000)}
    odds = shares(table, simulated, 1)(table)
    scores["consequence"] = odds + 0.01 * fold  # fits of four folds, each with its own value
    common = {"study": "s", "dataset": "g", "splits_sha256": "x"}
    metrics, comparisons = evaluate_tolerance(table, scores, "kin", common, {"bootstrap": 200, "block": 9}, 1)
    metrics, comparisons = pd.DataFrame(metrics), pd.DataFrame(comparisons)
    assert set(METRIC_COLUMNS) == set(metrics) and set(COMPARISON_COLUMNS) <= set(comparisons)
    values = metrics.set_index(["stratum", "method", "metric"])
    rank = table["consequence"].to_numpy()
    masks = {"all": rank > 0, "missense": rank == MISSENSE, "noncoding": rank == OUTSIDE, "synonymous": rank == SILENT}
    masks |= {f"unread_{name}": mask & ~table["read"].to_numpy() for name, mask in masks.items()}
    assert set(metrics["stratum"]) == {f"kin_{name}" for name in masks}
    for name, mask in masks.items():
        for method, score in scores.items():
            parts = [mask & (fold == f) for f in range(4)]
            pairs = [simulated[p].sum() * (~simulated[p]).sum() for p in parts]
            areas = [roc_auc_score(simulated[p], score[p]) if n else 0 for p, n in zip(parts, pairs, strict=True)]
            row = values.loc[f"kin_{name}", method, "auroc"]
            assert row["value"] == pytest.approx(np.average(areas, weights=pairs), abs=1e-9)
            assert row["ci_low"] <= row["value"] <= row["ci_high"] and row["n"] == mask.sum()
            area = average_precision_score(simulated[mask], score[mask])
            assert values.loc[f"kin_{name}", method, "auprc"]["value"] == pytest.approx(area, abs=1e-9)
    assert values.loc["kin_synonymous", "consequence", "auroc"]["value"] == 0.5
    one = comparisons[(comparisons["stratum"] == "kin_all") & (comparisons["metric"] == "auroc")].iloc[0]
    assert (one["method_a"], one["method_b"], one["unit"]) == ("dnalm_tolerance", "consequence", "9 bp")
    a, b = (values.loc["kin_all", method, "auroc"]["value"] for method in scores)
    assert one["difference"] == pytest.approx(a - b) and one["ci_low"] <= a - b <= one["ci_high"]


@pytest.fixture(scope="module")
def world():
    """A genome of which silent changes alone were kept, and a language model of it."""
    planted, rng = planted_genome(genes=60), np.random.default_rng(4)
    genome, coding = planted.genome, read_coding(planted.genome, planted.features)
    model = small_model(genome, split_intervals(genome, planted.splits, "train"))
    position = np.sort(rng.choice(len(genome.codes), 6000, replace=False))
    alt = (genome.codes[position] + rng.integers(1, 4, 6000)) % 4
    distance = annotated_distance(genome, planted.features, np.ones(len(genome.codes), dtype=bool))
    rank = annotated_features(coding, distance, position, alt)["consequence"].to_numpy()
    kept = np.isin(rank, [SILENT, OUTSIDE]) | (rng.random(6000) < 0.1)
    found = pd.DataFrame({"position": position[kept], "alt": alt[kept], "reason": ""})
    return planted, coding, Expectations(model, genome, 64), found


def test_from_differences_to_a_scorer(world, monkeypatch):
    monkeypatch.setattr(state_changes, "RANDOM", 48)
    planted, coding, expected, found = world
    genome, everywhere = planted.genome, np.ones(len(planted.genome.codes), dtype=bool)
    table = matched_changes(genome, coding, found, everywhere, {"block": 2000, "folds": 3}, 1)
    parts = genome, genome, coding, planted.features
    states = StateChanges(expected.model, genome, split_intervals(genome, planted.splits, "train"), 1, 32)
    full = with_features(table, *parts, expected, planted.splits, False, states)
    assert full[[*LANGUAGE, *STATES]].notna().all().all() and len(full) == len(table)
    one = full.iloc[len(full) // 2]
    reverse = one["gene"] >= 0 and coding.table["strand"][one["gene"]] == "-"
    alone = states.features(np.array([one["position"]]), ["ACGT"[one["ref"]]], ["ACGT"[one["alt"]]], [reverse])
    assert one[STATES].to_numpy(float) == pytest.approx(alone.to_numpy()[0], abs=1e-4)
    read = np.zeros(len(genome.codes), dtype=bool)
    for start, end in split_intervals(genome, planted.splits, "train"):
        read[start:end] = True
    assert np.array_equal(full["read"], read[full["position"]])
    simulated = full["simulated"].to_numpy()
    scores = held_out_scores(full, simulated, full["fold"].to_numpy(), 1) | unfitted_scores(full)
    assert list(scores)[: len(FITTED | EMBEDDED)] == [*FITTED, *EMBEDDED]
    assert all(np.isfinite(score).all() for score in scores.values())
    assert roc_auc_score(simulated, scores["dnalm_tolerance"]) > 0.6
    inside = (full["codon_position"] > 0).to_numpy()
    assert roc_auc_score(simulated[inside], scores["consequence_fixed"][inside]) > 0.65
    scorer = final_scorer(full, simulated, 1)
    assert list(scorer.columns) == [*ANNOTATED, *LANGUAGE] and np.isfinite(scorer.score(full)).all()
    with pytest.raises(InputError, match="too few for 50 folds"):
        matched_changes(genome, coding, found, everywhere, {"block": 10_000, "folds": 50}, 1)


def test_what_the_language_model_says_of_a_change(world):
    planted, _, expected, found = world
    genome, some = planted.genome, found.iloc[[0, 100, 500, len(found) - 1]]
    features = language_features(expected, genome, some["position"], some["alt"])
    for row, (p, alt) in enumerate(zip(some["position"].tolist(), some["alt"].tolist(), strict=True)):
        logp, got = expected.at(np.array([p]))[0], features.iloc[row]
        assert got["llr"] == pytest.approx(logp[alt] - logp[genome.codes[p]], abs=1e-5)
        assert got["reference"] == pytest.approx(logp[genome.codes[p]], abs=1e-5)
        assert got["best"] == pytest.approx(logp.max() - logp[alt], abs=1e-5)
        assert got["entropy"] == pytest.approx(-(np.exp(logp) * logp).sum() / np.log(2), abs=1e-5)
        right = np.minimum(np.arange(p + 1, p + REACH + 1), len(genome.codes) - 1)
        own = expected.at(right)[np.arange(REACH), genome.codes[right]]
        assert got["right"] == pytest.approx(own.mean(), abs=1e-5)
