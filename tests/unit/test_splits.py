import hashlib
import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.io.tables import write_parquet, write_tsv
from dnalm.sequence.alphabet import MASK_BIT, N
from dnalm.sequence.splits import (
    final_intervals,
    make_splits,
    read_splits,
    split_intervals,
    split_labels,
    splits_digest,
)
from dnalm.sequence.windows import tile_windows

DEFAULT = {"by": "block", "block": 20_000, "test": 0.2, "validation": 0.1, "gap": 1000}


def genome_of(lengths, circular=False, name="g", codes=None):
    contigs = pd.DataFrame(
        {
            "contig": [f"c{i}" for i in range(len(lengths))],
            "length": lengths,
            "offset": np.cumsum([0, *lengths[:-1]]),
            "circular": circular,
            "genetic_code": 11,
        }
    )
    codes = np.zeros(sum(lengths), dtype=np.uint8) if codes is None else codes
    return Genome(name, codes, contigs, "digest")


def distances_between_splits(genome, table):
    """Smallest number of bases between two different splits on one contig, the way round included."""
    nearest = []
    for c in genome.contigs.itertuples():
        blocks = table[(table["contig"] == c.contig) & (table["split"] != "gap")]
        spans = [(b.start, b.end, b.split) for b in blocks.itertuples()]
        if c.circular and spans:
            spans.append((spans[0][0] + c.length, spans[0][1] + c.length, spans[0][2]))
        nearest += [b[0] - a[1] for a, b in itertools.pairwise(spans) if a[2] != b[2]]
    return nearest


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(300, 90_000), min_size=1, max_size=5),
    st.booleans(),
    st.integers(0, 99),
    st.integers(1000, 4000),
    st.floats(0, 0.49),
)
def test_splits_tile_every_contig_and_keep_their_distance(lengths, circular, seed, block, gap_share):
    genome = genome_of(lengths, circular)
    gap = int(block * gap_share)
    try:
        table = make_splits([genome], {**DEFAULT, "block": block, "gap": gap}, seed)
    except InputError as error:
        assert "too few" in str(error)
        assert sum(max(1, round(n / block)) for n in lengths) < 20
        return
    for c in genome.contigs.itertuples():
        rows = table[table["contig"] == c.contig]
        assert rows["start"].tolist() == [0, *rows["end"].tolist()[:-1]]
        assert rows["end"].iloc[-1] == c.length
        assert (rows["end"] > rows["start"]).all()
    assert min(distances_between_splits(genome, table), default=gap) >= gap
    assert set(table["split"]) >= {"train", "validation", "test"}


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_met_and_test_blocks_are_not_cut_by_training(seed):
    genome = genome_of([1_042_519], circular=True)
    table = make_splits([genome], DEFAULT, seed)
    size = (table["end"] - table["start"]).groupby(table["split"]).sum() / 1_042_519
    assert size["test"] == pytest.approx(0.2, abs=0.012)
    assert size["validation"] == pytest.approx(0.1, abs=0.012)
    assert size["gap"] < 0.06
    gaps = table[table["split"] == "gap"]
    assert (gaps["end"] - gaps["start"]).max() <= 1000


def test_the_origin_of_a_circle_is_a_border_like_any_other():
    for seed in range(30):
        genome = genome_of([200_000], circular=True)
        table = make_splits([genome], DEFAULT, seed)
        first, last = table.iloc[0], table.iloc[-1]
        inner = {first["split"], last["split"]} - {"gap"}
        if len(inner) == 2:
            pytest.fail(f"seed {seed}: {inner} touch at the origin")
    linear = make_splits([genome_of([200_000])], DEFAULT, 0)
    assert "gap" not in {linear.iloc[0]["split"], linear.iloc[-1]["split"]}


