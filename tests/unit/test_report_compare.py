"""The report of a comparison, and of final and repeated trainings."""

from html import unescape
from math import nan

import pandas as pd
import pytest
from helpers.compare import ARMS, SEEDS, arms_of, comparisons_of, make_compared_study, metrics_of
from helpers.study import final_rows, make_study, metric_row, stage, write_benchmark

from dnalm.errors import InputError
from dnalm.report import comparison, numbers, summary, tables, tiles
from dnalm.report.glossary import method_notes, stratum_in_text
from dnalm.report.inputs import read_benchmarks, read_inputs
from dnalm.report.report import build_report
from dnalm.report.results import Arms

SPACE, MINUS, DASH = "\N{NO-BREAK SPACE}", "\N{MINUS SIGN}", numbers.MISSING
FINAL = {"final": True, "seeds": 2, "recount": True}


def made(arms=ARMS, seeds=SEEDS, clear=0.004):
    return Arms(metrics_of(arms, seeds), comparisons_of(arms, clear), arms_of(arms, seeds))


def some(*names):
    return {name: ARMS[name] for name in names}


def texts(table):
    return {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}


def notes(table):
    return {row[0].text: [cell.note for cell in row[1:]] for row in table.rows}


# What is said


def test_the_best_arm_is_named_with_its_distance_to_the_default():
    two_sided, causal, _ = comparison.sentences(made())
    assert two_sided.startswith(
        "Read from both sides, the default needs the fewest bits per base on the test blocks: 1.800, against 1.803 of "
        "*Full causal attention* (*Full causal attention* minus the default: difference +0.003"
    )
    assert (
        f"95{SPACE}% interval {MINUS}0.001 to +0.007, which contains zero); the ruler, flank counts, is at 1.905."
        in two_sided
    )
    assert causal.startswith("Read from one side, *Causal objective alone* needs the fewest bits per base")
    assert f"1.897, against 1.900 of the default (it minus the default: difference {MINUS}0.003" in causal


def test_all_arms_stand_beside_the_default_by_verdict():
    two_sided, causal, _ = comparison.sentences(made(some("dnalm", "no_memory", "hyena", "ssm", "causal"), clear=0.002))
    assert "Beside the default, **worse**: *State space model*, *Hyena* and *Without the memory*." in two_sided
    assert "Beside the default, **better**: *Causal objective alone*; **no clear difference**: *State space" in causal


@pytest.mark.parametrize(
    ("bits", "clear", "word"),
    [
        (1.93, 0.004, "the memory **helps**"),
        (1.7, 0.004, "the memory **hurts**"),
        (1.81, 0.5, "**no clear difference**"),
    ],
)
def test_what_the_memory_adds_is_judged(bits, clear, word):
    arms = {"dnalm": ARMS["dnalm"], "no_memory": (bits, *ARMS["no_memory"][1:])}
    text = comparison.sentences(made(arms, clear=clear))[-1]
    assert f"needs {bits:.3f} instead of 1.800 bits per base from both sides" in text
    assert word in text.split(", and ")[0]


def test_nothing_is_said_of_what_was_not_compared():
    assert comparison.sentences(made(some("bpe_masked"))) == []
    assert len(comparison.sentences(made(some("transformer", "local")))) == 1
    (alone,) = comparison.sentences(made(some("transformer")))
    assert alone == (
        "Read from both sides, *Transformer* needs the fewest bits per base on the test blocks: 1.955; the ruler, "
        "flank counts, is at 1.905."
    )


# What is shown


def test_the_table_of_arms_holds_bits_costs_and_baselines():
    table = comparison.arms_table(made())
    shown, below = texts(table), notes(table)
    assert list(shown)[:2] == ["dnalm (default)", "Without the memory"]
    assert shown["dnalm (default)"] == ["1.800", "1.900", "2.02", "1.42", "12,120", "118,000", "625"]
    assert below["dnalm (default)"] == [
        "1.792 to 1.808", "1.892 to 1.908", "2.01 to 2.03", "", "12,000 to 12,240", "", "620 to 630",
    ]  # fmt: skip
    assert shown["Causal objective alone"][:2] == [DASH, "1.897"]
    assert (shown["Masked byte pairs"][:2], below["Masked byte pairs"][0]) == ([DASH, DASH], "9.25 per token")
    assert shown["Flank counts"] == ["1.905", *[DASH] * 6]
    assert shown["Markov mixture (frozen)"][:3] == [DASH, "1.920", DASH]
    strong = {(row[0].text, i) for row in table.rows for i, cell in enumerate(row[1:]) if cell.strong}
    assert strong == {("dnalm (default)", 0), ("Causal objective alone", 1)}


