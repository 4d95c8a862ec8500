"""Order-k Markov models: counts against a dictionary of strings, probabilities against hand calculations."""

from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from helpers.genomes import genome_of, splits_of

from dnalm.baselines.flanks import FLANKS
from dnalm.baselines.markov import (
    GRID,
    ORDERS,
    PIECE,
    REPORTED,
    Counted,
    bits,
    chain,
    count_around,
    fit_weights,
    held_out,
    markov_bits,
)
from dnalm.models.memory import NgramMemory
from dnalm.sequence.alphabet import N, decode, reverse_complement

COMPLEMENT = str.maketrans("ACGTN", "TGCAN")


def repetitive(seed, length):
    """Random bases with direct and inverted repeats, a low-complexity stretch, a palindrome and an N."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, length).astype(np.uint8)
    codes[150:210] = codes[20:80]
    codes[300:350] = reverse_complement(codes[30:80])
    codes[220:250] = 2
    codes[260:290] = np.tile([0, 3], 15)
    codes[400:440] = codes[160:200]
    codes[120] = N
    return codes


def strings(codes, intervals):
    """(text, forward place of each letter) of both strands of every interval."""
    for start, end in intervals:
        text = decode(codes[start:end])
        yield text, list(range(start, end))
        yield text[::-1].translate(COMPLEMENT), list(range(start, end))[::-1]


def one_sided(codes, intervals, k, without=None):
    """{context: Counter of the next base}, by slicing strings; n-grams that cover the place ``without`` are skipped."""
    table = defaultdict(Counter)
    for text, places in strings(codes, intervals):
        for i in range(k, len(text)):
            if "N" not in text[i - k : i + 1] and without not in places[i - k : i + 1]:
                table[text[i - k : i]][text[i]] += 1
    return table


def two_sided(codes, intervals, k, without=None):
    table = defaultdict(Counter)
    for text, places in strings(codes, intervals):
        for i in range(k, len(text) - k):
            if "N" not in text[i - k : i + k + 1] and without not in places[i - k : i + k + 1]:
                table[text[i - k : i], text[i + 1 : i + k + 1]][text[i]] += 1
    return table


def row(counter, letters="ACGT"):
    return [counter[letter] for letter in letters]


def check(counted, first, codes, intervals, place, allowed, own):
    """One base of ``counted`` (whose first base is ``first``) against recounts."""
    text = "".join(letter if allowed[i] else "N" for i, letter in enumerate(decode(codes)))
    i = place - first
    for j, k in enumerate(ORDERS):
        table = one_sided(codes, intervals, k, own)
        before, after = text[max(place - k, 0) : place], text[place + 1 : place + k + 1]
        before = before if len(before) == k else None
        flipped = after[::-1].translate(COMPLEMENT) if len(after) == k else None
        assert counted.forward[i, j].tolist() == row(table.get(before, Counter())), (place, k)
        assert counted.reverse[i, j].tolist() == row(table.get(flipped, Counter()), "TGCA"), (place, k)
    for j, (k, _) in enumerate(FLANKS):
        around = text[max(place - k, 0) : place], text[place + 1 : place + k + 1]
        want = two_sided(codes, intervals, k, own).get(around, Counter())
        assert counted.flanks[i, j].tolist() == row(want), (place, k)


@pytest.mark.parametrize("seed", range(2))
def test_counts_of_held_out_bases_equal_a_dictionary_of_strings(seed):
    codes = repetitive(seed, 500)
    genome, training, interval = genome_of(codes), np.array([[0, 215], [225, 380]]), np.array([[395, 480]])
    allowed = np.zeros(500, dtype=bool)
    allowed[390:480] = True
    memory = NgramMemory.from_genomes([genome], [training], ORDERS, FLANKS)
    (counted,) = count_around(memory, genome, interval, allowed)
    assert counted.target.tolist() == codes[395:480].tolist()
    assert counted.forward[30, -1].sum() > 0  # a repeat is long enough for the longest order
    for place in (395, 396, 399, 410, 437, 439, 460, 478, 479):
        check(counted, 395, codes, training, place, allowed, None)


def test_counts_of_training_bases_leave_out_their_own_ngrams_on_both_strands():
    codes = repetitive(3, 450)
    genome, training = genome_of(codes), np.array([[0, 215], [225, 450]])
    memory = NgramMemory.from_genomes([genome], [training], ORDERS, FLANKS)
    pieces = list(count_around(memory, genome, training))
    everywhere = np.ones(450, dtype=bool)
    for place in (0, 5, 60, 119, 121, 214):
        check(pieces[0], 0, codes, training, place, everywhere, place)
    for place in (225, 240, 262, 275, 330, 420, 449):  # low complexity and palindromes among them
        check(pieces[1], 225, codes, training, place, everywhere, place)


def test_intervals_longer_than_a_piece_are_counted_without_a_seam():
    codes = np.random.default_rng(4).integers(0, 4, PIECE + 1500).astype(np.uint8)
    genome, training = genome_of(codes), np.array([[0, 900]])
    memory = NgramMemory.from_genomes([genome], [training], ORDERS, FLANKS)
    first, second = count_around(memory, genome, np.array([[1000, PIECE + 1400]]))
    (across,) = count_around(memory, genome, np.array([[PIECE + 900, PIECE + 1100]]))
    assert len(first.target) + len(second.target) == PIECE + 400
    for name in ("target", "forward", "reverse", "flanks"):
        joined = np.concatenate([getattr(first, name)[-100:], getattr(second, name)[:100]])
        np.testing.assert_array_equal(getattr(across, name), joined)


def test_held_out_context_is_the_split_and_gaps_only():
    genome = genome_of(np.zeros(1000, np.uint8))
    spans = [("train", 300), ("gap", 340), ("test", 500), ("gap", 520), ("validation", 700), ("test", 1000)]
    edges = [0, *(end for _, end in spans)]
    splits = splits_of(*(("c0", a, end, name) for a, (name, end) in zip(edges, spans, strict=False)))
    intervals, allowed = held_out(genome, splits, "test")
    assert intervals.tolist() == [[340, 500], [700, 1000]]
    want = np.zeros(1000, dtype=bool)
    want[300:520] = want[700:] = True
    np.testing.assert_array_equal(allowed, want)


def test_back_off_equals_exact_fractions():
    counts = np.array([[[3, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]], [[0, 0, 0, 7], [0, 0, 0, 2], [0, 0, 0, 2]]])
    weights = (8, 2, 32)
    got = chain(counts, weights)
    for base in range(2):
        p = [Fraction(1, 4)] * 4
        for k, w in enumerate(weights):
            n = [Fraction(int(x)) for x in counts[base, k]]
            p = [(n[b] + w * p[b]) / (sum(n) + w) for b in range(4)]
            assert got[base, k].tolist() == pytest.approx([float(x) for x in p], abs=1e-15)
            assert sum(p) == 1
    prior = np.array([[0.7, 0.1, 0.1, 0.1]] * 2)
    np.testing.assert_allclose(chain(counts, weights, prior)[0, 0], (counts[0, 0] + 8 * prior[0]) / 12)
    np.testing.assert_array_equal(got[0, 2], got[0, 1])  # an unseen context says what the shorter one says


def test_bits_by_hand():
    p = np.array([[0.5, 0.25, 0.125, 0.125], [0.25] * 4, [1.0, 0, 0, 0], [0.1, 0.2, 0.3, 0.4]])
    got = bits(p, np.array([0, 2, 0, 4], dtype=np.uint8))
    assert got[:3].tolist() == [1.0, 2.0, 0.0]
    assert np.isnan(got[3])


def test_orders_are_reported_from_the_same_chain_and_order_0_is_two_bits():
    codes = repetitive(5, 480)
    genome = genome_of(codes)
    memory = NgramMemory.from_genomes([genome], [np.array([[0, 300]])], ORDERS, FLANKS)
    (counted,) = count_around(memory, genome, np.array([[300, 480]]))
    weights = np.random.default_rng(6).choice(GRID, len(ORDERS))
    columns = markov_bits(counted, weights)
    assert set(columns) == {f"order_{k}_{side}" for k in REPORTED for side in ("forward", "reverse")}
    for side in ("forward", "reverse"):
        assert (columns[f"order_0_{side}"] == 2.0).all()
        for place in (7, 60, 111, 130):
            p = 0.25
            for k in range(1, 17):
                j = ORDERS.index(k)
                n = getattr(counted, side)[place, j].astype(float)
                p = (n[counted.target[place]] + weights[j] * p) / (n.sum() + weights[j])
                if k in REPORTED:
                    assert columns[f"order_{k}_{side}"][place] == pytest.approx(-np.log2(p), abs=1e-12)


def greedy(counts, target):
    """The pseudo-counts that a plain loop over bases finds best, one context length after the other."""
    p, chosen = [[0.25] * 4 for _ in target], []
    for k in range(counts.shape[1]):
        best = None
        for weight in GRID:
            q = [
                [(n[b] + weight * before[b]) / (sum(n) + weight) for b in range(4)]
                for n, before in zip(counts[:, k].tolist(), p, strict=True)
            ]
            cost = -sum(np.log2(row[t]) for row, t in zip(q, target, strict=True) if t < 4)
            if best is None or cost < best[0] - 1e-9:
                best = cost, weight, q
        chosen.append(best[1])
        p = best[2]
    return chosen


def test_smoothing_is_the_best_of_the_grid_at_every_length():
    rng = np.random.default_rng(7)
    target = rng.integers(0, 4, 300)
    noise = rng.integers(0, 5, (300, 4))
    good = rng.integers(0, 3, (300, 4))
    good[np.arange(300), target] += rng.integers(0, 9, 300)
    counts = np.stack([good, noise, good * 3, np.zeros_like(good)], axis=1)
    target[::17] = 4
    got = fit_weights([(counts[:120], target[:120]), (counts[120:], target[120:])])
    assert got == greedy(counts, target)
    assert got[1] == max(GRID)  # a context that says nothing is switched off
    assert got[0] < 32


def test_a_planted_source_is_learned_to_its_entropy():
    """A first-order chain that reads the same on both strands: no order can beat its entropy, order 1 reaches it."""
    rng = np.random.default_rng(8)
    pairs = rng.dirichlet(np.full(16, 0.3)).reshape(4, 4)
    pairs = pairs + pairs.T
    pairs += pairs[::-1, ::-1].T
    source = pairs / pairs.sum(1, keepdims=True)
    codes = np.zeros(30_000, dtype=np.uint8)
    for i, draw in enumerate(rng.random(29_999), 1):
        codes[i] = min(np.searchsorted(np.cumsum(source[codes[i - 1]]), draw), 3)
    genome = genome_of(codes)
    memory = NgramMemory.from_genomes([genome], [np.array([[0, 25_000]])], ORDERS, FLANKS)
    (counted,) = count_around(memory, genome, np.array([[25_000, 30_000]]))
    columns = markov_bits(counted, fit_weights([(counted.forward, counted.target)]))
    ideal = -np.log2(source[codes[24_999:-1], codes[25_000:]]).mean()
    for side in ("forward", "reverse"):
        value = {k: columns[f"order_{k}_{side}"].mean() for k in (0, 1, 2, 8)}
        assert value[1] < value[0] - 0.1
        assert all(value[k] == pytest.approx(ideal, abs=0.02) for k in (1, 2, 8))


def test_counted_keeps_the_orientation_of_the_forward_strand():
    codes = repetitive(9, 480)
    genome, flipped = genome_of(codes), genome_of(reverse_complement(codes))
    training, mirrored = np.array([[0, 300]]), np.array([[180, 480]])
    one = NgramMemory.from_genomes([genome], [training], ORDERS, FLANKS)
    two = NgramMemory.from_genomes([flipped], [mirrored], ORDERS, FLANKS)
    (a,) = count_around(one, genome, np.array([[330, 460]]))
    (b,) = count_around(two, flipped, np.array([[20, 150]]))
    back = Counted(
        np.where(b.target < 4, 3 - b.target, 4)[::-1],
        *(x[::-1, :, ::-1] for x in (b.reverse, b.forward, b.flanks)),
    )
    for name in ("target", "forward", "reverse", "flanks"):
        np.testing.assert_array_equal(getattr(a, name), getattr(back, name))
