"""Variants with labels: read with reasons, described, predicted, judged like scikit-learn judges, drawn."""

import gzip
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, planted_genome
from pydantic import ValidationError
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from dnalm.config_labelled import LabelledSet
from dnalm.errors import InputError
from dnalm.evaluate.labelled import evaluate_labelled, strata
from dnalm.figures.labelled_variants import chosen, draw_labelled
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS
from dnalm.report import labelled
from dnalm.tasks.labelled import (
    OURS,
    WITHOUT,
    facts,
    fitted_methods,
    group_names,
    predict,
    predictions,
    prepare,
    unseen,
)
from dnalm.variant_files.labelled import number_column, read_labelled
from dnalm.variants import trained
from dnalm.variants.coding import read_coding

LABEL = {"column": "class", "positive": ["bad"], "negative": ["good"]}
HEAD = "pos\tref\talt\tclass\tkind\n"


def settings_of(**keys):
    base = {"table": "t.tsv", "position": "pos", "label": LABEL, "groups": {"by": "block"}}
    return LabelledSet.model_validate(base | keys).model_dump(mode="json")


def write(path, rows, head=HEAD):
    path.write_text(head + "".join("\t".join(map(str, row)) + "\n" for row in rows))
    return path


def reasons(left):
    return dict(zip(left["line"], left["reason"], strict=True))


def test_nothing_is_left_out_without_a_reason(tmp_path):
    genome = genome_of("ACGTACGTAC")
    rows = [
        (101, "A", "C", "bad", "x"), (102, "C", "T", "good", "x"), (103, "A", "T", "good", "x"),
        (104, "T", "G", "unsure", "x"), (190, "A", "T", "good", "x"), ("", "A", "T", "bad", "x"),
        (105, "AC", "A", "bad", "x"), (106, "c", "g", "bad", "x"), (106, "C", "G", "bad", "x"),
        (107, "G", "A", "bad", "x"), (107, "G", "A", "good", "x"), (108, "N", "A", "bad", "x"),
    ]  # fmt: skip
    kept, left = read_labelled(genome, write(tmp_path / "t.tsv", rows), settings_of(position_offset=100))
    assert kept["_position"].tolist() == [0, 1, 5, 5] and kept["_label"].tolist() == [True, False, True, True]
    assert kept["_kind"].tolist() == ["snv", "snv", "deletion", "snv"]
    assert reasons(left) == {
        4: "ref_mismatch", 5: "no_label", 6: "bad_position", 7: "bad_position",
        10: "repeated", 11: "contradicting_labels", 12: "contradicting_labels", 13: "no_alleles",
    }  # fmt: skip
    _, left = read_labelled(genome, tmp_path / "t.tsv", settings_of(position_offset=100, kinds=["snv"]))
    assert reasons(left)[8] == "other_kind"
    any_label = settings_of(position_offset=100, label=LABEL | {"several": "any"})
    kept, left = read_labelled(genome, tmp_path / "t.tsv", any_label)
    assert kept.set_index("_position").loc[6, "_label"] and reasons(left)[12] == "repeated"


def test_a_slice_that_begins_elsewhere_is_told_apart(tmp_path):
    path = write(tmp_path / "t.tsv", [(101, "A", "C", "bad", "x"), (102, "C", "T", "good", "x")])
    with pytest.raises(InputError, match="2 ref mismatch"):
        read_labelled(genome_of("ACGTACGTAC"), path, settings_of(position_offset=98))


def test_csv_gzip_and_vcf_say_the_same(tmp_path):
    genome = genome_of("ACGTACGTAC", "GGGG")
    with gzip.open(tmp_path / "t.csv.gz", "wt") as file:
        file.write("chrom,pos,ref,alt,class\nc0,1,A,C,bad\nc1,2,G,T,good\nc9,2,G,T,good\n")
    table, left = read_labelled(genome, tmp_path / "t.csv.gz", settings_of(contig="chrom"))
    assert reasons(left) == {4: "unknown_contig"}
    head = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    vcf = write(tmp_path / "t.vcf", [("c0", 1, ".", "A", "C", ".", ".", "class=bad;N=1"),
                                     ("c1", 2, ".", "G", "T,A", ".", ".", "class=good")], head)  # fmt: skip
    other, left = read_labelled(genome, vcf, settings_of(table=None, vcf="t.vcf"))
    assert other["_position"].tolist() == [0, 11, 11] and left.empty
    assert table["_position"].tolist() == [0, 11] and other["N"].tolist() == ["1", "", ""]


