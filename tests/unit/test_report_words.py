"""What the report says: verdicts, numbers, markup, sentences."""

import re
from math import nan

import pandas as pd
import pytest
from helpers.study import FOUND, GENES, comparison_row, gene_rows, language_rows, metric_row, stage

from dnalm.report import numbers, summary, variants
from dnalm.report.markup import blocks, inline
from dnalm.report.results import Estimate, gene_counts, verdict

SPACE, MINUS = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}"
EVIL = '<script>alert("1")</script>'


# What a comparison says


@pytest.mark.parametrize(
    ("metric", "low", "high", "said"),
    [
        ("bits_per_base", -0.2, -0.1, "better"),
        ("bits_per_base", 0.1, 0.2, "worse"),
        ("gene_f1_exact", -0.2, -0.1, "worse"),
        ("gene_f1_exact", 0.1, 0.2, "better"),
        ("brier", 0.1, 0.2, "worse"),
        ("gene_f1_exact", -0.1, 0.2, "unclear"),
        ("gene_f1_exact", 0.0, 0.2, "unclear"),
        ("gene_f1_exact", -0.2, 0.0, "unclear"),
        ("gene_f1_exact", 0.0, 0.0, "unclear"),
        ("gene_f1_exact", 0.1, 0.1, "unknown"),
        ("gene_f1_exact", nan, nan, "unknown"),
        ("a_new_metric", 0.1, 0.2, "unknown"),
    ],
)
def test_verdict(metric, low, high, said):
    assert verdict(metric, Estimate((low + high) / 2, low, high, 5)) == said


def test_no_comparison_has_no_verdict():
    assert verdict("bits_per_base", None) == "unknown"


def test_the_mean_of_seeds_counts_where_there_is_one():
    rows = [metric_row("pretrain", "dnalm", "bits_per_base", v, seed=s) for v, s in ((1.0, 1), (1.5, "mean"), (2.0, 2))]
    assert stage(rows).value("dnalm", "bits_per_base").value == 1.5


def test_the_best_order_is_chosen_on_validation():
    rows = [
        metric_row("pretrain", f"markov_order_{k}", "bits_per_base", v, split=split)
        for split, values in (("validation", {1: 1.9, 2: 1.8, 3: nan}), ("test", {1: 1.7, 2: 1.8, 3: 1.6}))
        for k, v in values.items()
    ]
    assert (stage(rows).best_order(), stage(rows).choosing) == ("markov_order_2", "validation")
    assert (stage(rows[3:]).best_order(), stage(rows[3:]).choosing) == ("markov_order_3", "test")
    assert stage([]).best_order() is None


@pytest.mark.parametrize(("method", "counts"), FOUND.items())
def test_gene_counts_are_those_behind_the_scores(method, counts):
    got = gene_counts(stage(gene_rows()[0]), method)
    assert (got.found, got.right_start, got.extra, got.missed) == (*counts, GENES - counts[0])


def test_a_finder_without_calls_has_no_wrong_ones_to_count():
    rows = [
        metric_row("annotate", "dnalm", metric, value, nan, nan, n=GENES)
        for metric, value in (("gene_sensitivity_3prime", 0.0), ("gene_precision_3prime", nan), ("start_accuracy", nan))
    ]
    got = gene_counts(stage(rows), "dnalm")
    assert (got.found, got.extra, got.right_start) == (0, None, None)
    assert gene_counts(stage(rows), "pyrodigal_single") is None


# Numbers


def test_numbers_have_real_minus_signs_and_no_false_zeros():
    assert numbers.number(-0.5, 2) == f"{MINUS}0.50"
    assert numbers.number(0.5, 2, sign=True) == "+0.50"
    assert numbers.number(nan, 2) == numbers.MISSING
    assert numbers.signed_interval(Estimate(0.00031, -0.00002, 0.5)) == f"{MINUS}0.00002 to +0.50000"
    assert numbers.signed_interval(Estimate(0.1, nan, nan)) == ""
    assert numbers.signed(Estimate(0.0, 0.0, 0.0)) == "0.000"


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0"),
        (1.0, "100"),
        (0.256, "26"),
        (0.9996, "99.96"),
        (0.0004, "0.04"),
        (1e-9, "under 0.001"),
        (1 - 1e-9, "over 99.999"),
    ],
)
def test_percent_keeps_0_and_100_for_what_is_none_and_all(share, text):
    assert numbers.percent(share) == f"{text}{SPACE}%"


