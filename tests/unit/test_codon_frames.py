"""Reading frames of gene calls: against slices of the sequence, base by base."""

import logging

import numpy as np
import pandas as pd
import pytest
from helpers.genomes import genome_of

from dnalm.errors import InputError
from dnalm.sequence.alphabet import decode, reverse_complement
from dnalm.variants.codon_frames import CodonFrames, shifted

CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]


def calls_of(*rows):
    """Calls from (contig, start, end, strand, score)."""
    return pd.DataFrame(rows, columns=["contig", "start", "end", "strand", "score"])


def random_genome(seed=1, circular=True):
    rng = np.random.default_rng(seed)
    return genome_of(*(rng.choice(5, n, p=[0.24] * 4 + [0.04]) for n in (200, 331)), circular=circular)


#: Overlaps on both strands, a call across the origin, a nested one, two of the same score.
CALLS = calls_of(
    ("c0", 10, 70, "+", 0.9), ("c0", 60, 120, "-", 0.8), ("c0", 150, 213, "+", 0.7), ("c0", 30, 42, "-", 0.95),
    ("c1", 5, 65, "-", 1.0), ("c1", 50, 140, "+", 1.0), ("c1", 300, 360, "-", 0.2),
)  # fmt: skip


def letters_of(genome, call):
    codes = genome.fetch(call.contig, call.start, call.end)
    return decode(codes if call.strand == "+" else reverse_complement(codes))


def test_codons_of_calls_are_those_of_the_sequence():
    genome = random_genome()
    frames = CodonFrames.of(genome, CALLS)
    at = 0
    for number, call in enumerate(CALLS.itertuples(index=False)):
        text = letters_of(genome, call)
        for i in range(0, len(text), 3):
            expected = CODONS.index(text[i : i + 3]) if text[i : i + 3] in CODONS else -1
            place = call.start + i + 1 if call.strand == "+" else call.end - i - 2
            assert frames.codons[at] == expected
            assert frames.call[at] == number
            assert frames.middle[at] == genome.offset(call.contig) + place % genome.length(call.contig)
            assert frames.edge[at] == (i in (0, len(text) - 3))
            at += 1
    assert at == len(frames.codons) and (frames.codons < 0).any()


def test_a_base_has_the_frame_of_the_best_call_over_it():
    genome = random_genome()
    frames = CodonFrames.of(genome, CALLS)
    for contig in ("c0", "c1"):
        size, offset = genome.length(contig), genome.offset(contig)
        calls = [(c, letters_of(genome, c)) for c in CALLS.itertuples(index=False) if c.contig == contig]
        for p in range(size):
            over = [
                (c.score, c.end - c.start, c, text)
                for c, text in calls
                if c.start <= p < c.end or c.start <= p + size < c.end
            ]
            at = offset + p
            if not over:
                assert frames.codon[at] == frames.place[at] == -1
                continue
            call, text = max(over, key=lambda row: row[:2])[2:]
            inside = (p - call.start) % size if call.strand == "+" else (call.end - 1 - p) % size
            text = text[inside // 3 * 3 :][:3]
            assert frames.reverse[at] == (call.strand == "-")
            assert frames.codon[at] == (CODONS.index(text) if text in CODONS else -1)
            assert frames.place[at] == (inside % 3 if text in CODONS else -1)


def test_an_alternative_is_the_codon_of_the_changed_sequence():
    genome = random_genome()
    frames = CodonFrames.of(genome, CALLS)
    for position in np.flatnonzero(frames.codon >= 0)[::7]:
        for alt in (position % 4, (position + 1) % 4):
            codes = genome.codes.copy()
            codes[position] = alt
            changed = CodonFrames.of(type(genome)("g", codes, genome.contigs, "x"), CALLS)
            assert frames.alternative(np.array([position]), np.array([alt]))[0] == changed.codon[position]
    outside = np.flatnonzero(frames.codon < 0)
    assert (frames.alternative(outside, np.zeros(len(outside), dtype=np.int8)) == -1).all()


def test_shifted_calls_are_read_one_base_later():
    genome = random_genome()
    one, two = CALLS[:4], shifted(CALLS[:4])
    for a, b in zip(one.itertuples(index=False), two.itertuples(index=False), strict=True):
        assert letters_of(genome, b) == letters_of(genome, a)[1:-2]


def test_calls_that_are_no_whole_codons_are_left_out_and_named(caplog):
    odd = calls_of(("c0", 10, 70, "+", 0.9), ("c1", 20, 40, "-", 0.9))
    with caplog.at_level(logging.WARNING):
        frames = CodonFrames.of(random_genome(), odd)
    assert "1 of 2 calls" in caplog.text and "c1:21-40" in caplog.text
    assert len(frames.codons) == 20


def test_no_calls_give_no_frame():
    empty = pd.DataFrame(columns=["contig", "start", "end", "strand", "score"])
    frames = CodonFrames.of(random_genome(), empty)
    assert len(frames.codons) == 0 and (frames.codon == -1).all()


def test_calls_on_a_contig_that_is_not_there_are_refused():
    with pytest.raises(InputError, match="'chr1'"):
        CodonFrames.of(random_genome(), calls_of(("chr1", 0, 30, "+", 1.0)))
