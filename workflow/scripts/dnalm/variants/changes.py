"""Changes of several bases: which gene models they touch, and where in their coding sequences."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np

from dnalm.variants.coding import CodingSequences
from dnalm.variants.indel import Found, Gene, judge, turned
from dnalm.variants.segments import ACCEPTOR, CODING, DONOR, INTRON, REGION, UNCLEAR, UTR_3, UTR_5
from dnalm.variants.terms import RANK

ABLATION, RNA = RANK["transcript_ablation"], RANK["non_coding_transcript_exon_variant"]
#: A deletion that takes one of these and coding bases joins what was apart.
APART = {DONOR, ACCEPTOR, INTRON, UNCLEAR}
#: Genes kept as text.
KEPT = 4096


def change_records(genome, coding: CodingSequences, positions, refs, alts, behind) -> Iterator[tuple[int, int, Found]]:
    """(allele, model, what it does) of every pair of a change and a gene model that it touches.

    ``positions`` int64 (n,) are global; ``refs``, ``alts`` lists of upper-case letters without common ends; ``behind``
    bool (n,) says which are insertions behind the last base of a contig. An insertion touches the models that have the
    bases on both of its sides.
    """
    genes = _genes(genome, coding)
    sizes = np.array([len(ref) for ref in refs], dtype=np.int64)
    inserted = sizes == 0
    left, right = _flanks(genome, positions, behind)
    left, right = (np.where(inserted, side, -1) for side in (left, right))
    taken = _hits(coding, np.where(inserted, 0, positions), np.where(inserted, 0, positions + sizes))
    before, behind = (_hits(coding, side, np.where(side >= 0, side + 1, side)) for side in (left, right))
    spans = _spans(genome, coding)
    for allele, hits in taken.items():
        low, high = int(positions[allele]), int(positions[allele]) + len(refs[allele])
        for model, own in hits.items():
            if own[0][2] == RNA and low <= spans[model][0] and spans[model][1] <= high:
                yield allele, model, Found(ABLATION)
            else:
                yield from ((allele, model, found) for found in _replaced(genes, model, own, low, high, alts[allele]))
    for allele in before.keys() & behind.keys():
        for model in before[allele].keys() & behind[allele].keys():
            sides = before[allele][model], behind[allele][model]
            places = int(left[allele]), int(right[allele])
            yield from ((allele, model, found) for found in _inserted(genes, model, sides, places, alts[allele]))


def _genes(genome, coding: CodingSequences):
    """Function that gives the `Gene` of a model."""
    codes, rows = np.asarray(genome.codes), list(coding.table.itertuples(index=False))
    contigs = {contig.contig: contig for contig in genome.contigs.itertuples(index=False)}
    return lru_cache(KEPT)(lambda model: Gene(rows[model], codes, contigs[rows[model].contig]))


def _flanks(genome, positions: np.ndarray, behind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Global positions of the bases before and behind an insertion, -1 beyond the end of a linear contig."""
    contigs = genome.contigs
    offset, size = (contigs[name].to_numpy(np.int64) for name in ("offset", "length"))
    contig = np.searchsorted(offset, positions - behind, side="right") - 1
    first, last, circular = offset[contig], (offset + size)[contig], contigs["circular"].to_numpy(bool)[contig]
    left = np.where(positions > first, positions - 1, np.where(circular, last - 1, -1))
    return left, np.where(positions < last, positions, np.where(circular, first, -1))


def _hits(coding: CodingSequences, low: np.ndarray, high: np.ndarray) -> dict[int, dict[int, list[tuple]]]:
    """Allele: model: its segments that share a base with [low, high), as (start, end, kind, at, reverse)."""
    segments, found = coding.segments, defaultdict(lambda: defaultdict(list))
    query, hit = segments.overlaps(low, high)
    columns = (segments.start, segments.end, segments.kind, segments.at, segments.reverse)
    rows = zip(*(column[hit].tolist() for column in columns), strict=True)
    for allele, model, row in zip(query.tolist(), segments.model[hit].tolist(), rows, strict=True):
        found[allele][model].append(row)
    return found


def _spans(genome, coding: CodingSequences) -> list[tuple[int, int]]:
    """Global positions of all models; those across the origin reach beyond their contig."""
    offsets = coding.table["contig"].map(dict(zip(genome.contigs["contig"], genome.contigs["offset"], strict=True)))
    starts, ends = ((coding.table[name] + offsets).tolist() for name in ("start", "end"))
    return list(zip(starts, ends, strict=True))


def _replaced(genes, model: int, hits: list[tuple], low: int, high: int, alt: str) -> Iterator[Found]:
    """What bases low..high that become ``alt`` do to a model."""
    pieces, others, judged = [], {row[2] for row in hits} - {CODING}, None
    for start, end, kind, at, reverse in hits:
        if kind == CODING:
            a, b = max(low, start), min(high, end)
            first = at + (end - b if reverse else a - start)
            pieces.append((first, first + b - a, a, b))
    if pieces:
        pieces.sort()
        gene, first, last = genes(model), pieces[0][0], pieces[-1][1]
        if sum(b - a for a, b, *_ in pieces) == len(gene.text):
            yield Found(ABLATION)
            return
        if len(pieces) > 1 or others & APART:
            judged = Found(UNCLEAR)
        else:
            judged = _judged(gene, first, last, pieces[0][2:], (low, high), alt)
        yield judged
    for kind in sorted(others - {UNCLEAR} if judged else others):
        yield replace(judged, term=kind) if judged and kind == REGION else Found(kind)


def _judged(gene: Gene, first: int, last: int, inside: tuple, allele: tuple, alt: str) -> Found:
    """A change whose part ``inside`` of a coding sequence is in one piece; the rest lies beyond its ends."""
    cut = inside[0] > allele[0], inside[1] < allele[1]
    around = gene.around
    if any(cut):
        around = gene.beyond(*(allele[k] if cut[k] else edge for k, edge in enumerate((gene.low, gene.high))))
    return judge(gene, first, last, turned(alt) if gene.reverse else alt, *around, cut[::-1] if gene.reverse else cut)


def _inserted(genes, model: int, sides: tuple, places: tuple[int, int], alt: str) -> Iterator[Found]:
    """What an insertion does to a model that has the bases on both sides of it."""
    kinds = [{row[2] for row in side} for side in sides]
    left, right = (
        [at + (end - 1 - place if reverse else place - start) for start, end, kind, at, reverse in side if not kind]
        for side, place in zip(sides, places, strict=True)
    )
    step = -1 if sides[0][0][4] else 1
    cut = next((max(a, b) for a in left for b in right if b - a == step), None)
    both, either = (kinds[0] & kinds[1]) - {CODING}, kinds[0] | kinds[1]
    if cut is not None:
        gene = genes(model)
        new = turned(alt) if gene.reverse else alt
        judged = judge(gene, cut, cut, new, *gene.around)
        yield judged
        yield from (replace(judged, term=kind) for kind in sorted(both))
    elif both:
        yield from (Found(kind) for kind in sorted(both))
    elif either & {DONOR, ACCEPTOR, INTRON, REGION}:
        yield Found(REGION)
    else:
        yield Found(next((kind for kind in (UTR_5, UTR_3) if kind in either), UNCLEAR))