def test_times_sizes_and_counts():
    assert [numbers.duration(s) for s in (0.44, 59.9, 60, 3599.6, 7265, nan)] == [
        "0.4 s", "59.9 s", "1 min 00 s", "1 h 00 min", "2 h 01 min", numbers.MISSING,
    ]  # fmt: skip
    assert [numbers.file_size(n) for n in (12, 1500, 2_340_000)] == ["12 B", "2 kB", "2.3 MB"]
    assert numbers.count(1, "gene") == "1 gene"
    assert numbers.count(1200, "base") == "1,200 bases"


# Markup


def test_markup_shows_html_as_text():
    assert EVIL not in blocks(f"# {EVIL}\n\n{EVIL}\n\n- {EVIL}\n\n`{EVIL}`")
    assert inline("a < b & **c > d**") == "a &lt; b &amp; <strong>c &gt; d</strong>"


def test_code_is_not_searched_for_markup():
    assert inline("``a*b*c`` and `**d**` *e*") == "<code>a*b*c</code> and <code>**d**</code> <em>e</em>"


def test_lists_take_their_continuation_lines_and_end_the_paragraph():
    assert blocks("Text\nmore\n- one\n  and on\n- two\n\nEnd") == (
        "<p>Text more</p>\n<ul><li>one and on</li><li>two</li></ul>\n<p>End</p>"
    )


def test_headings_do_not_enter_the_outline():
    assert blocks("# Card\nText") == "<p><strong>Card</strong></p>\n<p>Text</p>"


# Sentences


def language(difference, low, high, values=(1.9, 1.95), metric="bits_per_base", other="markov_mixture"):
    rows = [metric_row("pretrain", m, metric, v) for m, v in zip(("dnalm", other), values, strict=True)]
    return stage(rows, [comparison_row("pretrain", other, metric, difference, low, high)])


def test_a_better_model_is_called_better():
    first, chance = summary.language_sentences(language(-0.05, -0.07, -0.03), "bits_per_base")
    assert "**better than** the frozen Markov mixture: 1.900 against 1.950 bits per base" in first
    assert f"difference {MINUS}0.050, 95{SPACE}% interval {MINUS}0.070 to {MINUS}0.030, clear of zero" in first
    assert "the model saves 2.0 times as much as the frozen Markov mixture" in chance


def test_a_worse_model_is_called_worse():
    first, chance = summary.language_sentences(language(0.05, 0.03, 0.07, (1.95, 1.9)), "bits_per_base")
    assert "**worse than**" in first
    assert "clear of zero" in first
    assert f"saves 50{SPACE}% less than" in chance


def test_a_difference_that_may_be_none_is_called_so():
    first, chance = summary.language_sentences(language(-0.05, -0.12, 0.02), "bits_per_base")
    assert "**no clear difference from**" in first
    assert "which contains zero" in first
    assert "better than" not in first
    assert "saves" not in chance


def test_without_an_interval_nothing_is_judged():
    first, chance = summary.language_sentences(language(-0.05, nan, nan), "bits_per_base")
    assert "**cannot be judged** against" in first
    assert "no interval" in first
    assert "zero" not in first
    assert "saves" not in chance


def test_a_missing_comparison_and_a_missing_baseline_are_said():
    alone = stage([metric_row("pretrain", "dnalm", "bits_per_base", 1.9)])
    assert summary.language_sentences(alone, "bits_per_base") == [
        "Reading from one side only, the language model was not compared with the frozen Markov mixture: "
        "1.900 bits per base."
    ]
    assert summary.language_sentences(alone, "bits_per_base_two_sided") == []


