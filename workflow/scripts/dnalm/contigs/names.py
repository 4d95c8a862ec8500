"""Contig names of an annotation and of a sequence brought together.

A FASTA file of Ensembl calls a yeast chromosome ``I``, the GFF3 of RefSeq ``NC_001133.9``. A name of the annotation
finds its contig by, in this order: the user's table of aliases; the same name, also without the escapes of GFF3
(``a%20b``); a row of an assembly report that has both names; what its landmark line says (``Name``, ``chromosome``,
``Alias``, ``genome=mitochondrion``), compared as it stands and in common forms (``chr1`` is ``1``, ``chrM`` is
``MT``); its length, if only one contig has it. Where the annotation says how long a contig is, the sequence must be
as long, whatever the names; another version of an accession is a warning. Nothing is guessed: what is left over or
could be two things is an error.
"""

import logging
import re
import urllib.parse
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from dnalm.contigs.assembly_names import AssemblyError
from dnalm.errors import InputError
from dnalm.io.text_files import numbered_lines

log = logging.getLogger(__name__)

#: Feature types of lines that describe a whole contig.
LANDMARKS = ("region", "source", "chromosome", "supercontig", "scaffold", "contig")
ORGANELLES = {
    "mt": ("m", "mt", "mito", "mtdna", "mitochondrion", "mitochondria", "mitochondrial"),
    "pt": ("c", "pt", "ptdna", "cpdna", "chloroplast", "plastid"),
}
ORGANELLE_OF = {name: short for short, names in ORGANELLES.items() for name in names}
CHROMOSOME = re.compile(r"^(chromosome|chrom|chr)[_ ]?(?=.)")
VERSION = re.compile(r"^([a-z]{1,4}_?\d{5,})\.(\d+)$")
#: A line of the alias table with this in place of a contig leaves the features of a name out.
LEFT_OUT = "-"
#: Share of bases on contigs without annotation from which on it is a warning.
NOTED = 0.05
FIX = "Give a table with a line 'name in the annotation, tab, contig' as `aliases` (contig - leaves its features out)"


@dataclass
class Landmark:
    """What an annotation says of one contig.

    Other names, length in bases (None if unsaid), line of the first feature, end of the last one, circularity, and
    what its region line says beside (keys in lower case).
    """

    names: set[str] = field(default_factory=set)
    length: int | None = None
    line: int | None = None
    end: int = 0
    circular: bool = False
    said: dict[str, str] = field(default_factory=dict)


def read_landmarks(path) -> dict[str, Landmark]:
    """The contigs of a GFF3 file; ``line`` is that of the first feature on the contig, None if there is none."""
    found: dict[str, Landmark] = defaultdict(Landmark)
    for number, line in numbered_lines(path):
        if line.startswith(b"##FASTA"):
            break
        text = line.decode("utf-8", "replace")
        if text.startswith("#"):
            words = text.split()
            if text.startswith("##sequence-region") and len(words) == 4 and words[2] == "1" and words[3].isdecimal():
                found[words[1]].length = int(words[3])
            continue
        fields = text.split("\t")
        if len(fields) != 9:
            continue
        if fields[2] not in LANDMARKS:
            mark = found[fields[0]]
            mark.line, mark.end = mark.line or number, max(mark.end, int(fields[4]) if fields[4].isdecimal() else 0)
        elif fields[3] == "1" and fields[4].isdecimal():
            _add_landmark(found[fields[0]], fields)
        if "is_circular=true" in fields[8].lower():
            found[fields[0]].circular = True
    for mark in found.values():
        if mark.length is not None and mark.end > mark.length and not mark.circular:
            mark.length = None  # features beyond it: it was the length of a part
    return dict(found)


def _add_landmark(landmark: Landmark, fields: list[str]) -> None:
    """Names and length from a landmark line; the longest one that begins at base 1 is about the whole contig."""
    if landmark.length is not None and int(fields[4]) < landmark.length:
        return
    landmark.length = int(fields[4])
    attributes = dict(pair.split("=", 1) for pair in fields[8].split(";") if "=" in pair)
    values = {k.strip().lower(): urllib.parse.unquote(v) for k, v in attributes.items()}
    landmark.said = values
    for key in ("name", "chromosome", "alias"):
        landmark.names |= set(values.get(key, "").split(",")) - {""}
    if any(values.get("genome") in names for names in ORGANELLES.values()):
        landmark.names.add(values["genome"])


