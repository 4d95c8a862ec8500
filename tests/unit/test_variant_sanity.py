"""Saturation mutagenesis of annotated genes: consequences against Biopython, values against scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from Bio.Seq import Seq
from helpers.genomes import features_of, genome_of, splits_of
from sklearn.metrics import roc_auc_score

from dnalm.evaluate.variants import CONSEQUENCES, evaluate_saturation, saturation, strata, unit_at
from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS
from dnalm.sequence.alphabet import decode, reverse_complement

LENGTH = 12_000
#: A gene across the origin, two that overlap, one of the other strand, one at a block's edge, one in the gap.
GENES = [
    ("c0", 11_900, 12_050, "+"), ("c0", 300, 1200, "+"), ("c0", 1150, 2050, "-"), ("c0", 2100, 5100, "-"),
    ("c0", 5200, 6100, "+"), ("c0", 7000, 7900, "+"), ("c1", 30, 330, "-"),
]  # fmt: skip
COMMON = {"study": "s", "splits_sha256": "abc"}
SETTINGS = {"unit": 500, "bootstrap": 200, "splits": ["test"]}


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(1)
    codes = [rng.integers(0, 4, n).astype(np.uint8) for n in (LENGTH, 900)]
    codes[0][2500] = 4  # an N inside of a gene
    genome = genome_of(*codes, circular=True)
    splits = splits_of(
        ("c0", 0, 6000, "test"), ("c0", 6000, 6500, "gap"), ("c0", 6500, LENGTH, "train"), ("c1", 0, 900, "test")
    )  # fmt: skip
    return genome, features_of(genome, GENES), splits


@pytest.fixture(scope="module")
def table(world):
    genome, features, splits = world
    return saturation(genome, features, splits.loc[splits["split"] == "test", ["contig", "start", "end"]])


def by_hand(genome):
    """Every substitution of the genes in test blocks, one by one, through Biopython."""
    covered = np.zeros(len(genome.codes), dtype=int)
    for contig, start, end, _ in GENES:
        covered[genome.offset(contig) + np.arange(start, end) % genome.length(contig)] += 1
    for contig, start, end, strand in (GENES[i] for i in (1, 2, 3, 6)):
        codes = genome.fetch(contig, start, end)
        text, offset = decode(codes if strand == "+" else reverse_complement(codes)), genome.offset(contig)
        for i in range(3, len(text) - 3):
            codon = text[i // 3 * 3 :][:3]
            at = offset + (start + i if strand == "+" else end - 1 - i)
            before = str(Seq(codon).translate(table=11)) if "N" not in codon else "*"
            if before == "*" or covered[at] > 1:
                continue
            for base in set("ACGT") - {text[i]}:
                after = str(Seq(codon[: i % 3] + base + codon[i % 3 + 1 :]).translate(table=11))
                what = "synonymous" if after == before else "stop_gained" if after == "*" else "missense"
                alt = base if strand == "+" else str(Seq(base).complement())
                change = 4 * "ACGT".index(text[i]) + "ACGT".index(base)
                yield (at, "ACGT".index(alt)), (int(genome.codes[at]), i % 3, change, what)


def test_every_substitution_has_its_consequence(world, table):
    expected = dict(by_hand(world[0]))
    found = {
        (t.position, t.alt): (t.ref, t.codon_position, t.change, CONSEQUENCES[t.consequence])
        for t in table.itertuples(index=False)
    }
    assert len(found) == len(table)
    assert found == expected
    assert table["gene"].nunique() == 4


def test_rows_are_sorted(table):
    assert (np.diff(4 * table["position"] + table["alt"]) > 0).all()


def test_strata_are_what_they_say(table):
    what = np.array(CONSEQUENCES)[table["consequence"]]
    rows, positive, _ = strata(table)["stop_gained"]
    assert set(what[rows][positive]) == {"stop_gained"} and set(what[rows][~positive]) == {"synonymous"}
    for name in ("missense", "missense_matched"):
        rows, positive, _ = strata(table)[name]
        assert set(what[rows][positive]) == {"missense"} and set(what[rows][~positive]) == {"synonymous"}


def scores_of(table):
    noise = np.random.default_rng(3).normal(size=len(table))
    return {
        "dnalm_frame": table["consequence"] + noise,
        "perfect": table["consequence"].to_numpy(),
        "third": -1.0 * (table["codon_position"] == 2),
        "constant": np.zeros(len(table)),
    }


@pytest.fixture(scope="module")
def rows(world):
    genome, features, splits = world

    def shifts(table):
        place = table["position"].to_numpy()[::9]
        shifted = np.arange(len(place)) % 2 == 1
        perfect = place, 3.0 * shifted, shifted
        return {
            "frameshift": {"perfect": perfect, "constant": (place, np.zeros(len(place)), shifted)},
            "frameshift_matched": {"perfect": perfect},
        }

    return evaluate_saturation(genome, features, splits, scores_of, SETTINGS, 1, COMMON, shifts)


def test_rows_follow_the_contract(rows):
    metrics, comparisons = rows
    assert all(set(row) == set(METRIC_COLUMNS) for row in metrics)
    assert all(set(row) == set(COMPARISON_COLUMNS) for row in comparisons)
    assert len(metrics) == 3 * 4 + 2 + 1
    assert len(comparisons) == 3 * 3 + 1
    assert {row["stage"] for row in metrics} == {"variants"} and {row["split"] for row in metrics} == {"test"}
    assert {row["method_a"] for row in comparisons if row["stratum"] != "frameshift"} == {"dnalm_frame"}


def test_the_profile_is_the_mean_ratio_of_each_codon_position(world, table):
    def ratios(table):
        return {"dnalm": np.arange(len(table)) % 7.0, "position_3": np.zeros(len(table))}

    metrics, _ = evaluate_saturation(*world[:2], world[2], ratios, SETTINGS, 1, COMMON)
    found = {row["stratum"]: row for row in metrics if row["metric"] == "mean_ratio"}
    assert {row["method"] for row in found.values()} == {"dnalm"} and len(found) == 3
    for place in range(3):
        row, mine = (
            found[f"codon_position_{place + 1}"],
            -(np.arange(len(table)) % 7.0)[table["codon_position"] == place],
        )
        assert row["value"] == pytest.approx(mine.mean()) and row["n"] == len(mine)
        assert row["ci_low"] <= row["value"] <= row["ci_high"]


def test_values_equal_scikit_learn(rows, table):
    metrics = pd.DataFrame(rows[0]).set_index(["stratum", "method"])
    what, group = table["consequence"], 16 * table["codon_position"].astype(int) + table["change"]
    for method, score in scores_of(table).items():
        for stratum, label in (("missense", 1), ("stop_gained", 2)):
            mine = what.isin([0, label])
            row = metrics.loc[stratum, method]
            assert row["value"] == pytest.approx(roc_auc_score(what[mine] == label, score[mine]), abs=1 / 2048)
            assert row["n"] == mine.sum()
        right = pairs = 0
        for g in group.unique():
            mine = what.isin([0, 1]) & (group == g)
            size = (what[mine] == 1).sum() * (what[mine] == 0).sum()
            if size:
                right += size * roc_auc_score(what[mine] == 1, score[mine])
                pairs += size
        assert metrics.loc[("missense_matched", method), "value"] == pytest.approx(right / pairs)
    assert metrics.loc[("missense_matched", "third"), "value"] == 0.5  # the same for all of a class
    assert metrics.loc[("missense", "third"), "value"] > 0.7


def test_intervals_lie_around_the_values(rows):
    for row in rows[0]:
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
        exact = row["method"] in ("perfect", "constant")
        exact |= (row["method"], row["stratum"]) == ("third", "missense_matched")
        assert (row["ci_high"] == row["ci_low"]) == exact


def test_frameshifts_are_judged_against_silent_changes(rows):
    found = {row["method"]: row["value"] for row in rows[0] if row["stratum"] == "frameshift"}
    assert found == {"perfect": 1.0, "constant": 0.5}
    matched = [row for row in rows[0] if row["stratum"] == "frameshift_matched"]
    assert [(row["method"], row["value"]) for row in matched] == [("perfect", 1.0)]


def test_positions_outside_of_all_units_are_refused():
    units = np.array([[0, 10], [20, 30]])
    assert unit_at(np.array([0, 9, 20, 29]), units).tolist() == [0, 0, 1, 1]
    for outside in (10, 15, 30):
        with pytest.raises(ValueError, match="no unit"):
            unit_at(np.array([outside]), units)
