"""The word of the branch point: against plain loops, planted and found again, and harmless where there is none."""

import math

import numpy as np
import pytest
from helpers.genomes import genome_of

from dnalm.baselines.branch_point import FAR, NEAR, WORD, branch_point
from dnalm.sequence.alphabet import decode, encode, reverse_complement
from dnalm.sequence.start_context import PSEUDO

POINT = "TACTAAC"


def planted(seed=0, share=0.8, sites=60):
    """A genome of two contigs, its true acceptors on both strands, most with the branch point before them."""
    rng, contigs, marks = np.random.default_rng(seed), [], []
    for contig in range(2):
        text = rng.choice(list("ACGT"), 200 * sites, p=[0.32, 0.18, 0.18, 0.32])
        real = np.zeros((len(text), 2), dtype=bool)
        for number in range(sites):
            place = 200 * number + 150
            if rng.random() < share:
                begin = place - int(rng.integers(NEAR, FAR + 1))
                text[begin : begin + WORD] = list(POINT)
            real[place, 0] = True
        codes = encode("".join(text))
        if contig:
            codes, real = reverse_complement(codes), real[::-1, ::-1]
        contigs.append(codes)
        marks.append(real)
    return genome_of(*contigs, code=1), np.concatenate(marks)


def index_of(word):
    return sum("ACGT".index(base) * 4 ** (len(word) - 1 - i) for i, base in enumerate(word))


def test_a_planted_branch_point_is_found_on_both_strands():
    genome, real = planted()
    found = branch_point(genome, real, np.ones(len(real), dtype=bool))
    assert found.word == index_of(POINT)
    having, introns = sum(POINT in decode(w) for w in windows(genome, real)), real.sum()
    assert 0.7 < having / introns < 0.95
    often = sum(text.count(POINT) for c in genome.contigs["contig"] for text in both(genome, c))
    words = sum(len(text) - WORD + 1 for c in genome.contigs["contig"] for text in both(genome, c))
    chance = 1 - (1 - (often + PSEUDO) / (words + PSEUDO * 4**WORD)) ** (FAR - NEAR + 1)
    share = (having + PSEUDO * chance) / (introns + PSEUDO)
    assert found.present == pytest.approx(math.log(share / chance))
    assert found.absent == pytest.approx(math.log((1 - share) / (1 - chance)))


def both(genome, contig):
    codes = np.asarray(genome.contig_codes(contig)) & 7
    return decode(codes), decode(reverse_complement(codes))


def windows(genome, real):
    """Codes in which the word may lie, for each true acceptor."""
    for c in genome.contigs.itertuples():
        codes = np.asarray(genome.contig_codes(c.contig)) & 7
        marks = real[c.offset : c.offset + c.length]
        for side, text in enumerate((codes, reverse_complement(codes))):
            for place in np.flatnonzero(marks[:: 1 if side == 0 else -1, side]):
                yield text[max(place - FAR, 0) : max(place - NEAR + WORD, 0)]


def test_scores_equal_a_look_at_every_window():
    genome, real = planted(1, sites=20)
    found = branch_point(genome, real, np.ones(len(real), dtype=bool))
    codes = genome.contig_codes("c0").copy()
    codes[::97] |= 8  # soft-masked
    scores = found.scores(codes)
    for side, text in enumerate((decode(codes & 7), decode(reverse_complement(codes & 7)))):
        for place in range(len(text)):
            held = POINT in text[max(place - FAR, 0) : max(place - NEAR + WORD, 0)]
            row = place if side == 0 else len(text) - 1 - place
            assert scores[row, side] == np.float32(found.present if held else found.absent)
    assert 0.01 < (scores == np.float32(found.present)).mean() < 0.5


def test_only_usable_bases_are_counted():
    genome, real = planted(2)
    half = np.arange(len(real)) < genome.contigs["length"].iloc[0]
    hidden = real.copy()
    hidden[~half] = False
    assert branch_point(genome, real, half) == branch_point(genome, hidden, half)
    assert branch_point(genome, real, half) != branch_point(genome, real, ~half)


def test_without_introns_nothing_is_said():
    genome, real = planted(3, sites=5)
    found = branch_point(genome, np.zeros_like(real), np.ones(len(real), dtype=bool))
    assert found.present == found.absent == 0


def test_random_introns_have_a_weak_word():
    genome, real = planted(4, share=0.0, sites=200)
    strong = branch_point(*planted(4, sites=200), np.ones(len(real), dtype=bool))
    weak = branch_point(genome, real, np.ones(len(real), dtype=bool))
    assert abs(weak.absent) < 0.1 < abs(strong.absent)
