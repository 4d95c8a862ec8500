"""GTF files of Ensembl, GENCODE, NCBI, UCSC, AUGUSTUS or gffread as rows of the tidy table of features.

GTF has no rows that hang on others by ID; genes and transcripts are named in every line. Rows of them are taken from
the file or, where it has none, made of the exons. Most sources leave the stop codon out of the coding sequence and
give it a row of its own; inside dnalm, as in GFF3, it belongs to the coding sequence.
"""

import json
import logging
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from dnalm.annotation.rows import CUT
from dnalm.errors import InputError
from dnalm.io.text_files import numbered_lines

log = logging.getLogger(__name__)

GENES = ("gene",)
TRANSCRIPTS = ("transcript", "mRNA")
UTRS = {
    "five_prime_utr": "five_prime_UTR", "5UTR": "five_prime_UTR", "three_prime_utr": "three_prime_UTR",
    "3UTR": "three_prime_UTR", "UTR": "UTR",
}  # fmt: skip
PARTS = ("exon", "CDS", "stop_codon")
#: Rows that say nothing which the others do not.
IMPLIED = ("start_codon", "intron", "Selenocysteine", "inter", "inter_CNS", "intron_CNS", "tss", "tts")
FACTS = re.compile(
    r"(?:^|[;\s])(gene_id|transcript_id|gene_name|gene|gene_biotype|gene_type|transcript_biotype|transcript_type|product"
    r'|pseudo|partial|transl_table|tag|locus_tag) +(?:"([^"]*)"|([^\s;"]+))'
)
NO_GENE = ("pseudogen", "transpos")


@dataclass
class Transcript:
    """What a file says of one transcript; ``parts`` has lists of (start, end, phase) by type of row."""

    name: str
    contig: str
    strand: str
    gene: str
    facts: dict
    kind: str = "transcript"
    line: int = 0
    span: tuple[int, int] | None = None
    parts: dict[str, list] = field(default_factory=lambda: defaultdict(list))


def read_gtf(path, place) -> Iterator[dict]:
    """Feature rows of a GTF file, made one by one after the whole file is read.

    Parameters
    ----------
    place : callable
        ``place(contig, start, end, where)`` with start and end 1-based as in the file gives the contig in the sequence,
        or None where its features are left out, and raises an `InputError` for an interval that cannot be.

    Raises
    ------
    InputError
        With ``file:line`` for a line that has not nine columns, no ``gene_id`` or ``transcript_id`` where one must be,
        an unknown strand, or an interval that ``place`` refuses.
    """
    genes: dict[tuple, dict] = {}
    transcripts: dict[tuple, Transcript] = {}
    others, skipped = [], Counter()
    for number, line in numbered_lines(path):
        if not line.strip() or line.startswith((b"#", b"track ", b"browser ")):
            continue
        where = f"{path}:{number}"
        fields = line.decode("utf-8", "replace").split("\t")
        contig, kind, start, end, strand = _columns(fields, where, place)
        if contig is None or kind in IMPLIED:
            skipped[kind] += contig is not None
            continue
        facts = _facts(fields[8])
        if kind in GENES:
            _add_gene(genes, contig, (start, end), strand, facts, where)
        elif kind in TRANSCRIPTS or kind in PARTS or kind in UTRS or "transcript_id" in facts:
            _add_part(transcripts, contig, kind, (start, end), strand, fields[7], facts, number, where)
        else:
            others.append(row(contig, start, end, strand, kind, -1, f"{kind}-{number}", "", _kept(facts)))
    if skipped:
        log.info("%s: rows that others imply: %s", path, ", ".join(f"{n} {k}" for k, n in sorted(skipped.items())))
    yield from _gene_rows(genes, transcripts)
    yield from transcript_rows(transcripts.values())
    yield from others


def _columns(fields: list[str], where: str, place) -> tuple:
    """Contig, type, start and end (0-based half-open), strand of a line."""
    if len(fields) != 9:
        raise InputError(f"{len(fields)} columns instead of 9", where, "GTF has nine columns separated by tabs")
    name, _, kind, start, end, _, strand = fields[:7]
    if not (start.isdecimal() and end.isdecimal() and 1 <= int(start) <= int(end)):
        raise InputError(f"{start}..{end} is not an interval", where, "start and end are 1-based, start <= end")
    if strand not in ("+", "-", ".", "?"):
        raise InputError(f"unknown strand {strand!r}", where, "Use +, - or .")
    return place(name, int(start), int(end), where), kind, int(start) - 1, int(end), strand.replace("?", ".")


def _facts(text: str) -> dict[str, str]:
    """The attributes that are used, of a ninth column; tags of one line are joined with commas."""
    facts: dict[str, str] = {}
    for key, quoted, bare in FACTS.findall(text):
        value = quoted or bare
        if value:
            facts[key] = f"{facts[key]},{value}" if key == "tag" and key in facts else value
    return facts


def _kept(facts: dict[str, str], own: bool = False) -> dict[str, str]:
    """Attributes of the tidy table; those of a transcript itself say more than those of its gene."""
    kept = {key: facts[key] for key in ("product", "transl_table", "locus_tag") if key in facts}
    if name := facts.get("gene_name") or facts.get("gene"):
        kept["gene"] = name
    kinds = [facts.get(key, "") for key in ("gene_biotype", "gene_type")]
    if own:
        kinds += [facts.get(key, "") for key in ("transcript_biotype", "transcript_type")]
    kept |= {"gene_biotype": kinds[0] or kinds[1]} if kinds[0] or kinds[1] else {}
    if facts.get("pseudo") == "true" or any(word in kind for word in NO_GENE for kind in kinds):
        kept["pseudo"] = "true"
    if facts.get("partial") == "true" or any(tag in CUT for tag in facts.get("tag", "").split(",")):
        kept["partial"] = "true"
    return kept


