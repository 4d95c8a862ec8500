"""Candidate genes and the dynamic programme against brute force and Pyrodigal."""

import itertools

import numpy as np
import pyrodigal
import pytest

from dnalm.sequence.alphabet import N, decode, encode, reverse_complement
from dnalm.sequence.orfs import FREE_OVERLAP, MAX_OPPOSITE, MAX_SAME, Orfs, find_orfs, select_genes

STARTS, STOPS = {"ATG", "GTG", "TTG"}, {11: {"TAA", "TAG", "TGA"}, 4: {"TAA", "TAG"}}


def walk(codes, code, minimum, circular):
    """Every candidate, one start at a time, by reading codons as strings: (start, end, strand, partial)."""
    length, found = len(codes), set()
    for strand in (1, -1):
        text = decode(codes if strand > 0 else reverse_complement(codes)).upper()
        spans = set()
        firsts = range(length) if circular else range(length - 2)
        for p in firsts:
            begins = not circular and p < 3
            codon = "".join(text[(p + i) % length] for i in range(3))
            if codon not in STARTS and not begins:
                continue
            end, partial = p, False
            while True:
                if not circular and end + 3 > length:
                    partial = True
                    break
                codon = "".join(text[(end + i) % length] for i in range(3))
                end += 3
                if "N" in codon or (circular and end - p > 2 * length):
                    end = None
                    break
                if codon in STOPS[code]:
                    break
            if end is None or end - p < minimum:
                continue
            if begins:
                spans.add((p, end, True))
            if text[p : p + 3] in STARTS or circular:
                spans.add((p, end, partial))
        for p, end, partial in spans:
            low, high = (p, end) if strand > 0 else (length - end, length - p)
            shift = length if low < 0 else 0
            found.add((low + shift, high + shift, strand, partial))
    return found


def rows(orfs):
    return set(zip(orfs.start.tolist(), orfs.end.tolist(), orfs.strand.tolist(), orfs.partial.tolist(), strict=True))


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("code", [4, 11])
def test_candidates_equal_a_walk_over_every_start(code, circular):
    rng = np.random.default_rng(code)
    for length in (0, 2, 3, 17, 95, 300, 301, 302, 700):
        codes = rng.integers(0, 4, length).astype(np.uint8)
        codes[rng.random(length) < 0.004] = N
        codes[rng.random(length) < 0.3] |= 8  # the soft mask must not matter
        orfs = find_orfs(codes, code, 30, circular)
        got = rows(orfs)
        if circular:  # frames that meet no stop within one turn are not closed
            got = {r for r in got if r[1] - r[0] <= length}
        assert got == {r for r in walk(codes, code, 30, circular) if not circular or r[1] - r[0] <= length}
        assert len(got) > 0 or length < 300


def test_one_group_for_each_stop_codon():
    codes = np.random.default_rng(5).integers(0, 4, 3000).astype(np.uint8)
    for circular in (False, True):
        orfs = find_orfs(codes, 11, 60, circular)
        stop = np.where(orfs.strand > 0, orfs.end % len(codes), -1 - orfs.start % len(codes))
        pairs = set(zip(stop[~orfs.partial].tolist(), orfs.group[~orfs.partial].tolist(), strict=True))
        assert len(pairs) == len({s for s, _ in pairs}) == len({g for _, g in pairs}) > 20


def test_candidates_have_a_start_codon_a_stop_codon_and_whole_codons():
    codes = np.random.default_rng(6).integers(0, 4, 20_000).astype(np.uint8)
    orfs = find_orfs(codes, 11, 90)
    for i in range(0, len(orfs), 7):
        text = codes[orfs.start[i] : orfs.end[i]]
        text = decode(text if orfs.strand[i] > 0 else reverse_complement(text))
        codons = [text[j : j + 3] for j in range(0, len(text), 3)]
        assert len(text) % 3 == 0 and len(text) >= 90
        assert not STOPS[11].intersection(codons[:-1])
        assert orfs.partial[i] or (codons[0] in STARTS and codons[-1] in STOPS[11])
        if orfs.codon[i] >= 0:
            assert encode(codons[0]) @ np.array([16, 4, 1]) == orfs.codon[i]


