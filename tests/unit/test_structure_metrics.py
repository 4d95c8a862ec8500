"""Genes with introns against a truth made by hand that has a case for every rule."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, splits_of
from helpers.structures import transcripts_of

from dnalm.evaluate.genes import unit_table
from dnalm.evaluate.structures import base_sums, evaluate_structures, structure_sums
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS
from dnalm.sequence.splits import blocks_of
from dnalm.tasks.structure_truth import StructureTruth, coding_exons, exon_keys

LENGTHS = {"c0": 4000, "c1": 2000}
GENOME = genome_of(*(np.zeros(length, dtype=np.uint8) for length in LENGTHS.values()))
SPLITS = splits_of(
    ("c0", 0, 1500, "test"), ("c0", 1500, 1600, "gap"), ("c0", 1600, 3000, "train"), ("c0", 3000, 3100, "gap"),
    ("c0", 3100, 4000, "test"), ("c1", 0, 1000, "validation"), ("c1", 1000, 2000, "test"),
)  # fmt: skip
ONE = [(100, 130), (200, 260)]
ALSO = [(100, 130), (170, 190), (200, 260)]
TRUTH = transcripts_of(
    ("c0", "+", ONE, "chosen"), ("c0", "+", ALSO, "alternative"),
    ("c0", "-", [(400, 460)], "chosen"),
    ("c0", "+", [(600, 660), (700, 760)], "excluded"),
    ("c0", "-", [(610, 640)], "chosen"),  # on the other strand of it
    ("c0", "+", [(1400, 1460), (1520, 1580)], "chosen"),  # across the block's edge
    ("c0", "-", [(1700, 1760)], "chosen"),  # in training
    ("c0", "+", [(3100, 3160), (3200, 3260), (3300, 3330)], "chosen"),  # begins with its block
    ("c0", "+", [(3400, 3430), (3500, 3530)], "chosen"), ("c0", "+", [(3400, 3430), (3500, 3530)], "chosen"),  # twice
    ("c1", "+", [(100, 160)], "chosen"), ("c1", "-", [(1500, 1530), (1600, 1660)], "chosen"),
)  # fmt: skip
GENES, EXONS = 6, 12

#: (contig, strand, parts): verdict of the gene, verdicts of its exons
CALLS = {
    ("c0", "+", ((100, 130), (200, 260))): ("right", ["right", "right"]),
    ("c0", "-", ((400, 457),)): ("wrong", ["wrong"]),
    ("c0", "+", ((400, 460),)): ("wrong", ["wrong"]),  # the other strand
    ("c0", "+", ((590, 610), (800, 860))): ("aside", ["aside", "wrong"]),  # touches an excluded one
    ("c0", "+", ((610, 640),)): ("aside", ["aside"]),
    ("c0", "+", ((670, 690),)): ("aside", ["aside"]),  # in its intron
    ("c0", "-", ((610, 640),)): ("right", ["right"]),  # the excluded one is on the other strand
    ("c0", "+", ((760, 790),)): ("wrong", ["wrong"]),  # right behind it
    ("c0", "+", ((1400, 1460), (1520, 1580))): ("aside", ["right", "aside"]),
    ("c0", "+", ((1480, 1510),)): ("aside", ["aside"]),
    ("c0", "-", ((1700, 1760),)): ("aside", ["aside"]),
    ("c0", "+", ((3100, 3160), (3200, 3260))): ("wrong", ["right", "right"]),  # an exon is missing
    ("c0", "+", ((3300, 3330),)): ("wrong", ["right"]),
    ("c0", "+", ((3400, 3430), (3500, 3530))): ("right", ["right", "right"]),
    ("c1", "-", ((1500, 1530), (1603, 1660))): ("wrong", ["right", "wrong"]),
    ("c1", "+", ((100, 160),)): ("aside", ["aside"]),  # in a validation block
}


def calls_of(calls):
    return transcripts_of(*[(c, s, list(parts), "chosen", 1.0 - i / 100) for i, (c, s, parts) in enumerate(calls)])


def truth_of(split="test", transcripts=TRUTH):
    return StructureTruth(transcripts, blocks_of(SPLITS, GENOME, split))


def test_truth_is_what_lies_inside_a_block_once():
    truth = truth_of()
    assert len(truth.genes) == GENES
    assert len(truth.exons) == EXONS  # with one of the gene across the edge


def test_every_call_is_judged_as_the_rules_say():
    judged = truth_of().judge(calls_of(CALLS))
    genes = {
        (t.contig, t.strand, tuple(zip(t.cds_starts.tolist(), t.cds_ends.tolist(), strict=True))): t.right
        for t in judged["gene"].calls.itertuples()
    }
    assert genes == {call: v == "right" for call, (v, _) in CALLS.items() if v != "aside"}
    exons = {(e.contig, e.strand, e.start, e.end): e.right for e in judged["exon"].calls.itertuples()}
    expected = {
        (c, s, *part): v == "right"
        for (c, s, parts), (_, verdicts) in CALLS.items()
        for part, v in zip(parts, verdicts, strict=True)
        if v != "aside"
    }
    assert exons == expected


@pytest.mark.parametrize("call", CALLS, ids=lambda c: f"{c[0]}{c[1]}{c[2][0][0]}")
def test_the_verdict_of_a_call_does_not_hang_on_the_others(call):
    judged = truth_of().judge(calls_of([call]))
    gene, exons = CALLS[call]
    assert judged["gene"].calls["right"].tolist() == ([gene == "right"] if gene != "aside" else [])
    assert judged["exon"].calls["right"].tolist() == [v == "right" for v in exons if v != "aside"]


def test_what_an_alternative_transcript_says_is_neither_right_nor_wrong():
    judged = truth_of().judge(calls_of([("c0", "+", tuple(ALSO))]))
    assert judged["gene"].calls.empty
    assert sorted(zip(judged["exon"].calls["start"], judged["exon"].calls["right"], strict=True)) == [
        (100, True), (200, True),
    ]  # fmt: skip
    other = truth_of().judge(calls_of([("c0", "+", ((100, 130), (173, 190), (200, 260)))]))
    assert other["gene"].calls["right"].tolist() == [False]
    assert other["exon"].calls["right"].tolist() == [True, False, True]


def test_a_gene_called_twice_is_found_once_and_its_exons_are_one_set():
    judged = truth_of().judge(calls_of([("c0", "+", tuple(ONE)), ("c0", "+", tuple(ONE))]))
    assert judged["gene"].calls["right"].tolist() == [True, False]
    assert judged["exon"].calls["right"].tolist() == [True, True]


def test_f1_is_that_of_the_counts():
    judged = truth_of().judge(calls_of(CALLS))
    genes = [v for v, _ in CALLS.values()]
    exons = [v for _, verdicts in CALLS.values() for v in verdicts]
    for level, verdicts, true in (("gene", genes, GENES), ("exon", exons, EXONS)):
        right, called = verdicts.count("right"), len(verdicts) - verdicts.count("aside")
        assert judged[level].f1() == pytest.approx(2 * right / (true + called))
    assert truth_of().quality(calls_of([])) == (0.0, 0.0)


def slow_bases(calls, split):
    """(true, called, both) over the blocks, base by base and strand by strand."""
    counts = np.zeros(3, dtype=int)

    def bases(table, contig, strand, role=None):
        mine = table[(table["contig"] == contig) & (table["strand"] == strand)]
        mine = mine if role is None else mine[mine["role"] == role]
        return {p for e in coding_exons(mine).itertuples() for p in range(e.start, e.end)}

    for b in blocks_of(SPLITS, GENOME, split).itertuples():
        for strand in "+-":
            true = bases(TRUTH, b.contig, strand, "chosen")
            called, other = bases(calls, b.contig, strand), bases(TRUTH, b.contig, strand, "alternative") - true
            odd = TRUTH[(TRUTH["role"] == "excluded") & (TRUTH["contig"] == b.contig) & (TRUTH["strand"] == strand)]
            other |= {p for t in odd.itertuples() for p in range(t.start, t.end)}
            inside = set(range(b.start, b.end)) - other
            counts += [len(true & inside), len(called & inside), len(true & called & inside)]
    return counts


@pytest.mark.parametrize("split", ["test", "validation"])
def test_bases_equal_a_count_one_by_one(split):
    calls = calls_of([*CALLS, ("c0", "+", tuple(ALSO))])
    blocks = blocks_of(SPLITS, GENOME, split)
    sums = base_sums(TRUTH, calls, unit_table(blocks, 250))
    assert sums.sum(0).tolist() == slow_bases(calls, split).tolist()
    assert sums[0, 2] > 0 and (sums[:, 2] <= sums[:, :2].min(1)).all()


def test_units_hold_everything_once():
    truth = truth_of()
    sums = structure_sums(truth, calls_of(CALLS), unit_table(truth.blocks, 200))
    judged = truth.judge(calls_of(CALLS))
    for level in ("exon", "gene"):
        calls = judged[level].calls
        assert sums[level].sum(0).tolist() == [len(judged[level].truth), len(calls), calls["right"].sum()]


def test_the_truth_called_by_itself_is_perfect():
    perfect = TRUTH[TRUTH["role"] == "chosen"].drop_duplicates(["contig", "start", "strand"])
    everything = TRUTH.drop_duplicates(["contig", "start", "strand", "end"])
    for calls in (perfect, everything):
        sums = structure_sums(truth_of(), calls, unit_table(truth_of().blocks, 500))
        for level in sums.values():
            true, called, right = level.sum(0)
            assert true == called == right > 0


@pytest.fixture(scope="module")
def result():
    finders = {
        "dnalm": calls_of(CALLS),
        "copy": calls_of(list(CALLS)[::-1]),
        "nothing": calls_of([]),
    }
    common = {"study": "s", "stage": "annotate", "splits_sha256": "abc"}
    return evaluate_structures(GENOME, TRUTH, SPLITS, finders, {"unit": 250, "bootstrap": 200}, 1, common)


def test_rows_follow_the_contract(result):
    metrics, comparisons = map(pd.DataFrame, result)
    assert set(metrics.columns) == set(METRIC_COLUMNS) and len(metrics) == 2 * 3 * 9
    assert set(comparisons.columns) == set(COMPARISON_COLUMNS) and len(comparisons) == 2 * 2 * 9
    test = metrics[(metrics["split"] == "test") & (metrics["method"] == "dnalm")].set_index("metric")
    assert test.loc["gene_f1_structure", "n"] == GENES and test.loc["exon_f1_structure", "n"] == EXONS
    true, called, right = slow_bases(calls_of(CALLS), "test")
    assert test.loc["base_sensitivity_structure", "value"] == pytest.approx(right / true)
    assert test.loc["base_precision_structure", "value"] == pytest.approx(right / called)
    assert test.loc["base_f1_structure", "value"] == pytest.approx(2 * right / (true + called))
    assert test.loc["gene_precision_structure", "value"] == pytest.approx(3 / 9)
    assert (test["ci_low"] <= test["value"]).all() and (test["value"] <= test["ci_high"]).all()


def test_the_same_calls_in_another_order_differ_by_exactly_nothing(result):
    rows = pd.DataFrame(result[1])
    rows = rows[rows["method_b"] == "copy"]
    assert (rows[["difference", "ci_low", "ci_high"]].fillna(0) == 0).all(axis=None)


def test_keys_name_place_and_strand():
    exons = coding_exons(TRUTH)
    assert len(exons) == TRUTH["cds_starts"].map(len).sum()
    assert len(set(exon_keys(exons))) == len(exons.drop_duplicates(["contig", "strand", "start", "end"]))
