"""Where the features of an annotation lie in the sequence."""

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
