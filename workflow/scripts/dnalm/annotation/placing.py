"""Where the features of an annotation lie in the sequence."""

import numpy as np
import pandas as pd

from dnalm.contigs.assembly_names import AssemblyError


class Placing:
    """Finds the contig of a feature and refuses what lies off its end.

    Parameters
    ----------
    lengths : dict
        Bases of every contig of the sequence.
    names : dict, optional
        Contig of every name of the annotation, None where features are left out (`match_contigs`).
    circular : set
        Contigs on which a feature may run past the end.
    """

    def __init__(self, lengths: dict[str, int], names: dict | None = None, circular=frozenset()):
        self.lengths, self.names, self.circular = lengths, names or {}, circular

    def __call__(self, name: str, start: int, end: int, where: str) -> str | None:
        """Contig of the interval [start, end] (1-based, both included), None if it is left out.

        Raises
        ------
        AssemblyError
            If the sequence has no such contig, or the interval lies off its end.
        """
        contig = self.names.get(name, name)
        if contig is None:
            return None
        if contig not in self.lengths:
            known = ", ".join(list(self.lengths)[:5])
            raise AssemblyError(f"contig {contig!r} is not in the sequence", where, f"It has {known}")
        length = self.lengths[contig]
        if end > length and (contig not in self.circular or end > 2 * length or start > length):
            raise AssemblyError(
                f"{contig}:{start}-{end} is off the contig's end ({length} bases)", where,
                "Is this the annotation of another assembly?",
            )  # fmt: skip
        return contig


def split_at_origin(features: pd.DataFrame, lengths: dict[str, int]) -> pd.DataFrame:
    """The table with features that run past the end of their contig, which is circular, cut at its origin.

    What lies behind the end is counted from the origin on. The phase of the part that is read later follows from that
    of the earlier one. Such parts come below all other rows.
    """
    length = features["contig"].map(lengths).to_numpy(np.int64)
    over = features["end"].to_numpy() > length
    if not over.any():
        return features
    rows, length = features[over], length[over]
    start, end, phase = (rows[name].to_numpy(np.int64) for name in ("start", "end", "phase"))
    before, behind = length - start, end - length  # no part is left before the end where a feature begins behind it
    forward, known = (rows["strand"] != "-").to_numpy(), (phase >= 0) & (before > 0)
    later = np.where(known, (phase - np.where(forward, before, behind)) % 3, phase)
    first, last = np.where(forward, phase, later), np.where(forward, later, phase)
    ends = rows.assign(end=length, phase=first.astype(np.int8))[before > 0]
    begins = rows.assign(start=np.maximum(start - length, 0), end=behind, phase=last.astype(np.int8))
    return pd.concat([features[~over], ends, begins], ignore_index=True)
