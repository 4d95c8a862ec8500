"""Rules in a predicted frame, against the sequence changed by hand."""

import numpy as np
import pandas as pd
from helpers.genomes import genome_of

from dnalm.baselines.variants import codon_unseen, codon_usage, position_3
from dnalm.variants.codon_frames import CodonFrames

#: ATG AAA GCC TAA between bases without a frame, and its reverse complement behind it.
GENE = "ATGAAAGCCTAA"
GENOME = genome_of("CC" + GENE + "GG" + "TTAGGCTTTCAT")
CALLS = pd.DataFrame({"contig": "c0", "start": [2, 16], "end": [14, 28], "strand": ["+", "-"], "score": 1.0})
FRAMES = CodonFrames.of(GENOME, CALLS)


def index(codon):
    return "ACGT".index(codon[0]) * 16 + "ACGT".index(codon[1]) * 4 + "ACGT".index(codon[2])


def counts():
    out = np.arange(64.0) + 1
    out[index("TAA")] = 0
    return out


#: Bases of the first gene's AAA, of the same in the second gene (read backwards), and one without a frame.
POSITION = np.array([5, 6, 7, 7, 24, 23, 22, 0])
ALT = np.array([3, 1, 2, 3, 0, 2, 1, 0])  # on the forward strand
AFTER = ["TAA", "ACA", "AAG", "AAT", "TAA", "ACA", "AAG"]


def test_the_changed_codons_are_those_of_the_changed_gene():
    assert FRAMES.alternative(POSITION, ALT).tolist() == [*map(index, AFTER), -1]


def test_unseen_codons():
    assert codon_unseen(FRAMES, counts(), POSITION, ALT).tolist() == [1, 0, 0, 0, 1, 0, 0, 0]


def test_third_positions_are_harmless_unless_the_codon_is_never_seen():
    assert position_3(FRAMES, counts(), POSITION, ALT).tolist() == [2, 1, 0, 0, 2, 1, 0, 1]


def test_usage_is_the_log_ratio_of_counts():
    n = counts() + 1
    expected = [np.log(n[index("AAA")] / n[index(after)]) for after in AFTER]
    np.testing.assert_allclose(codon_usage(FRAMES, counts(), POSITION, ALT), [*expected, 0])
