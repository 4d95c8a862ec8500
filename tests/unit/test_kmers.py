"""Words as numbers, against spelling them."""

import numpy as np

from dnalm.sequence.alphabet import N
from dnalm.sequence.kmers import kmer_index


def test_kmer_index_spells_the_kmer_that_ends_at_a_base():
    codes = np.random.default_rng(0).integers(0, 4, 200).astype(np.uint8)
    codes[[20, 90, 91]] = N
    for k in (1, 2, 6):
        index = kmer_index(codes, k)
        for i in range(200):
            kmer = codes[i - k + 1 : i + 1] if i >= k - 1 else []
            want = int("".join(map(str, kmer)), 4) if len(kmer) == k and max(kmer) < 4 else -1
            assert index[i] == want


def test_texts_that_are_shorter_than_a_word_have_none():
    assert kmer_index(np.zeros(0, dtype=np.uint8), 3).tolist() == []
    assert kmer_index(np.zeros(2, dtype=np.uint8), 3).tolist() == [-1, -1]
