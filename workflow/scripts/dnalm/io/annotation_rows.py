"""What an annotation leaves unsaid or says wrongly, put right or refused; rows are those of the tidy table."""

import logging
from collections import defaultdict

from dnalm.errors import InputError
from dnalm.io.text_files import numbered_lines

log = logging.getLogger(__name__)
#: Tags of Ensembl and GENCODE for a coding sequence whose end was not found.
CUT = {"cds_start_NF", "cds_end_NF"}


def fill_phases(rows: list[dict], path) -> list[dict]:
    """Give coding parts without a phase (-1) the one that the parts before them leave; their number is logged.

    The first part in the direction of reading is taken to begin with a whole codon.
    """
    missing = {(r["contig"], r["id"]) for r in rows if r["type"] == "CDS" and r["phase"] < 0}
    if not missing:
        return rows
    parts = defaultdict(list)
    for r in rows:
        if r["type"] == "CDS" and (r["contig"], r["id"]) in missing:
            parts[r["contig"], r["id"]].append(r)
    count = 0
    for mine in parts.values():
        done = 0
        for r in sorted(mine, key=lambda r: r["start"], reverse=mine[0]["strand"] == "-"):
            if r["phase"] < 0:
                r["phase"] = -done % 3
                count += 1
            done += r["end"] - r["start"] - (0 if done else r["phase"])
    log.info("%s: %d parts of %d coding sequences have no phase; it was counted", path, count, len(parts))
    return rows


def check_parents(rows: list[dict], path) -> None:
    """Refuse features that are their own ancestors; count parents that are not in the file, as in a slice of one.

    Raises
    ------
    InputError
        With ``file:line`` of the first feature in such a circle.
    """
    above = {r["id"]: r["parent"].split(",") for r in rows if r["parent"]}
    done: set[str] = set()
    for name in above:
        trail: dict[str, None] = {}
        _climb(name, above, done, trail, path)
    known = {r["id"] for r in rows}
    orphans = {parent for parents in above.values() for parent in parents if parent and parent not in known}
    if orphans:
        shown = ", ".join(sorted(orphans)[:3])
        log.info("%s: %d parents are named and not there (%s)", path, len(orphans), shown)


def _climb(name: str, above: dict, done: set, trail: dict, path) -> None:
    """Follow parents upwards; what has been followed once is not again."""
    if name in trail:
        circle = [*list(trail)[list(trail).index(name) :], name]
        raise InputError(
            f"features that are their own ancestors: {' below '.join(circle[:5])}", f"{path}:{_line_of(path, name)}",
            "Correct the Parent of one of them",
        )  # fmt: skip
    if name in done or name not in above:
        return
    trail[name] = None
    for parent in above[name]:
        _climb(parent, above, done, trail, path)
    del trail[name]
    done.add(name)


def _line_of(path, name: str) -> int:
    """The first line with a feature of this ID."""
    wanted = f"ID={name}".encode()
    for number, line in numbered_lines(path):
        if wanted in line.rpartition(b"\t")[2].split(b";"):
            return number
    return 1
