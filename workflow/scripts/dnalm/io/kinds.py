"""What a file of a sequence or of an annotation is, by its content; names and suffixes do not count."""

import re

from dnalm.errors import InputError
from dnalm.io.text_files import BOM, head_of
from dnalm.io.twobit import MAGIC

#: Files that people give in place of a genome or its annotation: first bytes, what they are, what to give.
STRANGERS = (
    (rb"(?i)\s*(<!doctype|<html|<\?xml)", "this is a web page, not a data file", "Fetch the file itself"),
    (rb"##fileformat=VCF", "this is a VCF file of variants", "Give the genome that they were called on"),
    (rb"@(HD|SQ|RG)\t", "this is a SAM file of aligned reads", "Give the genome that they were aligned to"),
    (rb"(BAM|CRI)\x01|CRAM", "this is a file of aligned reads", "Give the genome that they were aligned to"),
    (rb"(BCF\x02)", "this is a BCF file of variants", "Give the genome that they were called on"),
    (rb"\{\s*\"", "this is JSON, not a data file of sequences", "Fetch the FASTA or GFF3 file"),
)
FEATURE_LINE = re.compile(rb"^[^\t\n#>]+\t[^\t\n]*\t[^\t\n]+\t-?\d+\t-?\d+\t", re.M)
BED_LINE = re.compile(rb"^[^\t\n#>]+\t\d+\t\d+(\t|\r?$)", re.M)
#: A line that was one of nine columns before an editor put spaces in the place of tabs.
SPACED = re.compile(rb"^[^\s#>]+ +\S+ +\S+ +\d+ +\d+ +\S+ +[-+.?] +[012.] +\S", re.M)


def sequence_kind(path) -> str:
    """``2bit``, ``genbank``, ``embl``, ``gff3`` (with its ``##FASTA`` part) or ``fasta``.

    Raises
    ------
    InputError
        If the file is empty or plainly something else: reads, an annotation, a web page, an archive.
    """
    head = _head(path, "Give a FASTA file with at least one contig")
    if head.startswith(MAGIC):
        return "2bit"
    text = head.removeprefix(BOM).lstrip()
    if text.startswith(b"LOCUS ") or re.search(rb"^LOCUS {5}", head, re.M):
        return "genbank"
    if re.match(rb"ID {3}\S", text):
        return "embl"
    if re.match(rb"@[^\n\r]+\r?[\n\r][A-Za-z.\s]*\+", text):
        raise InputError(
            "this is a FASTQ file of reads, not a genome", f"{path}:1", "Give an assembly of the reads as FASTA"
        )
    if text.startswith(b"##gff-version") or FEATURE_LINE.match(text):
        return "gff3"
    return "fasta"


def annotation_kind(path) -> str:
    """``gff3``, ``gtf``, ``bed``, ``genbank`` or ``embl``; ``gff3`` for what has no line that tells.

    Raises
    ------
    InputError
        If the file is plainly something else, or its tabs were lost.
    """
    head = _head(path, None)
    text = head.removeprefix(BOM).lstrip()
    if re.search(rb"^LOCUS {5}", text, re.M):
        return "genbank"
    if re.match(rb"ID {3}\S", text):
        return "embl"
    if text.startswith(b">") and not FEATURE_LINE.search(text):
        raise InputError("this is a FASTA file, not an annotation", f"{path}:1", "Give GFF3, GTF, BED12 or GenBank")
    line = FEATURE_LINE.search(text)
    if line and re.search(rb"\b(gene_id|transcript_id) +[\"\w]", text[line.start() :]):
        return "gtf"
    if line is None and BED_LINE.search(text):
        return "bed"
    if line is None and (spaced := SPACED.search(text)):
        number = head[: head.index(spaced.group())].count(b"\n") + 1
        raise InputError(
            "1 columns instead of 9: there are spaces where tabs should be", f"{path}:{number}",
            "GFF3 and GTF have nine columns separated by tabs; fetch the file again, an editor changed it",
        )  # fmt: skip
    return "gff3"


def _head(path, empty: str | None) -> bytes:
    """The beginning of a file that is none of `STRANGERS`; ``empty`` is the next step where nothing is in it."""
    head = head_of(path)
    if empty and not head.removeprefix(BOM).strip():
        raise InputError("the file holds no sequence", str(path), empty)
    for pattern, what, fix in STRANGERS:
        if re.match(pattern, head.removeprefix(BOM)):
            raise InputError(what, f"{path}:1", fix)
    return head
