"""Places of contigs and of all of them: there and back, and as the genome itself says it."""

import numpy as np
import pandas as pd
from helpers.genomes import genome_of
from helpers.models import random_codes

from dnalm.variants.places import global_position, in_contigs, place_in_contigs


def test_places_are_those_of_the_genome():
    genome = genome_of(*(random_codes(n, n) for n in (300, 1, 70)))
    position = np.array([370, 0, 299, 300, 301, 12])
    table = pd.DataFrame({"method": "x", "position": position, "score": 1.5})
    placed = in_contigs(table, genome.contigs)
    assert list(placed) == ["method", "contig", "position", "score"]
    assert list(zip(placed["contig"], placed["position"], strict=True)) == [genome.locate(p) for p in position]
    assert placed["position"].tolist() == [69, 0, 299, 0, 0, 12]
    assert global_position(placed, genome.contigs).tolist() == position.tolist()
    other = placed.rename(columns={"position": "original"})
    assert global_position(other, genome.contigs, "original").tolist() == position.tolist()


def test_nothing_has_no_place():
    genome = genome_of("ACGT", "AC")
    placed = in_contigs(pd.DataFrame({"position": np.zeros(0, dtype=np.int64)}), genome.contigs)
    assert list(placed) == ["contig", "position"] and placed.empty
    assert len(global_position(placed, genome.contigs)) == 0 and len(place_in_contigs(genome.contigs, [])[0]) == 0
