"""Columns of the language model for the gene finder, by hand: base by base, codon by codon."""

import importlib.util
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from Bio.Seq import Seq
from helpers.finder import mirrored, random_candidates

from dnalm.genefinder.candidates import find_candidates, layout
from dnalm.sequence.alphabet import decode

FILE = Path(__file__).parents[2] / "benchmarks" / "language_columns.py"
ORDERS, FLANKS = (1, 2, 3), ((1, 1), (2, 2))


@pytest.fixture(scope="module")
def lm():
    spec = importlib.util.spec_from_file_location("language_columns", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def invented(lm, genome, seed=5):
    """Predictions at random."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(4), len(genome.codes))
    n = genome.codes > 3
    forward, reverse = (np.where(n, np.nan, rng.exponential(2, len(n))) for _ in range(2))
    return lm.Predictions(forward, reverse, np.log(p))


class ByHand:
    """A candidate read base by base from the genome's own contig, on its strand; None beyond a linear contig."""

    def __init__(self, genome, said, c, i):
        row = genome.contigs.iloc[c.contig[i]]
        self.genome, self.said, self.plus = genome, said, c.side[i] == 0
        self.offset, self.length, self.circular = row["offset"], row["length"], row["circular"]
        self.start, self.end = (c.start[i], c.end[i]) if self.plus else (c.end[i] - 1, c.start[i] - 1)
        self.bases = c.end[i] - c.start[i]
        n = genome.codes > 3
        self.mean_one = np.nanmean([said.forward[~n], said.reverse[~n]])
        self.mean_both = np.mean([-np.log2(np.exp(said.both[p, genome.codes[p]])) for p in np.flatnonzero(~n)])

    def place(self, t):
        """Global position of base ``t`` of the candidate, or None."""
        p = self.start + t if self.plus else self.start - t
        p = p % self.length if self.circular else p
        return self.offset + p if 0 <= p < self.length and self.genome.codes[self.offset + p] < 4 else None

    def mean(self, kind, ts):
        ts = list(ts)
        return sum(self.value(kind, t) for t in ts) / len(ts)

    def value(self, kind, t):
        p = self.place(t)
        if p is None:
            return 0.0
        if kind == "both":
            return -self.said.both[p, self.genome.codes[p]] / np.log(2) - self.mean_both
        if kind == "doubt":
            return 1 - np.exp(self.said.both[p, self.genome.codes[p]])
        forward = (kind == "along") == self.plus
        return (self.said.forward if forward else self.said.reverse)[p] - self.mean_one

    def silent(self, ts, reverse=False):
        """Silent doubt of the codons that begin at ``ts``; of the other strand, those that end there."""
        total = 0.0
        for t in ts:
            at = [self.place(t + k) for k in (range(3) if not reverse else (2, 1, 0))]
            if None in at:
                continue
            flip = self.plus == reverse
            own = [3 - self.genome.codes[p] if flip else self.genome.codes[p] for p in at]
            amino = str(Seq(decode(np.array(own, dtype=np.uint8))).translate(table=11))
            for k, base in product(range(3), range(4)):
                changed = np.array([*own[:k], base, *own[k + 1 :]], dtype=np.uint8)
                if base != own[k] and str(Seq(decode(changed)).translate(table=11)) == amino:
                    total += np.exp(self.said.both[at[k], 3 - base if flip else base])
        return total


@pytest.mark.parametrize("circular", [False, True])
def test_columns_by_hand(lm, circular):
    genome, c = random_candidates(3, circular=circular, minimum=60)
    said = invented(lm, genome)
    gene, start = lm.columns(c, np.arange(len(c)), lm.signals(genome, said))
    wraps = np.flatnonzero((c.end > c.length) | (c.start < 33) | (c.end + 33 > c.length))
    seen = set()
    for i in range(len(c)):
        if circular and i in wraps:  # beside the seam the text has a gap where a circular contig has none
            continue
        seen.add((int(c.side[i]), bool(c.codon[i] < 0), bool(c.open_end[i])))
        by_hand, n = ByHand(genome, said, c, i), c.end[i] - c.start[i] - 3
        begins, ends = c.codon[i] >= 0, not c.open_end[i]
        inside = [by_hand.mean("both", range(k, n + k, 3)) for k in range(3)]
        before, after = by_hand.mean("both", range(-30, 0)), by_hand.mean("both", range(30))
        beyond = by_hand.mean("both", range(n + 3, n + 33)) - by_hand.mean("both", range(n - 30, n))
        along, against = by_hand.mean("along", range(n)), by_hand.mean("against", range(n))
        doubt = sum(by_hand.value("doubt", t) for t in range(n))
        own = [by_hand.silent(range(k, n + k, 3)) / doubt for k in range(3)]
        other = [by_hand.silent(range(-k, n - k, 3), reverse=True) / doubt for k in range(3)]
        expected = {
            **{f"lm_position{k + 1}": inside[k] for k in range(3)},
            "lm_third": inside[2] - sum(inside[:2]) / 2 - max(
                inside[k] - (sum(inside) - inside[k]) / 2 for k in range(2)
            ),
            "lm_before": before * begins, "lm_step": (after - before) * begins, "lm_beyond": beyond * ends,
            "lm_direction": along - against, "lm_other_side": (along + against) / 2 - by_hand.mean("both", range(n)),
            "lm_silent": own[0], "lm_silent_over": own[0] - max(own[1:] + other),
        }  # fmt: skip
        assert {name: gene[name][i] for name in gene} == pytest.approx(expected, abs=1e-5)
        near = [
            by_hand.silent(range(a, a + 30, 3)) / max(sum(by_hand.value("doubt", t) for t in range(a, a + 30)), 3e-5)
            for a in (-30, 0)
        ]
        three = {a: [by_hand.mean("both", range(a + k, a + 30 + k, 3)) for k in range(3)] for a in (-30, 0)}
        expected = {
            "lm_before": before, "lm_after": after, "lm_step": after - before,
            "lm_third_before": 1.5 * (three[-30][2] - max(three[-30][:2])),
            "lm_third_after": 1.5 * (three[0][2] - max(three[0][:2])),
            "lm_codon": by_hand.mean("both", range(3)), "lm_silent_step": near[1] - near[0],
        }  # fmt: skip
        expected = {name: value * begins for name, value in expected.items()}
        assert {name: start[name][i] for name in start} == pytest.approx(expected, abs=1e-5)
    assert {side for side, *_ in seen} == {0, 1}
    assert circular or {cut for _, cut, _ in seen} == {open_end for *_, open_end in seen} == {False, True}


@pytest.mark.parametrize("circular", [False, True])
def test_places_are_those_of_the_layout(lm, circular):
    genome, _ = random_candidates(4, circular=circular)
    text, place = layout(genome)[0], lm.places(genome)
    assert np.array_equal(text, np.where(place >= 0, genome.codes[place] & 7, 4))


def test_counts_by_hand(lm):
    """Chained back-off from a dictionary of all other places whose n-gram does not cover the base."""
    genome, _ = random_candidates(6, lengths=(150, 120))
    genome.codes[genome.codes > 3] = 2
    said = lm.counted(genome, ORDERS, FLANKS)
    for contig, p in ((0, 60), (0, 149), (0, 1), (1, 77), (1, 0)):
        ahead = left_out(genome, contig, p, [(k, 0) for k in ORDERS])
        behind = left_out(genome, contig, p, [(0, k) for k in ORDERS])
        both = left_out(genome, contig, p, FLANKS)
        joint = np.log(ahead) + np.log(behind) + np.log(both)
        joint = joint / 2 - np.log(np.exp(joint / 2).sum())
        at = genome.contigs["offset"][contig] + p
        assert said.both[at] == pytest.approx(joint, abs=1e-5)
        assert said.forward[at] == pytest.approx(-np.log2(ahead[genome.codes[at]]), abs=1e-5)
        assert said.reverse[at] == pytest.approx(-np.log2(behind[genome.codes[at]]), abs=1e-5)


def left_out(genome, contig, p, contexts):
    """P(base) at a base between (left, right) bases, with the n-grams that cover it left out, on either strand."""
    strands = []
    for number, row in enumerate(genome.contigs.itertuples()):
        codes = genome.codes[row.offset : row.offset + row.length]
        covers = np.arange(row.length) == p if number == contig else np.zeros(row.length, dtype=bool)
        strands += [(codes, covers), (3 - codes[::-1], covers[::-1])]
    codes = strands[2 * contig][0]
    probability = np.full(4, 0.25)
    for left, right in contexts:
        if p < left or p + right >= len(codes):
            continue
        counts = np.zeros(4)
        for text, covers in strands:
            for q in range(left, len(text) - right):
                around = [*range(q - left, q), *range(q + 1, q + right + 1)]
                here = [*range(p - left, p), *range(p + 1, p + right + 1)]
                if not covers[q - left : q + right + 1].any() and np.array_equal(text[around], codes[here]):
                    counts[text[q]] += 1
        probability = (counts + 128 * probability) / (counts.sum() + 128)
    return probability


def test_both_strands_are_read_alike(lm):
    genome, c = random_candidates(7, lengths=(1200, 900), minimum=60)
    other = mirrored(genome)
    d = find_candidates(other, 60)
    tables = []
    for one, candidates in ((genome, c), (other, d)):
        said = lm.counted(one, ORDERS, FLANKS)
        gene, start = lm.columns(candidates, np.arange(len(candidates)), lm.signals(one, said))
        tables.append(np.stack([*gene.values(), *start.values()], 1))
    turned = zip(c.contig, c.length - c.end, c.length - c.start, 1 - c.side, c.codon, strict=True)
    row = {candidate: i for i, candidate in enumerate(turned)}
    order = [row[k] for k in zip(d.contig, d.start, d.end, d.side, d.codon, strict=True)]
    assert tables[0][order] == pytest.approx(tables[1], abs=1e-5)
