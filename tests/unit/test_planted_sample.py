"""Planted changes: the sample is the genome with these changes and no others, and controls are like them."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of, splits_of
from helpers.models import random_codes

from dnalm.errors import InputError
from dnalm.io.fasta import load_genome
from dnalm.sequence.alphabet import decode
from dnalm.tasks.planted import plant_sample
from dnalm.variants.planted import APART, ERRORS, REAL, plant


def made_up(seed=1):
    rng = np.random.default_rng(seed)
    runs = [np.repeat(rng.integers(0, 4, 15_000), rng.choice([1, 1, 1, 2, 5], 15_000)) for _ in range(2)]
    contigs = [run.astype(np.uint8) for run in runs]
    contigs[0][5000:5050] = 4
    contigs[1][200:900] |= 8
    return genome_of(*contigs, random_codes(7, 100))


@pytest.fixture(scope="module")
def planted():
    genome = made_up()
    read = np.arange(len(genome.codes)) < 30_000
    place = np.sort(np.random.default_rng(4).choice(len(genome.codes), 3000, replace=False))
    alt = (genome.codes[place] + 1) % 4
    real = pd.DataFrame({"position": place, "alt": alt})[(genome.codes[place] & 7) < 4]
    return genome, read, real, plant(genome, 600, 3, read, real)


def test_the_sample_is_the_genome_with_these_changes(planted):
    genome, _, _, done = planted
    letters = list(decode(genome.codes))
    changes = done.table[done.table["planted"]]
    for row in changes.itertuples():
        assert not row.ref or letters[row.original].upper() == row.ref
        letters[row.original] = row.alt + ("" if row.ref else letters[row.original])
    assert "".join(letters).upper() == decode(done.genome.codes).upper()
    assert done.genome.contigs["length"].sum() == len(done.genome.codes) == len(done.read)
    for before, after in zip(genome.contigs.itertuples(), done.genome.contigs.itertuples(), strict=True):
        mine = changes[changes["original"].between(before.offset, before.offset + before.length - 1)]
        assert after.length == before.length + (mine["alt"].str.len() - mine["ref"].str.len()).sum()


def test_each_kind_is_what_it_says(planted):
    genome, _, real, done = planted
    changes = done.table[done.table["planted"]]
    wanted = round(600 * (genome.codes & 7 < 4).sum() / 1e6)
    assert changes["kind"].value_counts().to_dict() == dict.fromkeys((*ERRORS, REAL), wanted)
    codes = genome.codes & 7
    for row in changes.itertuples():
        here, before, after = (codes[row.original + k] for k in (0, -1, 1))
        if row.kind == "insertion":
            assert row.ref == "" and "ACGT".index(row.alt) not in (here, before)
        elif row.kind == "deletion":
            assert row.alt == "" and here not in (before, after)
        elif row.kind == "homopolymer":
            assert before != here and (codes[row.original : row.original + 4] == here).all()
            assert row.ref + row.alt == "ACGT"[here]
        else:
            assert len(row.ref) == len(row.alt) == 1 and row.ref != row.alt
    chosen = changes[changes["kind"] == REAL].merge(real, left_on="original", right_on="position", suffixes=("", "_r"))
    assert len(chosen) == wanted and (chosen["alt"] == [("ACGT"[a]) for a in chosen["alt_r"]]).all()
    assert (changes["original"].sort_values().diff().dropna() >= 128).all()


def test_controls_are_untouched_places_of_the_same_context(planted):
    genome, read, _, done = planted
    sample, table = done.genome.codes & 7, done.table
    controls, changes = table[~table["planted"]], table[table["planted"]]
    assert len(controls) > 0.9 * len(changes) and controls["original"].is_unique
    for row in controls.itertuples():
        before, after = row.original - 20, row.original + 20
        assert np.array_equal(genome.codes[before:after] & 7, sample[row.position - 20 : row.position + 20])
        assert abs(changes["original"] - row.original).min() > APART
    codes = genome.codes & 7
    for kind in (*ERRORS[:3], REAL):
        triples = [
            sorted((*codes[p - 1 : p + 2], read[p]) for p in part.loc[part["kind"] == kind, "original"])
            for part in (controls, changes)
        ]
        assert all(triples[1].count(t) >= triples[0].count(t) for t in set(triples[0]))
    assert (table["read"] == read[table["original"]]).all() and (done.read[table["position"]] == table["read"]).all()


def test_the_seed_decides(planted):
    genome, read, real, done = planted
    again, other = plant(genome, 600, 3, read, real), plant(genome, 600, 4, read, real)
    assert done.table.equals(again.table) and not done.table.equals(other.table)


def test_no_room_is_an_error():
    genome = genome_of(random_codes(1, 150))
    with pytest.raises(InputError, match="no place for a change"):
        plant(genome, 200, 1, np.zeros(150, dtype=bool))


def test_places_are_handed_out_by_contig(tmp_path):
    genome = dataclasses.replace(made_up(2), name="g")
    plant_sample(
        genome, genome, splits_of(("c0", 0, 9000, "train")), False, {"per_mb": 500, "region": None}, 1, None, tmp_path
    )
    sample, table = load_genome(tmp_path), pd.read_parquet(tmp_path / "planted.parquet")
    assert set(table["contig"]) == {"c0", "c1"}
    assert np.array_equal(table["read"], (table["contig"] == "c0") & (table["original"] < 9000))
    for row in table[~table["planted"] & (table["contig"] == "c1")].itertuples():
        before, after = (g.contig_codes("c1") & 7 for g in (genome, sample))
        assert np.array_equal(
            before[row.original - 20 : row.original + 20], after[row.position - 20 : row.position + 20]
        )


def test_a_stretch_knows_where_it_was_read(tmp_path):
    genome = dataclasses.replace(made_up(2), name="g")
    splits = pd.DataFrame(
        [("g", "c0", 0, 12_000, "train", "block"), ("g", "c0", 12_000, 20_000, "test", "block")],
        columns=["genome", "contig", "start", "end", "split", "reason"],
    )
    settings = {"per_mb": 500, "region": {"contig": "c0", "start": 4000, "end": 19_000}}
    plant_sample(genome, genome, splits, False, settings, 1, None, tmp_path)
    sample, table = load_genome(tmp_path), pd.read_parquet(tmp_path / "planted.parquet")
    assert sample.contigs["contig"].tolist() == ["c0"] and abs(len(sample.codes) - 15_000) < 20
    assert (table["read"] == (table["original"] < 12_000)).all() and set(table["contig"]) == {"c0"}
    control = table[~table["planted"]].iloc[0]
    part = genome.codes[control["original"] - 9 : control["original"] + 9]
    assert np.array_equal(part, sample.codes[control["position"] - 9 : control["position"] + 9])
    with pytest.raises(InputError, match="off the contig"):
        plant_sample(
            genome,
            genome,
            splits,
            False,
            {**settings, "region": {**settings["region"], "end": 10**7}},
            1,
            None,
            tmp_path,
        )