def test_labels_of_another_table_by_name(tmp_path):
    genome = genome_of("ACGTACGTAC")
    rows = [(1, "A", "C", "v1", ""), (2, "C", "A", "v2", ""), (3, "G", "A", "v3", ""), (4, "T", "A", "v4", "")]
    path = write(tmp_path / "t.tsv", rows)
    grades = write(tmp_path / "g.tsv", [("v1", 1), ("v1", 4), ("v2", 5), ("v2", 3), ("v3", 3)], "name\tgrade\n")
    label = {"column": "grade", "positive": [1, 2], "negative": [4, 5], "table": "g", "key": "name", "name": "class"}
    kept, left = read_labelled(genome, path, settings_of(label=label | {"several": "any"}), grades)
    assert kept["_label"].tolist() == [True, False] and set(reasons(left).values()) == {"no_label"}
    with pytest.raises(InputError, match="1 contradicting labels"):
        read_labelled(genome, path, settings_of(label=label), grades)


@pytest.mark.parametrize(
    ("bounds", "bad", "good"),
    [
        ({"positive_below": -1, "negative_from": 0.5}, [-2.5, -1.5], [0.5, 3]),
        ({"negative_below": -1, "positive_from": 0.5}, [0.5, 3], [-2.5, -1.5]),
        ({"positive_below": 0, "positive_from": 3, "negative": ["0"]}, [-2.5, -1.5, -1, 3], [0]),
    ],
)
def test_a_score_with_thresholds_is_a_label(tmp_path, caplog, bounds, bad, good):
    scores = [-2.5, "-1.5", -1, 0, 0.4999, "0.5", 3, "", "NA", "low", "inf"]
    text = "ACGTACGTACG"
    rows = [(i + 1, text[i], "C" if text[i] != "C" else "A", score, "") for i, score in enumerate(scores)]
    path = write(tmp_path / "t.tsv", rows)
    label = {"column": "class", **bounds}
    kept, left = read_labelled(genome_of(text), path, settings_of(label=label))
    found = kept.groupby("_label")["class"].agg(lambda some: sorted(map(float, some)))
    assert found[True] == sorted(map(float, bad)) and found[False] == sorted(map(float, good))
    assert set(left["reason"]) == {"no_label"} and len(left) + len(kept) == len(scores)
    assert (
        "1 values are no numbers" not in caplog.text and "2 values are no numbers and no label, as 'low'" in caplog.text
    )


def test_thresholds_of_a_column_of_words_are_refused(tmp_path):
    path = write(tmp_path / "t.tsv", [(1, "A", "C", "0,5", "x"), (2, "C", "T", "", "x")])
    with pytest.raises(InputError, match=r"t\.tsv.*'0,5' is no number, nor is any other value of column 'class'"):
        read_labelled(genome_of("ACGTACGTAC"), path, settings_of(label={"column": "class", "positive_below": 0}))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"vcf": "x"}, "either table or vcf"),
        ({"label": LABEL | {"negative": ["bad"]}}, "positive and negative at once"),
        ({"label": LABEL | {"table": "x"}}, "needs key"),
        ({"groups": {"by": "column"}}, "goes with by: column"),
        ({"groups": {"folds": 1}}, "nothing to learn from"),
        ({"columns": {"a": "A"}, "published": {"a": "A"}}, "at once"),
        ({"columns": {"common": "gnomAD_AF"}}, "looks like a frequency"),
        ({"columns": {"frequency": "x"}}, "looks like a frequency"),
        ({"label": {"column": "class"}}, "name values"),
        ({"label": {"column": "class", "positive_from": 1, "negative_from": 2}}, "both hold"),
        ({"label": {"column": "class", "positive_below": 1, "negative_below": 2}}, "both hold"),
        ({"label": {"column": "class", "positive_below": 1, "negative_from": 0.5}}, "from 0.5 to 1 would mean two"),
        ({"label": {"column": "class", "negative_below": 1, "positive_from": 0.5}}, "from 0.5 to 1 would mean two"),
        ({"label": LABEL | {"pattern": "("}}, "no regular expression"),
        ({"also": [{"label": LABEL}]}, "either table or vcf"),
        ({"lookup": {"a": {"table": "x"}}}, "column goes with table"),
        ({"spdi": "x", "vcf": "x", "table": None}, "spdi and locus are for a table"),
        ({"lower_is_worse": ["b"]}, "in neither"),
    ],
)
def test_config_mistakes_are_told(keys, message):
    with pytest.raises(ValidationError, match=message):
        settings_of(**keys)


