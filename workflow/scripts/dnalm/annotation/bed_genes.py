"""BED12 files of gene models as rows of the tidy table: blocks are exons, what lies between thick ends is coding.

BED has no genes. Transcripts with coding bases in common on one strand are one gene here, unless the thirteenth column
names it, as gffread writes it (``geneID=...``): alternative transcripts must not count as many genes. gffread draws
transcripts that are not coding thick all over; where it says ``CDS=...`` of some, the others are not coding.
"""

import itertools
import logging
import re
from collections.abc import Iterator

from dnalm.annotation.gtf import Transcript, row, transcript_rows
from dnalm.contigs.names import Landmark
from dnalm.errors import InputError
from dnalm.io.text_files import numbered_lines

log = logging.getLogger(__name__)
CODING = re.compile(r"(?:.*;)?CDS=\d")
GENE = re.compile(r"(?:^|[;\t])geneID=([^;\t]+)")


def read_bed_genes(path, place) -> Iterator[dict]:
    """Feature rows of a BED12 file; ``place`` as in `dnalm.annotation.gtf.read_gtf`.

    Raises
    ------
    InputError
        With ``file:line`` for a line with fewer than twelve columns, or blocks that do not fit into their interval.
    """
    transcripts, names, coding = [], set(), set()
    for number, line in _lines(path):
        where = f"{path}:{number}"
        fields = re.sub(r",;", ",\t", line, count=1).split("\t")  # gffread forgets the tab behind the twelfth column
        if len(fields) < 12:
            raise InputError(
                f"{len(fields)} columns instead of 12", where,
                "Gene models need BED12; intervals of one block are labels of one's own (annotate.tracks)",
            )  # fmt: skip
        t = _transcript(fields, number, where, place)
        if t is not None:
            t.name = t.name if t.name not in names else f"{t.name}#{number}"
            names.add(t.name)
            transcripts.append(t)
            if any(CODING.match(column) for column in fields[12:]):
                coding.add(t.name)
    for t in transcripts:
        if coding and t.name not in coding:
            t.parts["CDS"] = []
    yield from _gene_rows(transcripts)
    yield from transcript_rows(transcripts)


def bed_landmarks(path) -> dict[str, Landmark]:
    """The contigs of a BED file, for `dnalm.contigs.names.match_contigs`."""
    found: dict[str, Landmark] = {}
    for number, line in _lines(path):
        name, _, rest = line.partition("\t")
        mark = found.setdefault(name, Landmark(line=number))
        end = rest.split("\t", 2)[1] if rest.count("\t") else ""
        mark.end = max(mark.end, int(end)) if end.isdecimal() else mark.end
    return found


def _lines(path):
    for number, line in numbered_lines(path):
        if line.strip() and not line.startswith((b"#", b"track ", b"browser ")):
            yield number, line.decode("utf-8", "replace")


def _transcript(fields: list[str], number: int, where: str, place) -> Transcript | None:
    """The transcript of a line; None on a contig that is left out."""
    name, strand = fields[3], fields[5]
    try:
        start, end, thick, thin, count = (int(fields[i]) for i in (1, 2, 6, 7, 9))
        sizes, starts = ([int(n) for n in fields[i].rstrip(",").split(",")] for i in (10, 11))
    except ValueError:
        fix = "BED12 has whole numbers in columns 2, 3, 7, 8 and 10 to 12"
        raise InputError("a column that is no number", where, fix) from None
    if strand not in ("+", "-", "."):
        raise InputError(f"unknown strand {strand!r}", where, "Use +, - or .")
    blocks = [(start + a, start + a + n) for a, n in zip(starts, sizes, strict=False)]
    ordered = all(a[1] <= b[0] for a, b in itertools.pairwise(blocks)) and min(sizes) > 0
    if not (0 <= start < end and len(sizes) == len(starts) == count and ordered):
        raise InputError("blocks that are not count, sizes and starts of one transcript", where, "Is this BED12?")
    if blocks[0][0] != start or blocks[-1][1] != end or not start <= thick <= thin <= end:
        raise InputError("blocks or thick ends do not fit the interval", where, "Is this BED12, 0-based and half-open?")
    contig = place(fields[0], start + 1, end, where)
    if contig is None:
        return None
    found = GENE.search("\t".join(fields[12:]))
    gene = found[1] if found else ""
    t = Transcript(name or f"line{number}", contig, strand, gene, {}, line=number, span=(start, end))
    t.parts["exon"] = [(*block, -1, strand) for block in blocks]
    coding = [(max(a, thick), min(b, thin), -1, strand) for a, b in blocks if a < thin and b > thick]
    t.parts["CDS"] = [part for part in coding if part[0] < part[1]]
    return t


def _gene_rows(transcripts: list[Transcript]) -> Iterator[dict]:
    """Give every transcript its gene, and make the rows of genes."""
    _share_genes([t for t in transcripts if not t.gene])
    names = {t.name for t in transcripts}
    genes: dict[tuple, list] = {}
    for t in transcripts:
        gene = genes.setdefault((t.contig, t.gene), [*t.span, t.strand])
        gene[0], gene[1] = min(gene[0], t.span[0]), max(gene[1], t.span[1])
    for (contig, name), (start, end, strand) in genes.items():
        yield row(contig, start, end, strand, "gene", -1, f"gene:{name}" if name in names else name, "", {})


def _share_genes(transcripts: list[Transcript]) -> None:
    """Name genes after their first transcript; coding parts in common on one strand make one gene."""
    parts = sorted((t.contig, t.strand, a, b, i) for i, t in enumerate(transcripts) for a, b, *_ in t.parts["CDS"])
    first = list(range(len(transcripts)))

    def root(i: int) -> int:
        while first[i] != i:
            first[i] = i = first[first[i]]
        return i

    place, end, owner = None, 0, 0
    for contig, strand, a, b, i in parts:
        if (contig, strand) == place and a < end:
            one, two = sorted((root(owner), root(i)))
            first[two] = one
            end = max(end, b)
        else:
            place, end = (contig, strand), b
        owner = i
    for i, t in enumerate(transcripts):
        t.gene = transcripts[root(i)].name
