"""Protein-coding transcripts of an annotation: exons, coding parts, and whether they can be learned from.

One table serves annotations and gene finders alike (`COLUMNS`): a row per transcript, coordinates 0-based half-open on
the forward strand, parts as int64 arrays sorted by position. ``start`` and ``end`` are those of the coding sequence,
stop codon included; exons say where the UTRs are.

A transcript is *whole* if its coding sequence begins with ATG and ends with a stop codon (both in one piece), is in
frame and without a stop codon inside, as its phases say, and all its introns are GT-AG, GC-AG or AT-AC and long enough.
What is not, say a pseudogene, a frameshift or a coding sequence cut off by a gap, is kept with its ``problem``. One
whole transcript of each locus is *chosen*, the one with the longest coding sequence; the others of the locus are
*alternative*; the transcripts of a locus without a whole one are *excluded*.
"""

import json
import logging
from collections import Counter, defaultdict

import numpy as np
import pandas as pd

from dnalm.annotation.features import protein_ids
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.gene_structure import ATG
from dnalm.sequence.genetic_code import codon_index, genetic_code

log = logging.getLogger(__name__)

COLUMNS = [
    "contig", "start", "end", "strand", "id", "locus", "cds_starts", "cds_ends", "cds_phases", "exon_starts",
    "exon_ends", "problem", "role",
]  # fmt: skip
EXONS = ("exon", "five_prime_UTR", "three_prime_UTR", "CDS")
#: Features that look like genes and are none: nothing is learned from them, and no call there is right or wrong.
NOT_GENES = ("pseudogene", "pseudogenic_transcript", "transposable_element_gene")
#: Donor and acceptor of the introns that a whole transcript may have.
INTRONS = ("GT-AG", "GC-AG", "AT-AC")
CHOSEN, ALTERNATIVE, EXCLUDED = "chosen", "alternative", "excluded"


def read_transcripts(genome, features: pd.DataFrame, min_intron: int = 20) -> pd.DataFrame:
    """Every coding transcript of an annotation, with its ``problem`` ("" for whole ones) and ``role``.

    Parts of one transcript are the CDS rows below one mRNA (or whatever its parent is called); directly below a gene,
    or without a parent, those with one ID. Transcripts below one gene, or with one ``locus_tag``, are one locus.

    Parameters
    ----------
    genome : Genome
    features : DataFrame
        The tidy table of `dnalm.annotation.features`.
    min_intron : int
        Shortest intron of a whole transcript in bases; shorter ones are frameshifts or errors.
    """
    table = pd.DataFrame([*_coding_rows(features), *_pseudo_rows(features)], columns=COLUMNS)
    kinds: Counter = Counter()
    contigs = {c.contig: (c, np.asarray(genome.contig_codes(c.contig))) for c in genome.contigs.itertuples(index=False)}
    problems = [_problem(row, *contigs[row.contig], min_intron, kinds) for row in table.itertuples(index=False)]
    table = table.assign(problem=problems)
    table["role"] = _roles(table)
    order = {name: i for i, name in enumerate(genome.contigs["contig"])}
    table = table.assign(rank=table["contig"].map(order)).sort_values(["rank", "start", "end", "id"], kind="stable")
    table = table.drop(columns="rank").reset_index(drop=True)
    _tell(table, kinds)
    return table


