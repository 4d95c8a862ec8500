"""Amino acids as numbers: properties of single ones, and how different two of them are.

Substitution matrices and hydropathy (Kyte and Doolittle 1982) come from Biopython. Composition, polarity and volume,
and the distance made of them, are those of Grantham (1974), *Science* 185:862; his table of distances is rounded, the
formula gives it within 1.5.
"""

from functools import cache

import numpy as np
from Bio.Align import substitution_matrices
from Bio.SeqUtils.ProtParamData import kd

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
#: Composition (weight of atoms other than carbon in the side chain to carbon), polarity, molecular volume.
GRANTHAM = {
    "A": (0.00, 8.1, 31.0), "R": (0.65, 10.5, 124.0), "N": (1.33, 11.6, 56.0), "D": (1.38, 13.0, 54.0),
    "C": (2.75, 5.5, 55.0), "Q": (0.89, 10.5, 85.0), "E": (0.92, 12.3, 83.0), "G": (0.74, 9.0, 3.0),
    "H": (0.58, 10.4, 96.0), "I": (0.00, 5.2, 111.0), "L": (0.00, 4.9, 111.0), "K": (0.33, 11.3, 119.0),
    "M": (0.00, 5.7, 105.0), "F": (0.00, 5.2, 132.0), "P": (0.39, 8.0, 32.5), "S": (1.42, 9.2, 32.0),
    "T": (0.71, 8.6, 61.0), "W": (0.13, 5.4, 170.0), "Y": (0.20, 6.2, 136.0), "V": (0.00, 5.9, 84.0),
}  # fmt: skip
#: Weights of the squared differences of the three, and the scale that makes the mean distance 100.
WEIGHTS, SCALE = np.array([1.833, 0.1018, 0.000399]), 50.723
CHARGE = {"D": -1.0, "E": -1.0, "K": 1.0, "R": 1.0, "H": 0.1}
MATRICES = ("BLOSUM62", "PAM250", "GONNET1992")


def numbered(letters) -> np.ndarray:
    """Places (n,) of amino acids in `LETTERS`; -1 for anything else: stops, unknown ones, none."""
    place = {letter: i for i, letter in enumerate(LETTERS)}
    return np.array([place.get(letter, -1) for letter in letters], dtype=np.int64)


@cache
def properties() -> dict[str, np.ndarray]:
    """Properties of the twenty amino acids in the order of `LETTERS`, each (20,)."""
    grantham = np.array([GRANTHAM[letter] for letter in LETTERS])
    return {
        "hydropathy": np.array([kd[letter] for letter in LETTERS]),
        "composition": grantham[:, 0], "polarity": grantham[:, 1], "volume": grantham[:, 2],
        "charge": np.array([CHARGE.get(letter, 0.0) for letter in LETTERS]),
    }  # fmt: skip


@cache
def matrices() -> dict[str, np.ndarray]:
    """How different two amino acids are, each (20, 20), higher for less alike: minus the scores of matrices."""
    loaded = {name: substitution_matrices.load(name) for name in MATRICES}
    out = {name.lower(): -np.array([[m[a][b] for b in LETTERS] for a in LETTERS]) for name, m in loaded.items()}
    table = np.array([GRANTHAM[letter] for letter in LETTERS])
    return out | {"grantham": SCALE * np.sqrt(((table[:, None] - table[None]) ** 2) @ WEIGHTS)}
