"""Tens of thousands of contigs: what looks at a whole table for each of them takes minutes, and this seconds of CPU."""

import time

import numpy as np
import pandas as pd
import pytest
from helpers.structures import feature_rows

from dnalm.annotation.called_genes import described
from dnalm.annotation.features import features_table
from dnalm.annotation.transcripts import COLUMNS, EXCLUDED, transcript_row
from dnalm.evaluate.genes import unit_of, unit_table
from dnalm.evaluate.structures import base_sums
from dnalm.io.fasta import Genome
from dnalm.sequence.splits import final_intervals
from dnalm.sequence.windows import tile_windows
from dnalm.tasks.structure_truth import StructureTruth

COUNT, LENGTH = 30_000, 60
NAMES = [f"s{i}" for i in range(COUNT)]


@pytest.fixture(autouse=True)
def quick():
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 10


@pytest.fixture(scope="module")
def genome():
    codes = np.random.default_rng(0).integers(0, 4, COUNT * LENGTH).astype(np.uint8)
    offset = np.arange(COUNT) * LENGTH
    return Genome("g", codes, pd.DataFrame({"contig": NAMES, "length": LENGTH, "offset": offset, "circular": False,
                                            "genetic_code": 11}), "digest")  # fmt: skip


@pytest.fixture(scope="module")
def splits():
    """Train, a gap and validation in one half of the contigs, test in the other."""
    parts = [(0, 30, "train"), (30, 40, "gap"), (40, 60, "validation")]
    rows = [("g", n, *part) for n in NAMES[::2] for part in parts] + [("g", n, 0, LENGTH, "test") for n in NAMES[1::2]]
    return pd.DataFrame(rows, columns=["genome", "contig", "start", "end", "split"]).assign(reason="block")


def test_the_last_training_and_windows(genome, splits):
    spans = final_intervals(genome, splits)
    assert spans.tolist() == [[LENGTH * i, LENGTH * (i + 1)] for i in range(0, COUNT, 2)]
    windows = tile_windows(genome, splits, 30)
    assert windows["split"].value_counts().to_dict() == {"train": COUNT // 2, "validation": COUNT // 2, "test": COUNT}


def test_units(genome):
    blocks = pd.DataFrame({"contig": NAMES, "start": 0, "end": LENGTH})
    units = unit_table(blocks, 20)
    assert units["contig"].tolist() == np.repeat(NAMES, 3).tolist()
    assert units["start"].tolist() == [0, 20, 40] * COUNT
    table = pd.DataFrame({"contig": NAMES[::-1], "start": 30, "end": 60})
    assert unit_of(table, units).tolist() == list(range(3 * COUNT - 1, 0, -3))


def test_called_genes_say_whether_they_touch_a_training_block(genome, splits):
    calls = pd.DataFrame({"contig": NAMES, "start": 27, "end": 57, "strand": "+", "score": 1.0, "partial": False})
    genes = described(calls.assign(codon=14), genome, splits)
    assert [gene.attributes["split"] for gene in genes] == ["train", "held_out"] * (COUNT // 2)


def test_structures(genome):
    def row(contig, start, end, role):
        return transcript_row(contig, "+", contig, contig, [(start, end, 0)], [(start, end)], "", role)

    truth = [row(name, 0, 30, EXCLUDED if i % 2 else "chosen") for i, name in enumerate(NAMES)]
    truth, calls = (pd.DataFrame(rows, columns=COLUMNS) for rows in (truth, [row(n, 0, 24, "") for n in NAMES]))
    blocks = pd.DataFrame({"contig": NAMES, "start": 0, "end": LENGTH})
    judged = StructureTruth(truth, blocks).judge(calls.assign(score=1.0))
    assert judged["exon"].calls["contig"].tolist() == NAMES[::2]  # the others overlap what is excluded
    sums = base_sums(truth, calls, unit_table(blocks, LENGTH))
    assert sums.tolist() == [[30, 24, 24], [0, 0, 0]] * (COUNT // 2)


def test_features_keep_the_order_of_their_contigs():
    rows = [row for name in NAMES[: COUNT // 10] for row in feature_rows(name, "+", [(3, 9), (21, 27)], name)]
    table = features_table(rows[::-1])
    assert list(dict.fromkeys(table["contig"])) == NAMES[: COUNT // 10][::-1]
    assert table.groupby("contig")["start"].is_monotonic_increasing.all()