def _coding_rows(features: pd.DataFrame):
    """Rows of all transcripts with coding sequence; what the annotation itself says against them is their problem."""
    kinds = dict(zip(features["id"], features["type"], strict=True))
    parents = dict(zip(features["id"], features["parent"], strict=True))
    said = dict(zip(features["id"], features["attributes"], strict=True))
    proteins, parts, exons = protein_ids(features), defaultdict(list), defaultdict(list)
    for f in features[features["type"].isin(EXONS)].itertuples(index=False):
        for owner in [p for p in f.parent.split(",") if p and p not in proteins] or [f.id]:
            exons[f.contig, owner].append((f.start, f.end))
            if f.type == "CDS":
                alone = owner == f.id or kinds.get(owner) in ("gene", *NOT_GENES)
                own = f.id if alone and f.id != f"CDS:{f.parent}" else ""
                parts[f.contig, owner, own].append(f)
    for (contig, owner, own), rows in parts.items():
        spans = sorted((f.start, f.end, f.phase) for f in rows)
        attributes = json.loads(rows[0].attributes)
        above = parents.get(owner, "").split(",")[0]
        locus = owner if kinds.get(owner) == "gene" else above or attributes.get("locus_tag") or owner
        notes = [json.loads(said.get(name, "{}")) for name in (owner, above)]
        problem = "partial" if attributes.get("partial") == "true" else ""
        problem = "pseudogene" if any(n.get("pseudo") == "true" for n in (attributes, *notes)) else problem
        problem = "on both strands" if len({f.strand for f in rows}) > 1 else problem
        # below a gene with several coding sequences, exons cannot be told apart
        outer = [span[:2] for span in spans] if own else exons[contig, owner]
        yield transcript_row(contig, rows[0].strand, own or owner, locus, spans, merged(outer), problem)


def _pseudo_rows(features: pd.DataFrame):
    """Rows of pseudogenes and genes of transposable elements that have no coding sequence: their whole span."""
    below = set(",".join(features.loc[features["type"] == "CDS", "parent"]).split(","))
    below |= set(",".join(features.loc[features["id"].isin(below), "parent"]).split(","))
    pseudo = (features["type"] == "gene") & features["attributes"].str.contains('"pseudo": "true"', regex=False)
    mine = features[(features["type"].isin(NOT_GENES) | pseudo) & ~features["id"].isin(below)]
    for f in mine[~mine["parent"].isin(mine["id"])].itertuples(index=False):
        yield transcript_row(f.contig, f.strand, f.id, f.id, [(f.start, f.end, 0)], [(f.start, f.end)], "pseudogene")


def transcript_row(contig, strand, name, locus, cds, exons, problem="", role="") -> list:
    """A row of `COLUMNS` from sorted coding parts (start, end, phase) and exons (start, end)."""
    starts, ends, phases = (np.array(column, dtype=np.int64) for column in zip(*cds, strict=True))
    exon_starts, exon_ends = (np.array(column, dtype=np.int64) for column in zip(*exons, strict=True))
    span = int(starts[0]), int(ends.max())
    return [contig, *span, strand, name, locus, starts, ends, phases, exon_starts, exon_ends, problem, role]


def merged(spans) -> list[tuple[int, int]]:
    """Sorted union of intervals; those that touch become one (a UTR and the coding part beside it are one exon)."""
    union: list[list[int]] = []
    for start, end in sorted(spans):
        if union and start <= union[-1][1]:
            union[-1][1] = max(union[-1][1], end)
        else:
            union.append([start, end])
    return [(start, end) for start, end in union]


def _problem(t, contig, codes: np.ndarray, min_intron: int, kinds: Counter) -> str:
    """The first reason why a transcript is not whole, or nothing; counts the introns of those that are right so far."""
    lengths = t.cds_ends - t.cds_starts
    if t.problem or t.strand not in "+-":
        return t.problem or "no strand"
    if contig.circular and t.start == 0 and t.end == contig.length:
        return "across the origin"
    if (t.cds_starts[1:] - t.cds_ends[:-1] < min_intron).any():
        return "intron too short"
    if lengths.sum() % 3:
        return "not a multiple of three"
    ordered = lengths if t.strand == "+" else lengths[::-1]
    phases = t.cds_phases if t.strand == "+" else t.cds_phases[::-1]
    if (phases != -(np.cumsum(ordered) - ordered) % 3).any():
        return "phases"
    problem = _sequence_problem(coding_codes(codes, t), ordered, contig.genetic_code)
    if problem:
        return problem
    found = intron_kinds(codes, t)
    kinds.update(kind if kind in INTRONS else "other" for kind in found)
    return "" if set(found) <= set(INTRONS) else "splice sites"