def test_bad_tables_are_told(tmp_path):
    genome = genome_of("ACGTACGTAC")
    path = write(tmp_path / "t.tsv", [(1, "A", "C", "bad", "7"), (2, "C", "T", "good", "seven")])
    with pytest.raises(InputError, match=r"no column 'nope'.*'pos'"):
        read_labelled(genome, path, settings_of(columns={"a": "nope"}))
    kept, _ = read_labelled(genome, path, settings_of())
    with pytest.raises(InputError, match=r"'seven' is no number"):
        number_column(kept, "kind", path)
    (tmp_path / "empty.tsv").write_text(HEAD)
    with pytest.raises(InputError, match="no rows"):
        read_labelled(genome, tmp_path / "empty.tsv", settings_of())


def test_groups_and_what_no_other_fold_has():
    table = pd.DataFrame({
        "_gene": ["a", "a", "a", "b", ""], "_residue": [1, 10, 11, 1, 0], "_position": [5, 32, 35, 80, 95],
        "_contig": "c", "exon": list("uvwxy"),
    })  # fmt: skip
    block = group_names(table, {"by": "block", "block": 30})
    assert block.tolist() == ["a 0", "a 0", "a 1", "b 0", "c:3"]
    assert group_names(table, {"by": "gene"}).tolist() == ["a", "a", "a", "b", "intergenic"]
    assert group_names(table, {"by": "column", "column": "exon"}).tolist() == list("uvwxy")
    assert unseen(np.array(["m", "m", "s", "s"], dtype=object), np.array([0, 1, 1, 1])).tolist() == [0, 0, 1, 1]


def test_alleles_of_one_base_are_held_out_together():
    """Genes a and b share base 5, b and c by the annotation base 40; d stands alone, what is in none joins none."""
    table = pd.DataFrame({
        "_gene": ["a", "a", "b", "b", "c", "", "d", "", ""], "_position": [1, 5, 5, 40, 60, 5, 80, 90, 100],
        "_residue": [1, 2, 1, 12, 3, 0, 1, 0, 0], "_contig": "c",
    })  # fmt: skip
    by_position = group_names(table, {"by": "gene"})
    assert by_position.tolist() == ["a + b"] * 4 + ["c", "a + b", "d", "intergenic", "intergenic"]
    parts = [np.array([[0, 10]]), np.array([[4, 45]]), np.array([[40, 70]]), np.array([[90, 101]])]
    models = pd.DataFrame({"gene": ["a", "b", "c", "far"], "parts": parts})
    found = group_names(table, {"by": "gene"}, SimpleNamespace(table=models))
    assert found.tolist() == ["a + b + c"] * 6 + ["d", "intergenic", "intergenic"]
    block = group_names(table, {"by": "block", "block": 30})
    assert block.tolist() == ["a 0 + b 0 + c:0"] * 3 + ["b 1", "c 0", "a 0 + b 0 + c:0", "d 0", "c:3", "c:3"]


