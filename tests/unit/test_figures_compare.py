"""Figures of a comparison, and those of final and repeated trainings, from tables that can be checked by hand."""

import itertools
import math
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from helpers.compare import (
    ARMS,
    BASELINES,
    CAUSAL,
    OFFSETS,
    SEEDS,
    TWO_SIDED,
    arms_of,
    contexts_of,
    logs_of,
    metrics_of,
    write_compare,
)
from helpers.study import metric_row
from matplotlib.text import Text

from dnalm.figures import style, vocabulary
from dnalm.figures.architectures import COSTS, FAMILIES, draw_architectures, mean_curve, places, read_logs
from dnalm.figures.bits_by_region import STRATA, draw_bits_by_region
from dnalm.figures.context_cost import draw_context_cost, length_label
from dnalm.figures.learning_curve import draw_learning_curve, whole_rows


def architectures(arms=ARMS, seeds=SEEDS):
    return draw_architectures(metrics_of(arms, seeds), arms_of(arms, seeds), logs_of(arms, seeds))


@pytest.fixture(scope="module")
def drawn():
    return {"architectures": architectures(), "context_cost": draw_context_cost(contexts_of())}


def final_log(rows=4, last=1000):
    """A training log without validation; the last row is of ``last`` bases, the others of 1000."""
    bases = np.cumsum([1000] * (rows - 1) + [last])
    log = pd.DataFrame({"step": bases // 100, "bases_seen": bases, "learning_rate": 1e-3})
    return log.assign(
        train_loss=np.linspace(2.6, 2.4, rows), train_bits_per_base=np.linspace(1.95, 1.9, rows),
        train_bits_per_base_two_sided=np.linspace(1.9, 1.8, rows),
    )  # fmt: skip


def language_metrics(seeds=(1,), recounted=False, split="test"):
    """Rows of the pretrain stage; several seeds have a mean, 0.05 from each."""
    methods = {"dnalm": (1.8, 1.9), "flank_counts": (1.85, None), "markov_mixture": (None, 1.92)}
    methods |= {"dnalm_recounted": (1.7, None)} if recounted else {}
    rows = []
    for stratum, (method, bits) in itertools.product(STRATA, methods.items()):
        told = ["mean", *seeds] if method == "dnalm" and len(seeds) > 1 else [seeds[0]]
        for (metric, value), seed in itertools.product(zip((TWO_SIDED, CAUSAL), bits, strict=True), told):
            if value:
                shift = 0 if (seed in ("mean", told[-1]) and len(told) == 1) or seed == "mean" else 0.05
                rows.append(
                    metric_row("pretrain", method, metric, value + shift, stratum=stratum, split=split, seed=seed)
                )
    return pd.DataFrame(rows)


def said(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def hidden_labels(axis):
    """Labels of ticks beyond the limits, which matplotlib keeps but does not draw."""
    low, high = sorted(axis.get_view_interval())
    ticks = axis.get_major_ticks() + axis.get_minor_ticks()
    return [label for t in ticks if not low <= t.get_loc() <= high for label in (t.label1, t.label2)]


# What is written


@pytest.mark.parametrize("name", ["architectures", "context_cost"])
def test_files_are_identical_twice(name, tmp_path):
    few = {arm: ARMS[arm] for arm in ("dnalm", "hyena", "bpe", "bpe_masked")}
    for folder in ("one", "two"):
        figure, table, alt = architectures(few) if name == "architectures" else draw_context_cost(contexts_of())
        style.save_figure(figure, table, alt, [tmp_path / folder / f"f.{end}" for end in ("svg", "tsv")])
    for end in ("svg", "tsv"):
        assert (tmp_path / "one" / f"f.{end}").read_bytes() == (tmp_path / "two" / f"f.{end}").read_bytes()
    assert ET.parse(tmp_path / "one" / "f.svg").getroot().tag.endswith("svg")
    assert style.read_alt(tmp_path / "one" / "f.svg") == alt
    assert "nan" not in alt
    assert alt.endswith(".")


@pytest.mark.parametrize("name", ["architectures", "context_cost"])
def test_text_is_inside_of_the_figure_and_labels_do_not_overlap(name, drawn):
    figure = drawn[name][0]
    figure.draw_without_rendering()
    renderer, outer = figure.canvas.get_renderer(), figure.bbox.padded(1)
    hidden = {t for ax in figure.axes for axis in (ax.xaxis, ax.yaxis) for t in hidden_labels(axis)}
    labels = [t for t in set(figure.findobj(Text)) - hidden if t.get_visible() and t.get_text().strip()]
    extents = [(text.get_text(), Text.get_window_extent(text, renderer)) for text in labels]
    for text, extent in extents:
        assert outer.contains(*extent.min) and outer.contains(*extent.max), text
    for (one, a), (two, b) in itertools.combinations(extents, 2):
        across, down = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across < 1 or down < 2, (one, two)


# Architectures


def test_dots_are_means_with_their_seeds(drawn):
    _, table, _ = drawn["architectures"]
    tests = table[table["panel"] == "test"]
    assert len(tests) == sum(2 + len(SEEDS) - 1 for arm in ARMS.values() for bits in arm[:2] if bits) + len(BASELINES)
    mine = tests[(tests["method"] == "hyena") & (tests["metric"] == TWO_SIDED)].set_index("seed")["value"]
    assert mine["mean"] == ARMS["hyena"][0]
    np.testing.assert_allclose([mine[s] for s in SEEDS], ARMS["hyena"][0] + np.array(OFFSETS))


def test_costs_are_means_over_seeds(drawn):
    _, table, _ = drawn["architectures"]
    costs = table[table["panel"] == "cost"].set_index(["method", "metric"])["value"]
    assert len(costs) == len(ARMS) * len(COSTS)
    assert costs["bpe_masked", "peak_mb"] == ARMS["bpe_masked"][3] + 5
    assert costs["kmer", "bases_per_second"] == pytest.approx(ARMS["kmer"][2] * 1.01)


def test_curves_are_means_over_the_minutes_that_all_seeds_have():
    one = pd.DataFrame({"cpu_minutes": [0.0, 1.0, 2.0], "bits": [4.0, 2.0, 1.0]})
    two = pd.DataFrame({"cpu_minutes": [0.5, 1.5], "bits": [3.0, 2.0]})
    mean = mean_curve([one, two], "bits")
    assert mean["cpu_minutes"].tolist() == [0.5, 1.0, 1.5]
    np.testing.assert_allclose(mean["value"], [3.0, 2.25, 1.75])
    pd.testing.assert_frame_equal(mean_curve([one], "bits"), one.rename(columns={"bits": "value"}))


def test_only_arms_with_bits_have_curves_and_byte_pairs_are_not_compared(drawn):
    figure, table, _ = drawn["architectures"]
    curves = table[table["panel"] == "validation"]
    for place, metric in enumerate((TWO_SIDED, CAUSAL)):
        assert set(curves.loc[curves["metric"] == metric, "method"]) == {m for m, f in ARMS.items() if f[place]}
    assert said(figure).count("bits per token, not comparable") == 1
    without = {arm: facts for arm, facts in ARMS.items() if arm != "bpe_masked"}
    assert "bits per token, not comparable" not in said(architectures(without)[0])


def test_a_bad_start_does_not_press_the_curves_together():
    logs = logs_of()
    for seed in SEEDS:
        logs["bpe", seed].loc[0, "validation_bits_per_base"] = 4.0
    figure, table, _ = draw_architectures(metrics_of(), arms_of(), logs)
    panel = next(ax for ax in figure.axes if ax.get_title(loc="left").startswith("Causal:"))
    assert panel.get_ylim()[1] < 2.05
    assert table.loc[table["panel"] == "validation", "value"].max() > 3.9


def test_the_alt_text_says_which_arm_is_best(drawn):
    alt = drawn["architectures"][2]
    assert "14 language models after 2.02 CPU minutes of training, each the mean of 3 seeds." in alt
    assert "Two-sided: fewest test bits per base dnalm (default) 1.800 [1.792, 1.808], then" in alt
    assert "most k-mers side by side 1.970, counting (Flank counts) 1.905." in alt
    assert "Causal: fewest test bits per base Causal objective alone 1.897" in alt
    assert "dnalm (default) 1.900, counting (Markov mixture (frozen)) 1.920." in alt


@pytest.mark.parametrize("arms", [["dnalm"], ["transformer"], ["bpe"], ["bpe_masked"], ["dnalm", "my_arm"]])
def test_small_comparisons_of_one_seed(arms):
    known = {**ARMS, "my_arm": ARMS["hyena"]}
    figure, table, alt = architectures({arm: known[arm] for arm in arms}, seeds=(4,))
    figure.draw_without_rendering()
    assert set(table.loc[table["panel"] == "cost", "method"]) == set(arms)
    assert "seeds" not in alt
    assert not table.loc[table["panel"] == "test", "seed"].eq("mean").any()


def test_arms_stand_in_families_and_unknown_ones_last():
    rows, heads = places(["zebra", "kmer", "dnalm", "causal", "my_arm"])
    assert list(rows) == ["dnalm", "causal", "kmer", "my_arm", "zebra"]
    assert list(heads) == ["the memory", "the objective", "tokens, no memory", "other arms"]
    order = sorted({**rows, **heads}.items(), key=lambda pair: pair[1])
    assert [key for key, _ in order] == [
        "the memory", "dnalm", "the objective", "causal", "tokens, no memory", "kmer", "other arms", "my_arm", "zebra",
    ]  # fmt: skip
    assert {arm for family in FAMILIES.values() for arm in family} == set(ARMS)


def test_logs_are_read_by_arm_and_seed(tmp_path):
    write_compare(tmp_path)
    logs = read_logs(sorted(tmp_path.glob("arms/*/*/log.csv")))
    assert set(logs) == set(itertools.product(ARMS, SEEDS))
    pd.testing.assert_frame_equal(logs["dnalm", 2], logs_of()["dnalm", 2])


@pytest.mark.parametrize(
    ("value", "text"),
    [(7.25, "7.25"), (625, "625"), (999.7, "1k"), (12_120, "12.1k"), (999_700, "1M"), (2.5e6, "2.5M")],
)
def test_short_numbers(value, text):
    assert style.short_number(value) == text


# Context cost


def test_curves_end_with_an_open_marker_and_a_reason(drawn):
    figure, table, alt = drawn["context_cost"]
    assert table["why"].value_counts().to_dict() == {"": 53, "over 240 s": 2, "over 14000 MB": 1}
    ended = {text for text in said(figure) if "then over" in text}
    assert ended == {
        "Transformer\nup to 256k, then over 240 s", "Full causal attention\nup to 256k, then over 240 s",
        "Convolution + attention\nup to 256k, then over 14000 MB",
    }  # fmt: skip
    for ax in figure.axes:
        hollow = [line for line in ax.lines if line.get_markerfacecolor() == "white"]
        assert [line.get_xdata()[0] for line in hollow] == [262_144] * 3
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert "Sliding attention 28 at 1,048,576" in alt
    assert "the next over 240 s" in alt


def test_units_are_microseconds_and_bytes_and_unmeasurable_memory_is_left_out(drawn):
    figure = drawn["context_cost"][0]
    costs = contexts_of()
    for ax, column, factor in zip(figure.axes, ("seconds_per_base", "bytes_per_base"), (1e6, 1), strict=True):
        full = [line for line in ax.lines if line.get_linestyle() == "-" and line.get_markerfacecolor() != "white"]
        shown = np.concatenate([line.get_ydata() for line in full])
        np.testing.assert_allclose(np.sort(shown), np.sort(costs.loc[costs[column] > 0, column] * factor))


def test_a_traceback_is_no_reason_and_empty_reasons_are_none():
    costs = contexts_of()
    costs.loc[costs["why"] == "", "why"] = np.nan  # as they are read from the file
    costs.loc[costs["why"] == "more than 14000 MB", "why"] = "Traceback (most recent call last):\n  File"
    figure, table, _ = draw_context_cost(costs)
    assert "Convolution + attention\nup to 256k, then failed" in said(figure)
    assert (table["why"] == "").sum() == 53


def test_one_architecture_that_never_worked():
    row = {"architecture": "hyena", "length": 256, "seconds_per_base": np.nan, "bytes_per_base": np.nan}
    rows = [{**row, "peak_mb": np.nan, "why": "longer than 240 s"}]
    rows.append({**row, "architecture": "ssm", "seconds_per_base": 1e-5, "bytes_per_base": 99.0, "why": ""})
    figure, _, alt = draw_context_cost(pd.DataFrame(rows))
    figure.draw_without_rendering()
    assert "Hyena" not in alt
    assert "State space model 10 at 256" in alt


def test_lengths_are_told_in_units_of_1024():
    assert [length_label(n) for n in (256, 1024, 1536, 16_384, 1_048_576)] == ["256", "1k", "1.5k", "16k", "1M"]


# Final and repeated trainings


def test_a_final_training_shows_its_training_curve_alone():
    figure, table, alt = draw_learning_curve(final_log(), language_metrics())
    assert set(table["method"]) == {"dnalm"}
    assert table["best"].tolist() == [False, False, False, True] * 2
    assert [ax.get_ylabel() for ax in figure.axes] == ["Training bits per base"] * 2
    assert alt == (
        "Bits of dnalm on its training batches while it trains. Causal: from 1.950 to 1.900 at 4,000 bases. "
        "Two-sided: from 1.900 to 1.800 at 4,000 bases."
    )


def test_a_validated_training_still_stands_beside_its_baselines():
    log = final_log().rename(columns=lambda name: name.replace("train_", "validation_"))
    figure, table, alt = draw_learning_curve(log, language_metrics(split="validation"))
    assert set(table["method"]) == {"dnalm", "markov_mixture", "flank_counts"}
    assert [ax.get_ylabel() for ax in figure.axes] == ["Validation bits per base"] * 2
    assert "(baselines: Flank counts 1.850)" in alt


@pytest.mark.parametrize("metric", [TWO_SIDED, CAUSAL, "bits_per_token"])
def test_a_model_of_one_kind_of_bits_has_one_panel(metric):
    log = final_log().drop(columns=["train_bits_per_base", "train_bits_per_base_two_sided"])
    figure, table, _ = draw_learning_curve(log.assign(**{f"train_{metric}": 1.9}), language_metrics())
    assert len(figure.axes) == 1
    assert set(table["metric"]) == {metric}
    assert figure.axes[0].get_ylabel() == f"Training bits per {'token' if 'token' in metric else 'base'}"


def test_a_short_last_row_is_joined_with_the_one_before():
    log = final_log(4, last=250)
    joined = whole_rows(log)
    assert joined["bases_seen"].tolist() == [1000, 2000, 3250]
    for name in ("train_bits_per_base", "train_bits_per_base_two_sided"):
        third, fourth = log[name].iloc[2:]
        assert joined[name].iloc[-1] == pytest.approx((1000 * third + 250 * fourth) / 1250)
        assert joined[name].iloc[:2].tolist() == log[name].iloc[:2].tolist()
    for untouched in (final_log(4, last=500), final_log(1, last=10)):
        pd.testing.assert_frame_equal(whole_rows(untouched), untouched)


def test_regions_show_the_mean_of_seeds_and_the_recounted_memory():
    _, table, alt = draw_bits_by_region(language_metrics(seeds=(1, 2, 3), recounted=True))
    assert len(table) == len(STRATA) * 5
    assert table.loc[table["method"] == "dnalm", "value"].isin([1.8, 1.9]).all()
    assert "dnalm 1.800 against dnalm, memory recounted 1.700 against Flank counts 1.850" in alt
    _, single, _ = draw_bits_by_region(language_metrics(seeds=(1,)))
    assert len(single) == len(STRATA) * 4


def test_a_model_of_one_axis_leaves_the_other_to_its_baseline():
    metrics = language_metrics()
    _, _, alt = draw_bits_by_region(metrics[(metrics["method"] != "dnalm") | (metrics["metric"] == TWO_SIDED)])
    assert "Causal" not in alt
    assert "Two-sided: dnalm 1.800 against Flank counts 1.850" in alt


def test_the_mean_replaces_the_seeds_of_its_method_alone():
    kept = style.over_seeds(metrics_of())
    assert len(kept) == sum(bits is not None for arm in ARMS.values() for bits in arm[:2]) + len(BASELINES)
    rows = pd.DataFrame([metric_row("x", "a", "m", v, seed=s) for v, s in ((1, 1), (2, "mean"), (3, 2))])
    other = pd.DataFrame([metric_row("x", "a", "m", 4, stratum="rna"), metric_row("x", "b", "m", 5)])
    assert style.over_seeds(pd.concat([rows, other]))["value"].tolist() == [2, 4, 5]
    assert math.isclose(style.over_seeds(rows[rows["seed"] != "mean"])["value"].sum(), 4)


@pytest.mark.parametrize("stratum", ["soft_masked", "not_soft_masked"])
def test_new_strata_have_names(stratum):
    assert vocabulary.STRATUM_LABELS[stratum][0].isupper()
    assert "_" not in vocabulary.STRATUM_LABELS[stratum]
