"""Gene models of an annotation, ready to be asked what a variant does to them.

Every coding sequence of `dnalm.annotation.transcripts` is there: in one piece, joined, across the origin of a circular
contig, with introns, cut off, or broken (a pseudogene); beside them genes of RNA and pseudogenes without coding
sequence.
"""

import json
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.annotation.features import rna_genes
from dnalm.annotation.transcripts import CHOSEN, read_transcripts
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.genetic_code import genetic_code
from dnalm.variants.segments import CODING, UNCLEAR, Segments, coding_segments, folded, intron_segments, unrolled
from dnalm.variants.terms import RANK, UNKNOWN, start_codons

#: Kinds of gene models. Those with parts on both strands, or none, are unclear.
KINDS = ("coding", "non_coding", "pseudogene", "unclear")
COLUMNS = [
    "contig", "start", "end", "strand", "kind", "gene", "locus_tag", "product", "id", "locus", "genetic_code", "phase",
    "bases", "codons", "has_start", "has_stop", "partial", "problem", "parts",
]  # fmt: skip
WHOLE = {"non_coding": RANK["non_coding_transcript_exon_variant"], "pseudogene": RANK["pseudogene"], "unclear": UNCLEAR}
#: Problems of `dnalm.annotation.transcripts` that leave nothing to read.
UNREADABLE = ("on both strands", "no strand")
#: What databases put before a gene's name to make it an ID.
PREFIXES = ("gene:", "gene-", "transcript:", "rna-")


@dataclass(frozen=True, eq=False)
class CodingSequences:
    """Gene models and their segments.

    ``table`` has a row per model: ``start`` and ``end`` span its exons on the contig, 0-based half-open, ``end`` past
    the contig's length for one across the origin; ``phase`` the bases before the first whole codon, ``bases`` and
    ``codons`` of the coding sequence (stop codon included); ``has_start``, ``has_stop`` whether the first codon is its
    start and the last one its stop codon; ``parts`` int64 (n, 2), coding parts in global positions in the order of
    reading. ``codons`` uint8 holds the codons of all models (`dnalm.variants.terms.CODONS`), model m from
    ``first_codon[m]`` on.
    """

    table: pd.DataFrame
    segments: Segments
    codons: np.ndarray
    first_codon: np.ndarray

    def sequence(self, genome, model: int) -> np.ndarray:
        """Codes 0..4 of a coding sequence in the order of reading."""
        return spliced(genome.codes, self.table["parts"].iat[model], self.table["strand"].iat[model] == "-")


def read_coding(genome, features: pd.DataFrame, every: bool = False, min_intron: int = 20) -> CodingSequences:
    """All gene models of an annotation.

    Parameters
    ----------
    genome : Genome
    features : DataFrame
        The tidy table of `dnalm.annotation.features`.
    every : bool
        All transcripts of a locus; otherwise the one that `dnalm.annotation.transcripts` chooses, or where none is
        whole the longest that is no pseudogene.
    min_intron : int
        Gaps that are shorter, in bases, are no introns.
    """
    transcripts = read_transcripts(genome, features, min_intron)
    transcripts = transcripts if every else _one_per_locus(transcripts)
    names, contigs = _Names(features), {c.contig: c for c in genome.contigs.itertuples(index=False)}
    models, rows, codons = [], [], []
    for t in [*transcripts.itertuples(index=False), *_rna_models(features)]:
        contig = contigs[t.contig]
        model, segments, own = _model(t, contig, genome.codes, names, min_intron)
        reverse = model["strand"] == "-"
        rows += [
            (a, b, len(models), kind, at, reverse)
            for row in segments
            for a, b, kind, at in folded(row, contig.length, contig.offset, reverse)
        ]
        models.append(model)
        codons.append(own)
    first = np.cumsum([0, *map(len, codons)])
    table = pd.DataFrame(models, columns=COLUMNS)
    return CodingSequences(table, Segments.of(rows), np.concatenate([*codons, np.empty(0, np.uint8)]), first)


def _one_per_locus(transcripts: pd.DataFrame) -> pd.DataFrame:
    bases = [int((e - s).sum()) for s, e in zip(transcripts["cds_starts"], transcripts["cds_ends"], strict=True)]
    broken, chosen = transcripts["problem"] == "pseudogene", transcripts["role"] == CHOSEN
    ranked = transcripts.assign(chosen=chosen, broken=broken, bases=bases)
    ranked = ranked.sort_values(["chosen", "broken", "bases", "id"], ascending=[False, True, False, True])
    return transcripts.loc[sorted(ranked.drop_duplicates(["contig", "locus"]).index)]


@dataclass(frozen=True)
class _Rna:
    """An RNA gene, with the fields of a transcript that it shares."""

    contig: str
    strand: str
    id: str
    locus: str
    exon_starts: list
    exon_ends: list
    problem: str = "non_coding"


def _rna_models(features: pd.DataFrame):
    """Genes of RNA; of a gene and the transcripts below it, the transcripts."""
    rna, exons = rna_genes(features), defaultdict(list)
    above = set(",".join(rna["parent"]).split(","))
    mine = rna[~rna["id"].isin(above)]
    children = features[(features["type"] == "exon") & features["parent"].isin(mine["id"])]
    for f in children.itertuples(index=False):
        exons[f.contig, f.parent].append((f.start, f.end))
    for (contig, name), group in mine.groupby(["contig", "id"], sort=False):
        spans = sorted(exons.get((contig, name)) or zip(group["start"], group["end"], strict=True))
        locus = group["parent"].iloc[0].split(",")[0] or name
        starts, ends = map(list, zip(*spans, strict=True))
        broken = '"pseudo": "true"' in group["attributes"].iloc[0]
        problem = "pseudogene" if broken else "non_coding"
        yield _Rna(contig, group["strand"].iloc[0], name, locus, starts, ends, problem)


