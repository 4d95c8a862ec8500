"""Features of variants with labels, in families that a study turns on and off; no label is read here."""

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


def build_features(table: pd.DataFrame, genome, columns: dict[str, np.ndarray], families, coding=None) -> dict:
    """Features by family: {family: DataFrame (n, k) of float64}; NaN is missing.

    Parameters
    ----------
    table : DataFrame
        Of `dnalm.variants.described.describe`.
    genome : Genome
    columns : dict
        The values (n,) of columns that the table brings, by name.
    families : list
        Those wanted, of `dnalm.config_labelled.FAMILIES`.
    coding : CodingSequences, optional
        Where the residues round a variant are read; otherwise the table's own residues.
    """
    make = {
        "consequence": lambda: _one_hot(table["_consequence"], "is"),
        "chemistry": lambda: chemistry(table["_ref_aa"], table["_alt_aa"], is_missense(table)),
        "residues": lambda: _residues(table, coding),
        "substitution": lambda: _substitution(table, genome),
        "splice": lambda: _splice(table),
        "length": lambda: _length(table),
        "columns": lambda: _columns(columns, len(table)),
        "windows": lambda: _windows(columns, table["_position"].to_numpy()),
        "gene": lambda: _one_hot(table["_gene"], "in"),
    }
    return {family: make[family]().reset_index(drop=True).astype(np.float64) for family in families}


def _one_hot(values: pd.Series, prefix: str) -> pd.DataFrame:
    return pd.get_dummies(values.replace("", "none"), prefix=prefix, dtype=np.float64)


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


def _residues(table: pd.DataFrame, coding) -> pd.DataFrame:
    """Mean hydropathy of the residues round a changed one, without it; 0 outside of codons."""
    hydropathy = properties()["hydropathy"]
    proteins = _proteins(table, coding)
    gene, number = table["_gene"].to_numpy(object), table["_residue"].to_numpy()
    out = {f"hydropathy_{k}": np.zeros(len(table)) for k in RESIDUES}
    for name, protein in proteins.items():
        rows = np.flatnonzero((gene == name) & (number > 0) & (number <= len(protein)))
        known = protein >= 0
        value = np.where(known, hydropathy[np.maximum(protein, 0)], 0.0)
        for k in RESIDUES:
            total, count = (_around(x.astype(float), k)[number[rows] - 1] for x in (value, known))
            out[f"hydropathy_{k}"][rows] = total / np.maximum(count, 1)
    return pd.DataFrame(out)


def _around(values: np.ndarray, k: int) -> np.ndarray:
    """Sum of the k values on each side of every place, the place itself left out; nothing lies beyond the ends."""
    return uniform_filter1d(values, 2 * k + 1, mode="constant") * (2 * k + 1) - values


def _proteins(table: pd.DataFrame, coding) -> dict[str, np.ndarray]:
    """Places in `LETTERS` of the residues of every gene, -1 unknown."""
    found = {}
    if coding is not None and len(coding.table):
        wanted = set(table["_gene"])
        for m, (name, code) in enumerate(zip(coding.table["gene"], coding.table["genetic_code"], strict=True)):
            own = coding.codons[coding.first_codon[m] : coding.first_codon[m + 1]]
            if name in wanted and len(own) > len(found.get(name, ())):
                found[name] = numbered(map(chr, amino_acids(int(code))[0][own]))
        return found
    said = defaultdict(dict)
    for name, number, letter in zip(table["_gene"], table["_residue"], numbered(table["_ref_aa"]), strict=True):
        if number > 0:
            said[name][number] = letter
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


def _length(table: pd.DataFrame) -> pd.DataFrame:
    """What a change of several bases is; no columns at all where every variant is a substitution of one base.

    ``one_base`` tells where the families of substitutions and amino acids have something to say.
    """
    kind = table["_kind"]
    if kind.eq("snv").all():
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


def _columns(columns: dict, size: int) -> pd.DataFrame:
    """The columns, and for those with gaps whether there is a value."""
    out = dict(columns)
    out |= {f"{name}_known": np.isfinite(value) for name, value in columns.items() if not np.isfinite(value).all()}
    return pd.DataFrame(out, index=range(size))


def _windows(columns: dict, position: np.ndarray) -> pd.DataFrame:
    """Means of columns at the positions round each variant, its own left out; NaN where there is none."""
    place, row = np.unique(position, return_inverse=True)
    out = {}
    for name, value in columns.items():
        grouped = pd.Series(value).groupby(row)
        if grouped.nunique().le(1).mean() < BY_POSITION or np.isnan(value).mean() > 0.5:
            continue
        mean = grouped.mean().to_numpy()
        known = np.isfinite(mean)
        totals = np.concatenate([[0.0], np.where(known, mean, 0.0).cumsum()])
        counts = np.concatenate([[0], known.cumsum()])
        for k in WINDOWS:
            low, high = np.searchsorted(place, place - k), np.searchsorted(place, place + k, side="right")
            total = totals[high] - totals[low] - np.where(known, mean, 0.0)
            count = counts[high] - counts[low] - known
            around = np.divide(total, count, out=np.full(len(place), np.nan), where=count > 0)
            out[f"{name}_within_{k}"] = around[row]
    return pd.DataFrame(out, index=range(len(position)))
