"""Tables of scanned samples in the report: a method stands where it has values, rankings stand by themselves."""

import pandas as pd

from dnalm.report.results import Stage
from dnalm.report.samples import ScannedSample, part


def stage_of(rows):
    columns = ["stratum", "metric", "method", "value"]
    table = pd.DataFrame(rows, columns=columns).assign(
        study="x", stage="variants", dataset="x", split="test", ci_low=0.4, ci_high=0.9, n=30, seed=1, splits_sha256=""
    )
    comparisons = pd.DataFrame(
        columns=[
            "study", "stage", "dataset", "split", "stratum", "metric", "method_a", "method_b", "difference", "ci_low",
            "ci_high", "n", "unit",
        ]
    )  # fmt: skip
    return Stage(table, comparisons)


def test_rankings_have_a_table_of_their_own():
    rows = [(f"ranked_{p}errors", "auroc", m, 0.7) for p in ("", "unread_") for m in ("dnalm_scan", "random")]
    rows += [("ranked_errors", "recall_at_budget", "dnalm_scan", 0.5)]
    rows += [(f"ranked_{p}ranked_substitution", "auroc", "dnalm_in_reference", 0.6) for p in ("", "read_", "unread_")]
    counts = dict.fromkeys(("flagged", "known_bases", "contigs"), 1)
    counts |= {f"flagged_{name}": 1 for name in ("substitute", "remove", "insert")}
    found = part("ranked", ScannedSample(counts, stage_of(rows)), {})  # a sample of that name confuses nothing
    tables = {table.name: table for table in found["tables"]}
    assert list(tables) == [
        "sample-ranked-recall_at_budget", "sample-ranked-auroc", "sample-ranked-auroc-unread", "sample-ranked-ranked",
    ]  # fmt: skip
    sizes = {name: (len(table.rows), len(table.columns)) for name, table in tables.items()}
    assert list(sizes.values()) == [(1, 2), (2, 2), (2, 2), (1, 4)]
    assert tables["sample-ranked-ranked"].rows[0][0].text == "dnalm, read in the reference"
    heads = [column.label for column in tables["sample-ranked-ranked"].columns]
    assert heads == ["Method", "Wrong bases", "Wrong bases, read", "Wrong bases, unread"]
    assert {label for label, _ in found["methods"]} >= {"Chance", "dnalm, read in the reference"}
    assert part("ranked", ScannedSample(counts, None), {})["tables"] == []
