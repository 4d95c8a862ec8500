import importlib.util

import numpy as np
import pandas as pd
import pytest

from dnalm.io.fasta import Genome
from dnalm.sequence.alphabet import MASK_BIT, N, encode, reverse_complement
from dnalm.sequence.leakage import FOUND, TrainingIndex, audit

WINDOW, BLOCK = 500, 5000


def genome_of(codes, cuts=()):
    edges = [0, *cuts, len(codes)]
    table = pd.DataFrame(
        {
            "contig": [f"c{i}" for i in range(len(edges) - 1)],
            "length": np.diff(edges),
            "offset": edges[:-1],
            "circular": False,
            "genetic_code": 11,
        }
    )
    return Genome("g", codes, table, "digest")


def random_codes(length, seed=0):
    return np.random.default_rng(seed).integers(0, 4, length).astype(np.uint8)


def mutated(codes, share, seed=0):
    """The same bases with exactly that share of them changed, spread evenly so that every 31-mer cannot be hit."""
    codes, random = codes.copy(), np.random.default_rng(seed)
    places = random.choice(len(codes), round(share * len(codes)), replace=False)
    codes[places] = (codes[places] + random.integers(1, 4, len(places))) % 4
    return codes


def splits_of(*rows):
    return pd.DataFrame(
        [("g", contig, start, end, split, "block") for contig, start, end, split in rows],
        columns=["genome", "contig", "start", "end", "split", "reason"],
    )


def windows_of(start, end, split="test", contig="c0"):
    return pd.DataFrame(
        [("g", contig, s, s + WINDOW, split) for s in range(start, end, WINDOW)],
        columns=["genome", "contig", "start", "end", "split"],
    )


NO_FEATURES = pd.DataFrame({"contig": [], "start": [], "end": [], "type": []}).astype({"contig": str, "type": str})


@pytest.mark.parametrize("share", [0, 0.02, 0.05])
@pytest.mark.parametrize("strand", ["+", "-"])
def test_a_planted_copy_is_found_at_its_place(share, strand):
    codes = random_codes(4 * BLOCK, seed=7)
    source = codes[3210 : 3210 + WINDOW]
    copy = mutated(source if strand == "+" else reverse_complement(source), share, seed=3)
    at = 3 * BLOCK + WINDOW
    codes[at : at + WINDOW] = copy
    splits = splits_of(("c0", 0, 2 * BLOCK, "train"), ("c0", 3 * BLOCK, 4 * BLOCK, "test"))
    table = audit(genome_of(codes), splits, windows_of(3 * BLOCK, 4 * BLOCK), NO_FEATURES)
    hit = table[table["start"] == at].iloc[0]
    assert hit["kind"] == "repeat"
    assert hit["hit_strand"] == strand
    # the extension may stop short where mutations cluster at an end, but what it reports must be the planted diagonal
    assert hit["share"] > 0.85
    found, shift = codes[at : at + WINDOW], (hit["hit_start"] - 3210, 3210 + WINDOW - hit["hit_end"])
    lead, trail = shift if strand == "+" else shift[::-1]
    aligned = found[lead : WINDOW - trail]
    target = codes[hit["hit_start"] : hit["hit_end"]]
    target = target if strand == "+" else reverse_complement(target)
    assert len(aligned) == len(target)
    assert hit["matched"] == (aligned == target).sum()
    assert hit["identity"] == pytest.approx((aligned == target).mean())
    assert hit["identity"] == pytest.approx(1 - share, abs=0.015)
    others = table[table["start"] != at]
    assert (others["kind"] == "none").all()
    assert (others["matched"] == 0).all()


def test_brute_force_agrees_on_every_diagonal():
    codes = random_codes(3000, seed=11)
    codes[2400:2520] = mutated(codes[100:220], 0.03)
    codes[2600:2680] = reverse_complement(codes[900:980])
    genome = genome_of(codes)
    index = TrainingIndex(genome, np.array([[0, 2000]]))
    for start in range(2000, 3000, 100):
        window = codes[start : start + 100]
        pieces = {window[j : j + 31].tobytes() for j in range(70)}
        shared = [
            any(train[i : i + 31].tobytes() in pieces for i in range(1970))
            for train in (codes[:2000], reverse_complement(codes[:2000]))
        ]
        best = index.nearest(window)
        assert (best is not None) == any(shared)
        if best is not None:
            matched, identity, first, last, strand, aligned = best
            assert shared["+-".index(strand)]
            target = codes[first:last] if strand == "+" else reverse_complement(codes[first:last])
            best_placement = max((window[i : i + aligned] == target).sum() for i in range(101 - aligned))
            assert matched == best_placement
            assert identity == matched / aligned


def test_a_match_stops_at_the_border_of_the_training_blocks_and_names_the_contig():
    codes = random_codes(4 * BLOCK)
    codes[15_000:15_400] = codes[9800:10_200]
    genome = genome_of(codes, cuts=(7000,))
    splits = splits_of(("c0", 0, 5000, "train"), ("c1", 1000, 3000, "train"), ("c1", 8000, 8500, "test"))
    table = audit(genome, splits, windows_of(8000, 8500, contig="c1"), NO_FEATURES)
    row = table.iloc[0]
    assert (row["hit_contig"], row["hit_start"], row["hit_end"], row["hit_strand"]) == ("c1", 2800, 3000, "+")
    assert row["matched"] == 200
    assert row["share"] == pytest.approx(0.4)


