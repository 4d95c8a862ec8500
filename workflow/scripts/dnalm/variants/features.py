"""Features of variants with labels, in families that a study turns on and off; no label is read here.

Rows without a label (``known`` False) get features beside the others and change nothing in theirs: which columns there
are, and what is averaged over neighbours, is taken from the known rows alone.
"""

from collections import defaultdict

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter1d

from dnalm.sequence.alphabet import bases
from dnalm.variants.amino_acids import LETTERS, matrices, numbered, properties
from dnalm.variants.described import is_missense
from dnalm.variants.splicing import consensus_change
from dnalm.variants.terms import amino_acids

#: Distances in bases within which values of a column are averaged round a variant, its own position left out.
WINDOWS = (1, 3, 10)
#: Residues on each side whose hydropathy is averaged.
RESIDUES = (3, 7)
#: Share of positions where a column has one value for all alleles, from which on windows of it mean something.
BY_POSITION = 0.95
#: Bases over which what is near a splice site fades.
FADE = 3.0


def build_features(
    table: pd.DataFrame, genome, columns: dict[str, np.ndarray], families, coding=None, known=None
) -> dict[str, pd.DataFrame]:
    """Features by family: {family: DataFrame (n, k) of float64}; NaN is missing.

    Parameters
    ----------
    table : DataFrame
        Of `dnalm.variants.described.describe`.
    genome : Genome
    columns : dict
        The values (n,) of columns that the table brings, by name.
    families : list
        Those wanted, of `dnalm.variants.families`.
    coding : CodingSequences, optional
        Where the residues round a variant are read; otherwise the table's own residues.
    known : bool (n,), optional
        Rows that are learned from; all by default.
    """
    known = np.ones(len(table), dtype=bool) if known is None else np.asarray(known)
    make = {
        "consequence": lambda: _one_hot(table["_consequence"], "is", known),
        "chemistry": lambda: chemistry(table["_ref_aa"], table["_alt_aa"], is_missense(table)),
        "residues": lambda: _residues(table, coding, known),
        "substitution": lambda: _substitution(table, genome),
        "splice": lambda: _splice(table),
        "length": lambda: _length(table, known),
        "columns": lambda: _columns(columns, known),
        "windows": lambda: _windows(columns, table["_position"].to_numpy(), known),
        "gene": lambda: _one_hot(table["_gene"], "in", known),
    }
    return {family: make[family]().reset_index(drop=True).astype(np.float64) for family in families}


def _one_hot(values: pd.Series, prefix: str, known: np.ndarray) -> pd.DataFrame:
    """An indicator of each value that a known row has."""
    values = values.replace("", "none")
    every = pd.get_dummies(values, prefix=prefix, dtype=np.float64)
    return every[[f"{prefix}_{value}" for value in sorted(set(values[known]))]]


def chemistry(ref_aa, alt_aa, changed: np.ndarray) -> pd.DataFrame:
    """How different two amino acids are, and what the first one is; 0 where ``changed`` (n,) is False."""
    a, b = (np.where(changed, numbered(letters), 0) for letters in (ref_aa, alt_aa))
    out = {name: matrix[a, b] for name, matrix in matrices().items()}
    for name, value in properties().items():
        step = value[b] - value[a]
        out |= {f"{name}_change": step, f"{name}_distance": np.abs(step), f"{name}_before": value[a]}
    for name, some in (("proline", "P"), ("glycine", "G"), ("cysteine", "C"), ("aromatic", "FWY")):
        special = np.isin(list(LETTERS), list(some))
        out |= {f"from_{name}": special[a].astype(float), f"to_{name}": special[b].astype(float)}
    return pd.DataFrame({name: np.where(changed, value, 0.0) for name, value in out.items()})


def _residues(table: pd.DataFrame, coding, known: np.ndarray) -> pd.DataFrame:
    """Mean hydropathy of the residues round a changed one, without it; 0 outside of codons."""
    hydropathy = properties()["hydropathy"]
    proteins = _proteins(table, coding, known)
    gene, number = table["_gene"].to_numpy(object), table["_residue"].to_numpy()
    out = {f"hydropathy_{k}": np.zeros(len(table)) for k in RESIDUES}
    for name, protein in proteins.items():
        rows = np.flatnonzero((gene == name) & (number > 0) & (number <= len(protein)))
        there = protein >= 0
        value = np.where(there, hydropathy[np.maximum(protein, 0)], 0.0)
        for k in RESIDUES:
            total, count = (_around(x.astype(float), k)[number[rows] - 1] for x in (value, there))
            out[f"hydropathy_{k}"][rows] = total / np.maximum(count, 1)
    return pd.DataFrame(out)


def _around(values: np.ndarray, k: int) -> np.ndarray:
    """Sum of the k values on each side of every place, the place itself left out; nothing lies beyond the ends."""
    return uniform_filter1d(values, 2 * k + 1, mode="constant") * (2 * k + 1) - values


def _proteins(table: pd.DataFrame, coding, known: np.ndarray) -> dict[str, np.ndarray]:
    """Places in `LETTERS` of the residues of every gene, -1 unknown: of the annotation, or of the known rows."""
    found = {}
    if coding is not None and len(coding.table):
        wanted = set(table["_gene"])
        for m, (name, code) in enumerate(zip(coding.table["gene"], coding.table["genetic_code"], strict=True)):
            own = coding.codons[coding.first_codon[m] : coding.first_codon[m + 1]]
            if name in wanted and len(own) > len(found.get(name, ())):
                found[name] = numbered(map(chr, amino_acids(int(code))[0][own]))
        return found
    said = defaultdict(dict)
    rows = zip(table["_gene"], table["_residue"], numbered(table["_ref_aa"]), known, strict=True)
    for name, number, letter, here in rows:
        if number > 0:
            said[name][number] = letter if here else said[name].get(number, -1)
    for name, residues in said.items():
        found[name] = np.full(max(residues), -1, dtype=np.int64)
        found[name][np.array(list(residues)) - 1] = list(residues.values())
    return found


