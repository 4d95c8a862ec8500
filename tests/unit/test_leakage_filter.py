import logging
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_leakage import BLOCK, NO_FEATURES, WINDOW, genome_of, mutated, random_codes, splits_of, windows_of

from dnalm.config import load_study
from dnalm.errors import InputError
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.leakage import MAX_SEEDS, TrainingIndex, audit, find_seeds, without_matches
from dnalm.sequence.splits import split_intervals
from dnalm.tasks.leakage_alignment import align_windows

minimap2 = pytest.mark.skipif(shutil.which("minimap2") is None, reason="the program minimap2 is not installed")
SPLITS = splits_of(
    ("c0", 0, 2 * BLOCK, "train"), ("c0", 2 * BLOCK, 3 * BLOCK, "gap"), ("c0", 3 * BLOCK, 20_000, "test")
)


def with_copies(share=0.0, gap=0):
    """20 kb of which the test windows at 15,500 and (turned) 17,000 are copies of training bases."""
    codes = random_codes(4 * BLOCK, seed=5)
    for at, source, turned in ((15_500, 2000, False), (17_000, 7000, True)):
        copy = mutated(codes[source : source + WINDOW + gap], share, seed=at)
        copy = np.delete(copy, slice(WINDOW // 2, WINDOW // 2 + gap))
        codes[at : at + WINDOW] = reverse_complement(copy) if turned else copy
    return genome_of(codes)


def test_what_resembles_training_is_no_longer_tested_on_and_nothing_is_lost():
    genome = with_copies()
    table = audit(genome, SPLITS, windows_of(15_000, 20_000), NO_FEATURES)
    kept = without_matches(genome, SPLITS, table, 0.2)
    assert kept["start"].tolist() == [0, *kept["end"][:-1]]
    assert kept["end"].iloc[-1] == 20_000
    pd.testing.assert_frame_equal(kept[kept["split"] == "train"], SPLITS[SPLITS["split"] == "train"])
    assert split_intervals(genome, kept, "test").tolist() == [[15_000, 15_500], [16_000, 17_000], [17_500, 20_000]]
    assert kept.loc[kept["reason"] == "matches training blocks", "split"].tolist() == ["gap", "gap"]
    again = audit(genome, kept, windows_of(16_000, 17_000), NO_FEATURES)
    assert (again["kind"] == "none").all()
    pd.testing.assert_frame_equal(without_matches(genome, SPLITS, table[table["share"] < 0.2], 0.2), SPLITS)


def test_windows_that_overlap_and_run_over_a_blocks_end_are_cut_once():
    splits = splits_of(("c0", 0, 100, "test"), ("c0", 100, 200, "train"), ("c0", 200, 300, "validation"))
    table = pd.DataFrame({"genome": "g", "contig": "c0", "start": [10, 40, 190], "end": [60, 120, 230], "share": 1.0})
    kept = without_matches(genome_of(random_codes(300)), splits, table, 0.5)
    assert kept["start"].tolist() == [0, 10, 60, 100, 200, 230]
    assert kept["end"].tolist() == [10, 60, 100, 200, 230, 300]
    assert kept["split"].tolist() == ["test", "gap", "gap", "train", "gap", "validation"]


@minimap2
@pytest.mark.parametrize(("share", "gap"), [(0, 0), (0.1, 0), (0.02, 12)])
def test_minimap2_finds_diverged_copies_and_those_with_gaps(share, gap):
    genome = with_copies(share, gap)
    table = audit(genome, SPLITS, windows_of(15_000, 20_000), NO_FEATURES, find=align_windows).set_index("start")
    assert table.index[table["matched"] > 0].tolist() == [15_500, 17_000]
    for at, source, strand in ((15_500, 2000, "+"), (17_000, 7000, "-")):
        row = table.loc[at]
        assert (row["hit_contig"], row["hit_strand"]) == ("c0", strand)
        assert abs(row["hit_start"] - source) < 20
        assert abs(row["hit_end"] - source - WINDOW - gap) < 20
        assert row["share"] > 0.93
        assert row["identity"] == pytest.approx(1 - share, abs=0.03)


@minimap2
def test_seeds_stop_at_a_gap_that_minimap2_bridges():
    genome = with_copies(0.02, 12)
    by_seeds, by_minimap2 = (
        audit(genome, SPLITS, windows_of(15_000, 20_000), NO_FEATURES, find=find)["share"].sum()
        for find in (find_seeds, align_windows)
    )
    assert by_minimap2 > by_seeds + 0.5


def test_without_the_program_seeds_look_and_the_table_says_so(monkeypatch, caplog):
    monkeypatch.setenv("PATH", "")
    by_seeds, instead = (
        audit(with_copies(), SPLITS, windows_of(15_000, 20_000), NO_FEATURES, find=find)
        for find in (find_seeds, align_windows)
    )
    pd.testing.assert_frame_equal(by_seeds.drop(columns="search"), instead.drop(columns="search"))
    assert set(by_seeds["search"]) == {"31-mers"} and set(instead["search"]) == {"31-mers, minimap2 not installed"}
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "leakage_by: minimap2 is not on PATH. Install it (Debian: apt-get install minimap2" in record.message


@minimap2
def test_the_table_says_that_minimap2_looked():
    table = audit(with_copies(), SPLITS, windows_of(15_000, 20_000), NO_FEATURES, find=align_windows)
    assert set(table["search"]) == {"minimap2"}


def test_the_table_says_that_some_seeds_were_left_out(monkeypatch):
    monkeypatch.setattr(TrainingIndex.__init__, "__defaults__", (1000,))
    table = audit(with_copies(), SPLITS, windows_of(15_000, 20_000), NO_FEATURES)
    assert set(table["search"]) == {"every 10. 31-mer"} and (table["matched"] > 0).sum() == 2


def test_the_table_of_the_documentation_is_what_the_index_does():
    text = (Path(__file__).parents[2] / "docs/how-to/large-genomes.md").read_text()
    rows = re.findall(r"^\| (?:up to )?([\d.]+) ([MG])b.*\| every (?:(\d+)\w\w)?.*\| (\d+)", text, re.M)
    assert len(rows) == 6
    for size, unit, step, length in rows:
        expected = -(-int(float(size) * {"M": 1e6, "G": 1e9}[unit]) // MAX_SEEDS)
        assert int(step or 1) == expected
        kept = 1 - (1 - 1 / expected) ** (int(length) - 30)  # of a stretch of `length` bases that has length - 30 seeds
        assert kept > 0.95
        assert expected == 1 or 1 - (1 - 1 / expected) ** (int(length) - 33) < 0.95


def test_universal_finders_refuse_to_filter():
    genomes = {name: {"path": name} for name in "abc"}
    study = {"study": "s", "genomes": genomes, "annotate": {"finder": "universal"}}
    assert load_study(study).splits.leakage == "report"
    with pytest.raises(InputError, match=r"finder universal holds out whole genomes.*splits\.leakage filter goes with"):
        load_study(study | {"splits": {"leakage": "filter"}})
    assert load_study({"study": "s", "genomes": genomes, "splits": {"leakage": "filter"}}).splits.leakage == "filter"


def test_fewer_seeds_find_long_matches_still():
    genome = with_copies()
    training, starts = split_intervals(genome, SPLITS, "train"), np.arange(15_000, 20_000, WINDOW)
    full, few = (TrainingIndex(genome, training, most=most) for most in (10_000, 1000))
    assert (full.step, few.step) == (1, 10)
    assert len(few.keys) == pytest.approx(len(full.keys) / 10, rel=0.2)
    assert set(few.keys) < set(full.keys)
    pd.testing.assert_frame_equal(few.search(starts, starts + WINDOW), full.search(starts, starts + WINDOW))