def forms(name: str) -> set[str]:
    """The name as it is compared: lower case without ``chr``, one word for organelles, accessions without version."""
    found = set()
    for piece in (name, *name.split("|")) if "|" in name else (name,):
        bare = CHROMOSOME.sub("", piece.strip().lower())
        bare = VERSION.sub(r"\1", bare)
        short = ORGANELLE_OF.get(bare)
        if short and not (len(bare) == 1 and bare == piece.lower()):  # chrC is the chloroplast's, C may not be
            bare = short
        found.add(bare)
    return found - {""}


def read_aliases(path, lengths: dict[str, int]) -> dict[str, str | None]:
    """The user's table: name in the annotation, tab, contig; None for names whose features are left out."""
    table: dict[str, str | None] = {}
    for number, line in numbered_lines(path):
        words = line.decode("utf-8", "replace").split("\t")
        if not line.strip() or line.startswith(b"#"):
            continue
        where = f"{path}:{number}"
        if len(words) != 2 or not all(word.strip() for word in words):
            raise InputError(
                f"{len(words)} columns", where, "Write the annotation's name, a tab, and the contig's name"
            )
        name, contig = (word.strip() for word in words)
        if name in table:
            raise InputError(f"{name} is there twice", where, "Keep one line")
        if contig != LEFT_OUT and contig not in lengths:
            raise InputError(f"contig {contig!r} is not in the sequence", where, f"It has {_some(lengths)}")
        table[name] = None if contig == LEFT_OUT else contig
    return table


def match_contigs(landmarks: dict[str, Landmark], lengths: dict[str, int], path, aliases=None, report=None, kept=None):
    """Contig of every name of an annotation that has features; None for those that the user leaves out.

    Parameters
    ----------
    landmarks : dict
        From `read_landmarks`.
    lengths : dict
        Bases of every contig of the sequence.
    path
        The annotation, for messages.
    aliases : dict, optional
        From `read_aliases`.
    report : list of `dnalm.contigs.assembly_report.Entry`, optional
        Names that contigs have in other archives.
    kept : collection of str, optional
        Contigs that are used, of which those without annotation are told; all by default.

    Returns
    -------
    dict of str to str or None

    Raises
    ------
    InputError
        If a name has no contig, could have several, shares one with another name, or differs from it in length.
    """
    aliases, used = aliases or {}, {n: m for n, m in landmarks.items() if m.line is not None}
    names = {name: aliases[name] for name in used if name in aliases}
    search = _Search(used, lengths, path, names, report or [])
    for name in used:
        if name not in names and name in lengths:
            search.settle(name, name, "name")
    for name in [n for n in used if n not in names]:
        search.settle(name, *search.find(name))
    how = Counter(aliases=sum(n in aliases for n in names), **search.how)
    _check(names, used, lengths, path)
    _tell(names, how, lengths if kept is None else {contig: lengths[contig] for contig in kept})
    _tell_versions(names, used, search.elsewhere, path)
    return names


