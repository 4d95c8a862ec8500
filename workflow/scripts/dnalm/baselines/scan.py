"""What a scan of a sample is compared with: the Markov mixture, looking words up, and chance."""

import numpy as np

from dnalm.baselines.flanks import FLANKS
from dnalm.baselines.kmer_lookup import K, words_at
from dnalm.baselines.markov import ORDERS, count_around
from dnalm.baselines.mixture import Mixture
from dnalm.baselines.substitutions import each_direction
from dnalm.io.fasta import Genome
from dnalm.models.memory import NgramMemory
from dnalm.variants.repairs import Reading

#: Bases that are looked up at once.
PIECE = 1 << 16


def markov_readings(genome: Genome, whole: Genome, training: np.ndarray, choices: dict):
    """`Reading` of a sample in order, by the Markov mixture of training intervals (n, 2) of ``whole``.

    ``choices`` are what `dnalm.baselines.language.language_baselines` chose. What a base is given both sides is the
    product of both directions.
    """
    memory = NgramMemory.from_genomes([whole], [training], ORDERS, FLANKS)
    mixture = Mixture.load(list(choices["smoothing"].values()), choices["mixture"])
    offsets = genome.contigs["offset"].to_numpy()
    start = 0
    for piece in count_around(memory, genome, np.stack([offsets, offsets + genome.contigs["length"].to_numpy()], 1)):
        ahead, behind = each_direction(mixture, piece)
        first = np.zeros(len(ahead), dtype=bool)
        first[0] = start in offsets
        yield Reading(start, piece.target, first, ahead + behind, ahead, behind)
        start += len(ahead)


def training_words(whole: Genome, training: np.ndarray) -> np.ndarray:
    """Sorted words of `K` bases that lie in training intervals (n, 2) from end to end, both strands alike."""
    middle = [np.arange(a + K // 2, b - K // 2) for a, b in training]
    return np.unique(words_at(whole, np.concatenate(middle)) if middle else np.zeros(0, dtype=np.int64))


def unseen_around(genome: Genome, seen: np.ndarray, seed: int):
    """Of every base, how many of the `K` words over it are not among those ``seen``; pieces (start, score, low, high).

    Words with an N count as seen. Equal scores get a random order, so that none depends on where it stands: they differ
    by less than one.
    """
    yield from _pieces(genome, lambda low, high: _unseen(genome, seen, low, high), seed)


def chance(genome: Genome, seed: int):
    """Random scores, as `unseen_around` gives its own."""
    yield from _pieces(genome, lambda low, high: np.zeros(high - low), seed)


def _unseen(genome: Genome, seen: np.ndarray, low: int, high: int) -> np.ndarray:
    half = K // 2
    middle = np.arange(max(low - half, 0), min(high + half, len(genome.codes)))
    words = words_at(genome, middle)
    new = np.zeros(high - low + 2 * half)
    slot = np.searchsorted(seen, words)
    known = (words < 0) | (np.append(seen, -1)[slot] == words)
    new[middle - (low - half)] = ~known
    total = np.concatenate([[0], np.cumsum(new)])
    return total[K:] - total[:-K]


def _pieces(genome: Genome, score, seed: int):
    """Pieces that overlap by 64 bases to each side; -inf at an N."""
    for start in range(0, len(genome.codes), PIECE):
        low, high = max(start - 64, 0), min(start + PIECE + 64, len(genome.codes))
        place = np.arange(low, high)
        noise = _noise(place, seed)
        values = np.where(np.asarray(genome.codes[low:high]) & 7 < 4, score(low, high) + 0.9 * noise, -np.inf)
        yield low, values, start - low, min(start + PIECE, len(genome.codes)) - low


def _noise(place: np.ndarray, seed: int) -> np.ndarray:
    """A number from 0 to 1 that hangs on place and seed alone (the mixing step of SplitMix64, Steele et al. 2014)."""
    golden = 0x9E3779B97F4A7C15
    x = (place.astype(np.uint64) + np.uint64((seed + 1) * golden % 2**64)) * np.uint64(golden)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))).astype(np.float64) / 2**64