def _sequence_problem(coding: np.ndarray, lengths: np.ndarray, code: int) -> str:
    _, _, stops = genetic_code(code)
    codons = codon_index(coding)[::3]
    if (coding > 3).any():
        return "unknown bases"
    if codons[0] != ATG or lengths[0] < 3:
        return "start codon"
    if not stops[codons[-1]] or lengths[-1] < 3 or len(codons) < 2:
        return "stop codon"
    return "stop codon inside" if stops[codons[:-1]].any() else ""


def coding_places(t) -> np.ndarray:
    """Positions of the coding bases of a transcript on its contig, in the order of reading."""
    place = np.concatenate([np.arange(a, b) for a, b in zip(t.cds_starts, t.cds_ends, strict=True)])
    return place if t.strand == "+" else place[::-1]


def coding_codes(codes: np.ndarray, t) -> np.ndarray:
    """Codes 0..4 of the spliced coding sequence, in the order of reading; ``codes`` are those of the contig."""
    parts = [codes[a:b] & 7 for a, b in zip(t.cds_starts, t.cds_ends, strict=True)]
    spliced = np.concatenate(parts)
    return spliced if t.strand == "+" else reverse_complement(spliced)


def intron_kinds(codes: np.ndarray, t) -> list[str]:
    """Donor and acceptor of the introns between coding parts, like GT-AG, by position."""
    kinds = []
    for a, b in zip(t.cds_ends[:-1], t.cds_starts[1:], strict=True):
        ends = np.concatenate([codes[a : a + 2], codes[b - 2 : b]]) & 7
        four = "".join("ACGTN"[c] for c in (ends if t.strand == "+" else reverse_complement(ends)))
        kinds.append(f"{four[:2]}-{four[2:]}")
    return kinds


def _roles(table: pd.DataFrame) -> pd.Series:
    coding = [int((e - s).sum()) for s, e in zip(table["cds_starts"], table["cds_ends"], strict=True)]
    exons = [int((e - s).sum()) for s, e in zip(table["exon_starts"], table["exon_ends"], strict=True)]
    frame = table.assign(whole=table["problem"] == "", coding=coding, exons=exons)
    key = ["whole", "coding", "exons", "id"]
    ordered = frame.sort_values(key, ascending=[False, False, False, True], kind="stable")
    first = ~ordered.duplicated(["contig", "locus"])
    whole = ordered.groupby(["contig", "locus"])["whole"].transform("any")
    return pd.Series(np.select([~whole, first], [EXCLUDED, CHOSEN], ALTERNATIVE), ordered.index)


def _tell(table: pd.DataFrame, kinds: Counter) -> None:
    loci = table.groupby(["contig", "locus"])["role"].agg(["size", "min"])
    several = int((loci["size"] > 1).sum())
    chosen = table[table["role"] == CHOSEN]
    introns = sum(len(starts) - 1 for starts in chosen["cds_starts"])
    log.info(
        "%d coding transcripts of %d loci; %d loci have several, of which one is taken; %d genes with %d introns",
        len(table), len(loci), several, len(chosen), introns,
    )  # fmt: skip
    log.info("splice sites: %s", _counts(kinds) or "none")
    excluded = table[table["role"] == EXCLUDED].drop_duplicates(["contig", "locus"])
    if len(excluded):
        log.info("%d loci teach nothing: %s", len(excluded), _counts(Counter(excluded["problem"])))


def _counts(counter: Counter) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def structure_keys(table: pd.DataFrame) -> np.ndarray:
    """Contig, strand and all coding parts of each row as one string: equal for equal gene structures."""
    rows = zip(table["contig"], table["strand"], table["cds_starts"], table["cds_ends"], strict=True)
    keys = [f"{c}{s}" + ",".join(f"{a}-{b}" for a, b in zip(x, y, strict=True)) for c, s, x, y in rows]
    return np.array(keys, dtype=object)
