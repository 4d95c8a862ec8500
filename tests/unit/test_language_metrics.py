"""Bits per base by stratum: values by plain means, rows of the contract."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import cds_rows, genome_of, splits_of

from dnalm.annotation.features import features_table
from dnalm.errors import InputError
from dnalm.evaluate.language import CAUSAL, TWO_SIDED, evaluate_language, method_bits
from dnalm.evaluate.strata import ScoredBases, strata_of
from dnalm.figures.bits_by_region import draw_bits_by_region
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS, write_scores
from dnalm.report import summary
from dnalm.report.results import Stage
from dnalm.report.results_table import results_table

SETTINGS = {"unit": 50, "bootstrap": 200}
COMMON = {"study": "s", "stage": "pretrain", "dataset": "g", "splits_sha256": "abc"}
SPLITS = splits_of(
    ("c0", 0, 200, "train"), ("c0", 200, 220, "gap"), ("c0", 220, 400, "validation"), ("c0", 400, 420, "gap"),
    ("c0", 420, 500, "test"), ("c1", 0, 300, "test"),
)  # fmt: skip
INTERVALS = np.array([[220, 400], [420, 500], [500, 800]])


def row_of(kind, contig, start, end):
    return {
        "contig": contig, "start": start, "end": end, "strand": "+", "type": kind, "phase": -1, "id": f"{kind}{start}",
        "parent": "", "attributes": "{}",
    }  # fmt: skip


@pytest.fixture(scope="module")
def toy():
    genome = genome_of(np.random.default_rng(0).integers(0, 4, 500), np.random.default_rng(1).integers(0, 4, 300))
    lengths = {"c0": 500, "c1": 300}
    rows = cds_rows([("c0", 230, 260, "+"), ("c0", 440, 470, "-"), ("c1", 30, 60, "+")], lengths)
    rows += [r | {"id": "pseudo"} for r in cds_rows([("c0", 250, 280, "+")], lengths, pseudo="true")]
    rows += [row_of("tRNA", "c0", 300, 320), row_of("rRNA", "c1", 100, 150), row_of("gene", "c1", 200, 250)]
    features = features_table(rows)
    leakage = pd.DataFrame({"contig": ["c0", "c1"], "start": [440, 0], "end": [460, 100], "matched": [31, 0]})
    leakage = leakage.assign(genome="g")
    return genome, features, leakage


@pytest.fixture(scope="module")
def scores(toy, tmp_path_factory):
    """Score files of four methods over validation and test bases, an N among them."""
    folder, rng = tmp_path_factory.mktemp("scores"), np.random.default_rng(2)
    columns = {
        name: rng.gamma(4, 0.5, 560).astype(np.float32)
        for name in ("causal_forward", "causal_reverse", "two_sided", "order_1_forward", "order_1_reverse")
    }
    for values in columns.values():
        values[[33, 200, 400]] = np.nan
    columns |= {"order_0_forward": np.full(560, 2.0), "order_0_reverse": np.full(560, 2.0)}
    one = ("causal_forward", "causal_reverse")
    parts = {
        "dnalm": {k: columns[k] for k in (*one, "two_sided")},
        "markov_orders": {k: v for k, v in columns.items() if k.startswith("order")},
        "markov_mixture": {k: columns[k] + 0.1 for k in one},
        "flank_counts": {"two_sided": columns["two_sided"]},
    }
    for method, part in parts.items():
        write_scores(folder / f"{method}.npz", INTERVALS, **part)
    return {method: folder / f"{method}.npz" for method in parts}, columns


def test_methods_and_their_numbers(scores):
    paths, columns = scores
    intervals, bits = method_bits(paths)
    assert intervals.tolist() == INTERVALS.tolist()
    assert set(bits) == {
        ("dnalm", CAUSAL), ("dnalm", TWO_SIDED), ("markov_order_0", CAUSAL), ("markov_order_1", CAUSAL),
        ("markov_mixture", CAUSAL), ("flank_counts", TWO_SIDED),
    }  # fmt: skip
    np.testing.assert_allclose(bits["dnalm", CAUSAL], (columns["causal_forward"] + columns["causal_reverse"]) / 2)
    np.testing.assert_allclose(
        bits["markov_order_1", CAUSAL], columns["order_1_forward"] / 2 + columns["order_1_reverse"] / 2
    )
    np.testing.assert_array_equal(bits["dnalm", TWO_SIDED], columns["two_sided"])


@pytest.fixture(scope="module")
def result(toy, scores):
    return evaluate_language(toy[0], SPLITS, *toy[1:], scores[0], SETTINGS, 1, COMMON)


def table(rows):
    return pd.DataFrame(rows).set_index(["split", "stratum", "method", "metric"])


UNITS = {
    "validation": [(220, 265), (265, 310), (310, 355), (355, 400)],
    "test": [(420, 460), (460, 500), *((a, a + 50) for a in range(500, 800, 50))],
}


def check_interval(row, value, bases, split):
    """The interval holds the value; there is none if all bases lie in one unit."""
    touched = sum(((bases >= a) & (bases < b)).any() for a, b in UNITS[split])
    if touched < 2:
        assert np.isnan([row["ci_low"], row["ci_high"]]).all()
    else:
        assert row["ci_low"] <= value <= row["ci_high"]


def test_values_are_plain_means_over_the_bases_of_a_stratum(toy, scores, result):
    metrics, bits = table(result[0]), method_bits(scores[0])[1]
    place = np.concatenate([np.arange(a, b) for a, b in INTERVALS])
    ranges = {"validation": range(220, 400), "test": [*range(420, 500), *range(500, 800)]}
    seen = 0
    for split, bases in ranges.items():
        for stratum, mask in strata_of(ScoredBases(toy[0], INTERVALS), *toy[1:]).items():
            chosen = np.isin(place, list(bases)) & mask
            for (method, metric), values in bits.items():
                row = metrics.loc[split, stratum, method, metric]
                good = values[chosen][~np.isnan(values[chosen])]
                assert row["value"] == pytest.approx(good.mean() if len(good) else np.nan, rel=1e-6, nan_ok=True)
                assert row["n"] == len(good)
                if not len(good):  # no repeat in the validation block
                    continue
                check_interval(row, row["value"], place[chosen & ~np.isnan(values)], split)
                seen += 1
    assert seen == len(metrics) - 6 == 2 * 9 * 6 - 6


def test_rows_follow_the_contract(result):
    metrics, comparisons = result
    for row in metrics:
        assert set(row) == set(METRIC_COLUMNS)
        assert {k: row[k] for k in COMMON} == COMMON
        assert row["seed"] == 1
    for row in comparisons:
        assert set(row) == set(COMPARISON_COLUMNS)
        assert row["unit"] == "50 bp"
        assert row["method_a"] == "dnalm"


def test_the_two_axes_are_never_mixed(result):
    pairs = {(row["metric"], row["method_b"]) for row in result[1]}
    assert pairs == {
        (CAUSAL, "markov_order_0"), (CAUSAL, "markov_order_1"), (CAUSAL, "markov_mixture"), (TWO_SIDED, "flank_counts"),
    }  # fmt: skip


def test_differences_are_of_the_same_bases(result):
    metrics = table(result[0])["value"]
    for row in result[1]:
        key = row["split"], row["stratum"]
        ours, theirs = metrics[*key, "dnalm", row["metric"]], metrics[*key, row["method_b"], row["metric"]]
        assert row["difference"] == pytest.approx(ours - theirs, abs=1e-9, nan_ok=True)
        if row["stratum"] not in ("all", "intergenic"):  # those may lie in one unit
            continue
        assert row["ci_low"] <= row["difference"] <= row["ci_high"]
        if row["method_b"] == "flank_counts":  # identical scores
            assert row["difference"] == row["ci_low"] == row["ci_high"] == 0
        if row["method_b"] == "markov_mixture":  # worse by 0.1 at every base: certain, whatever is drawn
            assert (row["ci_low"], row["ci_high"]) == pytest.approx((-0.1, -0.1), abs=1e-5)


def test_order_0_has_no_uncertainty(result):
    metrics = table(result[0])
    row = metrics.loc["test", "all", "markov_order_0", CAUSAL]
    assert (row["value"], row["ci_low"], row["ci_high"]) == (2.0, 2.0, 2.0)


def test_a_stratum_without_bases_has_no_value(toy, scores):
    genome, features, leakage = toy
    fewer = features[features["type"] != "tRNA"]
    metrics, _ = evaluate_language(genome, SPLITS, fewer, leakage, scores[0], SETTINGS, 1, COMMON)
    row = table(metrics).loc["validation", "rna", "dnalm", CAUSAL]
    assert np.isnan([row["value"], row["ci_low"], row["ci_high"]]).all()
    assert row["n"] == 0


def test_without_coding_sequences_no_base_is_called_intergenic_anywhere(toy, scores):
    genome, _, leakage = toy
    rows = evaluate_language(genome, SPLITS, features_table([]), leakage, scores[0], SETTINGS, 1, COMMON)
    metrics, comparisons = (pd.DataFrame(found) for found in rows)
    assert set(metrics["stratum"]) == set(comparisons["stratum"]) == {"all", "rna", "repeat", "unique"}
    stage = Stage(metrics[METRIC_COLUMNS], comparisons[COMPARISON_COLUMNS])
    assert stage.strata(CAUSAL) == ["all", "repeat", "unique"]  # rna has no base and no value
    lead = summary.lead(stage, None, leakage.assign(split="test", kind="none"))
    text = " ".join(sentence for part in lead for sentence in part)
    assert "Reading from one side only" in text and "intergenic" not in text and "coding" not in text
    _, table, alt = draw_bits_by_region(metrics)
    assert set(table["stratum"]) == {"all", "unique"} and "ntergenic" not in alt
    assert "bits" in results_table(metrics) and "ntergenic" not in results_table(metrics)


def test_score_files_of_other_intervals_are_refused(scores, tmp_path):
    moved = {"dnalm": scores[0]["dnalm"], "flank_counts": tmp_path / "flank_counts.npz"}
    write_scores(moved["flank_counts"], INTERVALS[::-1], two_sided=np.ones(560))
    with pytest.raises((InputError, ValueError)):
        method_bits(moved)


# Several seeds, one split, and models that score few bases


def seed_files(columns, folder, count=2):
    """Score files of ``dnalm`` from other seeds, and what they hold."""
    held, paths = {}, {}
    for seed in range(2, 2 + count):
        rng = np.random.default_rng(seed)
        held[seed] = {k: columns[k] + rng.normal(0, 0.1, 560).astype(np.float32) for k in AXES}
        paths[seed] = folder / f"seed{seed}.npz"
        write_scores(paths[seed], INTERVALS, **held[seed])
    return held, paths


AXES = ("causal_forward", "causal_reverse", "two_sided")


def test_seeds_have_rows_of_their_own_and_the_mean_is_compared(toy, scores, tmp_path):
    paths, columns = scores
    held, files = seed_files(columns, tmp_path)
    held[1] = columns
    metrics, comparisons = evaluate_language(toy[0], SPLITS, *toy[1:], paths, SETTINGS, 1, COMMON, files)
    rows = pd.DataFrame(metrics)
    ours = rows[(rows["method"] == "dnalm") & (rows["stratum"] == "all")].set_index(["split", "metric", "seed"])
    assert set(ours.index.get_level_values("seed")) == {1, 2, 3, "mean"} and ours.index.is_unique
    assert set(rows.loc[rows["method"] != "dnalm", "seed"]) == {1}
    place = np.concatenate([np.arange(a, b) for a, b in INTERVALS])
    for split, inside in (("validation", place < 400), ("test", place >= 420)):
        for metric, names in ((CAUSAL, AXES[:2]), (TWO_SIDED, AXES[2:])):
            each = {s: np.mean([held[s][name][inside] for name in names], axis=0) for s in held}
            each["mean"] = np.mean([*each.values()], axis=0)
            for seed, bits in each.items():
                row = ours.loc[split, metric, seed]
                assert row["value"] == pytest.approx(np.nanmean(bits), rel=1e-6)
                assert row["n"] == np.isfinite(bits).sum()
    value = rows[rows["stratum"] == "all"].set_index(["split", "metric", "method", "seed"])["value"]
    for row in pd.DataFrame(comparisons).query("stratum == 'all'").itertuples():
        expected = value[row.split, row.metric, "dnalm", "mean"] - value[row.split, row.metric, row.method_b, 1]
        assert row.difference == pytest.approx(expected, abs=1e-6)


def test_seeds_on_other_intervals_are_refused(toy, scores, tmp_path):
    columns = {k: v[:560] for k, v in scores[1].items() if k in AXES}
    write_scores(tmp_path / "odd.npz", INTERVALS + 1, **columns)
    with pytest.raises(ValueError, match="other intervals than the first seed"):
        evaluate_language(toy[0], SPLITS, *toy[1:], scores[0], SETTINGS, 1, COMMON, {2: tmp_path / "odd.npz"})


def test_a_final_training_has_test_rows_only(toy, scores, tmp_path):
    paths = {}
    for method in ("dnalm", "flank_counts"):
        paths[method] = tmp_path / f"{method}.npz"
        write_scores(paths[method], INTERVALS[1:], two_sided=scores[1]["two_sided"][180:])
    metrics, comparisons = evaluate_language(toy[0], SPLITS, *toy[1:], paths, SETTINGS, 1, COMMON)
    assert {row["split"] for row in metrics} == {row["split"] for row in comparisons} == {"test"}


def test_a_model_that_scores_few_bases_is_compared_on_these(toy, scores, tmp_path):
    """As masked models do: the baseline is 1 bit dearer at every base, whatever the other bases cost."""
    few = np.full(560, np.nan, dtype=np.float32)
    few[::7] = scores[1]["two_sided"][::7]
    paths = {"dnalm": tmp_path / "few.npz", "flank_counts": tmp_path / "all.npz"}
    write_scores(paths["dnalm"], INTERVALS, two_sided=few)
    write_scores(paths["flank_counts"], INTERVALS, two_sided=scores[1]["two_sided"] + 1)
    metrics, comparisons = evaluate_language(toy[0], SPLITS, *toy[1:], paths, SETTINGS, 1, COMMON)
    count = {(r["split"], r["stratum"]): r["n"] for r in metrics if r["method"] == "dnalm"}
    for row in comparisons:
        assert row["n"] == count[row["split"], row["stratum"]]
        if row["n"]:
            assert row["difference"] == pytest.approx(-1, abs=1e-6)
            assert np.isnan(row["ci_low"]) or row["ci_low"] == pytest.approx(-1, abs=1e-6)
    assert sum(row["n"] for row in comparisons if row["stratum"] == "all") == np.isfinite(few).sum()
