"""Variants with labels, described: consequence, gene, residues and codons, from the table itself or from an annotation.

What is added is the same wherever it comes from: ``_consequence`` (a short lower-case name), ``_rank`` (1 is the most
severe), ``_gene``, ``_ref_aa``, ``_alt_aa``, ``_residue`` (number of the codon, 0 for none), ``_place`` (position in
the codon, 0 for none), ``_usage`` (log-ratio of how often the codons after and before are used, 0 for none),
``_reverse`` (whether it is read in reverse), ``_donor`` and ``_acceptor`` (`dnalm.variants.splicing.relative`).
"""

import re

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.variants.amino_acids import numbered
from dnalm.variants.coding import CodingSequences
from dnalm.variants.consequence import consequences
from dnalm.variants.splicing import exon_ends, hgvs_positions, relative
from dnalm.variants.terms import CODONS


def short_name(text: str) -> str:
    """A value as a name of the metrics table: lower case, without `_variant`; 5' UTR is 5_utr."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower().removesuffix("_variant")).strip("_") or "none"


def describe(table: pd.DataFrame, settings: dict, genome, coding: CodingSequences | None, known=None) -> pd.DataFrame:
    """The table of `dnalm.variant_files.labelled.read_labelled` with what the module says.

    ``known`` (bool (n,), by default all) are rows with a label: they alone tell where exons end. Of
    the others one may have a consequence that is not in the order of the table's own; it ranks last.

    Raises
    ------
    InputError
        If there are neither consequences in the table nor an annotation, or a consequence is not in their order.
    """
    known = np.ones(len(table), dtype=bool) if known is None else np.asarray(known)
    found = _annotated(table, genome, coding) if coding is not None and len(coding.table) else _unknown(table)
    if settings.get("consequence"):
        found |= _given_consequences(table, settings["consequence"], known)
    if "_consequence" not in found:
        raise InputError(
            "the genome has no annotation, and the table no column of consequences", "variants.labelled: consequence",
            "Name the column and the order of its values",
        )  # fmt: skip
    if settings.get("amino_acids"):
        names = settings["amino_acids"]
        found |= {f"_{side}_aa": table[names[side]].str.strip().str.upper().to_numpy() for side in ("ref", "alt")}
        if names.get("position"):
            number = pd.to_numeric(table[names["position"]], errors="coerce").fillna(0)
            found["_residue"] = number.to_numpy(np.int64)
    if settings.get("gene"):
        found["_gene"] = table[settings["gene"]].to_numpy()
    if settings.get("transcript_position"):
        found |= _from_hgvs(table, settings["transcript_position"], known)
    return table.assign(**found)


def _unknown(table: pd.DataFrame) -> dict:
    size = len(table)
    texts = {name: np.full(size, "", dtype=object) for name in ("_gene", "_ref_aa", "_alt_aa")}
    zeros = {name: np.zeros(size, dtype=np.int64) for name in ("_residue", "_place", "_donor", "_acceptor")}
    return {**texts, **zeros, "_usage": np.zeros(size), "_reverse": np.zeros(size, dtype=bool)}


def _annotated(table: pd.DataFrame, genome, coding: CodingSequences) -> dict:
    alleles = table[["_position", "_ref_bases", "_alt_bases"]].set_axis(["position", "ref", "alt_bases"], axis=1)
    said = consequences(genome, coding, alleles)
    counts = np.bincount(coding.codons, minlength=len(CODONS))[:64] + 1.0
    usage = dict(zip(CODONS, np.log(counts / counts.sum()), strict=False))
    before, after = (said[name].map(usage).to_numpy(np.float64) for name in ("ref_codon", "alt_codon"))
    return _unknown(table) | {
        "_consequence": _names_of(said, coding), "_rank": said["consequence_rank"].to_numpy(np.int64),
        "_gene": said["gene"].to_numpy(object),
        "_ref_aa": said["ref_aa"].to_numpy(object), "_alt_aa": said["alt_aa"].to_numpy(object),
        "_residue": said["codon_number"].to_numpy(np.int64), "_place": said["codon_position"].to_numpy(np.int64),
        "_usage": np.nan_to_num(after - before), "_reverse": said["strand"].eq("-").to_numpy(),
        **_from_introns(table, genome, coding),
    }  # fmt: skip


def _names_of(said: pd.DataFrame, coding: CodingSequences) -> np.ndarray:
    """Short names (n,) of consequences; exons of transfer and of ribosomal RNA by their product."""
    names = np.array([short_name(term) for term in said["consequence"]], dtype=object)
    product = said["transcript"].map(coding.table.drop_duplicates("id").set_index("id")["product"]).fillna("")
    exon = (said["consequence"] == "non_coding_transcript_exon_variant").to_numpy()
    names[exon & product.str.contains("tRNA", regex=False).to_numpy()] = "trna"
    names[exon & product.str.contains("ribosomal RNA|rRNA").to_numpy()] = "rrna"
    return names


def _from_introns(table: pd.DataFrame, genome, coding: CodingSequences) -> dict:
    """Distances from the ends of the introns between coding parts; nothing in genomes without.

    Of an allele of several bases the end that is nearer, of an insertion the nearer one of its neighbours.
    """
    first = table["_position"].to_numpy(np.int64)
    size = table["_ref_bases"].str.len().to_numpy(np.int64)
    sides = [
        _near_introns(place, genome, coding)
        for place in (first + np.minimum(size - 1, 0), first + np.maximum(size - 1, 0))
    ]
    out = {}
    for kind in ("_donor", "_acceptor"):
        one, other = (side[kind] for side in sides)
        nearer = (one == 0) | ((np.abs(other) < np.abs(one)) & (other != 0))
        out[kind] = np.where(nearer, other, one)
    return out


def _near_introns(position: np.ndarray, genome, coding: CodingSequences) -> dict:
    near = {"_donor": np.zeros(len(position), np.int64), "_acceptor": np.zeros(len(position), np.int64)}
    best = np.full(len(position), np.inf)
    first = genome.contigs["offset"].to_numpy(np.int64)
    origins = np.concatenate([first, first + genome.contigs["length"].to_numpy(np.int64)])
    for parts, strand in zip(coding.table["parts"], coding.table["strand"], strict=True):
        if len(parts) < 2:
            continue
        reverse = strand == "-"
        donors = parts[:-1, 0] - 1 if reverse else parts[:-1, 1]
        acceptors = parts[1:, 1] if reverse else parts[1:, 0] - 1
        # parts that meet at the origin are one exon: the first base behind the contig is its first one again
        meet = np.isin(donors + reverse, origins) & np.isin(acceptors + 1 - reverse, origins)
        if meet.all():
            continue
        donors, acceptors = donors[~meet], acceptors[~meet]
        mine = np.flatnonzero((position >= parts.min() - 50) & (position < parts.max() + 50))
        places = [relative(position[mine], ends, reverse, kind) for ends, kind in ((donors, True), (acceptors, False))]
        distance = np.minimum(*np.abs(places))
        closer = distance < best[mine]
        best[mine[closer]] = distance[closer]
        near["_donor"][mine[closer]], near["_acceptor"][mine[closer]] = (place[closer] for place in places)
    return near


def nearest_exons(table: pd.DataFrame, coding: CodingSequences, longest: int) -> np.ndarray:
    """Name (n,) of the nearest coding part: gene, number of the part in the order of reading, and stretch in it.

    Parts longer than ``longest`` bases are cut into stretches of about equal length that are no longer, between codons.
    Stretches are counted along the contig. A codon that an intron divides belongs to the part that it begins in.
    """
    position = table["_position"].to_numpy(np.int64)
    name, best = np.full(len(position), "intergenic", dtype=object), np.full(len(position), np.inf)
    models = zip(*(coding.table[key] for key in ("gene", "parts", "strand", "phase")), strict=True)
    for gene, parts, strand, phase in models:
        # bases of the reading frame that are read before a part, and where the codon began that an intron divides
        before, reverse, begun = -int(phase), strand == "-", ""
        for number, (low, high) in enumerate(parts, 1):
            away = np.maximum(np.maximum(low - position, position - high + 1), 0)
            place = np.append(position, low if reverse else high - 1)
            stretch, count = _stretches(place, low, high, reverse, before, longest)
            names = [f"{gene} {number}" + (f" part {one + 1}" if count > 1 else "") for one in stretch]
            rest = -before % 3 if begun else 0  # bases of that codon
            divided = (away == 0) & ((high - 1 - position if reverse else position - low) < rest)
            for i in np.flatnonzero(away < best):
                name[i] = begun if divided[i] else names[i]
            best, before = np.minimum(best, away), before + high - low
            begun = names[-1] if high - low > rest else begun
    return name


def _stretches(position: np.ndarray, low: int, high: int, reverse: bool, before: int, longest: int):
    """Stretch (n,) of a coding part, from 0 along the contig, and their number; ``before`` bases are read before it."""
    inside = np.clip(position, low, high - 1)
    codon = (before + (high - 1 - inside if reverse else inside - low)) // 3
    first, last = before // 3, (before + high - low - 1) // 3
    codons = last - first + 1
    count = 1 if high - low <= longest else -(-codons // max(longest // 3, 1))
    stretch = (codon - first) * count // codons
    return count - 1 - stretch if reverse else stretch, count


def _from_hgvs(table: pd.DataFrame, column: str, known: np.ndarray) -> dict:
    position = table["_position"].to_numpy()
    donors, acceptors, reverse = exon_ends(position[known], *hgvs_positions(table.loc[known, column]))
    return {
        "_donor": relative(position, donors, reverse, True), "_acceptor": relative(position, acceptors, reverse, False),
        "_reverse": np.full(len(table), reverse),
    }  # fmt: skip


def _given_consequences(table: pd.DataFrame, given: dict, known: np.ndarray) -> dict:
    text = table[given["column"]].str.strip()
    rank = {value: i for i, value in enumerate(given["order"], 1)}
    if missing := sorted(set(text[known]) - set(rank)):
        raise InputError(
            f"consequences {', '.join(map(repr, missing[:5]))} are not in its order",
            "variants.labelled: consequence.order", "List all values of the column, the most severe first",
        )  # fmt: skip
    return {
        "_consequence": np.array([short_name(value) for value in text], dtype=object),
        "_rank": text.map(rank).fillna(len(rank) + 1).to_numpy(np.int64),
    }


def is_missense(table: pd.DataFrame) -> np.ndarray:
    """Rows (n,) that put one amino acid in the place of another, and do nothing to what follows."""
    before, after = numbered(table["_ref_aa"]), numbered(table["_alt_aa"])
    start = table["_consequence"].isin(["start_lost", "start_retained"]).to_numpy()
    same_length = (table["_ref_bases"].str.len() == table["_alt_bases"].str.len()).to_numpy()
    return (before >= 0) & (after >= 0) & (before != after) & ~start & same_length
