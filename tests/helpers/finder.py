"""Candidates and readings of small genomes, made once."""

from functools import cache

import numpy as np

from dnalm.genefinder.candidates import find_candidates
from dnalm.sequence.alphabet import reverse_complement
from helpers.genomes import genome_of


@cache
def random_candidates(seed: int = 0, lengths=(900, 1400), circular: bool = False, minimum: int = 30):
    """Genome of random contigs, one of them with a run of N, and its candidates."""
    rng = np.random.default_rng(seed)
    contigs = [rng.integers(0, 4, size).astype(np.uint8) for size in lengths]
    contigs[0][400:404] = 4
    genome = genome_of(*contigs, circular=circular)
    return genome, find_candidates(genome, minimum)


def mirrored(genome):
    """The genome of the other strand: contigs reverse complemented, in the same order."""
    parts = [reverse_complement(genome.contig_codes(name)) for name in genome.contigs["contig"]]
    return genome_of(*parts, circular=bool(genome.contigs["circular"].iloc[0]))
