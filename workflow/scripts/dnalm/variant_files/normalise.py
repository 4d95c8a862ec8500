"""Alleles of a file of variants at their leftmost places, so that equivalent records get equal scores and consequences.

Genes of both strands are treated alike: of the equivalent places it is the first in a gene of the forward strand, and
the last in one of the reverse strand.
"""

import numpy as np
import pandas as pd

from dnalm.sequence.left_align import left_align


def normalised(genome, alleles: pd.DataFrame) -> pd.DataFrame:
    """A table of alleles with those that have no flag at their leftmost places.

    Columns are `dnalm.variant_files.alleles.COLUMNS`. ``position``, ``ref`` and ``alt_bases`` change; the record that
    they are of does not.
    """
    rows = np.flatnonzero((alleles["flag"] == "").to_numpy() & alleles["kind"].isin(["insertion", "deletion"]))
    first = genome.contigs.set_index("contig")["offset"].reindex(alleles["contig"].iloc[rows]).to_numpy(np.int64)
    columns = ["position", "ref", "alt_bases"]
    texts = (alleles[name].iloc[rows].tolist() for name in columns[1:])
    found = left_align(genome.codes, alleles["position"].to_numpy()[rows], *texts, first)
    changed = alleles.copy()
    for name, values in zip(columns, found, strict=True):
        column = changed[name].to_numpy(copy=True)
        column[rows] = values
        changed[name] = pd.Series(column, index=alleles.index, dtype=alleles[name].dtype)
    return changed