def test_bits_are_told_as_chances():
    two_sided = language(-0.5, -0.6, -0.4, (1.0, 1.5), "bits_per_base_two_sided", "flank_counts")
    text = summary.language_sentences(two_sided, "bits_per_base_two_sided")[1]
    for share in (2**-1.0, 2**-1.5):
        assert f"{100 * share:.1f}{SPACE}%" in text


def test_a_single_order_that_is_not_beaten_is_not_passed_over():
    metrics, comparisons = language_rows()
    assert summary.other_orders(stage(metrics, comparisons)) == []
    for row in comparisons:
        if row["method_b"] == "markov_order_8" and row["stratum"] == "all":
            row.update(ci_low=-0.1, ci_high=0.1)
    (text,) = summary.other_orders(stage(metrics, comparisons))
    assert "**no clear difference from** the Markov model of order 8" in text


def test_regions_where_the_ruler_is_not_beaten_are_named():
    metrics, comparisons = language_rows()
    assert summary.weak_regions(stage(metrics, comparisons), "bits_per_base") == []
    for row in comparisons:
        if row["method_b"] == "markov_mixture" and row["stratum"] != "all":
            row.update(ci_low=0.01 if row["stratum"] == "intergenic" else -0.1, ci_high=0.1)
    judged = stage(metrics, comparisons)
    (text,) = summary.weak_regions(judged, "bits_per_base")
    assert "**worse** in intergenic bases; **no clear difference** in coding bases" in text
    assert "coding" not in summary.weak_regions(judged, "bits_per_base", ("worse",))[0]
    assert any("**worse** in intergenic bases" in s for s in summary.lead(judged, None, leakage([]))[0])


def test_genes_are_told_in_counts_and_against_both_modes_of_pyrodigal():
    text = " ".join(summary.gene_sentences(stage(*gene_rows())))
    assert "finds 36 of 40 test genes and makes 4 calls that the annotation does not have" in text
    assert "self-trained Pyrodigal finds 38 and makes 2 such calls" in text
    assert (
        "F1 at the stop codon it shows **no clear difference from** self-trained Pyrodigal: 0.900 against 0.950" in text
    )
    assert "and none from Pyrodigal in meta mode (0.925)" in text


@pytest.mark.parametrize(
    ("single", "meta", "words"),
    [
        ((0.1, 0.2), (0.1, 0.2), ("**better than** self-trained", "and than Pyrodigal in meta")),
        ((-0.2, -0.1), (-0.2, -0.1), ("**worse than** self-trained", "and than Pyrodigal in meta")),
        (
            (-0.2, -0.1),
            (-0.1, 0.1),
            ("**worse than** self-trained", "and shows **no clear difference from** Pyrodigal"),
        ),
        (
            (0.1, 0.2),
            (nan, nan),
            ("**better than** self-trained", "and **cannot be judged** against Pyrodigal in meta"),
        ),
    ],
)
def test_higher_is_better_for_genes(single, meta, words):
    metrics, comparisons = gene_rows()
    for row in comparisons:
        if row["method_b"].startswith("pyrodigal"):
            row["ci_low"], row["ci_high"] = single if row["method_b"].endswith("single") else meta
    text = " ".join(summary.gene_sentences(stage(metrics, comparisons)))
    assert all(word in text for word in words)


def test_genes_without_pyrodigal():
    metrics, comparisons = (
        [r for r in rows if "pyrodigal" not in r.get("method", r.get("method_b"))] for rows in gene_rows()
    )
    (text,) = summary.gene_sentences(stage(metrics, comparisons))
    assert (
        text
        == "As a gene finder the model finds 36 of 40 test genes and makes 4 calls that the annotation does not have."
    )