def test_same_seed_same_bytes_other_seed_other_blocks(tmp_path):
    genome = genome_of([1_000_000], circular=True)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_tsv(make_splits([genome], DEFAULT, seed), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() != (tmp_path / "c").read_bytes()
    assert splits_digest(tmp_path / "a") == hashlib.sha256((tmp_path / "a").read_bytes()).hexdigest()


def test_contigs_named_by_numbers_stay_text(tmp_path):
    genome = genome_of([50_000, 50_000])
    genome.contigs["contig"] = ["1", "2"]
    table = make_splits([genome], {**DEFAULT, "block": 5000}, 1)
    write_tsv(table, tmp_path / "splits.tsv")
    pd.testing.assert_frame_equal(read_splits(tmp_path / "splits.tsv"), table, check_dtype=False)
    assert read_splits(tmp_path / "splits.tsv")["contig"].iloc[0] == "1"


def test_by_contig_assigns_whole_contigs():
    genome = genome_of([10_000] * 20)
    table = make_splits([genome], {**DEFAULT, "by": "contig"}, 3)
    assert len(table) == 20
    assert table["split"].value_counts().to_dict() == {"train": 14, "test": 4, "validation": 2}


def test_contigs_can_be_named():
    genome = genome_of([50_000, 60_000, 70_000, 80_000, 90_000])
    named = {**DEFAULT, "by": "contig", "test_contigs": ["c3", "c0"], "validation_contigs": ["c1"]}
    for seed in (1, 2):
        table = make_splits([genome], named, seed).set_index("contig")["split"].to_dict()
        assert table == {"c0": "test", "c1": "validation", "c2": "train", "c3": "test", "c4": "train"}
    by_chance = make_splits([genome], named | {"validation_contigs": []}, 1).set_index("contig")["split"]
    assert by_chance[by_chance == "test"].index.tolist() == ["c0", "c3"] and (by_chance == "validation").any()
    genomes = genomes_of([10_000, 20_000, 30_000])
    several = {**DEFAULT, "by": "contig", "test_contigs": ["g1:" + genomes[1].contigs["contig"].iloc[0]]}
    table = make_splits(genomes, several, 1)
    tested = table.loc[table["split"] == "test", ["genome", "contig"]]
    assert tested.to_numpy().tolist() == [["g1", genomes[1].contigs["contig"].iloc[0]]]
    with pytest.raises(InputError, match=r"splits: test_contigs: no contig c9. Known: c0, c1"):
        make_splits([genome], named | {"test_contigs": ["c9"]}, 1)


def test_too_few_blocks_name_what_is_missing():
    with pytest.raises(InputError, match=r"splits: 1 blocks are too few: nothing is left for .* Use smaller blocks"):
        make_splits([genome_of([10_000])], DEFAULT, 1)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(15_000, 60_000), min_size=2, max_size=4), st.integers(0, 9))
def test_intervals_and_labels_say_the_same_as_the_table(lengths, seed):
    genome = genome_of(lengths)
    table = make_splits([genome], {**DEFAULT, "block": 1500, "gap": 100}, seed)
    expected = np.concatenate(
        [np.repeat(rows["split"], rows["end"] - rows["start"]) for _, rows in table.groupby("contig", sort=False)]
    )
    labels = split_labels(genome, table)
    assert (np.array(["train", "validation", "test", "gap"])[labels] == expected).all()
    for number, split in enumerate(("train", "validation", "test")):
        intervals = split_intervals(genome, table, split)
        marked = np.zeros(sum(lengths), dtype=int)
        for start, end in intervals:
            marked[start:end] += 1
        assert (marked == (labels == number)).all()
        assert (np.diff(intervals.ravel()) >= 0).all()


def test_intervals_of_another_genome_are_left_out():
    one, two = genome_of([60_000], name="one"), genome_of([60_000], name="two")
    table = make_splits([one, two], {**DEFAULT, "block": 3000}, 1)
    bases = [sum(int(np.diff(split_intervals(g, table, s)).sum()) for s in ("train", "test")) for g in (one, two)]
    sizes = table[table["split"].isin(["train", "test"])].assign(n=lambda t: t["end"] - t["start"])
    assert bases == [sizes.loc[sizes["genome"] == g, "n"].sum() for g in ("one", "two")]