def test_differences_are_arm_minus_default():
    two_sided, causal = comparison.difference_tables(made())
    shown = texts(two_sided)
    assert shown["Hyena"][:3] == ["worse", "+0.010", "+0.006 to +0.014"]
    assert shown["Full causal attention"][0] == "no clear difference"
    assert shown["Flank counts"][:2] == ["worse", "+0.105"]
    assert len(shown) == sum(facts[0] is not None for facts in ARMS.values())
    assert texts(causal)["Causal objective alone"][1] == f"{MINUS}0.003"


@pytest.mark.parametrize("seeds", [SEEDS, (7,)])
def test_every_training_has_a_row(seeds, tmp_path):
    arms = read_inputs(*make_compared_study(tmp_path, seeds=seeds)).compare
    table = comparison.trainings_table(arms)
    assert len(table.rows) == len(ARMS) * len(seeds)
    first = [cell.text for cell in table.rows[0]]
    assert first[:3] == ["dnalm (default)", str(seeds[0]), "1.796" if len(seeds) > 1 else "1.800"]
    assert [cell.text for cell in table.rows[-1]][2:4] == [DASH, DASH]


def test_changes_are_those_of_the_study():
    told = comparison.changes({
        "default": {"tokens": {}, "pretrain": {}},
        "no_memory": {"tokens": {}, "pretrain": {"memory_orders": [], "width": 32}},
        "kmer": {"tokens": {"kind": "kmer"}, "pretrain": {"objective": "masked"}},
    })  # fmt: skip
    assert told == [
        ("dnalm (default)", "nothing"), ("Without the memory", "pretrain.memory_orders none, pretrain.width 32"),
        ("k-mers side by side", "tokens.kind kmer, pretrain.objective masked"),
    ]  # fmt: skip


def test_the_page_has_the_section_with_its_figures_and_caveats(tmp_path):
    study = make_compared_study(tmp_path)
    page = unescape(build_report(read_inputs(*study)))
    section = page.split('<section id="comparison">')[1].split("</section>")[0]
    assert '<a href="#comparison">' in page
    for part in ("figure-architectures", "figure-context_cost", "table-arms", "table-trainings", "from 3 seeds"):
        assert part in section
    for caveat in ("never across", "every token over that base hidden", "an upper bound", "do not come out the same"):
        assert caveat in section
    assert "those of the comparison excepted" in page
    assert 'href="compare/arms.tsv"' in page
    assert "compared on equal CPU time" in page.split('<section id="language">')[0]
    assert build_report(read_inputs(*study)) == build_report(read_inputs(*study))


def test_a_comparison_needs_no_run_json_and_other_studies_have_no_section(tmp_path):
    study = make_compared_study(tmp_path / "one")
    assert not (study[1] / "compare" / "run.json").exists()
    assert list(read_inputs(*study).runs) == ["pretrain"]
    page = build_report(read_inputs(*make_study(tmp_path / "two", annotate=False)))
    assert "comparison" not in page.split("<main")[1].split("<script>")[0].lower().replace("comparisons", "")


def test_byte_pairs_are_only_spoken_of_where_they_are(tmp_path):
    page = build_report(read_inputs(*make_compared_study(tmp_path, some("dnalm", "hyena"), (1,))))
    assert "an upper bound" not in page
    assert "Every training" in page