def test_joined_genes_are_no_other_groups_than_genes():
    rng = np.random.default_rng(1)
    gene = np.array(["a", "b", "c"])[rng.integers(0, 3, 90)]
    table = pd.DataFrame({"label": rng.random(90) < 0.5, "consequence": "missense", "missense": True, "gene": gene,
                          "group": np.where(gene == "c", "c", "a + b"), "call": "harmful"})  # fmt: skip
    assert "all_within_gene" not in strata(table) and "all_within_group" in strata(table)
    assert "all_within_gene" in strata(table.assign(group=[f"{g} {i % 3}" for i, g in enumerate(gene)]))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A made-up measurement: changes to other amino acids where a made-up conservation is high are harmful."""
    patch = pytest.MonkeyPatch()
    patch.setitem(trained.TREES, "max_iter", 12)
    planted, rng, rows = planted_genome(genes=20, block=1500), np.random.default_rng(4), []
    coding = read_coding(planted.genome, planted.features)
    for gene, (_, start, end, _) in enumerate(planted.genes[1:9], 1):
        for position in rng.choice(np.arange(start + 3, end - 3), 40, replace=False):
            base = planted.genome.codes[position] & 7
            conserved = rng.normal()
            rows.append((position + 1, "ACGT"[base], "ACGT"[(base + rng.integers(1, 4)) % 4], f"g{gene}", conserved))
    table = pd.DataFrame(rows, columns=["pos", "ref", "alt", "kind", "phylop"])
    from dnalm.tasks.labelled import describe  # the truth of this test uses the annotation

    base = {letter: i for i, letter in enumerate("ACGT")}
    facts_of = table.assign(_position=table["pos"] - 1, _ref=table["ref"].map(base), _alt=table["alt"].map(base))
    facts_of = facts_of.assign(_ref_bases=table["ref"], _alt_bases=table["alt"], _kind="snv")
    kind = describe(facts_of, settings_of(), planted.genome, coding)["_consequence"]
    harm = 3.0 * (kind == "stop_gained") + 1.2 * (kind == "missense") + table["phylop"] + rng.normal(size=len(table))
    table["class"] = np.where(harm > 1.2, "bad", "good")
    path = tmp_path_factory.mktemp("labelled") / "t.tsv"
    table.to_csv(path, sep="\t", index=False)
    keys = {"groups": {"by": "gene"}, "columns": {"phylop": "phylop"}, "terms": "Made up"}
    settings = settings_of(**keys, features=["consequence", "chemistry", "substitution", "columns"])
    data = prepare(planted.genome, path, settings, 1, coding)
    found = predict(data, settings, 1)
    patch.undo()
    return data, settings, *found


@pytest.fixture(scope="module")
def judged(study):
    data, settings, fitted, raw = study
    common = {"study": "s", "stage": "variants", "dataset": "d", "split": "test", "splits_sha256": "x"}
    options = {"bootstrap": 60, "unit": "group", "precision": settings["precision"]}
    rows, pairs = evaluate_labelled(predictions(data, fitted, raw), raw, fitted, options, 1, common)
    return pd.DataFrame(rows), pd.DataFrame(pairs)


def test_metrics_are_those_of_scikit_learn(study, judged):
    data, _, fitted, raw = study
    table, metrics = predictions(*study[:1], fitted, raw), judged[0]
    every = {name: one.probability for name, one in fitted.items()} | raw
    for stratum in ("all", "missense"):
        rows = strata(table)[stratum][0]
        y = data.label[rows]
        mine = metrics[metrics["stratum"] == stratum].set_index(["method", "metric"])["value"]
        for method in (OURS, "consequence_order", "phylop"):
            score = every[method][rows]
            assert mine[method, "auroc"] == pytest.approx(roc_auc_score(y, score))
            assert mine[method, "auprc"] == pytest.approx(average_precision_score(y, score))
        assert mine[OURS, "brier"] == pytest.approx(brier_score_loss(y, fitted[OURS].probability[rows]))
        called = fitted[OURS].probability[rows] >= fitted[OURS].strict[rows]
        assert mine[OURS, "recall_at_precision_0.9"] == pytest.approx((called & y).sum() / y.sum())


def test_within_groups_only_pairs_of_one_group_count(study, judged):
    data, _, fitted, _ = study
    score, y, group, right, pairs = fitted[OURS].probability, data.label, data.group, 0.0, 0
    for name in set(group):
        mine = group == name
        size = y[mine].sum() * (~y[mine]).sum()
        right += size * roc_auc_score(y[mine], score[mine]) if size else 0
        pairs += size
    metrics = judged[0].set_index(["stratum", "method", "metric"])["value"]
    assert metrics["all_within_group", OURS, "auroc"] == pytest.approx(right / pairs)
    assert metrics["all_within_group", "majority", "auroc"] == pytest.approx(0.5)


def test_learning_helps_and_the_columns_help_more(judged):
    metrics = judged[0].set_index(["stratum", "method", "metric"])["value"]
    assert metrics["all", OURS, "auroc"] > metrics["all", WITHOUT, "auroc"] + 0.03
    assert metrics["all", WITHOUT, "auroc"] > 0.6
    assert metrics["all", "nearest_neighbour", "auroc"] < 0.65  # no label leaks through the place


def test_tables_keep_their_contracts(judged):
    metrics, pairs = judged
    assert set(METRIC_COLUMNS) == set(metrics) and set(COMPARISON_COLUMNS) == set(pairs)
    inside = metrics.dropna(subset=["ci_low"])
    assert ((inside["ci_low"] <= inside["value"]) & (inside["value"] <= inside["ci_high"])).all()
    assert {"macro", "all", "missense"} <= set(metrics["stratum"])
    both = metrics.set_index(["stratum", "method", "metric"])["value"]
    one = pairs[(pairs["method_b"] == "phylop") & (pairs["metric"] == "auroc")]
    for row in one.itertuples():
        gap = both[row.stratum, row.method_a, "auroc"] - both[row.stratum, "phylop", "auroc"]
        assert row.difference == pytest.approx(gap)


def test_a_matrix_is_silent_outside_of_missense(study, judged):
    data, _, _, raw = study
    assert np.array_equal(np.isfinite(raw["blosum62"]), data.missense)
    assert set(judged[0].loc[judged[0]["method"] == "blosum62", "stratum"]) <= {"missense", "missense_within_group"}


def test_what_brings_no_column_is_not_compared_with_itself(study):
    """A set without columns has the families of columns among its features by default, and nothing in them."""
    data, settings, _, _ = study
    size = len(data.label)
    bare = {**data.features, "columns": data.features["columns"][[]], "windows": pd.DataFrame(index=range(size))}
    names = [name for _, kinds in fitted_methods(replace(data, features=bare, columns={}), settings) for name in kinds]
    assert OURS in names and WITHOUT not in names
    assert WITHOUT in [name for _, kinds in fitted_methods(data, settings) for name in kinds]


def test_facts_and_calls(study):
    data, settings, fitted, raw = study
    told = facts(data, settings)
    assert ("terms", "Made up") in told and any("genes" in text for about, text in told if about == "held out")
    table = predictions(data, fitted, raw)
    harmful = table["call"] == "harmful"
    assert (table.loc[harmful, OURS] >= table.loc[harmful, "strict"]).all()
    assert set(table["call"]) <= {"harmful", "harmless", "uncertain", "abstained"}
    assert (table.loc[data.outside, "call"] == "abstained").all()


def test_positions_are_those_in_the_contig_and_drawn_one_contig_after_the_other(study, judged):
    data, _, fitted, raw = study
    half = np.arange(len(data.label)) >= len(data.label) // 2
    local = data.table["_position"] - half * data.table.loc[half, "_position"].min()
    moved = data.table.assign(_contig=np.where(half, "c1", "c0"), _local=local)
    table = predictions(replace(data, table=moved), fitted, raw)
    assert table["position"].tolist() == local.tolist() and table["contig"].nunique() == 2
    figure, drawn, _ = draw_labelled(table, judged[0])
    figure.canvas.draw()
    places = drawn[drawn["panel"] == "map"]
    assert places["x"].tolist() == local.tolist() and places["y"].tolist() == table[OURS].tolist()


def test_the_figure_draws_its_table(study, judged):
    _, _, fitted, raw = study
    table = predictions(*study[:1], fitted, raw)
    figure, drawn, alt = draw_labelled(table, judged[0])
    figure.canvas.draw()
    assert chosen(table)[0] == OURS and "blosum62" not in chosen(table)
    places = drawn[drawn["panel"] == "map"]
    assert len(places) == len(table) and set(places["stratum"]) == {"harmful", "harmless"}
    shown = drawn[(drawn["panel"] == "auroc") & (drawn["method"] == OURS) & (drawn["stratum"] == "all")]
    want = judged[0].set_index(["stratum", "method", "metric"])["value"]["all", OURS, "auroc"]
    assert shown["y"].item() == pytest.approx(want) and f"{want:.3f}" in alt


def test_the_report_says_terms_and_the_best_other(study, judged, tmp_path):
    data, settings, _, _ = study
    metrics, pairs = judged
    metrics.to_csv(tmp_path / "mine.metrics.tsv", sep="\t", index=False)
    pairs.to_csv(tmp_path / "mine.comparisons.tsv", sep="\t", index=False)
    told = pd.DataFrame(facts(data, settings), columns=["about", "text"])
    told.to_csv(tmp_path / "mine.facts.tsv", sep="\t", index=False)
    found = labelled.read_labelled(tmp_path, {"variants": {"labelled": {"mine": {}}}})
    page = labelled.part("mine", found["mine"], {})
    assert "Terms: Made up." in page["facts"]
    values = metrics[(metrics["metric"] == "auroc") & (metrics["stratum"] == "all")].set_index("method")["value"]
    best = values[~values.index.str.startswith(OURS)]
    assert f"{values[OURS]:.3f}" in page["sentence"] and f"{best.max():.3f}" in page["sentence"]
    ranks, calls = page["tables"]
    assert len(ranks.rows) == metrics.loc[metrics["metric"] == "auroc", "method"].nunique() and calls.rows
    assert all(table.rows for table in page["more"])