@pytest.mark.parametrize("circular", [False, True])
def test_reverse_complement_mirrors_the_candidates(circular):
    codes = np.random.default_rng(7).integers(0, 4, 5001).astype(np.uint8)
    size = len(codes)
    mirrored = set()
    for start, end, strand, partial in rows(find_orfs(reverse_complement(codes), 11, 60, circular)):
        low, high = size - end, size - start
        shift = size if low < 0 else 0
        mirrored.add((low + shift, high + shift, -strand, partial))
    assert mirrored == rows(find_orfs(codes, 11, 60, circular))


def test_rotation_of_a_circle_changes_nothing():
    codes = np.random.default_rng(8).integers(0, 4, 4000).astype(np.uint8)
    turned = {
        ((start + 1234) % 4000, end - start, strand)
        for start, end, strand, _ in rows(find_orfs(np.roll(codes, -1234), 11, 60, True))
    }
    assert turned == {(s, e - s, strand) for s, e, strand, _ in rows(find_orfs(codes, 11, 60, True))}


def test_pyrodigals_genes_are_candidates():
    codes = np.random.default_rng(9).integers(0, 4, 60_000).astype(np.uint8)
    for k in range(0, 50_000, 2500):  # plant long frames, so that there is something to find
        codes[k : k + 1503] = encode("ATG" + "GCTGAAAAACTG" * 125 if k % 5000 else "TTA" + "CAGTTTTTCAGC" * 125)[:1503]
    genes = pyrodigal.GeneFinder(meta=True).find_genes(decode(codes))
    candidates = {(s, e, strand) for s, e, strand, _ in rows(find_orfs(codes, 11, 90))}
    inner = [g for g in genes if not (g.partial_begin or g.partial_end)]
    assert len(inner) > 10
    for gene in inner:
        assert (gene.begin - 1, gene.end, gene.strand) in candidates


def circle(start, end, length):
    return {p % length for p in range(start, end)}


def pair_cost(a, b, length, max_same, max_opposite, penalty):
    """Cost of two genes in one set, None if they may not stand together; by sets of positions."""
    arcs = [circle(*x[:2], length) for x in (a, b)]
    overlap = len(arcs[0] & arcs[1])
    if not overlap:
        return 0.0
    if 2 * overlap > min(len(x) for x in arcs):
        return None
    left, right = (a, b) if b[0] % length in arcs[0] else (b, a)
    tail_to_tail = left[2] > 0 and right[2] < 0
    if overlap > (max_opposite if tail_to_tail else max_same):
        return None
    return penalty * max(0, overlap - FREE_OVERLAP)


def best_by_force(genes, score, length, limits):
    """Largest total over all subsets."""
    cost = {
        (i, j): pair_cost(genes[i], genes[j], length, *limits) for i, j in itertools.combinations(range(len(genes)), 2)
    }

    def extend(i, chosen, total):
        if i == len(genes):
            return total
        best = extend(i + 1, chosen, total)
        costs = [cost[j, i] for j in chosen]
        if None not in costs:
            best = max(best, extend(i + 1, [*chosen, i], total + score[i] - sum(costs)))
        return best

    return extend(0, [], 0.0), cost


def random_case(rng, circular):
    length, n = int(rng.integers(150, 500)), int(rng.integers(1, 12))
    start = rng.integers(0, length, n)
    end = start + rng.integers(12, 73, n)
    if not circular:
        end = np.minimum(end, length)
        start = np.minimum(start, end - 6)
    twin = rng.random(n) < 0.3  # some share an end, as the starts of one stop codon do
    twin[0] = False
    previous = np.roll(np.arange(n), 1)
    end = np.where(twin, np.maximum(end[previous], start + 6), end)
    end = np.where(end - start > 100, start + 30, end)
    strand = rng.choice([-1, 1], n)
    order = np.lexsort((strand, start, end))
    zeros = np.zeros(n, dtype=np.int64)
    orfs = Orfs(start[order], end[order], strand[order], zeros, zeros, zeros.astype(bool))
    return orfs, rng.normal(1.0, 2.0, n).round(3), max(length, 250) if circular else length + 100


