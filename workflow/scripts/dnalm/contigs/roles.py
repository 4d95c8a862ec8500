"""What a contig is: a chromosome, a plasmid, an organelle's genome, an unplaced piece, an alternate of a locus.

What is known comes, best first, from an assembly report, the record itself (features of GenBank, region lines of
GFF3), the description in a FASTA header, and the name. A contig of which nothing is known counts as a chromosome.
"""

import re
from dataclasses import dataclass

from dnalm.contigs.names import forms

ROLES = ("chromosome", "plasmid", "organelle", "unplaced", "alternate")
MITOCHONDRION, PLASTID = "mitochondrion", "plastid"
#: Words of descriptions and features for genomes of organelles.
ORGANELLE_WORDS = (
    (re.compile(r"mitochondri|kinetoplast|hydrogenosome", re.I), MITOCHONDRION),
    (re.compile(r"chloroplast|plastid|apicoplast|chromoplast|leucoplast|cyanelle|chromatophore", re.I), PLASTID),
)
#: Roles by words of a FASTA description; the first that is found decides.
DESCRIPTIONS = (
    (re.compile(r"\bplasmid\b", re.I), "plasmid"),
    (re.compile(r"alternate locus|\b(fix|novel) patch|alternate haplotype", re.I), "alternate"),
    (re.compile(r"unplaced|unlocali[sz]ed|genomic scaffold|dna\w*:(super)?(contig|scaffold)", re.I), "unplaced"),
    (re.compile(r"\bchromosome\b|complete genome|dna\w*:(chromosome|primary_assembly)", re.I), "chromosome"),
    (re.compile(r"\b(contig|scaffold|NODE|unitig)\w*", re.I), "unplaced"),
)
#: Roles by the name of a contig.
NAMES = (
    (re.compile(r"_alt$|_fix$|_hap\d+$|^CHR_H|^HSCHR|^HG\d+_"), "alternate"),
    (re.compile(r"_random$|^chrUn|^U(n|extra|nplaced)?_?\d*$|^N[TW]_\d", re.I), "unplaced"),
    (re.compile(r"(^|[_.|-])(scaffold|scaf|contig|ctg|unitig|utg|tig|unplaced|super|node)[_.\d-]", re.I), "unplaced"),
    (re.compile(r"^(NZ_)?[A-Z]{4}(\d{2}|[A-Z]{2}\d{2})\d{6,}(\.\d+)?$"), "unplaced"),
    (re.compile(r"plasmid", re.I), "plasmid"),
)


@dataclass(frozen=True)
class ContigRole:
    """One of `ROLES`, the kind of organelle ("" for others), and what said so."""

    role: str = "chromosome"
    organelle: str = ""
    known_by: str = ""


def role_of_record(qualifiers: dict[str, str]) -> ContigRole | None:
    """Role by the qualifiers of a ``source`` feature of GenBank or EMBL, or of a region line of GFF3."""
    said = {key.lower(): str(value) for key, value in qualifiers.items()}
    genome = said.get("genome", "").lower()
    for word in (said.get("organelle", ""), genome):
        if organelle := _organelle(word):
            return ContigRole("organelle", organelle, "record")
    if said.get("plasmid") or said.get("plasmid-name") or genome == "plasmid":
        return ContigRole("plasmid", "", "record")
    if genome == "genomic" or (said.get("chromosome", "").lower() == "unknown"):
        return ContigRole("unplaced", "", "record")
    if said.get("chromosome") or genome == "chromosome":
        return ContigRole("chromosome", "", "record")
    return None


def role_of_text(name: str, description: str = "") -> ContigRole:
    """Role by the words of a FASTA header, or by the name alone.

    Ensembl calls mitochondria and alternates ``dna:chromosome`` too: there the name says more.
    """
    if organelle := _organelle(description):
        return ContigRole("organelle", organelle, "description")
    short = forms(name)
    if short & {"mt", "pt"}:
        return ContigRole("organelle", MITOCHONDRION if "mt" in short else PLASTID, "name")
    by_name = next((role for pattern, role in NAMES if pattern.search(name)), "")
    if by_name == "alternate":
        return ContigRole(by_name, "", "name")
    for pattern, role in DESCRIPTIONS if description else ():
        if pattern.search(description):
            return ContigRole(role, "", "description")
    return ContigRole(by_name, "", "name") if by_name else ContigRole()


def _organelle(text: str) -> str:
    return next((kind for pattern, kind in ORGANELLE_WORDS if pattern.search(text)), "")
