"""Alignments of genomes in minimap2's PAF format, with the differences that its ``cs`` tag spells out.

The target is the reference and always stands forward; a query that is aligned in reverse has been turned round, so that
``*ag`` is a reference A and a query G on the reference's forward strand whichever way the query lies.
"""

import re
from dataclasses import dataclass

import numpy as np

from dnalm.errors import InputError
from dnalm.io.text_files import numbered_lines

#: An operation of the short form: identical bases, a substitution, an insertion, a deletion.
OPERATION = re.compile(r":([0-9]+)|\*([a-z])([a-z])|([+-])([a-z]+)")
REDO = "Align with minimap2 -c --cs, with the reference as target"


@dataclass(frozen=True, eq=False)
class Block:
    """One alignment; all positions are 0-based and half-open, on the forward strand of their own contig.

    ``place`` int64 (n,), ``query_place`` int64 (n,), ``ref`` and ``alt`` uint8 (n,): the substitutions, with the place
    on the target and on the query and the bases 0..3 (4 for others) on the target's forward strand. ``gaps`` int64
    (k, 2): target bases [start, end) that are deleted, empty ones where the query has more. ``matched`` int64 (m, 2):
    target bases that face a query base, between the gaps; ``query_matched`` the same bases on the query.
    """

    contig: str
    start: int
    end: int
    query: str
    query_start: int
    query_end: int
    reverse: bool
    quality: int
    primary: bool
    place: np.ndarray
    query_place: np.ndarray
    ref: np.ndarray
    alt: np.ndarray
    gaps: np.ndarray
    matched: np.ndarray
    query_matched: np.ndarray


def read_paf(path) -> list[Block]:
    """All alignments of a PAF file (plain or gzip), in its order.

    Raises
    ------
    InputError
        With ``file:line`` for a line that is no PAF record, has no ``cs`` tag, or whose ``cs`` tag does not span what
        the record says.
    """
    return [_block(line.decode("utf-8", "replace"), f"{path}:{n}") for n, line in numbered_lines(path) if line]


def _block(line: str, where: str) -> Block:
    fields = line.split("\t")
    try:
        query, query_start, query_end, strand = fields[0], int(fields[2]), int(fields[3]), "+-".index(fields[4])
        contig, start, end, quality = fields[5], int(fields[7]), int(fields[8]), int(fields[11])
    except (IndexError, ValueError) as error:
        raise InputError("this is no line of a PAF file", where, REDO) from error
    tags = dict(tag.split(":", 2)[::2] for tag in fields[12:] if tag.count(":") >= 2)
    if "cs" not in tags:
        raise InputError("the alignment has no cs tag, which spells its differences out", where, REDO)
    reverse = bool(strand)
    found = _walk(tags["cs"], start, end, query_start, query_end, reverse, where)
    primary = tags.get("tp", "P") == "P"
    return Block(contig, start, end, query, query_start, query_end, reverse, quality, primary, **found)


def _walk(cs: str, start: int, end: int, query_start: int, query_end: int, reverse: bool, where: str) -> dict:
    """Substitutions, gaps and matched stretches of a ``cs`` tag."""
    operations, read = OPERATION.findall(cs), sum(len(m[0]) for m in OPERATION.finditer(cs))
    if read != len(cs):
        raise InputError(f"the cs tag has something else than :n, *ab, +a and -a ({cs[:20]}...)", where, REDO)
    same = np.array([int(op[0] or 0) for op in operations], dtype=np.int64)
    changed = np.array([bool(op[1]) for op in operations], dtype=bool)
    more = np.array([len(op[4]) if op[3] == "+" else 0 for op in operations], dtype=np.int64)
    less = np.array([len(op[4]) if op[3] == "-" else 0 for op in operations], dtype=np.int64)
    on_target, on_query = same + changed + less, same + changed + more
    if on_target.sum() != end - start or on_query.sum() != query_end - query_start:
        raise InputError(
            f"the cs tag spans {on_target.sum()} and {on_query.sum()} bases, the record {end - start} and "
            f"{query_end - query_start}", where, REDO,
        )  # fmt: skip
    place, along = start + np.cumsum(on_target) - on_target, np.cumsum(on_query) - on_query
    gap, both = more + less > 0, same + changed
    query_low = query_end - along - both if reverse else query_start + along
    letters = [(op[1], op[2]) for op in operations if op[1]]
    ref, alt = (np.array(["acgt".find(pair[k]) % 5 for pair in letters], dtype=np.uint8) for k in (0, 1))
    spans = ((place, place + less, gap), (place, place + both, ~gap), (query_low, query_low + both, ~gap))
    gaps, matched, query_matched = (np.stack([a[kept], b[kept]], axis=1) for a, b, kept in spans)
    return {
        "place": place[changed], "query_place": query_low[changed], "ref": ref, "alt": alt, "gaps": gaps,
        "matched": matched, "query_matched": query_matched,
    }  # fmt: skip
