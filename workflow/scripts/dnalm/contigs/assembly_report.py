"""What the contigs of an assembly are called elsewhere, how long they are and what they are.

Two kinds of table are read: NCBI's assembly report (``*_assembly_report.txt``), with a name for each archive, lengths
and roles; and UCSC's ``chromAlias.txt``, in its forms with a column per archive and with one alias in a row.
"""

import logging
from dataclasses import dataclass, replace

from dnalm.contigs.roles import ContigRole
from dnalm.errors import InputError
from dnalm.io.text_files import numbered_lines

log = logging.getLogger(__name__)
ACCESSION_COLUMNS = ("genbank-accn", "refseq-accn")
NAME_COLUMNS = ("sequence-name", *ACCESSION_COLUMNS, "ucsc-style-name")
#: Cells that stand for no name.
NOTHING = ("na", "n/a", "<>", "=", "", ".")
#: Archives in the third column of a dump of UCSC's table chromAlias.
ARCHIVES = {"ensembl", "refseq", "genbank", "assembly", "ucsc", "ncbi", "flybase", "custom", "insdc"}
MOLECULES = {
    "mitochondrion": ContigRole("organelle", "mitochondrion", "report"),
    "chloroplast": ContigRole("organelle", "plastid", "report"),
    "apicoplast": ContigRole("organelle", "plastid", "report"),
    "plastid": ContigRole("organelle", "plastid", "report"),
    "kinetoplast": ContigRole("organelle", "mitochondrion", "report"),
    "plasmid": ContigRole("plasmid", "", "report"),
}
ROLES = {
    "assembled-molecule": "chromosome", "unlocalized-scaffold": "unplaced", "unplaced-scaffold": "unplaced",
    "alt-scaffold": "alternate", "fix-patch": "alternate", "novel-patch": "alternate",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A contig: all its names, bases and role (None if unsaid), line of the table, and which names are accessions."""

    names: frozenset[str]
    length: int | None
    role: ContigRole | None
    line: int
    accessions: frozenset[str] = frozenset()


def read_report(path) -> list[Entry]:
    """The contigs of an assembly report of NCBI or of a table of aliases of UCSC.

    Raises
    ------
    InputError
        With ``file:line`` if a row has other columns than the header, a length that is no number, or an accession
        (of a table of UCSC: a name) that another contig has too; or if the file holds no contig.
    """
    entries, header, seen = [], None, {}
    for number, line in numbered_lines(path):
        text, where = line.decode("utf-8", "replace"), f"{path}:{number}"
        words = text.split("\t")
        if text.startswith("#"):
            names = [word.strip().lower() for word in text.lstrip("# ").split("\t")]
            header = names if "sequence-name" in names or "sequence-length" in names else header
        elif text.strip():
            if header:
                entries.append(_reported(words, header, number, where))
            else:
                _add(entries, _aliased(words, number, where), seen, where)
    if not entries:
        raise InputError(
            "the file names no contig", str(path), "Give NCBI's *_assembly_report.txt or UCSC's chromAlias.txt"
        )
    return _told_apart(entries, path) if header else entries


def _told_apart(entries: list[Entry], path) -> list[Entry]:
    """Contigs of NCBI's report without names that several have: submitters call contigs ANONYMOUS."""
    seen, shared = {}, set()
    for entry in entries:
        for name in sorted(entry.names):
            first = seen.setdefault(name, entry)
            if first is not entry and name in entry.accessions | first.accessions:
                what = f"the name {name} is there twice (first in line {first.line})"
                raise InputError(what, f"{path}:{entry.line}", "Keep one line")
            if first is not entry:
                shared.add(name)
    if not shared:
        return entries
    log.info("%s: several contigs have the names %s, which are not used", path, ", ".join(sorted(shared)[:5]))
    return [replace(entry, names=entry.names - shared) for entry in entries]


def _add(entries: list[Entry], entry: Entry, seen: dict[str, int], where: str) -> None:
    """Add a contig of UCSC's; a row of the dump of UCSC adds a name to a contig that is there already."""
    at = {seen[name] for name in entry.names if name in seen}
    if len(at) > 1:
        twice = sorted(name for name in entry.names if name in seen)
        raise InputError(
            f"the name {twice[0]} is there twice (first in line {entries[min(at)].line})", where, "Keep one line"
        )
    if at:
        known = entries[place := at.pop()]
        entries[place] = Entry(known.names | entry.names, known.length, known.role, known.line)
    else:
        place = len(entries)
        entries.append(entry)
    seen |= dict.fromkeys(entry.names, place)


def _reported(words: list[str], header: list[str], number: int, where: str) -> Entry:
    """A row of NCBI's report."""
    if len(words) != len(header):
        raise InputError(f"{len(words)} columns instead of {len(header)}", where, "Fetch the assembly report again")
    row = {key: word.strip() for key, word in zip(header, words, strict=True)}
    names, accessions = (
        frozenset(row[key] for key in columns if row.get(key, "").lower() not in NOTHING)
        for columns in (NAME_COLUMNS, ACCESSION_COLUMNS)
    )
    length = row.get("sequence-length", "na")
    if length not in NOTHING and not length.isdecimal():
        raise InputError(f"a length of {length!r}", where, "Fetch the assembly report again")
    molecule = row.get("assigned-molecule-location/type", "").lower()
    said = ROLES.get(row.get("sequence-role", ""))
    role = MOLECULES.get(molecule) or (ContigRole(said, "", "report") if said else None)
    return Entry(names, int(length) if length.isdecimal() else None, role, number, accessions)


def _aliased(words: list[str], number: int, where: str) -> Entry:
    """A row of UCSC's table: the names of a contig, or an alias, a name and the archives of the alias."""
    if len(words) < 2:
        raise InputError("one column", where, "chromAlias.txt has the names of a contig with tabs between them")
    if len(words) == 3 and set(words[2].strip().lower().split(",")) <= ARCHIVES:
        words = words[:2]
    return Entry(frozenset(w.strip() for w in words if w.strip().lower() not in NOTHING), None, None, number)


def by_name(entries: list[Entry]) -> dict[str, Entry]:
    """The entry of every name."""
    return {name: entry for entry in entries for name in entry.names}
