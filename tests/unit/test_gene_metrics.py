"""Gene calls against a truth made by hand that has a case for every rule of the comparison."""

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, splits_of
from sklearn.metrics import f1_score, precision_recall_curve, precision_score, recall_score

from dnalm.evaluate.genes import (
    STATISTICS,
    GeneTruth,
    evaluate_genes,
    keys,
    precision_recall,
    unit_table,
)
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS
from dnalm.sequence.splits import blocks_of, place_in

LENGTHS = {"c0": 10_000, "c1": 6000}
GENOME = genome_of(np.zeros(10_000, np.uint8), np.zeros(6000, np.uint8))
SPLITS = splits_of(
    ("c0", 0, 3000, "test"), ("c0", 3000, 3300, "gap"), ("c0", 3300, 6000, "train"), ("c0", 6000, 6300, "gap"),
    ("c0", 6300, 9000, "test"), ("c0", 9000, 9300, "gap"), ("c0", 9300, 10_000, "train"),
    ("c1", 0, 4000, "validation"), ("c1", 4000, 4300, "gap"), ("c1", 4300, 6000, "test"),
)  # fmt: skip


def cds_of(*rows):
    """CDS from (contig, start, end, strand) and, for odd ones, what is odd."""
    table = []
    for contig, start, end, strand, *odd in rows:
        table.append(
            {
                "contig": contig, "start": start, "end": end, "strand": strand, "id": f"{contig}-{start}-{len(table)}",
                "parts": 2 if "joined" in odd else 1, "pseudo": "pseudo" in odd, "partial": "partial" in odd,
                "crosses_origin": end > LENGTHS[contig],
            }
        )  # fmt: skip
    return pd.DataFrame(table)


CDS = cds_of(
    ("c0", 300, 600, "+"), ("c0", 700, 1000, "-"), ("c0", 1100, 1400, "+"), ("c0", 1500, 1800, "-"),
    ("c0", 2880, 3000, "+"),  # ends with its block
    ("c0", 2700, 3060, "-"),  # crosses the block's edge
    ("c0", 1900, 2200, "+", "pseudo"), ("c0", 2250, 2550, "-", "joined"), ("c0", 2560, 2690, "+", "partial"),
    ("c0", 2600, 2701, "-"),  # not a multiple of three
    ("c0", 4000, 4300, "+"),  # in a training block
    ("c0", 6300, 6600, "-"),  # begins with its block
    ("c0", 8700, 9030, "+"),  # crosses the edge at its stop
    ("c0", 9900, 10_200, "+"),  # across the origin
    ("c1", 100, 400, "+"),  # in a validation block
    ("c1", 4500, 4800, "+"), ("c1", 5000, 5300, "+"),
    ("c1", 5400, 5700, "+"), ("c1", 5400, 5700, "+", "pseudo"),  # a whole one and a pseudogene share a stop
)  # fmt: skip
GENES = 9

#: (contig, start, end, strand): what becomes of it: exact, stop (the start is wrong), wrong, ignored
CALLS = {
    ("c0", 300, 600, "+"): "exact",
    ("c0", 700, 1030, "-"): "stop",
    ("c0", 1100, 1403, "+"): "wrong",  # right start, wrong stop
    ("c0", 1500, 1800, "+"): "wrong",  # right place, wrong strand
    ("c0", 2850, 3000, "+"): "stop",
    ("c0", 2700, 3060, "-"): "ignored",  # at a block's edge
    ("c0", 2700, 2850, "-"): "ignored",  # shares the stop of a gene at the edge
    ("c0", 1990, 2200, "+"): "ignored",  # of a pseudogene
    ("c0", 2250, 2400, "-"): "ignored",  # of a joined one
    ("c0", 2560, 2690, "+"): "ignored",  # of a partial one
    ("c0", 2600, 2690, "-"): "ignored",  # of one out of frame
    ("c0", 2990, 3080, "+"): "ignored",  # false, but at the edge
    ("c0", 3100, 3190, "+"): "ignored",  # in a gap
    ("c0", 4000, 4300, "+"): "ignored",  # in training
    ("c0", 6300, 6600, "-"): "exact",
    ("c0", 6240, 6700, "-"): "ignored",
    ("c0", 7000, 7300, "-"): "wrong",
    ("c0", 8940, 9030, "+"): "ignored",
    ("c0", 9900, 10_200, "+"): "ignored",  # across the origin
    ("c0", 30, 200, "+"): "ignored",  # stops where the one across the origin does
    ("c0", 9940, 10_100, "-"): "ignored",  # across the origin, false
    ("c1", 100, 400, "+"): "ignored",  # in validation
    ("c1", 4500, 4800, "+"): "exact",
    ("c1", 4980, 5300, "+"): "stop",
    ("c1", 5400, 5700, "+"): "exact",
    ("c1", 300, 600, "+"): "ignored",  # another contig's gene, in validation
    ("c0", 4500, 4800, "+"): "ignored",  # another contig's gene, in training
    ("c1", 5800, 5890, "-"): "wrong",
}