@pytest.mark.parametrize("name", ["arms.tsv", "metrics.tsv", "comparisons.tsv"])
def test_a_missing_table_is_named(tmp_path, name):
    study = make_compared_study(tmp_path)
    (study[1] / "compare" / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: no such file"):
        read_inputs(*study)


def test_runs_of_one_rule_are_one_step(tmp_path):
    for name, seconds, memory in (("a.1", 10, 300), ("a.2", 20, 500), ("b.1", 30, 400)):
        write_benchmark(tmp_path / "compare_arm" / f"{name}.tsv", seconds, memory, 80)
    write_benchmark(tmp_path / "genome.tsv", 1, 100)
    (tmp_path / "empty").mkdir()
    found = read_benchmarks([tmp_path]).set_index("step")
    assert found.index.tolist() == ["compare_arm, 3 runs", "genome"]
    assert found.loc["compare_arm, 3 runs"].tolist() == [60, 500, 80]


# Final and repeated trainings


@pytest.fixture(scope="module")
def final(tmp_path_factory):
    study = make_study(tmp_path_factory.mktemp("final"), annotate=False, language=final_rows(), pretrain=FINAL)
    return read_inputs(*study)


def test_a_final_training_is_told_and_its_seeds_are_listed(final):
    page = unescape(build_report(final))
    assert "This is a <strong>final training</strong>" in page
    assert "trained 2 times, from the seeds 1 and 2" in page
    assert "the training blocks are the training and the validation blocks" in page
    assert "Validation, trained on too" in page
    table = tables.seeds_table(final.pretrain)
    assert texts(table) == {"1": ["0.995", "1.895"], "2": ["1.005", "1.905"]}


def test_the_mean_of_the_seeds_stands_in_tiles_and_summary(final):
    shown = tiles.headline(final.pretrain, None, final.splits, final.leakage)
    assert [(t.label, t.value, t.verdict) for t in shown[:2]] == [
        ("Two-sided bits per base, mean of 2 seeds", "1.000", "better"),
        ("Causal bits per base, mean of 2 seeds", "1.900", "better"),
    ]
    assert "1.000 against 1.500" in summary.language_sentences(final.pretrain, summary.TWO_SIDED)[0]


def test_the_best_order_of_a_final_training_is_chosen_on_test_and_that_is_said():
    metrics, comparisons = final_rows()
    assert summary.other_orders(stage(metrics, comparisons)) == []
    for row in comparisons:
        row.update(ci_high=0.1)
    (text,) = summary.other_orders(stage(metrics, comparisons))
    assert text.endswith("this is the single order that is best on the test blocks, a choice that favours it.")


def test_a_recounted_memory_is_told_with_the_interval_turned(final):
    (first, last) = summary.recounted(final.pretrain)[0].split(". ")
    assert "it needs 0.900 bits instead of 1.000" in first
    assert f"difference {MINUS}0.100, 95{SPACE}% interval {MINUS}0.150 to {MINUS}0.050: **better**" in first
    assert "no baseline here does" in last
    (label, note) = method_notes(["dnalm_recounted"])[0]
    assert label == "dnalm, memory recounted"
    assert "each base's own n-grams left out" in note
    ours = metric_row("pretrain", "dnalm", summary.TWO_SIDED, 1.0)
    assert summary.recounted(stage([ours])) == []
    undefined = metric_row("pretrain", "dnalm_recounted", summary.TWO_SIDED, nan, nan, nan)
    assert summary.recounted(stage([ours, undefined])) == []


def test_one_validated_training_has_nothing_to_tell(tmp_path):
    inputs = read_inputs(*make_study(tmp_path))
    assert summary.training_sentences(inputs.pretrain, False) == []
    assert tables.seeds_table(inputs.pretrain).rows == []
    page = build_report(inputs)
    assert "final training" not in page
    assert "mean of" not in page
    assert "table-seeds" not in page


def test_seeds_read_from_a_file_without_a_mean_keep_their_names(tmp_path):
    seeds = {"dnalm": 3, "markov_mixture": ""}
    rows = pd.DataFrame([metric_row("compare", m, "bits_per_base", 1.9, seed=seed) for m, seed in seeds.items()])
    rows.to_csv(tmp_path / "m.tsv", sep="\t", index=False)
    judged = stage(pd.read_csv(tmp_path / "m.tsv", sep="\t", dtype={"seed": str}))
    assert list(judged.by_seed("bits_per_base")) == ["3"]


def test_new_strata_have_words():
    assert stratum_in_text("soft_masked") == "soft-masked bases"
    assert stratum_in_text("not_soft_masked") == "bases that are not soft-masked"
