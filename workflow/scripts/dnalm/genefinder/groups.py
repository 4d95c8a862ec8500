"""Candidates by their stop codon."""

import numpy as np

from dnalm.genefinder.candidates import Candidates


def best_of_group(c: Candidates, index: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The candidates of ``index`` with the largest ``value`` (parallel to it) at every stop codon, in stop order."""
    order = np.lexsort((value, c.group[index]))
    last = np.diff(c.group[index][order], append=-1) != 0
    return index[order[last]]


def per_group(c: Candidates, index: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Largest ``value`` at every stop codon, (groups,); minus infinity where there is none."""
    out = np.full(c.groups, -np.inf)
    np.maximum.at(out, c.group[index], value)
    return out