def calls_of(*rows):
    table = pd.DataFrame([r[:4] for r in rows], columns=["contig", "start", "end", "strand"])
    return table.assign(score=[r[4] if len(r) > 4 else 0.5 for r in rows], partial=False)


def truth_of(cds=CDS, split="test"):
    return GeneTruth(cds, blocks_of(SPLITS, GENOME, split), LENGTHS)


def sums_of(truth, calls, unit=500):
    units = unit_table(truth.blocks, unit)
    return truth.unit_sums(truth.judge(calls), units), units


def values(truth, calls):
    total = sums_of(truth, calls)[0].sum(0)
    return {name: float(statistic(total)) for name, statistic in STATISTICS.items()}


def test_the_truth_is_whole_genes_inside_test_blocks():
    truth = truth_of()
    assert len(truth.genes) == GENES
    assert truth_of(split="validation").genes[["contig", "start"]].to_numpy().tolist() == [["c1", 100]]


def test_every_call_is_judged_as_the_rules_say():
    judged = truth_of().judge(calls_of(*CALLS))
    got = {
        (r.contig, r.start, r.end, r.strand): "exact" if r.right_start else "stop" if r.right_stop else "wrong"
        for r in judged.itertuples()
    }
    assert got == {call: verdict for call, verdict in CALLS.items() if verdict != "ignored"}


@pytest.mark.parametrize("call", CALLS, ids=lambda c: f"{c[0]}:{c[1]}-{c[2]}{c[3]}")
def test_the_verdict_of_a_call_does_not_hang_on_the_others(call):
    judged = truth_of().judge(calls_of(call))
    verdict = CALLS[call]
    assert len(judged) == (verdict != "ignored")
    if len(judged):
        assert judged["right_stop"].item() == (verdict in ("exact", "stop"))
        assert judged["right_start"].item() == (verdict == "exact")


def test_metrics_by_hand_counts_and_scikit_learn():
    verdicts = [v for v in CALLS.values() if v != "ignored"]
    right, exact, called = sum(v in ("exact", "stop") for v in verdicts), verdicts.count("exact"), len(verdicts)
    got = values(truth_of(), calls_of(*CALLS))
    assert (right, exact, called) == (7, 4, 11)
    # one row for every gene or call: genes that were missed, calls that are false, and the matches
    truth = [1] * right + [1] * (GENES - right) + [0] * (called - right)
    guess = [1] * right + [0] * (GENES - right) + [1] * (called - right)
    assert got["gene_sensitivity_3prime"] == pytest.approx(recall_score(truth, guess)) == pytest.approx(7 / 9)
    assert got["gene_precision_3prime"] == pytest.approx(precision_score(truth, guess)) == pytest.approx(7 / 11)
    assert got["gene_f1_3prime"] == pytest.approx(f1_score(truth, guess)) == pytest.approx(14 / 20)
    truth = [1] * exact + [1] * (GENES - exact) + [0] * (called - exact)
    guess = [1] * exact + [0] * (GENES - exact) + [1] * (called - exact)
    assert got["gene_f1_exact"] == pytest.approx(f1_score(truth, guess)) == pytest.approx(8 / 20)
    assert got["start_accuracy"] == pytest.approx(4 / 7)


def test_the_truth_called_by_itself_is_perfect_and_nothing_is_nothing():
    truth = truth_of()
    perfect = calls_of(*truth.genes[["contig", "start", "end", "strand"]].itertuples(index=False, name=None))
    assert set(values(truth, perfect).values()) == {1.0}
    # calling every CDS there is, odd ones too, is no worse
    everything = calls_of(
        *CDS[["contig", "start", "end", "strand"]].drop_duplicates().itertuples(index=False, name=None)
    )
    assert set(values(truth, everything).values()) == {1.0}
    nothing = values(truth, calls_of())
    assert nothing["gene_sensitivity_3prime"] == nothing["gene_f1_3prime"] == nothing["gene_f1_exact"] == 0
    assert np.isnan([nothing["gene_precision_3prime"], nothing["start_accuracy"]]).all()


def test_a_gene_that_is_called_twice_is_found_once():
    truth = truth_of(cds_of(("c0", 300, 600, "+")))
    got = values(truth, calls_of(("c0", 300, 600, "+"), ("c0", 360, 600, "+")))
    assert got["gene_sensitivity_3prime"] == 1
    assert got["gene_precision_3prime"] == 0.5


def test_keys_name_contig_strand_and_codon_whatever_the_side_of_the_origin():
    table = calls_of(
        ("c0", 9900, 10_200, "+"), ("c0", 50, 200, "+"), ("c0", 9900, 10_200, "-"), ("c0", 9900, 9960, "-"),
        ("c1", 50, 200, "+"),
    )  # fmt: skip
    stop, start = keys(table, LENGTHS)
    assert stop[0] == stop[1]
    assert stop[2] == stop[3]
    assert len({*stop}) == 3
    assert len({*start}) == 5