@settings(max_examples=40, deadline=None)
@given(st.integers(100, 900), st.lists(st.integers(1, 3000), min_size=1, max_size=6))
def test_windows_cover_every_block_and_never_leave_it(window, sizes):
    edges = np.cumsum([0, *sizes])
    splits = pd.DataFrame(
        {
            "genome": "g", "contig": "c0", "start": edges[:-1], "end": edges[1:],
            "split": [("train", "gap", "test")[i % 3] for i in range(len(sizes))], "reason": "block",
        }
    )  # fmt: skip
    windows = tile_windows(genome_of([int(edges[-1])]), splits, window)
    for block in splits.itertuples():
        mine = windows[(windows["start"] >= block.start) & (windows["end"] <= block.end)]
        if block.split == "gap":
            assert mine.empty
            continue
        covered = np.zeros(block.end - block.start, dtype=int)
        for w in mine.itertuples():
            covered[w.start - block.start : w.end - block.start] += 1
            assert w.split == block.split
            assert w.end - w.start == min(window, block.end - block.start)
        assert covered.min() >= 1
        assert len(mine) == -(-(block.end - block.start) // window)


def test_windows_report_n_and_masked_shares():
    codes = np.zeros(1000, dtype=np.uint8)
    codes[:25] = N
    codes[50:100] = 2 | MASK_BIT
    codes[100:110] = N | MASK_BIT
    splits = pd.DataFrame([SimpleNamespace(genome="g", contig="c0", start=0, end=1000, split="test").__dict__])
    windows = tile_windows(genome_of([1000], codes=codes), splits, 100)
    assert windows["n_share"].tolist() == [0.25, 0.1, *[0] * 8]
    assert windows["masked_share"].tolist() == [0.5, 0.1, *[0] * 8]


def test_a_window_takes_few_bytes_and_goes_through_a_file(tmp_path):
    """Of a genome of 3.1 Gb there are six million."""
    genome = genome_of([200_000] * 20)
    splits = make_splits([genome], DEFAULT, 1)
    windows = tile_windows(genome, splits, 100)
    assert windows.memory_usage(deep=True).sum() / len(windows) < 40
    write_parquet(windows, tmp_path / "windows.parquet")
    read = pd.read_parquet(tmp_path / "windows.parquet")
    pd.testing.assert_frame_equal(read, windows)
    assert read.memory_usage(deep=True).sum() / len(read) < 40
    assert sorted(windows["split"].unique()) == ["test", "train", "validation"]


def test_windows_of_a_contig_that_is_not_there_are_refused():
    splits = pd.DataFrame(
        [("g", "x", 0, 100, "test", "block")], columns=["genome", "contig", "start", "end", "split", "reason"]
    )
    with pytest.raises(InputError, match="no contig 'x'"):
        tile_windows(genome_of([1000]), splits, 100)


# By position, and for the last training

BY_POSITION = {"by": "position", "block": 20_000, "test": 0.2, "validation": 0.1, "gap": 200}


def labels_by_hand(lengths, circular, gap):
    """Split of every base of contigs end to end, base by base, -1 for gaps; no piece is shorter than a gap."""
    total = sum(lengths)
    test = round(total * 0.8)
    cut = round(total * (1 - 0.2 - 0.1))
    plain = np.repeat([0, 1, 2], [cut, test - cut, total - test])
    labels, at = plain.copy(), 0
    for length in lengths:
        mine = plain[at : at + length]
        for i in range(length if circular else length - 1):
            here, there = mine[i], mine[(i + 1) % length]
            if here == there:
                continue
            left = gap if here == 0 else 0 if there == 0 else gap // 2
            for j in range(i - left + 1, i + 1 + gap - left):
                labels[at + j % length] = -1
        at += length
    return labels


@pytest.mark.parametrize("lengths", [[6000], [2000, 2500, 3000], [4200, 600, 1200], [500] * 12])
@pytest.mark.parametrize("circular", [False, True])
def test_position_cuts_the_contigs_end_to_end(lengths, circular):
    genome = genome_of(lengths, circular)
    found = split_labels(genome, make_splits([genome], BY_POSITION, 1)).astype(int)
    np.testing.assert_array_equal(np.where(found == 3, -1, found), labels_by_hand(lengths, circular, 200))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=6), st.booleans(), st.integers(0, 3000))
