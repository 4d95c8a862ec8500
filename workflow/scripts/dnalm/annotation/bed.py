"""Intervals in the field's formats: BED in; sorted bgzip BED with a tabix index and bigWig out.

BED is 0-based and half-open like everything in dnalm. Columns after the sixth are not read: an interval of blocks
(BED12) counts as a whole.
"""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from dnalm.contigs.names import Landmark, forms, match_contigs, read_aliases
from dnalm.errors import InputError
from dnalm.io.tabix import write_index
from dnalm.io.tables import atomic_path
from dnalm.io.text_files import numbered_lines

log = logging.getLogger(__name__)
COLUMNS = ["contig", "start", "end", "strand"]
#: Decimals of the probabilities in a bigWig file.
DIGITS = 3


def read_bed(path, lengths: dict[str, int], stranded: bool = False, aliases=None, region: dict | None = None):
    """Intervals of a BED file on the contigs of a genome.

    Parameters
    ----------
    lengths : dict
        Bases of every contig.
    stranded : bool
        Whether every interval must say its strand; else all are of strand ``.``.
    aliases : path, optional
        Table of contig names, as `dnalm.contigs.names.read_aliases` takes it.
    region : dict, optional
        The genome's only contig is this slice (start, end) of the one that the file calls by the same name, or by a
        common form of it (``chr1`` for ``1``): intervals are cut to it, and counted in the log.

    Returns
    -------
    DataFrame with the columns contig, start, end, strand; in the order of the file

    Raises
    ------
    InputError
        With ``file:line`` for a line that is no interval, an unknown contig, or an interval beyond the contig.
    """
    rows = [_interval(f"{path}:{number}", line, stranded) for number, line in _lines(path)]
    table = pd.DataFrame(rows, columns=[*COLUMNS, "where"])
    if table.empty:
        raise InputError("the file holds no interval", str(path), "Give a BED file with at least one line")
    if region is not None:
        return _cut_to(table, lengths, region, path)[COLUMNS]
    names = _match(table, lengths, path, aliases)
    contig = table["contig"].map(names)
    beyond = table["end"] > contig.map(lengths)  # False where a contig is left out, whose length is NaN
    if beyond.any():
        first = table[beyond].iloc[0]
        raise InputError(
            f"the interval ends at {first['end']}, the contig has {lengths[names[first['contig']]]} bases",
            first["where"], "Give intervals of this assembly",
        )  # fmt: skip
    return table.assign(contig=contig)[contig.notna()][COLUMNS].reset_index(drop=True)


def _lines(path):
    """Numbered lines that should hold an interval."""
    for number, line in numbered_lines(path):
        if line.strip() and not line.startswith((b"#", b"track ", b"browser ")):
            yield number, line.decode("utf-8", "replace")


def _interval(where: str, line: str, stranded: bool) -> tuple:
    """(contig, start, end, strand, where) of a line."""
    words = line.split("\t")
    if len(words) < 3 or not (words[1].isdecimal() and words[2].isdecimal()):
        raise InputError("not an interval", where, "Write contig, start and end (whole numbers) with tabs between them")
    start, end = int(words[1]), int(words[2])
    if start >= end:
        raise InputError(f"start {start} is not below end {end}", where, "BED is 0-based, and the end is not included")
    strand = words[5].strip() if len(words) > 5 else "."
    if stranded and strand not in ("+", "-"):
        raise InputError(f"strand {strand!r}", where, "Write + or - as the sixth column, or set stranded: false")
    return words[0], start, end, strand if stranded else ".", where


def _match(table: pd.DataFrame, lengths: dict[str, int], path, aliases) -> dict[str, str | None]:
    """Contig of every name in the file, None for one that is left out."""
    first = table.drop_duplicates("contig").set_index("contig")["where"].str.rpartition(":")[2].astype(int)
    ends = table.groupby("contig")["end"].max()
    found = {name: Landmark(line=int(line), end=int(ends[name])) for name, line in first.items()}
    return match_contigs(found, lengths, path, read_aliases(aliases, lengths) if aliases else None)


def _cut_to(table: pd.DataFrame, lengths: dict[str, int], region: dict, path) -> pd.DataFrame:
    """The intervals of a slice, in its positions."""
    (name,) = lengths
    mine = [contig for contig in table["contig"].unique() if contig == name or forms(contig) & forms(name)]
    if name in mine or len(mine) > 1:
        mine = [name]
    here = table[table["contig"].isin(mine) & (table["start"] < region["end"]) & (table["end"] > region["start"])]
    if here.empty:
        raise InputError(f"no interval on {name} within the region", str(path), "Check contig names and positions")
    crossing = ((here["start"] < region["start"]) | (here["end"] > region["end"])).sum()
    log.info("%s: %d intervals beyond the region left out, %d cut at its edge", path, len(table) - len(here), crossing)
    spans = {c: here[c].clip(region["start"], region["end"]) - region["start"] for c in ("start", "end")}
    return here.assign(contig=name, **spans).reset_index(drop=True)


def write_bed(table: pd.DataFrame, lengths: dict[str, int], path) -> None:
    """Write a table whose first columns are those of BED, sorted, as bgzip with a tabix index beside it."""
    order = {name: i for i, name in enumerate(lengths)}
    rank = table["contig"].map(order)
    table = table.assign(rank=rank).sort_values(["rank", "start", "end"], kind="stable").drop(columns="rank")
    with atomic_path(path) as temporary:
        plain = Path(f"{temporary}.plain")
        head = "#" + "\t".join(table.columns) + "\n"
        plain.write_text(head + table.to_csv(sep="\t", index=False, header=False, lineterminator="\n"))
        pysam.tabix_compress(str(plain), str(temporary), force=True)
        plain.unlink()
        write_index(temporary, path, max(lengths.values(), default=0), "bed")


def runs_of(values: np.ndarray) -> np.ndarray:
    """Edges (runs + 1,) of the stretches of equal values."""
    change = np.flatnonzero(values[1:] != values[:-1]) + 1
    return np.concatenate([[0], change, [len(values)]]) if len(values) else np.zeros(1, dtype=np.int64)


def write_bigwig(values: dict[str, np.ndarray], path) -> None:
    """Write per-base values of every contig, rounded to `DIGITS` decimals; NaN leaves a gap."""
    import pybigtools  # a compiled package that nothing else needs

    with atomic_path(path) as temporary:
        file = pybigtools.open(str(temporary), "w")
        file.write({contig: len(v) for contig, v in values.items()}, _stretches(values))


def _stretches(values: dict[str, np.ndarray]):
    """(contig, start, end, value) of equal neighbours; bigWig wants the contigs in the order of their names."""
    for contig in sorted(values):
        rounded = np.round(np.asarray(values[contig], dtype=np.float64), DIGITS)
        edges = runs_of(np.where(np.isnan(rounded), -np.inf, rounded))
        for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
            if not np.isnan(rounded[start]):
                yield contig, start, end, float(rounded[start])