@pytest.mark.parametrize("circular", [False, True])
def test_selection_equals_brute_force(circular):
    rng = np.random.default_rng(10)
    several = 0
    for _ in range(300):
        orfs, score, length = random_case(rng, circular)
        limits = (int(rng.integers(0, 20)), int(rng.integers(0, 40)), float(rng.choice([0.0, 0.05, 0.3])))
        limits = (min(limits[:2]), max(limits[:2]), limits[2])
        genes = list(zip(orfs.start.tolist(), orfs.end.tolist(), orfs.strand.tolist(), strict=True))
        want, cost = best_by_force(genes, score, length, limits)
        chosen = select_genes(orfs, score, length, *limits)
        pairs = [cost[tuple(sorted(p))] for p in itertools.combinations(chosen.tolist(), 2)]
        assert None not in pairs
        assert score[chosen].sum() - sum(pairs) == pytest.approx(want, abs=1e-9)
        assert (np.diff(orfs.end[chosen]) >= 0).all()
        several += len(chosen) > 2 and any(pairs)
    assert several > 5  # the cases are not all trivial


def test_selection_uses_a_stop_codon_once_and_mirrors():
    codes = np.random.default_rng(11).integers(0, 4, 30_000).astype(np.uint8)
    orfs, mirror = find_orfs(codes, 11, 60), find_orfs(reverse_complement(codes), 11, 60)
    value = {}
    rng = np.random.default_rng(12)
    for s, e, d, p in sorted(rows(orfs)):
        value[s, e, d, p] = rng.normal(0.0, 5.0)
    score = np.array([value[r] for r in zip(orfs.start, orfs.end, orfs.strand, orfs.partial, strict=True)])
    size = len(codes)
    columns = (mirror.start, mirror.end, mirror.strand, mirror.partial)
    flipped = np.array([value[size - e, size - s, -d, p] for s, e, d, p in zip(*columns, strict=True)])
    chosen, other = select_genes(orfs, score, size), select_genes(mirror, flipped, size)
    assert len(set(orfs.group[chosen].tolist())) == len(chosen) > 100
    back = {(size - mirror.end[i], size - mirror.start[i], -mirror.strand[i]) for i in other}
    assert back == {(orfs.start[i], orfs.end[i], orfs.strand[i]) for i in chosen}


def hand(*genes):
    start, end, strand = (np.array(x) for x in zip(*genes, strict=True))
    zeros = np.zeros(len(genes), dtype=np.int64)
    return Orfs(start, end, strand, zeros, zeros, zeros.astype(bool))


def test_overlap_limits_by_orientation():
    for strands, limit in (((1, 1), MAX_SAME), ((-1, -1), MAX_SAME), ((-1, 1), MAX_SAME), ((1, -1), MAX_OPPOSITE)):
        for overlap, both in ((limit, True), (limit + 1, False)):
            pair = hand((0, 900, strands[0]), (900 - overlap, 1800, strands[1]))
            assert len(select_genes(pair, [10.0, 10.0], 3000, penalty=0.0)) == (2 if both else 1)


def test_nothing_to_choose():
    empty = find_orfs(np.zeros(0, np.uint8), 11)
    assert len(select_genes(empty, np.zeros(0), 0)) == 0
    assert len(select_genes(hand((0, 90, 1)), [-1.0], 100)) == 0
    assert len(select_genes(hand((0, 90, 1)), [-np.inf], 100)) == 0


def test_a_score_that_is_not_a_number_is_refused():
    for bad in ([np.inf], [1.0, 2.0]):
        with pytest.raises(ValueError, match="score"):
            select_genes(hand((0, 90, 1)), bad, 100)