def _add_gene(genes, contig, span, strand, facts, where) -> None:
    if "gene_id" not in facts:
        raise InputError("a gene without gene_id", where, 'GTF has gene_id "..."; in the ninth column')
    genes.setdefault((contig, facts["gene_id"]), {"span": span, "strand": strand, "facts": facts})


def _add_part(transcripts, contig, kind, span, strand, phase, facts, number, where) -> None:
    """Take a line of a transcript or of a part of one."""
    name = facts.get("transcript_id")
    if name is None:
        raise InputError(f"{kind} without transcript_id", where, 'GTF has transcript_id "..."; in the ninth column')
    known = transcripts.get((contig, name))
    if known is None or (kind in TRANSCRIPTS and known.span is not None):
        if known is not None:  # a transcript at two places, as UCSC has them: the first keeps the parts before it
            transcripts[contig, f"{name}#{known.line}"] = transcripts.pop((contig, name))
            known.name = f"{name}#{known.line}"
        known = Transcript(name, contig, strand, facts.get("gene_id", name), facts, line=number)
        transcripts[contig, name] = known
    if kind in TRANSCRIPTS:
        known.span, known.facts = span, facts
    elif kind in PARTS or kind in UTRS:
        known.parts[UTRS.get(kind, kind)].append((*span, int(phase) if phase in ("0", "1", "2") else -1, strand))
        if kind == "CDS" and len(known.parts[kind]) == 1:
            known.facts = {**facts, **known.facts, "tag": f"{known.facts.get('tag', '')},{facts.get('tag', '')}"}
    else:
        known.kind, known.span = kind, known.span or span


def _gene_rows(genes: dict, transcripts: dict[tuple, Transcript]) -> Iterator[dict]:
    """A row per gene: of the file, or around its transcripts."""
    made: dict[tuple, dict] = {}
    names = {name for _, name in transcripts}
    for t in transcripts.values():
        key = (t.contig, t.gene)
        if key in genes:
            continue
        span = _span(t)
        here = made.setdefault(key, {"span": span, "strand": t.strand, "facts": t.facts})
        here["span"] = min(here["span"][0], span[0]), max(here["span"][1], span[1])
    for (contig, name), g in (genes | made).items():
        yield row(contig, *g["span"], g["strand"], "gene", -1, _gene_id(name, names), "", _kept(g["facts"]))


def _gene_id(name: str, transcripts) -> str:
    """UCSC once wrote the transcript's name as that of the gene."""
    return f"gene:{name}" if name in transcripts else name


def _span(t: Transcript) -> tuple[int, int]:
    if t.span:
        return t.span
    parts = [part for parts in t.parts.values() for part in parts]
    return min(part[0] for part in parts), max(part[1] for part in parts)


def transcript_rows(transcripts) -> Iterator[dict]:
    """Rows of transcripts, exons, UTRs and coding parts."""
    names = {t.name for t in transcripts}
    for t in transcripts:
        kept = json.dumps(_kept(t.facts, own=True), sort_keys=True)
        yield row(t.contig, *_span(t), t.strand, _kind(t), -1, t.name, _gene_id(t.gene, names), kept)
        for part in ("exon", "five_prime_UTR", "three_prime_UTR", "UTR"):
            for i, (start, end, _, strand) in enumerate(sorted(t.parts[part]), 1):
                yield row(t.contig, start, end, strand, part, -1, f"{part}:{t.name}:{i}", t.name, "{}")
        for start, end, phase, strand in coding_parts(t.parts["CDS"], t.parts["stop_codon"]):
            yield row(t.contig, start, end, strand, "CDS", phase, f"CDS:{t.name}", t.name, kept)


def _kind(t: Transcript) -> str:
    """Type of a transcript's row: what GFF3 files call it."""
    said = t.facts.get("transcript_biotype") or t.facts.get("transcript_type") or ""
    if t.parts["CDS"]:
        return "mRNA"
    return said if "RNA" in said and not any(word in said for word in NO_GENE) else t.kind


def coding_parts(cds: list[tuple], stop: list[tuple]) -> list[tuple]:
    """Parts (start, end, phase, strand) of a coding sequence with its stop codon, sorted by position.

    A phase that the file does not say (-1) is counted from the parts before it in the direction of reading.
    """
    if not cds:
        return []
    parts = [list(part) for part in sorted(cds)]
    for start, end, _, strand in sorted(stop):
        near = next((p for p in parts if p[3] == strand and start <= p[1] and end >= p[0]), None)
        if near is None:
            parts.append([start, end, -1, strand])
        else:
            near[0], near[1] = min(near[0], start), max(near[1], end)
    parts.sort()
    done = 0
    for part in parts if parts[0][3] != "-" else parts[::-1]:
        if part[2] < 0:
            part[2] = -done % 3
        done = part[1] - part[0] - part[2] if not done else done + part[1] - part[0]
    return [tuple(part) for part in parts]


def row(contig, start, end, strand, kind, phase, identifier, parent, kept) -> dict:
    """A row of the tidy table; ``kept`` are attributes, as a dictionary or as JSON."""
    return {
        "contig": contig, "start": start, "end": end, "strand": strand, "type": kind, "phase": phase,
        "id": identifier, "parent": parent,
        "attributes": kept if isinstance(kept, str) else json.dumps(kept, sort_keys=True),
    }  # fmt: skip