def _strand(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Bases before and after in the direction of reading."""
    reverse = table["_reverse"].to_numpy(bool)
    before, after = table["_ref"].to_numpy(np.int64), table["_alt"].to_numpy(np.int64)
    return np.where(reverse, 3 - before, before), np.where(reverse, 3 - after, after)


def _substitution(table: pd.DataFrame, genome) -> pd.DataFrame:
    """Transition, CpG lost, strength of pairing, place in the codon, codon usage."""
    before, after = table["_ref"].to_numpy(np.int64), table["_alt"].to_numpy(np.int64)
    single = (before < 4) & (after < 4)
    position, codes = table["_position"].to_numpy(), np.asarray(genome.codes)
    left, right = (bases(codes[np.clip(position + step, 0, len(codes) - 1)]) for step in (-1, 1))
    strong = np.array([0, 1, 1, 0, 0])
    out = {
        "transition": single & ((before ^ after) == 2),
        "cpg_lost": ((before == 1) & (right == 2)) | ((before == 2) & (left == 1)),
        "strength_change": (strong[after] - strong[before]) * single, "usage_change": table["_usage"].to_numpy(),
        **{f"codon_position_{i}": table["_place"].to_numpy() == i for i in (1, 2, 3)},
    }  # fmt: skip
    return pd.DataFrame({name: np.asarray(value, dtype=np.float64) for name, value in out.items()})


def _length(table: pd.DataFrame, known: np.ndarray) -> pd.DataFrame:
    """What a change of several bases is; no columns at all where every known one is a substitution of one base.

    ``one_base`` tells where the families of substitutions and amino acids have something to say.
    """
    kind = table["_kind"]
    if kind[known].eq("snv").all():
        return pd.DataFrame(index=range(len(table)))
    before, after = (table[f"_{side}_bases"].str.len().to_numpy(np.int64) for side in ("ref", "alt"))
    change = after - before
    out = {
        "one_base": kind.eq("snv"), "inserts": kind.eq("insertion"), "deletes": kind.eq("deletion"),
        "replaces": kind.isin(["mnv", "indel"]), "length_change": np.clip(change, -50, 50),
        "log_size": np.log1p(np.maximum(before, after)), "frame_kept": change % 3 == 0,
        "coding_frame_lost": (change % 3 != 0) & (table["_residue"] > 0),
        "residues_before": table["_ref_aa"].str.len(), "residues_after": table["_alt_aa"].str.len(),
    }  # fmt: skip
    return pd.DataFrame({name: np.asarray(value, dtype=np.float64) for name, value in out.items()})


def _splice(table: pd.DataFrame) -> pd.DataFrame:
    """Places at the nearest donor and acceptor, nearness, and what happens to the consensus there."""
    before, after = _strand(table)
    out = {}
    for kind in ("donor", "acceptor"):
        place = table[f"_{kind}"].to_numpy(np.float64)
        near = np.where(place == 0, 0.0, np.exp(-np.abs(place) / FADE))
        change = consensus_change(table[f"_{kind}"].to_numpy(), before, after, kind == "donor")
        # of the two core bases of an intron nothing else is tolerated
        core = np.isin(place, (1, 2) if kind == "donor" else (-1, -2))
        intron = place > 0 if kind == "donor" else place < 0
        out |= {
            f"{kind}_place": np.clip(place, -20, 20), f"{kind}_near": near, f"{kind}_near_intron": near * intron,
            f"{kind}_consensus": change, f"{kind}_consensus_near": change * near, f"{kind}_core": core,
        }  # fmt: skip
    return pd.DataFrame(out)


def _columns(columns: dict, known: np.ndarray) -> pd.DataFrame:
    """The columns, and for those with gaps whether there is a value."""
    out = dict(columns)
    gaps = [name for name, value in columns.items() if not np.isfinite(value[known]).all()]
    out |= {f"{name}_known": np.isfinite(columns[name]) for name in gaps}
    return pd.DataFrame(out, index=range(len(known)))


def _windows(columns: dict, position: np.ndarray, known: np.ndarray | None = None) -> pd.DataFrame:
    """Means of columns at the positions of known rows round each variant, its own left out; NaN where there is none."""
    known = np.ones(len(position), dtype=bool) if known is None else known
    place, row = np.unique(position[known], return_inverse=True)
    asked, which = np.unique(position, return_inverse=True)
    own = np.searchsorted(place, asked)
    own[own == len(place)] = 0
    here = place[own] == asked
    out = {}
    for name, value in columns.items():
        grouped = pd.Series(value[known]).groupby(row)
        if grouped.nunique().le(1).mean() < BY_POSITION or np.isnan(value[known]).mean() > 0.5:
            continue
        mean = grouped.mean().to_numpy()
        there = np.isfinite(mean)
        filled = np.where(there, mean, 0.0)
        totals = np.concatenate([[0.0], filled.cumsum()])
        counts = np.concatenate([[0], there.cumsum()])
        for k in WINDOWS:
            low, high = np.searchsorted(place, asked - k), np.searchsorted(place, asked + k, side="right")
            total = totals[high] - totals[low] - np.where(here, filled[own], 0.0)
            count = counts[high] - counts[low] - (here & there[own])
            around = np.divide(total, count, out=np.full(len(asked), np.nan), where=count > 0)
            out[f"{name}_within_{k}"] = around[which]
    return pd.DataFrame(out, index=range(len(position)))
