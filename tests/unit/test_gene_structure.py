"""The splice-aware dynamic programme against an enumeration of all structures."""

import time

import numpy as np
import pytest
from helpers.structures import best_by_enumeration, mirrored, random_gene, random_text

from dnalm.sequence.alphabet import decode, encode, reverse_complement
from dnalm.sequence.gene_structure import (
    ACCEPTOR_C,
    ACCEPTOR_G,
    CLASSES,
    DONOR_A,
    DONOR_G,
    SHIFT,
    SITES,
    START,
    STOP,
    Lengths,
    automaton,
    best_structure,
    class_index,
    site_candidates,
)
from dnalm.sequence.genetic_code import stop_codons, translate

INTRONS = [i for i, name in enumerate(CLASSES) if "intron" in name]
CODING = [name for name in CLASSES if name[-1] in "123" and "intron" not in name]


def scores(rng, length, spread=1.0):
    emissions = rng.normal(0, spread, (length, len(CLASSES))).astype(np.float32)
    return emissions, rng.normal(0, 1, (length, 2 * len(SITES))).astype(np.float32)


def runs(classes):
    """(start, end, classes) of every stretch of bases that belong to a gene."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], classes > 0, [0]])))
    return [(a, b, classes[a:b]) for a, b in edges.reshape(-1, 2)]


@pytest.mark.parametrize("utr", [False, True])
@pytest.mark.parametrize("code", [1, 6])
def test_equals_the_best_of_all_structures(code, utr):
    rng = np.random.default_rng(10 * code + utr)
    genes = introns = reverse = 0
    for _ in range(400):
        text = random_text(rng, int(rng.integers(14, 24 if utr else 30)))
        emissions, sites = scores(rng, len(text))
        emissions[:, INTRONS] += 2
        emissions[:, 0] -= 1.5  # genes pay, or the best structure would often be none
        min_intron = int(rng.integers(4, 7))
        expected, score, _ = best_by_enumeration(text, emissions, sites, stop_codons(code), min_intron, utr)
        found = best_structure(encode(text), emissions, sites, code, 1.0, min_intron, utr)
        assert found.score == pytest.approx(score, abs=1e-6)
        np.testing.assert_array_equal(found.classes, expected)
        genes += len(runs(expected))
        introns += any("intron" in CLASSES[c] for c in expected)
        reverse += (expected > 7).any()
    assert genes > 40 and introns > 5 and reverse > 3


def test_every_intron_phase_and_kind_is_met_by_the_enumeration():
    rng, seen = np.random.default_rng(3), set()
    for _ in range(200):
        text = random_text(rng, 26)
        emissions, sites = scores(rng, len(text))
        emissions[:, INTRONS] += 2
        expected, score, _ = best_by_enumeration(text, emissions, sites, stop_codons(1), 4, False)
        found = best_structure(encode(text), emissions, sites, 1, 1.0, 4, False)
        assert found.score == pytest.approx(score, abs=1e-6)
        np.testing.assert_array_equal(found.classes, expected)
        for label in set(found.classes):
            if "intron" not in CLASSES[label]:
                continue
            where = np.flatnonzero(found.classes == label)
            ends = np.flatnonzero(np.diff(where, append=len(text) + 9) > 1)
            intron = text[where[0] : where[ends[0]] + 1]
            intron = decode(reverse_complement(encode(intron))) if label > 7 else intron
            seen.add((CLASSES[label], intron[:2] + "-" + intron[-2:]))
    assert {name for name, _ in seen} == {name for name in CLASSES if "intron" in name}
    assert {kind for _, kind in seen} == {"GT-AG", "GC-AG", "AT-AC"}


def test_the_weight_scales_emissions_and_the_floor_holds_them_up():
    rng = np.random.default_rng(5)
    for weight in (0.3, 2.0):
        text = random_text(rng, 24)
        emissions, sites = scores(rng, len(text), 8.0)
        expected, score, _ = best_by_enumeration(text, emissions, sites, stop_codons(1), 4, False, weight)
        found = best_structure(encode(text), emissions, sites, 1, weight, 4)
        assert found.score == pytest.approx(score, abs=1e-5)
        np.testing.assert_array_equal(found.classes, expected)


@pytest.mark.parametrize("kinds", [[(4, 1.0, -0.5)], [(6, 4.0, -2.0), (4, 0.5, -0.1)], [(4, 2.0, -1.0), (9, 3.0, 0.2)]])
def test_kinds_of_introns_by_length_equal_an_enumeration(kinds):
    rng, introns, used = np.random.default_rng(17), 0, set()
    kinds = [Lengths(*kind) for kind in kinds]

    def each(length):
        return [k.enter + k.stay * (length - k.shortest) if length >= k.shortest else -np.inf for k in kinds]

    for _ in range(250):
        text = random_text(rng, int(rng.integers(18, 30)))
        emissions, sites = scores(rng, len(text))
        emissions[:, INTRONS] += 1
        expected, score, _ = best_by_enumeration(
            text, emissions, sites, stop_codons(1), min(k.shortest for k in kinds), False, 0.8, lambda n: max(each(n))
        )
        found = best_structure(encode(text), emissions, sites, 1, 0.8, lengths=kinds)
        assert found.score == pytest.approx(score, abs=1e-6)
        np.testing.assert_array_equal(found.classes, expected)
        inside = np.isin(found.classes, INTRONS)
        runs_of = np.flatnonzero(np.diff(np.concatenate([[0], inside, [0]]))).reshape(-1, 2)
        used |= {int(np.argmax(each(b - a))) for a, b in runs_of}
        introns += len(runs_of)
    assert introns > 10 and len(used) == len(kinds)


def test_one_kind_that_is_worth_nothing_is_a_shortest_intron(long_case):
    plain = best_structure(*long_case, 1, 1.0, 33)
    kinds = best_structure(*long_case, 1, 1.0, 20, lengths=[Lengths(33, 0.0, 0.0)])
    assert plain.score == kinds.score
    np.testing.assert_array_equal(plain.classes, kinds.classes)


def test_kinds_of_introns_go_on_over_pieces_of_a_contig_and_are_alike_on_both_strands(long_case):
    options = {"lengths": (Lengths(30, 1.0, -0.05), Lengths(21, 0.0, -0.01))}
    whole = best_structure(*long_case, 1, **options)
    parts = best_structure(*long_case, 1, chunk=1000, **options)
    assert whole.score == parts.score
    np.testing.assert_array_equal(whole.classes, parts.classes)
    assert best_structure(*mirrored(*long_case), 1, **options).score == pytest.approx(whole.score)


@pytest.fixture(scope="module")
def long_case():
    rng = np.random.default_rng(7)
    codes = rng.integers(0, 4, 40_000).astype(np.uint8)
    codes[[100, 5000, 5001, 20_000]] = 4
    emissions, sites = scores(rng, len(codes))
    emissions[:, 0] += 0.8
    emissions[:, INTRONS] += 0.4
    return codes, emissions, sites + np.array([5] * 4 + [1] * 4, dtype=np.float32)


@pytest.mark.parametrize(("code", "utr", "min_intron"), [(1, False, 20), (1, True, 45), (6, False, 20)])
def test_every_gene_of_a_long_contig_is_a_gene(long_case, code, utr, min_intron):
    codes, emissions, sites = long_case
    found = best_structure(codes, emissions, sites, code, 1.0, min_intron, utr)
    kinds, count = set(), 0
    for start, end, labels in runs(found.classes):
        side = int(labels[0] > 7)
        assert ((labels > 7) == side).all()
        text = codes[start:end]
        if side:
            text, labels = reverse_complement(text), labels[::-1] - 7
        names = np.array(CLASSES)[labels]
        assert utr or "+utr" not in names
        coding = text[np.isin(names, CODING)]
        assert (coding < 4).all()
        assert [*names[np.isin(names, CODING)]] == ["+1", "+2", "+3"] * (len(coding) // 3)
        protein = translate(coding, code, start=False)
        assert protein[0] == "M" and protein[-1] == "*" and "*" not in protein[:-1]
        done = 0
        for a, b in _stretches(names):
            if names[a] in CODING:
                done += b - a
            elif "intron" in names[a]:
                assert b - a >= min_intron
                assert names[a] == f"+intron{done % 3}"
                kinds.add(decode(text[a : a + 2]) + decode(text[b - 2 : b]))
        count += 1
    assert count > 20
    assert kinds == {"GTAG", "GCAG", "ATAC"}


def _stretches(names):
    kind = np.array(["coding" if n in CODING else n for n in names])
    edges = np.flatnonzero(kind[1:] != kind[:-1]) + 1
    return zip([0, *edges], [*edges, len(names)], strict=True)


@pytest.mark.parametrize("utr", [False, True])
def test_the_reverse_complement_has_the_same_genes(long_case, utr):
    codes, emissions, sites = (a[:8000] for a in long_case)
    one = best_structure(codes, emissions, sites, 1, 0.7, 25, utr)
    two = best_structure(*mirrored(codes, emissions, sites), 1, 0.7, 25, utr)
    assert two.score == pytest.approx(one.score)
    flipped = two.classes[::-1].astype(int)
    flipped = np.where(flipped == 0, 0, (flipped - 1 + 7) % 14 + 1)
    np.testing.assert_array_equal(flipped, one.classes)


@pytest.mark.parametrize("chunk", [1, 7, 64, 1000, 7999])
def test_reading_in_chunks_changes_nothing(long_case, chunk):
    codes, emissions, sites = (a[:8000] if chunk > 64 else a[:600] for a in long_case)
    whole = best_structure(codes, emissions, sites, 1, 1.0, 30, True)
    parts = best_structure(codes, emissions, sites, 1, 1.0, 30, True, chunk=chunk)
    assert parts.score == whole.score
    np.testing.assert_array_equal(parts.classes, whole.classes)


@pytest.mark.parametrize("strand", [1, -1])
def test_a_planted_gene_with_introns_is_found_by_its_labels(strand):
    rng = np.random.default_rng(11)
    gene, parts = random_gene(rng, 4)
    codes = encode("C" * 40 + gene + "C" * 50)
    emissions = np.full((len(codes), len(CLASSES)), -6.0, dtype=np.float32)
    truth = np.zeros(len(codes), dtype=int)
    truth[40 : 40 + len(gene)], done = -1, 0
    for (a, b), after in zip(parts, [*parts[1:], None], strict=True):
        truth[40 + a : 40 + b] = 2 + (done + np.arange(b - a)) % 3
        done += b - a
        if after:
            truth[40 + b : 40 + after[0]] = class_index(0, f"intron{done % 3}")
    if strand < 0:
        codes, truth = reverse_complement(codes), np.where(truth > 0, truth + 7, 0)[::-1]
    emissions[np.arange(len(codes)), truth] = -0.1
    found = best_structure(codes, emissions, np.zeros((len(codes), 8), np.float32), 1)
    np.testing.assert_array_equal(found.classes, truth)


def test_candidates_equal_a_search_in_the_letters():
    rng = np.random.default_rng(13)
    codes = rng.integers(0, 5, 500).astype(np.uint8)
    bits = site_candidates(codes | 8, 1)
    for side in (0, 1):
        text = decode(codes if side == 0 else reverse_complement(codes))
        mine = (bits if side == 0 else bits[::-1]) >> (SHIFT * side)
        for i in range(len(text)):
            assert bool(mine[i] & START) == (text[i : i + 3] == "ATG")
            assert bool(mine[i] & STOP) == (text[max(i - 2, 0) : i + 1] in ("TAA", "TAG", "TGA"))
            assert bool(mine[i] & DONOR_G) == (text[i : i + 2] in ("GT", "GC"))
            assert bool(mine[i] & DONOR_A) == (text[i : i + 2] == "AT")
            assert bool(mine[i] & ACCEPTOR_G) == (text[max(i - 1, 0) : i + 1] == "AG")
            assert bool(mine[i] & ACCEPTOR_C) == (text[max(i - 1, 0) : i + 1] == "AC")


@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_contigs_too_short_for_a_gene(length):
    rng = np.random.default_rng(1)
    found = best_structure(np.zeros(length, np.uint8), *scores(rng, length), 1)
    assert found.classes.tolist() == [0] * length


def test_an_intron_shorter_than_its_sites_is_refused(long_case):
    with pytest.raises(ValueError, match="at least 4"):
        best_structure(*long_case, 1, min_intron=3)
    with pytest.raises(ValueError, match="at least 4"):
        best_structure(*long_case, 1, lengths=[Lengths(30, 0.0, 0.0), Lengths(3, 0.0, 0.0)])


def test_time_is_linear_and_the_automaton_small(long_case):
    assert len(automaton(1, False).classes) < 64 > len(automaton(1, True).classes) > 0
    seconds = []
    for repeat in (1, 8):
        arrays = [np.concatenate([a] * repeat) for a in long_case]
        start = time.process_time()
        best_structure(*arrays, 1)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 24 * max(seconds[0], 0.01)
