"""Maps of all substitutions: which stretch, what a row says, and the files for a genome browser."""

import numpy as np
import pandas as pd
import pybigtools
import pytest
from helpers.genomes import features_of, genome_of
from helpers.models import random_codes, small_model

from dnalm.errors import InputError
from dnalm.figures.substitution_map import first_stretch
from dnalm.tasks.substitutions import Expectations
from dnalm.tasks.variant_maps import stretches, write_map
from dnalm.variants.coding import read_coding

WANTED = {"gene": None, "contig": None, "start": 0, "end": None}
WINDOW = 64


@pytest.fixture(scope="module")
def genome():
    codes = random_codes(4, 300, n_share=0.02)
    codes[99:129] = [0, 3, 2] + [1, 1, 1] * 8 + [3, 0, 0]  # ATG, eight CCC, TAA
    return genome_of(codes, random_codes(5, 2100))


@pytest.fixture(scope="module")
def coding(genome):
    features = features_of(genome, [("c0", 99, 129, "+")])
    return read_coding(genome, features.assign(attributes='{"gene": "abcD", "locus_tag": "X_1"}'))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [("c0", 0, 300), ("c1", 0, 2100)]),
        ({"contig": "c1"}, [("c1", 0, 2100)]),
        ({"contig": "c1", "start": 5, "end": 9}, [("c1", 5, 9)]),
        ({"gene": "abcD"}, [("c0", 99, 129)]),
        ({"gene": "X_1"}, [("c0", 99, 129)]),
    ],
)
def test_what_a_map_is_of(genome, coding, wanted, found):
    assert stretches(genome, coding, WANTED | wanted) == found


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"gene": "abcE"}, r"no gene of this name \(abcD\)"),
        ({"contig": "c2"}, "no contig 'c2'"),
        ({"contig": "c0", "end": 301}, "300 bases"),
        ({"contig": "c0", "start": 300}, "300 bases"),
    ],
)
def test_what_is_not_there_is_said(genome, coding, wanted, said):
    with pytest.raises(InputError, match=said):
        stretches(genome, coding, WANTED | wanted)


def test_every_row_and_both_tracks(tmp_path, genome, coding):
    expected = Expectations(small_model(genome), genome, WINDOW)
    outputs = {"parquet": tmp_path / "m.parquet", "constraint": tmp_path / "c.bw", "entropy": tmp_path / "e.bw"}
    write_map(expected, genome, coding, 0, [("c0", 90, 140), ("c1", 0, 2100)], outputs)
    table = pd.read_parquet(outputs["parquet"])
    assert list(table["position"]) == [*range(90, 140), *range(2100)]
    letters = np.array(list("ACGTN"))
    assert (table["ref"] == letters[np.concatenate([genome.codes[90:140], genome.codes[300:]]) & 7]).all()
    row = table.iloc[102 - 90]
    logp = expected.at(np.array([102]))[0]
    assert np.allclose(row[list("ACGT")].astype(float), logp - logp[1], atol=1e-5) and row["C"] == 0
    assert row["constraint"] == pytest.approx(-row[list("AGT")].astype(float).mean(), abs=1e-5)
    assert (row["gene"], row["codon_position"]) == ("abcD", 1)
    told = [row[f"consequence_{base}"] for base in "ACGT"]
    assert told == ["missense_variant", "", "missense_variant", "missense_variant"]  # CCC: P to T, A, S
    assert table.loc[table["ref"] == "N", ["A", "constraint"]].isna().all(axis=None)
    outside = table[(table["position"] == 95) & (table["contig"] == "c0")].iloc[0]
    assert outside["codon_position"] == 0 and outside["gene"] == ""
    track = pybigtools.open(str(outputs["constraint"]))
    assert track.values("c0", 102, 103)[0] == pytest.approx(row["constraint"], abs=1e-3)
    assert list(track.records("c0", 0, 90)) == []
    first = first_stretch(outputs["parquet"])
    assert set(first["contig"]) == {"c0"} and len(first) == 50
