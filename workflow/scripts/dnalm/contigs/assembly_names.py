"""Which assembly a file says it is of, so that a mismatch can be called by both names.

Names differ between sources for one assembly (yeast is ``R64`` at NCBI and ``R64-1-1`` at Ensembl): that two names are
not the same is told, and is no error by itself. It becomes part of an error that another check raises.
"""

import contextlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

from dnalm.errors import InputError
from dnalm.io.text_files import head_of

log = logging.getLogger(__name__)

ACCESSION = re.compile(r"\bGC[AF]_(\d{9})\.(\d+)")
#: Lines of GFF3, GTF, assembly reports and GenBank that name an assembly.
NAMES = (
    re.compile(r"^#!genome-build[ \t]+(\S+)", re.M),
    re.compile(r"^#!genome-version[ \t]+(\S+)", re.M),
    re.compile(r"^##genome-build[ \t]+\S+[ \t]+(\S+)", re.M),
    re.compile(r"^##description:.*genome \(([^)\s]+)\)", re.M),
    re.compile(r"^# Assembly name:[ \t]+(\S+)", re.M),
    re.compile(r"^ {0,12}Assembly Name *:: *(\S+)", re.M),
)
ACCESSION_LINE = re.compile(r"^(?:#!genome-build-accession|# \w+ assembly accession|DBLINK| +Assembly:).*", re.M)
#: Headers of FASTA files: Ensembl's location, NCBI's "GRCh38.p14 Primary Assembly".
HEADERS = (
    re.compile(r"^>\S+ dna\w*:\w+ \w+:([^:\s]+):", re.M),
    re.compile(r"^>.*, (\S+) Primary Assembly", re.M),
)
#: Files of NCBI's servers carry the accession and the name: GCF_000146045.2_R64_genomic.fna.gz.
FILE = re.compile(r"GC[AF]_\d{9}\.\d+_(.+?)_(?:genomic|assembly_report)\.")
#: Names of file formats that stand where an assembly's name could.
NO_NAMES = {"na", "n/a", "unknown", "."}


class AssemblyError(InputError):
    """A sequence and an annotation do not fit; the names of their assemblies are added if the files say them."""


@dataclass(frozen=True)
class Assembly:
    """Names, and accessions (nine digits, version) that GenBank and RefSeq have in common."""

    names: frozenset[str] = frozenset()
    accessions: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.names or self.accessions)

    def __str__(self) -> str:
        numbers = sorted(self.accessions)
        return " ".join([*sorted(self.names), f"({', '.join(numbers)})" if numbers else ""]).strip()

    def differs(self, other: "Assembly") -> bool:
        """Whether both say what they are, and nothing of it is the same."""
        if self.accessions and other.accessions:
            return not {a[4:] for a in self.accessions} & {a[4:] for a in other.accessions}
        return bool(self.names and other.names) and not _plain(self.names) & _plain(other.names)


def _plain(names) -> set[str]:
    """Names without case, punctuation and patch release (GRCh38.p14 has the chromosomes of GRCh38)."""
    return {re.sub(r"[^a-z0-9]", "", re.sub(r"\.p\d+$", "", name.lower())) for name in names}


def assembly_of(*paths) -> Assembly:
    """What the first lines and the names of files say about their assembly."""
    names, accessions = set(), set()
    for path in paths:
        name = Path(path).name
        accessions |= {m.group() for m in ACCESSION.finditer(name)}
        names |= set(FILE.findall(name))
        text = head_of(path).decode("latin-1")
        lines = "\n".join(line for line in text.split("\n")[:4000] if line.startswith((">", "#", " ", "DBLINK")))
        for pattern in (*NAMES, *HEADERS):
            names |= {found.strip('";,') for found in pattern.findall(lines)}
        for line in ACCESSION_LINE.findall(lines):
            accessions |= {m.group() for m in ACCESSION.finditer(line)}
    return Assembly(frozenset(n for n in names if n.lower() not in NO_NAMES), frozenset(accessions))


@contextlib.contextmanager
def told_apart(sequence, annotation, report=None):
    """Add the names of the assemblies to an `AssemblyError` of the block; warn if they differ and all is well."""
    if annotation is None:
        yield
        return
    one = assembly_of(sequence, *([report] if report else []))
    other = assembly_of(annotation)
    said = f"The sequence says that it is {one or 'no assembly by name'}, the annotation {other or 'none'}"
    try:
        yield
    except AssemblyError as error:
        if not (one or other):
            raise
        raise InputError(error.what, error.where, f"{error.next_step.rstrip('.')}. {said}") from error
    if one.differs(other):
        log.warning("%s: if these are two names of one assembly, nothing is wrong; everything else fits", said)
