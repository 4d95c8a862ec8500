"""Arms side by side: trained within a budget, asked the same questions, and compared base by base."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.genomes import splits_of
from helpers.models import contigs_of, random_codes, small_model
from helpers.pretraining import SETTINGS, SPLITS, toy_genome
from helpers.tokens import token_model

from dnalm.errors import InputError
from dnalm.evaluate.compare import evaluate_arms
from dnalm.io.tables import write_scores
from dnalm.models.networks import NETWORKS
from dnalm.sequence.batches import tile
from dnalm.sequence.splits import split_intervals
from dnalm.tasks import compare, context_cost
from dnalm.tasks.compare import score_arm, train_arm, write_arm
from dnalm.tasks.scoring import score, score_positions, spread_positions

GENOME = toy_genome()
TEST = np.array([[7600, 9000]])
BUDGET = {**SETTINGS, "bases_seen": None, "budget_minutes": 0.02, "validate_every": 4096, "memory_orders": [1, 2]}
ARMS = {
    "default": ({}, {"kind": "base"}),
    "k-mers": ({"architecture": "ssm", "objective": "causal"}, {"kind": "kmer", "k": 2}),
    "masked byte pairs": ({"architecture": "dilated_conv", "objective": "masked"}, {"kind": "bpe", "vocabulary": 20}),
}


# Training


@pytest.mark.parametrize("name", ARMS)
def test_an_arm_is_trained_for_its_budget(name, monkeypatch):
    monkeypatch.setattr("dnalm.tasks.language.VALIDATION_POSITIONS", 16)
    changed, tokens = ARMS[name]
    settings = {**BUDGET, **changed}
    model, facts, history = train_arm(GENOME, SPLITS, settings, tokens, 1)
    assert settings == {**BUDGET, **changed}
    assert not model.training
    assert facts["parameters"] == sum(p.numel() for p in model.parameters())
    assert facts["memory_bases"] == (6000 if name == "default" else 0)
    assert 0.02 <= facts["cpu_minutes"] < 0.1
    assert 0 < facts["prepare_seconds"] < 60 * facts["cpu_minutes"]
    trained = 60 * facts["cpu_minutes"] - facts["prepare_seconds"]
    assert facts["bases_per_second"] == pytest.approx(facts["bases_seen"] / trained)
    assert facts["bases_seen"] == history[-1]["bases_seen"]
    minutes = [row["cpu_minutes"] for row in history]
    assert minutes == sorted(minutes)
    assert facts["prepare_seconds"] / 60 < minutes[0] and minutes[-1] == pytest.approx(facts["cpu_minutes"])
    metric = "validation_bits_per_token" if name == "masked byte pairs" else "validation_bits_per_base"
    assert all(metric in row for row in history)


def test_validations_cost_an_arm_nothing(monkeypatch):
    """The clock moves in validations only: the budget never ends by them."""
    clock = [0.0]

    def validate(task):
        clock[0] += 1000
        return {"loss": 1.0}

    monkeypatch.setattr("dnalm.tasks.language.LanguageTask.validate", validate)
    monkeypatch.setattr("dnalm.training.loop.time.process_time", lambda: clock[0])
    steps = [0]

    def batch(task, step, *part):
        steps[0] += 1
        clock[0] += 0.1
        return real(task, step, *part)

    real = compare.language_task.__globals__["LanguageTask"].batch
    monkeypatch.setattr("dnalm.tasks.language.LanguageTask.batch", batch)
    train_arm(GENOME, SPLITS, {**BUDGET, "budget_minutes": 0.1, "validate_every": 256}, {"kind": "base"}, 1)
    assert 58 <= steps[0] <= 61


def test_a_budget_that_preparing_eats_up_is_refused():
    with pytest.raises(InputError, match=r"compare\.budget_minutes: counting .* alone took"):
        train_arm(GENOME, SPLITS, {**BUDGET, "budget_minutes": 1e-9}, {"kind": "base"}, 1)


# Questions


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(compare, "CAUSAL_BASES", 300)
    monkeypatch.setattr(compare, "POSITIONS", 24)
    monkeypatch.setattr(compare, "WINDOW", 64)


@pytest.mark.parametrize(
    ("make", "metrics"),
    [
        (small_model, {"bits_per_base", "bits_per_base_two_sided"}),
        (lambda: token_model("ssm", "bpe"), {"bits_per_base"}),
        (lambda: token_model("local", "kmer"), {"bits_per_base_two_sided"}),
        (lambda: token_model("local", "bpe"), set()),
    ],
    ids=["two-sided", "causal", "masked", "masked byte pairs"],
)
def test_arms_are_asked_the_same_test_bases(make, metrics, few):
    found = score_arm(make(), GENOME, SPLITS)
    assert set(found) == metrics
    reference = score_arm(small_model(), GENOME, SPLITS)
    for metric, (place, bits) in found.items():
        np.testing.assert_array_equal(place, reference[metric][0])
        assert ((place >= 7600) & (place < 9000)).all() and len(np.unique(place)) == len(place)
        assert np.isfinite(bits).all()


def test_bits_of_an_arm_are_those_of_its_model(few):
    model = small_model()
    found = score_arm(model, GENOME, SPLITS)
    allowed = np.zeros(9000, dtype=bool)
    allowed[7500:9000] = allowed[6000:6100] = True  # the test block and the gaps
    pieces = tile(TEST, 64)[::4]
    columns = score(model, GENOME, pieces, 32, allowed)
    np.testing.assert_array_equal(found["bits_per_base"][0], np.concatenate([np.arange(a, b) for a, b in pieces]))
    mean = (columns["causal_forward"] + columns["causal_reverse"]) / 2
    np.testing.assert_array_equal(found["bits_per_base"][1], mean)
    positions = spread_positions(TEST, 24)
    bits = score_positions(model, GENOME, positions, 64, allowed)
    np.testing.assert_array_equal(found["bits_per_base_two_sided"], [positions, bits])


# Tables

PLACES = np.concatenate([np.arange(100, 400), np.arange(5000, 5300)])
COMMON = {"study": "s", "stage": "compare", "dataset": "g", "splits_sha256": "x"}
SETTINGS_OF_EVALUATION = {"bootstrap": 200, "unit": 50}


def made_up(seed, shift=0.0, count=600):
    return np.random.default_rng(seed).gamma(2, 0.5, count) + shift


@pytest.fixture
def folders(tmp_path):
    """Two arms of two seeds on both axes, one of one seed on one axis, and baselines in another order."""
    bits = {}
    for number, (arm, seed) in enumerate([("default", 1), ("default", 2), ("other", 1), ("other", 2), ("short", 1)]):
        folder = tmp_path / arm / f"seed{seed}"
        scores = {"bits_per_base": np.stack([PLACES, made_up(number)])}
        if arm != "short":
            scores["bits_per_base_two_sided"] = np.stack([PLACES[::3], made_up(number + 50, count=200)])
        scores["bits_per_base"][1][7] = np.nan
        log = [{"step": s, "cpu_minutes": s / 10, "validation_loss": 9 - s, "train_loss": 0.0} for s in (1, 2)]
        write_arm(folder, {"parameters": 10 + number}, log, scores)
        bits[arm, seed] = scores
    values = {p: float(p % 7) for p in range(6000)}
    intervals = np.array([[4000, 6000], [0, 500]])
    order = np.concatenate([np.arange(a, b) for a, b in intervals])
    column = np.array([values[p] for p in order])
    write_scores(tmp_path / "markov_mixture.npz", intervals, causal_forward=column + 1, causal_reverse=column - 1)
    write_scores(tmp_path / "flank_counts.npz", intervals, two_sided=column)
    return tmp_path, bits


def evaluated(folders, arms=("default/seed1", "default/seed2", "other/seed1", "other/seed2", "short/seed1")):
    root = folders[0]
    baselines = {name: root / f"{name}.npz" for name in ("markov_mixture", "flank_counts")}
    metrics, comparisons, table = evaluate_arms([root / a for a in arms], baselines, SETTINGS_OF_EVALUATION, COMMON)
    return pd.DataFrame(metrics), pd.DataFrame(comparisons), table


def test_metrics_are_means_by_seed_and_over_seeds(folders):
    metrics, _, _ = evaluated(folders)
    rows = metrics.set_index(["metric", "method", "seed"])
    assert rows.index.is_unique
    assert set(rows.index) == {
        *((m, a, s) for m in ("bits_per_base", "bits_per_base_two_sided") for a in ("dnalm", "other") for s in (1, 2)),
        *((m, a, "mean") for m in ("bits_per_base", "bits_per_base_two_sided") for a in ("dnalm", "other")),
        ("bits_per_base", "short", 1), ("bits_per_base", "markov_mixture", ""),
        ("bits_per_base_two_sided", "flank_counts", ""),
    }  # fmt: skip
    for (metric, method, seed), row in rows.iterrows():
        if method in ("markov_mixture", "flank_counts"):
            expected = np.mean((PLACES if method == "markov_mixture" else PLACES[::3]) % 7)
        else:
            arm = "default" if method == "dnalm" else method
            seeds = (1, 2) if seed == "mean" else (seed,)
            expected = np.nanmean([folders[1][arm, s][metric][1] for s in seeds])
        assert row["value"] == pytest.approx(expected), (metric, method, seed)
        assert row["ci_low"] < row["value"] < row["ci_high"]
        assert (row["split"], row["stratum"], row["study"]) == ("test", "all", "s")
        whole = 200 if "two_sided" in metric else 600
        assert row["n"] == whole - (metric == "bits_per_base" and method != "markov_mixture")


def test_comparisons_are_paired_differences_of_the_means_to_the_default_arm(folders):
    metrics, comparisons, _ = evaluated(folders)
    value = {(r.metric, r.method): r.value for r in metrics.itertuples() if r.seed in ("mean", "", 1)}
    value |= {(r.metric, r.method): r.value for r in metrics.itertuples() if r.seed == "mean"}
    assert set(zip(comparisons["metric"], comparisons["method_a"], strict=True)) == {
        ("bits_per_base", "other"), ("bits_per_base", "short"), ("bits_per_base", "markov_mixture"),
        ("bits_per_base_two_sided", "other"), ("bits_per_base_two_sided", "flank_counts"),
    }  # fmt: skip
    for row in comparisons.itertuples():
        assert row.method_b == "dnalm" and row.unit == "50 bp"
        expected = value[row.metric, row.method_a] - value[row.metric, "dnalm"]
        assert row.difference == pytest.approx(expected)
        assert row.ci_low < row.difference < row.ci_high


def test_an_arm_that_is_better_everywhere_is_better_for_sure(folders):
    root, bits = folders
    for seed in (1, 2):
        scores = {metric: values - np.array([[0], [0.05]]) for metric, values in bits["default", seed].items()}
        write_arm(root / "better" / f"seed{seed}", {}, [{"step": 1}], scores)
    arms = ("default/seed1", "default/seed2", "better/seed1", "better/seed2")
    rows = evaluated(folders, arms)[1].set_index("method_a").loc["better"]
    for name in ("difference", "ci_low", "ci_high"):
        np.testing.assert_allclose(rows[name], -0.05, atol=1e-9)


def test_units_without_test_bases_have_no_say(folders):
    """The same bits a million bases apart have the same intervals."""
    root, bits = folders
    far = {**bits["short", 1], "bits_per_base": bits["short", 1]["bits_per_base"].copy()}
    far["bits_per_base"][0, 300:] += 1_000_000
    write_arm(root / "far" / "seed1", {}, [{"step": 1}], far)
    near, distant = (
        pd.DataFrame(evaluate_arms([root / arm / "seed1"], {}, SETTINGS_OF_EVALUATION, COMMON)[0])
        for arm in ("short", "far")
    )
    for name in ("value", "ci_low", "ci_high"):
        np.testing.assert_allclose(distant[name], near[name], rtol=1e-9)


def test_genomes_of_a_study_have_rows_of_their_own(folders):
    """Positions 100 to 399 are of one genome, 5000 to 5299 of another, and a third has no test bases."""
    root, bits = folders
    spans = {"one": (0, 4000), "none": (4000, 5000), "two": (5000, 6000)}
    arms = [root / arm / "seed1" for arm in ("default", "other", "short")]
    rows, pairs, _ = evaluate_arms(arms, {}, SETTINGS_OF_EVALUATION, COMMON, spans)
    alone, single_pairs, _ = evaluate_arms(arms, {}, SETTINGS_OF_EVALUATION, COMMON)
    for found, expected in ((rows, alone), (pairs, single_pairs)):
        assert [row for row in found if row["dataset"] == "g"] == expected
        assert {row["dataset"] for row in found} == {"g", "one", "two"}
    value = {(r["dataset"], r["method"], r["metric"]): r for r in rows}
    for name, mine in (("one", PLACES < 4000), ("two", PLACES > 4000)):
        row = value[name, "short", "bits_per_base"]
        assert row["value"] == pytest.approx(np.nanmean(bits["short", 1]["bits_per_base"][1][mine]))
        assert row["n"] == 300 - (name == "one")


def test_arms_that_were_asked_other_positions_are_refused(folders):
    root, bits = folders
    scores = {"bits_per_base": bits["short", 1]["bits_per_base"] + [[1], [0]]}
    write_arm(root / "odd" / "seed1", {}, [{"step": 1}], scores)
    with pytest.raises(ValueError, match="odd seed 1 was asked other positions"):
        evaluated(folders, ("default/seed1", "odd/seed1"))


def test_facts_stand_beside_the_last_validation(folders):
    table = evaluated(folders)[2]
    assert table["method"].tolist() == ["dnalm", "dnalm", "other", "other", "short"]
    assert table["seed"].tolist() == [1, 2, 1, 2, 1]
    assert table["parameters"].tolist() == [10, 11, 12, 13, 14]
    assert table["validation_loss"].tolist() == [7] * 5
    assert "train_loss" not in table


def test_a_trained_arm_is_written_and_evaluated(tmp_path, few):
    """Test blocks in two places, so that there is something to resample."""
    genome = contigs_of([9000], random_codes(1, 9000))
    splits = splits_of(
        ("c0", 0, 3000, "train"),
        ("c0", 3000, 4000, "test"),
        ("c0", 4000, 7000, "validation"),
        ("c0", 7000, 9000, "test"),
    )
    model, facts, history = train_arm(genome, splits, BUDGET, {"kind": "base"}, 1)
    write_arm(tmp_path / "default" / "seed1", facts, history, score_arm(model, genome, splits))
    assert json.loads((tmp_path / "default/seed1/facts.json").read_text()) == facts
    metrics, _, arms = evaluate_arms([tmp_path / "default" / "seed1"], {}, {"bootstrap": 50, "unit": 64}, COMMON)
    assert [row["method"] for row in metrics] == ["dnalm", "dnalm"]
    assert metrics[0]["n"] <= sum(np.diff(split_intervals(genome, splits, "test"))[:, 0])
    assert arms["validation_bits_per_base"].iloc[0] == pytest.approx(history[-1]["validation_bits_per_base"])


# Costs of context


@pytest.mark.parametrize("architecture", NETWORKS)
def test_a_step_of_every_architecture_can_be_measured(architecture, monkeypatch):
    monkeypatch.setattr(context_cost, "LEAST_SECONDS", 0.0)
    threads = torch.get_num_threads()
    found = context_cost.measure(architecture, 70, width=8, layers=1)
    torch.set_num_threads(threads)
    assert found["seconds_per_base"] > 0 and found["peak_mb"] > 10 and found["bytes_per_base"] >= 0


def test_a_point_is_measured_in_a_process_of_its_own():
    """The process finds the library although it does not inherit this one's search path."""
    assert "dnalm" in context_cost.__spec__.name
    found = context_cost._apart("dilated_conv", 64)
    assert found["why"] == ""
    assert found["seconds_per_base"] > 0


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("raise MemoryError", "more than 14000 MB"),
        ("raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory: you tried')", "more than 14000 MB"),
        ("import sys; sys.stderr.write('File memory.py, line 3\\n'); raise KeyError('odd')", "KeyError: 'odd'"),
        ("import os; os.kill(os.getpid(), 9)", "exit status -9"),
        ("import time; time.sleep(9)", "longer than 0.5 s"),
    ],
)
def test_a_curve_ends_where_a_point_fails_and_says_why(script, why, monkeypatch):
    run, asked = subprocess.run, []

    def instead(command, **more):
        asked.append((command[-2], int(command[-1])))
        return run([sys.executable, "-c", script], **{**more, "preexec_fn": None})

    monkeypatch.setattr(context_cost.subprocess, "run", instead)
    monkeypatch.setattr(context_cost, "MOST_SECONDS", 0.5 if "sleep" in script else 60)
    monkeypatch.setattr(context_cost, "NETWORKS", {"ssm": None})
    table = context_cost.context_costs([200, 100])
    assert asked == [("ssm", 100)]
    assert table["why"].tolist() == [why]
    assert table[["seconds_per_base", "bytes_per_base", "peak_mb"]].isna().all(axis=None)