class _Search:
    """Finds contigs by name; everything is looked up, because there may be a hundred thousand of them."""

    def __init__(self, used, lengths, path, names, report):
        self.used, self.lengths, self.path, self.names = used, lengths, path, names
        self.taken = {contig for contig in names.values() if contig is not None}
        self.how: Counter = Counter()
        self.elsewhere = {name: entry.names for entry in report for name in entry.names}
        self.by_form, self.by_length = defaultdict(set), defaultdict(set)
        for contig, length in lengths.items():
            self.by_length[length].add(contig)
            for form in forms(contig):
                self.by_form[form].add(contig)
        self.twins = Counter(mark.length for mark in used.values())

    def settle(self, name: str, contig: str, rule: str) -> None:
        """A name has its contig."""
        self.names[name] = contig
        self.taken.add(contig)
        self.how[rule] += 1

    def find(self, name: str) -> tuple[str, str]:
        """(contig, rule) for a name that is not itself a contig."""
        mark, where = self.used[name], f"{self.path}:{self.used[name].line}"
        bare = urllib.parse.unquote(name)
        if bare in self.lengths and bare not in self.taken:
            return bare, "name"
        same = {n for n in self.elsewhere.get(name, ()) if n in self.lengths} - self.taken
        if len(same) == 1:
            return same.pop(), "report"
        near = {c for n in {name, *mark.names} for form in forms(n) for c in self.by_form.get(form, ())} - self.taken
        if len(near) > 1 and mark.length is not None:
            near = {c for c in near if self.lengths[c] == mark.length} or near
        if not near and mark.length is not None and self.twins[mark.length] == 1:
            near = self.by_length.get(mark.length, set()) - self.taken
            if len(near) == 1:
                return near.pop(), "length"
        if not near:
            known = _some(self.lengths)
            raise AssemblyError(f"contig {name!r} is not in the sequence", where, f"It has {known}. {FIX}")
        if len(near) > 1:
            raise InputError(f"contig {name!r} of the annotation could be {_some(sorted(near))}", where, FIX)
        return near.pop(), "landmark"


def _check(names, used, lengths, path) -> None:
    """Refuse two names of one contig, and lengths that differ."""
    by_contig = defaultdict(list)
    for name, contig in names.items():
        if contig is None:
            continue
        by_contig[contig].append(name)
        said, where = used[name].length, f"{path}:{used[name].line}"
        if said is not None and said != lengths[contig]:
            raise AssemblyError(
                f"contig {name} has {said} bases in the annotation, {contig} has {lengths[contig]} in the sequence",
                where,
                "Give the annotation of this assembly; if you cut the sequence, take the contig's "
                "##sequence-region and region lines out",
            )
        if len(by_contig[contig]) > 1:
            raise InputError(f"{' and '.join(by_contig[contig])} of the annotation are both {contig}", where, FIX)


def _tell(names, how, lengths) -> None:
    told = [f"{name} is {contig}" for name, contig in names.items() if contig not in (None, name)]
    if told:
        log.info("contig names matched (by %s): %s", _rules(how), _some(told, 20))
    if left := [name for name, contig in names.items() if contig is None]:
        log.warning("features on %s are left out, as the alias table says", _some(left))
    annotated = set(names.values())
    if bare := [contig for contig in lengths if contig not in annotated]:
        share = sum(lengths[contig] for contig in bare) / sum(lengths.values())
        # scraps of an assembly often have none; a chromosome that has none was hardly annotated
        tell = log.warning if share > NOTED else log.info
        tell(
            "%d contigs have no annotation: %s; %.1f %% of all bases count as sequence without genes, "
            "`leave_out` takes contigs out", len(bare), _some(bare), 100 * share,
        )  # fmt: skip


def _tell_versions(names, used, elsewhere, path) -> None:
    """Warn of accessions of which the annotation has another version than the sequence or its report."""
    told = []
    for name, contig in names.items():
        mine = _versions({name} | used[name].names) if contig is not None else {}
        known = _versions(elsewhere.get(contig, [contig])) if mine else {}
        for accession in sorted(mine.keys() & known):
            if not mine[accession] & known[accession]:
                one, other = (f"{accession.upper()}.{min(versions[accession])}" for versions in (mine, known))
                said = "the same length" if used[name].length is not None else "no length to compare"
                told.append(f"{one} there, {other} here ({said})")
    if told:
        log.warning(
            "%s is of other versions than the sequence: %s; features lie wrong where the versions differ, give the "
            "annotation of this one", path, _some(told),
        )  # fmt: skip


def _versions(names) -> dict[str, set[str]]:
    """Versions of every accession among names, or parts of names between bars."""
    found: dict[str, set[str]] = defaultdict(set)
    for match in (VERSION.match(piece.strip().lower()) for name in names for piece in name.split("|")):
        if match:
            found[match[1]].add(match[2])
    return found


def _rules(how: Counter) -> str:
    return ", ".join(f"{rule}: {count}" for rule, count in how.items() if count)


def _some(names, most: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