def test_place_in_blocks_equals_a_loop():
    rng = np.random.default_rng(1)
    start = rng.integers(0, 6000, 500)
    table = pd.DataFrame(
        {"contig": rng.choice(["c0", "c1"], 500), "start": start, "end": start + rng.integers(1, 900, 500)}
    )
    blocks = blocks_of(SPLITS, GENOME, "test")
    overlaps, inside = place_in(table, blocks)
    for i, row in enumerate(table.itertuples()):
        spans = [(b.start, b.end) for b in blocks.itertuples() if b.contig == row.contig]
        bases = set(range(row.start, row.end))
        assert overlaps[i] == any(bases & set(range(*s)) for s in spans)
        assert inside[i] == any(bases <= set(range(*s)) for s in spans)


def test_units_tile_the_blocks_and_hold_every_gene_once():
    truth = truth_of()
    sums, units = sums_of(truth, calls_of(*CALLS))
    for block in truth.blocks.itertuples():
        mine = units[(units["contig"] == block.contig) & units["start"].between(block.start, block.end - 1)]
        assert mine["start"].iloc[0] == block.start
        assert mine["end"].iloc[-1] == block.end
        assert (mine["start"].iloc[1:].to_numpy() == mine["end"].iloc[:-1].to_numpy()).all()
    for u, row in zip(units.itertuples(), sums, strict=True):
        middle = (truth.genes["start"] + truth.genes["end"]) // 2
        assert row[0] == ((truth.genes["contig"] == u.contig) & (middle >= u.start) & (middle < u.end)).sum()
    assert sums.sum(0).tolist() == [GENES, 11, 7, 4]


def test_precision_and_sensitivity_at_every_threshold_equal_scikit_learn():
    rng = np.random.default_rng(2)
    right = rng.random(60) < 0.7
    score = np.round(rng.random(60) / 2 + right / 3, 2)  # with ties
    judged = pd.DataFrame({"score": score, "right_stop": right})
    curve = precision_recall(judged, 50).reset_index(drop=True)
    precision, recall, thresholds = precision_recall_curve(right, score)
    np.testing.assert_allclose(curve["score"], thresholds[::-1])
    np.testing.assert_allclose(curve["precision"], precision[:-1][::-1])
    np.testing.assert_allclose(curve["sensitivity"], recall[:-1][::-1] * right.sum() / 50)


@pytest.fixture(scope="module")
def result():
    finders = {
        "dnalm": calls_of(*CALLS),
        "copy": calls_of(*list(CALLS)[::-1]),
        "exact_only": calls_of(*(c for c, v in CALLS.items() if v == "exact")),
        "nothing": calls_of(),
    }
    common = {"study": "s", "stage": "annotate", "dataset": "g", "splits_sha256": "abc"}
    return evaluate_genes(CDS, SPLITS, GENOME, finders, {"unit": 500, "bootstrap": 300}, 1, common)


def test_rows_follow_the_contract(result):
    metrics, comparisons = result
    assert len(metrics) == 2 * 4 * len(STATISTICS)
    assert len(comparisons) == 2 * 3 * len(STATISTICS)
    assert all(set(row) == set(METRIC_COLUMNS) for row in metrics)
    assert all(set(row) == set(COMPARISON_COLUMNS) for row in comparisons)
    assert {row["n"] for row in metrics if row["split"] == "test"} == {GENES}
    assert {row["n"] for row in metrics if row["split"] == "validation"} == {1}
    assert {row["unit"] for row in comparisons} == {"500 bp"}


def test_rows_hold_the_values_with_intervals_around_them(result):
    metrics = pd.DataFrame(result[0]).set_index(["split", "method", "metric"])
    for metric, value in values(truth_of(), calls_of(*CALLS)).items():
        row = metrics.loc["test", "dnalm", metric]
        assert row["value"] == pytest.approx(value)
        assert row["ci_low"] <= value <= row["ci_high"]
        assert 0 < row["ci_high"] - row["ci_low"] < 1
    assert metrics.loc[("test", "exact_only", "gene_precision_3prime"), "value"] == 1
    assert np.isnan(metrics.loc[("test", "nothing", "start_accuracy"), "value"])


def test_the_same_calls_in_another_order_differ_by_exactly_nothing(result):
    rows = [r for r in result[1] if r["method_b"] == "copy" and r["split"] == "test"]
    assert len(rows) == len(STATISTICS)
    for row in rows:
        assert row["difference"] == row["ci_low"] == row["ci_high"] == 0


def test_differences_are_first_minus_second(result):
    metrics = pd.DataFrame(result[0]).set_index(["split", "method", "metric"])["value"]
    for row in result[1]:
        ours, theirs = (metrics[row["split"], row[m], row["metric"]] for m in ("method_a", "method_b"))
        assert row["difference"] == pytest.approx(ours - theirs, nan_ok=True)


def test_two_annotated_starts_of_one_stop_codon_are_one_gene():
    truth = truth_of(cds_of(("c0", 300, 600, "+"), ("c0", 360, 600, "+")))
    for start in (300, 360):
        assert set(values(truth, calls_of(("c0", start, 600, "+"))).values()) == {1.0}
