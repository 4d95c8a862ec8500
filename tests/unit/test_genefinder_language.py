"""The benchmark of language columns: its networks, thresholds and calls are those of the finder, its table by hand."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from helpers.finder import random_candidates
from helpers.genomes import genome_of

from dnalm.genefinder import learning, universal
from dnalm.genefinder.features import Table
from dnalm.genefinder.finder import find_genes, read
from dnalm.genefinder.groups import best_of_group
from dnalm.genefinder.lessons import Lesson

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def bench():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        import genefinder_language

        yield genefinder_language


def lesson(seed, noise):
    """Candidates whose features tell, with some noise, which of them are genes."""
    _, c = random_candidates(seed=seed, lengths=(3000, 2500), minimum=45)
    rng, index = np.random.default_rng(seed), np.arange(len(c))
    gene = (rng.random(c.groups) < 0.4)[c.group]
    pick = best_of_group(c, index, rng.normal(size=len(c)))
    start = np.isin(index, pick) & gene
    columns = (x[:, None] + noise * rng.normal(size=(len(c), 2)) for x in (gene, start))
    gene_table, start_table = (x.astype(np.float32) for x in columns)
    table = Table(index, gene_table, start_table, ("a", "b"), ("c", "d"))
    return Lesson(f"g{seed}", c, table, gene, start, np.zeros(len(c), dtype=bool), len(np.unique(c.group[gene])))


def test_networks_and_threshold_are_those_of_the_study(bench, tmp_path, monkeypatch):
    groups = {f"g{i}": [[lesson(i, 0.2 + 0.3 * i)]] for i in range(3)}
    count, learn = [], bench.learn
    monkeypatch.setattr(bench, "learn", lambda *args: count.append(1) or learn(*args))
    monkeypatch.setattr(learning, "LEAST_STEPS", 30)
    study = {
        held_out: universal.train({name: some for name, some in groups.items() if name != held_out}, 3)
        for held_out in groups
    }
    for _ in range(2):  # the second time from the folder
        for held_out, expected in study.items():
            networks = bench.trained(groups, held_out, 3, tmp_path)
            assert networks.threshold == expected.threshold
            for kind in ("gene", "start"):
                pairs = zip(getattr(networks, kind).parameters(), getattr(expected, kind).parameters(), strict=True)
                assert all(torch.equal(a, b) for a, b in pairs)
    assert len(count) == 6  # without one group: three; without two: three pairs, each learned once


def test_calls_are_those_of_the_finder(bench, monkeypatch):
    monkeypatch.setattr(learning, "LEAST_STEPS", 30)
    genome = genome_of(*(np.random.default_rng(i).integers(0, 4, 9000).astype(np.uint8) for i in range(2)))
    reading = read(genome)
    c, index = reading.candidates, reading.table.index
    gene = np.isin(c.group[index], np.unique(c.group)[::3])
    some = Lesson("g", c, reading.table, gene, gene, np.zeros(len(index), dtype=bool), 10)
    networks = replace(bench.learn([some], 1), threshold=-0.5)
    found = bench.calls_of(some, networks, -0.5, genome.contigs["contig"].to_numpy())
    expected = find_genes(genome, networks, reading)
    assert len(found) > 20
    shared = ["contig", "start", "end", "strand"]
    found = found.sort_values(shared[:3]).reset_index(drop=True)
    pd.testing.assert_frame_equal(found[shared], expected[shared], check_dtype=False)
    assert 1 / (1 + np.exp(-found["score"].to_numpy())) == pytest.approx(expected["score"].to_numpy())


def test_more_columns_come_last(bench, tmp_path):
    one = lesson(1, 0.3)
    extra = {"x": np.arange(len(one.gene), dtype=np.float32)}, {"y": -np.ones(len(one.gene), dtype=np.float32)}
    bench.save_columns([extra], tmp_path / "columns.npz")
    table = bench.extended(one, *bench.load_columns(tmp_path / "columns.npz")[0]).table
    assert (table.gene_names, table.start_names) == (("a", "b", "x"), ("c", "d", "y"))
    assert np.array_equal(table.gene, np.column_stack([one.table.gene, extra[0]["x"]]))
    assert np.array_equal(table.start, np.column_stack([one.table.start, extra[1]["y"]]))


def test_table_by_hand(bench):
    rng, seeds, sizes = np.random.default_rng(1), [4, 5], {"a": 30, "b": 50}
    material = {
        name: SimpleNamespace(units=range(size), truth=SimpleNamespace(genes=range(size * 3)))
        for name, size in sizes.items()
    }
    sums, methods = {}, ["plain", "memory", "memory_plain_threshold"]
    for method in methods:
        for name, size in sizes.items():
            for seed in seeds:
                genes, right = np.full(size, 3), rng.integers(1, 4, size)
                exact = np.maximum(right - rng.integers(0, 2, size), 0)
                sums[method, name, seed] = np.stack([genes, right + rng.integers(0, 2, size), right, exact], 1) * 1.0
    table = pd.DataFrame(bench.table_of(sums, material, seeds, SimpleNamespace(bootstrap=400), 1))
    table = table[table["metric"] == "gene_f1_exact"].set_index(["genome", "seed", "method"])

    def f1(method, name, seed):
        genes, calls, _, exact = sums[method, name, seed].sum(0)
        return 2 * exact / (genes + calls)

    expected = {m: np.mean([f1(m, n, s) for n in sizes for s in seeds]) for m in methods}
    for method in methods[1:]:
        row = table.loc[("mean_of_genomes", "mean", f"{method} - plain")]
        assert row["value"] == pytest.approx(expected[method] - expected["plain"])
        assert row["ci_low"] < row["value"] < row["ci_high"]
        assert table.loc[("mean_of_genomes", "mean", method), "value"] == pytest.approx(expected[method])
    one = table.loc[("b", 5, "memory - plain")]
    assert one["value"] == pytest.approx(f1("memory", "b", 5) - f1("plain", "b", 5))
    assert np.isnan(one["ci_low"]) and one["n"] == 150
    assert table.loc[("mean_of_genomes", 4, "plain"), "value"] == pytest.approx(
        np.mean([f1("plain", n, 4) for n in sizes])
    )
