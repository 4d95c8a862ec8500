"""The first genes, found without knowing the genome: reading frames whose protein looks like a protein.

Every long reading frame is scored by the amino acids it would make, at their average share in known proteins (UniProt
Swiss-Prot, release statistics), against their share in all six frames of the genome. Chance reading frames follow the
genome's own composition, whatever its GC content.
"""

import numpy as np

from dnalm.genefinder.candidates import Candidates
from dnalm.sequence.genetic_code import codon_index, genetic_code

#: Amino acids of the average protein in percent.
PROTEIN = {
    "A": 8.25, "Q": 3.93, "L": 9.65, "S": 6.65, "R": 5.53, "E": 6.72, "K": 5.80, "T": 5.36, "N": 4.06, "G": 7.07,
    "M": 2.41, "W": 1.10, "D": 5.46, "H": 2.27, "F": 3.86, "Y": 2.92, "C": 1.38, "I": 5.91, "P": 4.74, "V": 6.86,
}  # fmt: skip
#: Shortest reading frames that are looked at, in bases.
LONG = 300


def protein_gains(counts: np.ndarray, code: int) -> np.ndarray:
    """Log-ratio of an amino acid's share in proteins to its share in the six frames, by codon, (64,).

    ``counts`` (64,) are the codons of all six frames.
    """
    amino = np.array(list(genetic_code(code)[0]))
    counts = np.where(amino == "*", 0, counts)
    gains = np.zeros(64)
    for letter, percent in PROTEIN.items():
        mine = amino == letter
        gains[mine] = np.log(percent / 100) - np.log((counts[mine].sum() + 1) / (counts.sum() + 20))
    return gains


def likely_codons(texts: np.ndarray, code: int) -> np.ndarray:
    """Codons' shares in the average protein, synonymous ones by their share in the six frames, (64,)."""
    counts = six_frames([codon_index(text) for text in texts]) + 1.0
    amino = np.array(list(genetic_code(code)[0]))
    shares = np.zeros(64)
    for letter, percent in PROTEIN.items():
        mine = amino == letter
        shares[mine] = percent / 100 * counts[mine] / counts[mine].sum()
    return shares / shares.sum()


def six_frames(codons: list[np.ndarray]) -> np.ndarray:
    """Counts of the codons that begin at any base of the two texts, (64,)."""
    return sum(np.bincount(codon[codon >= 0], minlength=64) for codon in codons)


def protein_score(c: Candidates) -> np.ndarray:
    """Summed gains of the amino acids of every candidate, in nats."""
    codons = [codon_index(text) for text in c.texts]
    counts = six_frames(codons)
    out = np.empty(len(c))
    for code in np.unique(c.code):
        gains = protein_gains(counts, int(code))
        for side, codon in enumerate(codons):
            value = np.where(codon >= 0, gains[codon], 0.0)
            sums = np.zeros((3, len(value) // 3 + 2))
            for frame in range(3):
                part = value[frame::3]
                sums[frame, 1 : len(part) + 1] = np.cumsum(part)
            mine = (c.side == side) & (c.code == code)
            first, last = c.first[mine], c.last[mine] - 3
            out[mine] = sums[first % 3, last // 3] - sums[first % 3, first // 3]
    return out
