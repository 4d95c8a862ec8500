"""Alleles of a table on the genome: read as texts, compared with it, trimmed and moved as far left as they go.

Insertions and deletions in repeats can be written at several places. All of them become the leftmost one here (the
normal form of Tan et al. 2015, *Bioinformatics* 31:2202), so that the same change is the same row.
"""

import numpy as np
import pandas as pd

from dnalm.io.fasta import Genome
from dnalm.sequence.alleles import DELETION, EQUAL, INSERTION, KINDS, SNV, Sequences, kinds, reference_states, trim
from dnalm.sequence.alphabet import encode
from dnalm.sequence.left_align import left_align

#: Global positions that are none: no position, no contig.
NO_POSITION, NO_CONTIG = -1, -2
#: How an allele without bases is written.
EMPTY = "-"


def spdi_columns(texts: pd.Series) -> pd.DataFrame:
    """``contig``, ``position`` from 1 as text, ``ref`` and ``alt`` of SPDI expressions; empty where a text is none."""
    found = texts.str.strip().str.extract(
        r"^(?P<contig>[^:]+):(?P<position>\d+):(?P<ref>[A-Za-z]*):(?P<alt>[A-Za-z]*)$"
    )
    known = found["position"].notna()
    position = found["position"].where(known, "-1").astype(np.int64) + 1
    return found.assign(position=position.astype(str).where(known, "")).fillna("")


def locus_columns(locus: pd.Series, alleles: pd.Series) -> pd.DataFrame:
    """``contig``, ``position`` from 1 as text, ``ref`` and ``alt`` of Hail's columns (``chrM:5`` and ``["A","C"]``).

    Empty where a text is none; alleles are empty where there are not two.
    """
    place = locus.str.strip().str.extract(r"^(?P<contig>[^:]+):(?P<position>\d+)$")
    pair = alleles.str.strip().str.extract(r'^\["?(?P<ref>[^",\s]+)"?\s*,\s*"?(?P<alt>[^",\s]+)"?\]$')
    return pd.concat([place, pair], axis=1).fillna("")


def place_alleles(genome: Genome, row: np.ndarray, position, ref, alt, shift: int, interbase=False) -> pd.DataFrame:
    """Where alleles lie and what they are.

    Parameters
    ----------
    genome : Genome
    row : ndarray
        Row (n,) of ``genome.contigs``, -1 for none.
    position, ref, alt : Series
        Texts (n,): position from 1 of the first base of ``ref``, and alleles as VCF has them or with `EMPTY` ones.
    shift : int
        Taken off every position.
    interbase : bool
        Whether an empty ``ref`` has a place: before the base at its position, as in SPDI. In other notations that is
        not agreed on.

    Returns
    -------
    DataFrame
        ``_contig``, ``_position`` (global, of the first base that changes, or of the base behind an insertion;
        `NO_POSITION`, `NO_CONTIG`), ``_local`` (the same in its contig; -1 for none), ``_ref_bases`` and
        ``_alt_bases`` (upper case, without shared ends, leftmost), ``_ref`` and ``_alt`` (bases 0..3 of substitutions
        of one base, else 4), ``_kind`` (of `dnalm.sequence.alleles.KINDS`, empty where nothing
        changes or a letter is no base) and ``_mismatch`` (the genome has another reference).
    """
    number = pd.to_numeric(position, errors="coerce")
    whole = number.notna() & (number % 1 == 0)
    local = number.where(whole, 0).to_numpy(np.int64) - shift - 1
    offset, length = (genome.contigs[name].to_numpy(np.int64)[row] for name in ("offset", "length"))
    refs, alts = (_texts(texts) for texts in (ref, alt))
    a, b = Sequences.of(refs), Sequences.of(alts)
    left, right = trim(a, b, np.arange(len(a)))
    kind = kinds(a.lengths - left - right, b.lengths - left - right)
    kind[_strange(ref, alt, interbase)] = -1
    # nothing is known of what follows the last base: an insertion behind it has no place
    inside = (local >= 0) & (local + np.maximum(a.lengths, 1) <= length) & (local + left < length)
    place = np.where(row < 0, NO_CONTIG, np.where(inside, offset + local, NO_POSITION))
    mismatch = (place >= 0) & (reference_states(genome.codes, place, a) != EQUAL)
    alleles = [(r[i : len(r) - j], v[i : len(v) - j]) for r, v, i, j in zip(refs, alts, left, right, strict=True)]
    place = np.where(place < 0, place, place + left)
    gaps = np.flatnonzero(np.isin(kind, (INSERTION, DELETION)) & (place >= 0) & ~mismatch)
    texts = ([alleles[i][side] for i in gaps] for side in (0, 1))
    place[gaps], *moved = left_align(genome.codes, place[gaps], *texts, offset[gaps])
    for i, pair in zip(gaps.tolist(), zip(*moved, strict=True), strict=True):
        alleles[i] = pair
    table = pd.DataFrame(alleles, columns=["_ref_bases", "_alt_bases"], index=ref.index, dtype=object)
    for name in ("_ref", "_alt"):
        table[name] = encode("".join(table[f"{name}_bases"].where(kind == SNV, "N"))) & 7
    contig, word = genome.contigs["contig"].to_numpy()[row], np.array([*KINDS, ""], dtype=object)[kind]
    local = np.where(place >= 0, place - offset, -1)
    return table.assign(_contig=contig, _position=place, _local=local, _kind=word, _mismatch=mismatch)


def _strange(ref: pd.Series, alt: pd.Series, interbase: bool) -> np.ndarray:
    """Alleles (n,) that are no sequences: other letters, symbols, no reference to begin at, nothing at all."""
    sides = [texts.str.strip().replace(EMPTY, "") for texts in (ref, alt)]
    strange = np.any([~side.str.fullmatch("[ACGTUacgtu]*").to_numpy(bool) for side in sides], axis=0)
    if not interbase:
        strange |= (sides[0] == "").to_numpy() | (alt.str.strip() == "").to_numpy()
    return strange


def _texts(values: pd.Series) -> list[str]:
    return ["" if text == EMPTY else text.upper().replace("U", "T") for text in values.str.strip()]