def test_position_tiles_every_contig_and_training_keeps_its_distance(lengths, circular, gap):
    genome = genome_of(lengths, circular)
    try:
        table = make_splits([genome], {**BY_POSITION, "gap": gap}, 1)
    except InputError as error:
        assert "bases are too few: nothing is left for" in str(error)
        return
    for c in genome.contigs.itertuples():
        rows = table[table["contig"] == c.contig]
        assert rows["start"].tolist() == [0, *rows["end"].tolist()[:-1]]
        assert rows["end"].iloc[-1] == c.length
        assert (rows["end"] > rows["start"]).all()
    held_out = table.assign(split=table["split"].replace("validation", "test"))
    assert min(distances_between_splits(genome, held_out), default=gap) >= gap


def test_position_does_not_depend_on_the_seed():
    genomes = [genome_of([9000], name="one"), genome_of([5000, 4000], True, name="two")]
    pd.testing.assert_frame_equal(make_splits(genomes, BY_POSITION, 1), make_splits(genomes, BY_POSITION, 2))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.integers(2000, 30_000), min_size=1, max_size=4), st.booleans(), st.integers(0, 99), st.integers(0, 480),
    st.sampled_from(["block", "position", "contig"]),
)  # fmt: skip
def test_the_last_training_takes_all_bases_that_do_not_touch_a_test_block(lengths, circular, seed, gap, by):
    """Base by base: what is no test base and in no gap that borders on one, on a circle also the other way round."""
    genome = genome_of(lengths, circular)
    try:
        table = make_splits([genome], {**BY_POSITION, "by": by, "block": 1000, "gap": gap}, seed)
    except InputError:
        return
    labels, wanted = split_labels(genome, table), np.zeros(len(genome.codes), dtype=bool)
    for c in genome.contigs.itertuples():
        mine = labels[c.offset : c.offset + c.length]
        for i in range(c.length):
            if mine[i] != 3:
                wanted[c.offset + i] = mine[i] < 2
    for c in genome.contigs.itertuples():
        mine = [int(x) for x in labels[c.offset : c.offset + c.length]]
        runs = [(k, len([*g])) for k, g in itertools.groupby(mine)]
        at = 0
        for i, (label, size) in enumerate(runs):
            if label == 3:
                sides = []
                for step in (-1, 1):
                    j = i + step
                    while circular and runs[j % len(runs)][0] == 3 and j % len(runs) != i:
                        j += step
                    if circular or 0 <= j < len(runs):
                        sides.append(runs[j % len(runs)][0])
                wanted[c.offset + at : c.offset + at + size] = bool(sides) and all(s < 2 for s in sides)
            at += size
    assert (split_labels(genome, table, final=True) == np.where(wanted, 0, labels)).all()
    spans, found = final_intervals(genome, table), np.zeros(len(genome.codes), dtype=bool)
    for start, end in spans:
        assert not found[start:end].any()
        found[start:end] = True
        assert len(np.unique(np.searchsorted(genome.contigs["offset"], [start, end - 1], side="right"))) == 1
    assert not (found & (labels == 2)).any()
    assert not (found & ~wanted).any()
    np.testing.assert_array_equal(found[labels < 2], True)
    outside = np.flatnonzero(wanted & ~found)
    assert len(outside) == 0 or circular  # a gap across the origin of a circle stays out
    touching = spans[1:, 0] == spans[:-1, 1]
    assert np.isin(spans[1:, 0][touching], genome.contigs["offset"]).all()