def _model(t, contig, codes, names: "_Names", min_intron: int) -> tuple[dict, list[tuple], np.ndarray]:
    """Row of a model, its segments (unrolled), and its codons."""
    kind = "unclear" if t.problem in UNREADABLE else t.problem if t.problem in KINDS else "coding"
    reverse, none = t.strand == "-", np.empty(0, np.uint8)
    exons = unrolled(zip(map(int, t.exon_starts), map(int, t.exon_ends), strict=True), contig.length, contig.circular)
    model = {
        "contig": t.contig, "strand": t.strand, "kind": kind, **names.of(t.id, t.locus), "id": t.id, "locus": t.locus,
        "genetic_code": int(contig.genetic_code), "phase": 0, "bases": 0, "codons": 0, "has_start": False,
        "has_stop": False, "partial": names.partial(t.id), "problem": t.problem.replace("non_coding", ""),
        "start": min(a for a, _ in exons), "end": max(b for _, b in exons), "parts": np.empty((0, 2), np.int64),
    }  # fmt: skip
    if kind != "coding":
        introns = intron_segments(exons, reverse, min_intron) if kind == "non_coding" else []
        whole = exons if kind == "non_coding" else [(model["start"], model["end"])]
        return model, [*((a, b, WHOLE[kind], -1) for a, b in whole), *introns], none
    cds = zip(t.cds_starts.tolist(), t.cds_ends.tolist(), t.cds_phases.tolist(), strict=True)
    cds = unrolled(cds, contig.length, contig.circular)
    segments = coding_segments(cds, exons, reverse, min_intron)
    pieces = [
        piece
        for row in segments
        if row[2] == CODING
        for piece in folded(row, contig.length, contig.offset, reverse)
    ]  # fmt: skip
    parts = np.array([piece[:2] for piece in sorted(pieces, key=lambda piece: piece[3])], dtype=np.int64)
    phase = max(int(cds[-1][2] if reverse else cds[0][2]), 0)
    own = _codons(spliced(codes, parts, reverse)[phase:])
    model |= {"phase": phase, "bases": int((parts[:, 1] - parts[:, 0]).sum()), "codons": len(own), "parts": parts}
    return model | _ends(own, model), segments, own


def _ends(codons: np.ndarray, model: dict) -> dict:
    """Whether a coding sequence has its start and its stop codon.

    The annotation is believed that its first codon is where it starts, unless it says that it is cut off or begins
    inside a codon; a cut off one has a start only where the codon is one.
    """
    if not len(codons):
        return {"has_start": False, "has_stop": False}
    code, whole = model["genetic_code"], (model["bases"] - model["phase"]) % 3 == 0
    start = model["phase"] == 0 and (not model["partial"] or bool(start_codons(code)[codons[0]]))
    stop = whole and codons[-1] < UNKNOWN and bool(genetic_code(code)[2][codons[-1]])
    return {"has_start": start, "has_stop": stop}


def spliced(codes: np.ndarray, parts: np.ndarray, reverse: bool) -> np.ndarray:
    """Codes 0..4 of a coding sequence from its parts in the order of reading, as `CodingSequences.table` has them."""
    pieces = [codes[a:b] & 7 for a, b in parts]
    return np.concatenate([reverse_complement(p) for p in pieces] if reverse else pieces)


def _codons(coding: np.ndarray) -> np.ndarray:
    """Codons of a coding sequence that begins in frame, without bases after the last whole one."""
    three = coding[: len(coding) // 3 * 3].reshape(-1, 3)
    return np.where((three < 4).all(1), three @ np.array([16, 4, 1], np.uint8), UNKNOWN).astype(np.uint8)


class _Names:
    """What the features of an annotation say of a model by its id, or that of its transcript or gene."""

    def __init__(self, features: pd.DataFrame):
        first = features.drop_duplicates("id")
        self._said = dict(zip(first["id"], first["attributes"], strict=True))
        self._parent = dict(zip(first["id"], first["parent"], strict=True))
        cds = features[features["type"] == "CDS"]
        self._coding: dict[str, str] = {}
        for parent, text in zip(cds["parent"], cds["attributes"], strict=True):
            for owner in parent.split(","):
                self._coding.setdefault(owner, text)
        self._coding.pop("", None)

    def _chain(self, name: str) -> list[dict]:
        """Attributes of the coding sequence, of the model itself, and of all above it."""
        texts = [self._coding.get(name, "{}")]
        while name in self._said:
            texts.append(self._said[name])
            name = self._parent[name].split(",")[0]
        return [json.loads(text) for text in texts]

    def partial(self, name: str) -> bool:
        """Whether the coding sequence is cut off."""
        own = self._coding.get(name) or self._said.get(name, "{}")
        return json.loads(own).get("partial") == "true"

    def of(self, name: str, locus: str) -> dict[str, str]:
        """Its gene's name (or what comes nearest: locus tag, ID), locus tag and product."""
        chain = self._chain(name)

        def said(key, places=chain):
            return next((place[key] for place in places if place.get(key)), "")

        bare = locus
        for prefix in PREFIXES:
            bare = bare.removeprefix(prefix)
        gene = said("gene") or said("Name", chain[:1:-1]) or said("locus_tag") or said("Name", chain[1:2]) or bare
        return {"gene": gene, "locus_tag": said("locus_tag"), "product": said("product")}