def test_twins_say_what_pretraining_brought():
    metrics, comparisons = gene_rows()
    for row in comparisons:
        if row["method_b"] == "dnalm_random_init" and row["metric"] == "gene_f1_exact":
            row["ci_low"] = 0.01
    judged = stage(metrics, comparisons)
    assert summary.twin_verdicts(judged) == [
        "Compared with its twin without any pretraining it is **better** in F1 with the right start as well; "
        "**not clearly different** in F1 at the stop codon."
    ]
    first, second = summary.twin_sentences(judged)
    assert re.search(
        r"F1 with the right start as well 0\.700 instead of 0\.750 \(.*\*\*pretraining helped\*\*\)", first
    )
    assert "difference 0.000" in second
    assert "pretraining" not in second.split(":", 1)[1]
    assert summary.twin_sentences(stage(metrics)) == summary.twin_verdicts(stage(metrics)) == []


def leakage(found):
    columns = ["split", "start", "end", "matched", "share", "identity", "kind"]
    rows = [("test", 0, 500, 0, 0.0, 0.0, "none"), *(("test", 0, 500, *f) for f in found)]
    return pd.DataFrame(rows, columns=columns)


def test_leakage_none():
    assert summary.leakage_sentences(leakage([])) == [
        "None of the 1 test window shares a stretch of 31 bases with the training blocks, on either strand."
    ]


def test_leakage_names_the_closest_window_and_copies():
    few = summary.leakage_sentences(leakage([(40, 0.08, 1.0, "repeat")]))
    assert len(few) == 1
    assert "1 of 2 test windows" in few[0]
    many = summary.leakage_sentences(leakage([(40, 0.08, 1.0, "repeat"), (400, 0.84, 0.95, "rRNA")]))
    assert f"(1 rRNA and 1 repeat); the closest has 84{SPACE}% of its bases covered at 95{SPACE}% identity" in many[0]
    assert f"1 window (33.3{SPACE}%) is a copy" in many[1]


@pytest.mark.parametrize(
    ("search", "said", "missed", "absent"),
    [
        (None, "without gaps", [], False), ("31-mers", "without gaps", [], False),
        ("31-mers, minimap2 not installed", "without gaps", [], True),
        ("every 6. 31-mer", "without gaps", ["every 6. 31-mer is kept"], False),
        ("every 6. 31-mer, minimap2 not installed", "without gaps", ["every 6. 31-mer is kept"], True),
        ("minimap2", "aligns each held-out window", [], False),
    ],
)  # fmt: skip
def test_the_report_says_which_search_was_made(search, said, missed, absent):
    tables = [leakage([]), leakage([(40, 0.08, 1.0, "repeat")])]
    none, some = (table if search is None else table.assign(search=search) for table in tables)
    how = " ".join(summary.search_sentences(none))
    assert said in how and all(text in how for text in missed) and ("was not installed" in how) == absent
    assert ("every" in how) == bool(missed)
    exact = search is None or search.startswith("31-mers")
    assert ("shares a stretch of 31 bases" in summary.leakage_sentences(none)[0]) == exact
    assert ("31 or more bases in a row" in summary.leakage_sentences(some)[0]) == exact


def test_the_lead_holds_language_genes_and_leakage():
    parts = summary.lead(stage(*language_rows()), stage(*gene_rows()), leakage([]))
    starts = ("Reading both sides of a base", "As a gene finder", "None of the 1 test window")
    assert all(part[0].startswith(start) for part, start in zip(parts, starts, strict=True))
    assert len(summary.lead(stage(*language_rows()), None, leakage([]))) == 2


def test_what_scores_know_without_labels_names_the_best_rule():
    values = {"dnalm_frame": 0.98, "dnalm": 0.44, "position_3": 0.9, "codon_usage": 0.46}
    rows = [metric_row("variants", method, "auroc", value, stratum="missense") for method, value in values.items()]
    (told,) = variants.sentences(stage(rows, []))
    assert "alone has an AUROC of 0.440" in told and "with predicted reading frames 0.980" in told
    assert "<em>Third codon position is harmless</em> with 0.900" in told and "*" not in told