def test_n_and_soft_masking_neither_match_nor_hide():
    codes = random_codes(3 * BLOCK)
    codes[12_000:12_500] = codes[1000:1500] | MASK_BIT
    codes[12_500:13_000] = N
    codes[2000:2500] = N
    splits = splits_of(("c0", 0, 2 * BLOCK, "train"), ("c0", 2 * BLOCK, 3 * BLOCK, "test"))
    table = audit(genome_of(codes), splits, windows_of(12_000, 13_000), NO_FEATURES)
    assert table["matched"].tolist() == [500, 0]
    assert table["kind"].tolist() == ["repeat", "none"]


def test_a_short_shared_piece_below_the_seed_is_not_reported():
    codes = random_codes(2 * BLOCK, seed=5)
    splits = splits_of(("c0", 0, BLOCK, "train"), ("c0", BLOCK, 2 * BLOCK, "validation"))
    windows = windows_of(BLOCK, BLOCK + WINDOW, "validation")
    for length, expected in ((30, "none"), (31, "repeat")):
        planted = codes.copy()
        planted[5100 : 5100 + length] = codes[200 : 200 + length]
        planted[5100 + length] = (codes[200 + length] + 1) % 4
        planted[5099] = (codes[199] + 1) % 4
        assert audit(genome_of(planted), splits, windows, NO_FEATURES)["kind"].tolist() == [expected]


def test_training_windows_are_not_audited_and_rna_genes_are_named():
    codes = random_codes(2 * BLOCK)
    codes[6000:6500] = codes[1000:1500]
    splits = splits_of(("c0", 0, BLOCK, "train"), ("c0", BLOCK, 2 * BLOCK, "test"))
    windows = pd.concat([windows_of(0, BLOCK, "train"), windows_of(BLOCK, 2 * BLOCK)])
    features = pd.DataFrame({"contig": ["c0", "c0"], "start": [6400, 7200], "end": [6600, 7300]})
    features["type"] = ["rRNA", "tRNA"]
    table = audit(genome_of(codes), splits, windows, features)
    assert set(table["split"]) == {"test"}
    assert len(table) == 10
    assert table.loc[table["start"] == 6000, "kind"].item() == "rRNA"
    assert table.loc[table["start"] == 7000, "kind"].item() == "none"


def test_the_first_rna_gene_over_a_window_names_it_as_by_hand():
    rng = np.random.default_rng(3)
    genome = genome_of(random_codes(30_000), cuts=(9000, 16_000))
    splits = splits_of(("c0", 0, 100, "train"))
    windows = pd.concat([windows_of(0, size - WINDOW, contig=f"c{i}") for i, size in enumerate((9000, 7000, 14_000))])
    rna = pd.DataFrame({"contig": rng.choice(["c0", "c1", "c2", "other"], 60), "start": rng.integers(0, 13_000, 60)})
    rna = rna.assign(end=rna["start"] + rng.integers(1, 1500, 60), type=rng.choice(["rRNA", "tRNA", "ncRNA"], 60))
    found = pd.DataFrame(np.ones((len(windows), 5), dtype=np.int64), columns=FOUND).assign(search="x")
    found["matched"] = rng.integers(0, 2, len(windows))
    table = audit(genome, splits, windows, rna, find=lambda *_: found)
    for window, kind in zip(table.itertuples(), table["kind"], strict=True):
        over = (rna["contig"] == window.contig) & (rna["start"] < window.end) & (rna["end"] > window.start)
        expected = (rna.loc[over, "type"].iloc[0] if over.any() else "repeat") if window.matched else "none"
        assert kind == expected
    assert len(set(table["kind"])) == 5


def test_a_window_shorter_than_a_seed_is_no_error():
    codes = random_codes(1000)
    assert TrainingIndex(genome_of(codes), np.array([[0, 1000]])).nearest(codes[:20]) is None
    assert TrainingIndex(genome_of(codes), np.array([[0, 20]])).nearest(codes[:100]) is None


def test_an_all_equal_sequence_does_not_explode():
    codes = np.zeros(20_000, dtype=np.uint8)
    matched, identity, *_ = TrainingIndex(genome_of(codes), np.array([[0, 15_000]])).nearest(codes[15_000:15_500])
    assert (matched, identity) == (500, 1.0)


@pytest.mark.skipif(importlib.util.find_spec("mappy") is None, reason="mappy is an optional package")
def test_minimap2_finds_the_same_places():
    import mappy

    codes = random_codes(60_000, seed=2)
    for i in range(10):
        piece = mutated(codes[i * 3000 : i * 3000 + WINDOW], 0.03, seed=i)
        codes[40_000 + 1000 * i : 40_500 + 1000 * i] = piece if i % 2 else reverse_complement(piece)
    text = "".join("ACGT"[c] for c in codes)
    aligner = mappy.Aligner(seq=text[:40_000], preset="sr")
    index = TrainingIndex(genome_of(encode(text)), np.array([[0, 40_000]]))
    for i in range(10):
        start = 40_000 + 1000 * i
        peer = max(aligner.map(text[start : start + WINDOW]), key=lambda h: h.mlen)
        _, _, first, last, strand, _ = index.nearest(codes[start : start + WINDOW])
        assert strand == {1: "+", -1: "-"}[peer.strand]
        assert abs(first - peer.r_st) < 30
        assert abs(last - peer.r_en) < 30
