"""Features of variants with labels: chemistry by hand, splice sites by hand, windows against brute force."""

import numpy as np
import pandas as pd
import pytest
from Bio.Align import substitution_matrices
from helpers.genomes import cds_rows, features_of, genome_of

from dnalm.annotation.features import features_table
from dnalm.variants.amino_acids import LETTERS, matrices, numbered
from dnalm.variants.coding import read_coding
from dnalm.variants.described import _near_introns, is_missense
from dnalm.variants.features import _windows, chemistry
from dnalm.variants.splicing import FAR, consensus_change, exon_ends, hgvs_positions, relative


@pytest.mark.parametrize(
    ("pair", "published"),
    [("SR", 110), ("LI", 5), ("CW", 215), ("AV", 64), ("KR", 26), ("DE", 45), ("GW", 184), ("PL", 98), ("MI", 10)],
)
def test_grantham_distances_are_those_of_his_table(pair, published):
    a, b = numbered(pair)
    assert matrices()["grantham"][a, b] == pytest.approx(published, abs=1.5)


def test_matrices_are_turned_round_and_symmetric():
    blosum = substitution_matrices.load("BLOSUM62")
    a, b = numbered("WG")
    assert matrices()["blosum62"][a, b] == -blosum["W"]["G"]
    for matrix in matrices().values():
        assert np.allclose(matrix, matrix.T)


def test_chemistry_is_nothing_outside_of_missense():
    table = chemistry(["K", "K", "", "P"], ["E", "*", "", "G"], np.array([True, False, False, True]))
    assert table.loc[0, "charge_change"] == -2 and table.loc[0, "hydropathy_change"] == pytest.approx(-3.5 + 3.9)
    assert table.loc[3, "from_proline"] == 1 and table.loc[3, "to_glycine"] == 1
    assert not table.loc[[1, 2]].to_numpy().any()


def test_letters_that_are_no_amino_acid_have_no_number():
    assert numbered("A*X-").tolist() == [LETTERS.index("A"), -1, -1, -1]


def test_positions_as_hgvs_writes_them():
    coding, offset = hgvs_positions(["76", "76+2", "77-1", "-19-3", "c.5", "what", ""])
    assert coding[:5].tolist() == [76, 76, 77, -19, 5] and np.isnan(coding[5:]).all()
    assert offset[:5].tolist() == [0, 2, -1, -3, 0]


@pytest.mark.parametrize("reverse", [False, True])
def test_exon_ends_come_from_the_introns(reverse):
    """Two exons, c.1-10 and c.11-20, with an intron of 100 bases between them, on either strand."""
    texts = [*map(str, range(1, 11)), "10+1", "10+4", "11-2", *map(str, range(11, 21))]
    place = np.array([*range(10), 10, 13, 108, *range(110, 120)])
    place = 200 - place if reverse else place
    donors, acceptors, backwards = exon_ends(place, *hgvs_positions(texts))
    assert backwards == reverse
    assert set(donors) == {190 if reverse else 10} and set(acceptors) == {91 if reverse else 109}
    donor = dict(zip(texts, relative(place, donors, reverse, True), strict=True))
    acceptor = dict(zip(texts, relative(place, acceptors, reverse, False), strict=True))
    assert (donor["10"], donor["9"], donor["10+1"], donor["10+4"]) == (-1, -2, 1, 4)
    assert (acceptor["11"], acceptor["12"], acceptor["11-2"]) == (1, 2, -2)
    assert relative(place, np.array([], dtype=int), reverse, True).tolist() == [FAR] * len(place)


def test_consensus_of_splice_sites():
    a, c, g, t = range(4)
    place = np.array([1, 2, -1, 3, 3, 30])
    change = consensus_change(place, np.array([g, t, g, a, c, g]), np.array([a, c, a, g, a, t]), donor=True)
    assert change.tolist() == [-1, -1, -1, 0, 1, 0]  # GT lost, G before it lost, R kept, R gained, too far
    change = consensus_change(np.array([-1, -2, -3, -5]), np.array([g, a, c, c]), np.array([a, g, g, a]), donor=False)
    assert change.tolist() == [-1, -1, -1, -1]


def test_windows_are_means_of_neighbouring_positions():
    rng = np.random.default_rng(1)
    position = np.sort(rng.integers(0, 60, 90))
    per_position = rng.normal(size=60)
    per_position[rng.integers(0, 60, 8)] = np.nan
    found = _windows({"phylop": per_position[position]}, position)
    there = np.unique(position)
    for k in (1, 3, 10):
        for row in range(0, 90, 7):
            near = there[(np.abs(there - position[row]) <= k) & (there != position[row])]
            values = per_position[near][np.isfinite(per_position[near])]
            want = values.mean() if len(values) else np.nan
            assert found[f"phylop_within_{k}"][row] == pytest.approx(want, nan_ok=True)


def test_a_column_of_alleles_has_no_windows():
    assert _windows({"cadd": np.arange(30.0)}, np.repeat(np.arange(10), 3)).shape == (30, 0)


def test_chemistry_needs_no_order():
    one = chemistry(["A", "W"], ["V", "C"], np.array([True, True]))
    other = chemistry(["W", "A"], ["C", "V"], np.array([True, True]))
    pd.testing.assert_frame_equal(one, other.iloc[::-1].reset_index(drop=True))


def test_a_shifted_frame_is_not_missense_whatever_residue_comes_first():
    table = pd.DataFrame(
        {
            "_ref_aa": ["Q", "Q", "Q", "M", "Q"], "_alt_aa": ["R", "R", "R", "T", "Q"],
            "_ref_bases": ["A", "G", "AG", "A", "A"], "_alt_bases": ["G", "", "GT", "G", "G"],
            "_consequence": ["missense", "frameshift", "missense", "start_lost", "synonymous"],
        }
    )  # fmt: skip
    assert is_missense(table).tolist() == [True, False, True, False, False]


@pytest.mark.parametrize("strand", "+-")
def test_the_origin_is_no_splice_site(strand):
    genome = genome_of("A" * 100, "ACGT" * 750, circular=True)
    place = 100 + np.array([0, 1, 5, 2998, 2999, 1500])
    gene = read_coding(genome, features_of(genome, [("c1", 2700, 3300, strand)]))
    assert len(gene.table["parts"].iloc[0]) == 2
    assert all(not values.any() for values in _near_introns(place, genome, gene).values())
    rows = cds_rows([("c1", 2700, 2901, strand), ("c1", 2940, 3099, strand)], {"c1": 3000})
    spliced = read_coding(genome, features_table([row | {"id": "CDS-0"} for row in rows]))
    assert len(spliced.table["parts"].iloc[0]) == 3
    found = _near_introns(100 + np.array([2900, 2939, 2940]), genome, spliced)
    before, after = ("_donor", "_acceptor") if strand == "+" else ("_acceptor", "_donor")
    sign = 1 if strand == "+" else -1
    assert (found[before] * sign).tolist() == [-1, 39, 40] and (found[after] * sign).tolist() == [-40, -1, 1]
    assert not np.isin(_near_introns(place, genome, spliced)["_donor"][:5], [-2, -1, 1, 2]).any()