def test_a_worked_example_of_the_last_training():
    rows = [
        (0, 100, "gap"), (100, 400, "train"), (400, 450, "gap"), (450, 600, "validation"), (600, 650, "gap"),
        (650, 800, "test"), (800, 850, "gap"), (850, 1000, "train"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["start", "end", "split"]).assign(genome="g", contig="c0", reason="block")
    assert final_intervals(genome_of([1000], True), table).tolist() == [[0, 600], [850, 1000]]
    assert final_intervals(genome_of([1000]), table).tolist() == [[0, 600], [850, 1000]]
    assert final_intervals(genome_of([1000], name="other"), table).tolist() == []


# By genome

BY_GENOME = {**DEFAULT, "by": "genome"}


def genomes_of(sizes):
    """Genomes g0, g1 ... of one or two contigs."""
    return [genome_of([n - n // 3, n // 3] if i % 2 else [n], name=f"g{i}") for i, n in enumerate(sizes)]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(300, 50_000), st.integers(0, 5)), min_size=3, max_size=12), st.integers(0, 99),
    st.dictionaries(st.integers(0, 5), st.sampled_from(["train", "validation", "test"]), max_size=3),
)  # fmt: skip
def test_groups_of_genomes_stay_on_one_side(drawn, seed, fixed):
    genomes = genomes_of([size for size, _ in drawn])
    groups = {g.name: f"group{group}" for g, (_, group) in zip(genomes, drawn, strict=True)}
    fixed = {f"group{group}": split for group, split in fixed.items() if f"group{group}" in groups.values()}
    free, open_ = len(set(groups.values()) - set(fixed)), 3 - len(set(fixed.values()))
    try:
        table = make_splits(genomes, BY_GENOME, seed, groups, fixed)
    except InputError as error:
        assert f"{len(set(groups.values()))} groups of genomes are too few" in str(error)
        assert free < open_
        return
    assert free >= open_
    assert set(table["split"]) == {"train", "validation", "test"}
    for genome in genomes:
        rows = table[table["genome"] == genome.name]
        assert rows["contig"].tolist() == genome.contigs["contig"].tolist()
        assert rows["end"].tolist() == genome.contigs["length"].tolist() and not rows["start"].any()
    sides = table.assign(group=table["genome"].map(groups)).groupby("group")["split"].unique()
    assert all(len(found) == 1 for found in sides)
    assert all(sides[group] == [split] for group, split in fixed.items())


@pytest.mark.parametrize("seed", range(4))
def test_shares_of_bases_are_met_by_genomes_that_are_small_enough(seed):
    sizes = np.random.default_rng(9).integers(2000, 6000, 60)
    table = make_splits(genomes_of(sizes), BY_GENOME, seed)
    bases = (table["end"] - table["start"]).groupby(table["split"]).sum() / sizes.sum()
    assert bases["test"] == pytest.approx(0.2, abs=0.02)
    assert bases["validation"] == pytest.approx(0.1, abs=0.02)


def test_large_genomes_leave_one_for_each_part():
    """None is near the shares: the smallest are held out, and what is settled counts."""
    genomes = genomes_of([9000, 8000, 7000, 10_000])

    def sides(seed, **fixed):
        table = make_splits(genomes, {**BY_GENOME, "test": 0.05, "validation": 0.05}, seed, None, fixed)
        return table.drop_duplicates("genome").set_index("genome")["split"].to_dict()

    for seed in range(5):
        assert sides(seed) == {"g0": "train", "g1": "validation", "g2": "test", "g3": "train"}
        assert sides(seed, g3="test") == {"g0": "train", "g1": "train", "g2": "validation", "g3": "test"}
    assert len({tuple(make_splits(genomes, BY_GENOME, seed)["split"]) for seed in range(20)}) > 1


def test_two_genomes_cannot_be_split_by_genome():
    with pytest.raises(InputError, match="2 groups of genomes are too few"):
        make_splits(genomes_of([5000, 5000]), BY_GENOME, 1)
    with pytest.raises(InputError, match="1 groups of genomes are too few"):
        make_splits(genomes_of([5000] * 4), BY_GENOME, 1, dict.fromkeys(["g0", "g1", "g2", "g3"], "strains"))
