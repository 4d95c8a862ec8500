"""Does an annotation fit its sequence? Start and stop codons, reading frames, and the ends of introns.

A wrong assembly, a shifted release or a wrong genetic code shows in all of them at once.
"""

import numpy as np
import pandas as pd

from dnalm.annotation.features import each_parent
from dnalm.contigs.assembly_names import AssemblyError
from dnalm.sequence.alphabet import complement
from dnalm.sequence.genetic_code import genetic_code

#: Shares below this, of at least so many, are an error.
LEAST, MOST_WRONG = 20, 0.5
#: A gap between coding parts that is shorter is a frameshift, and no intron.
MIN_INTRON = 20
INTRONS = ("GT-AG", "GC-AG", "AT-AC")


def check_annotation(features: pd.DataFrame, cds: pd.DataFrame, contigs: pd.DataFrame, codes, where: str):
    """Shares of coding sequences and introns that look right.

    Counted are coding sequences that are neither pseudo nor partial, on one strand: those in one part, also across the
    origin, and those of several parts whose first and last codon are not cut by an intron. Introns lie between coding
    parts, are those of the nucleus, and count once however many transcripts have them.

    Parameters
    ----------
    features : DataFrame
        The tidy table.
    cds : DataFrame
        From `dnalm.annotation.features.coding_sequences`.
    contigs : DataFrame
        contig, length, offset, genetic_code, and organelle ("" for others).
    codes : (bases,) uint8
        Contigs end to end.
    where : str
        The annotation, for messages.

    Returns
    -------
    (dict, dict)
        start_share, stop_share, frame_share; and of introns total, share of each of `INTRONS`, canonical_share.

    Raises
    ------
    AssemblyError
        If of at least 20 coding sequences or introns fewer than half are right.
    """
    whole = cds[~cds["pseudo"] & ~cds["partial"]]
    parts = _parts(features, whole)
    shares, count, code = _codons(_ends(whole, parts), contigs, codes)
    if count >= LEAST and min(shares[:2]) < MOST_WRONG:
        raise AssemblyError(
            f"only {shares[0]:.0%} of {count} CDS begin with a start and {shares[1]:.0%} end with a stop codon", where,
            f"This looks like the annotation of another assembly, or not genetic code {code}",
        )  # fmt: skip
    introns = _introns(parts, contigs, codes)
    if introns["total"] >= LEAST and introns["canonical_share"] < MOST_WRONG:
        raise AssemblyError(
            f"only {introns['canonical_share']:.0%} of {introns['total']} introns are GT-AG, GC-AG or AT-AC", where,
            "This looks like the annotation of another assembly",
        )  # fmt: skip
    return dict(zip(("start_share", "stop_share", "frame_share"), shares, strict=True)), introns


def _parts(features: pd.DataFrame, whole: pd.DataFrame) -> pd.DataFrame:
    """Coding parts, sorted, of the coding sequences that have several on one strand and not across the origin."""
    joined = whole.loc[(whole["parts"] > 1) & ~whole["crosses_origin"], ["contig", "id"]]
    if joined.empty:
        return pd.DataFrame(columns=["contig", "id", "start", "end", "strand"])
    parts = each_parent(features)[["contig", "id", "start", "end", "strand"]]
    parts = parts.astype({"contig": "str", "strand": "str"}).merge(joined, on=["contig", "id"])
    strands = parts.groupby(["contig", "id"])["strand"].transform("nunique")
    return parts[strands == 1].sort_values(["contig", "id", "start"], kind="stable").reset_index(drop=True)


def _ends(whole: pd.DataFrame, parts: pd.DataFrame) -> pd.DataFrame:
    """First and last part of each coding sequence and its bases: contig, strand, start, end of each part, bases."""
    single = whole[whole["parts"] == 1]
    table = single[["contig", "strand", "start", "end"]].assign(
        last_start=single["start"], last_end=single["end"], bases=single["end"] - single["start"]
    )
    if parts.empty:
        return table
    spans = parts.assign(bases=parts["end"] - parts["start"]).groupby(["contig", "id"], sort=False)
    several = spans.agg(
        strand=("strand", "first"), start=("start", "first"), end=("end", "first"), last_start=("start", "last"),
        last_end=("end", "last"), bases=("bases", "sum"),
    ).reset_index()  # fmt: skip
    return pd.concat([table, several[table.columns]], ignore_index=True)


def _codons(ends: pd.DataFrame, contigs: pd.DataFrame, codes) -> tuple[list[float], int, int]:
    """Shares with a start codon, a stop codon and a whole number of codons; their number and commonest code."""
    uncut = (ends["end"] - ends["start"] >= 3) & (ends["last_end"] - ends["last_start"] >= 3)
    mine = ends[uncut | (ends["bases"] < 3)]
    if mine.empty:
        return [0.0, 0.0, 0.0], 0, 0
    lows = _triplets(mine["contig"], mine["start"], contigs, codes)
    highs = _triplets(mine["contig"], mine["last_end"] - 3, contigs, codes)
    minus = (mine["strand"] == "-").to_numpy()[:, None]
    first = np.where(minus, complement(highs[:, ::-1]), lows)
    last = np.where(minus, complement(lows[:, ::-1]), highs)
    numbers = mine["contig"].map(contigs.set_index("contig")["genetic_code"]).to_numpy()
    fit, enough = np.zeros((3, len(mine)), dtype=bool), (mine["bases"] >= 3).to_numpy()
    for number in np.unique(numbers):
        _, starts, stops = genetic_code(int(number))
        here = (numbers == number) & enough
        for row, codons, table in ((0, first, starts), (1, last, stops)):
            known = here & (codons < 4).all(axis=1)
            fit[row, known] = table[codons[known].astype(np.int64) @ (16, 4, 1)]
    fit[2] = mine["bases"].to_numpy() % 3 == 0
    values, counts = np.unique(numbers, return_counts=True)
    return [round(float(share), 4) for share in fit.mean(axis=1)], len(mine), int(values[counts.argmax()])


def _triplets(names: pd.Series, starts: pd.Series, contigs: pd.DataFrame, codes, size: int = 3) -> np.ndarray:
    """Codes without mask of ``size`` bases from ``starts`` on, round the origin: (n, size)."""
    table = contigs.set_index("contig")
    offset, length = (names.map(table[key]).to_numpy(dtype=np.int64)[:, None] for key in ("offset", "length"))
    places = (starts.to_numpy(dtype=np.int64)[:, None] + np.arange(size)) % length + offset
    return np.asarray(codes[places]) & 7


def _introns(parts: pd.DataFrame, contigs: pd.DataFrame, codes) -> dict:
    """Number of introns between coding parts, and how many of each kind."""
    nuclear = set(contigs.loc[contigs["organelle"] == "", "contig"])
    after = parts.shift(-1)
    same = (parts["contig"] == after["contig"]) & (parts["id"] == after["id"]) & parts["contig"].isin(nuclear)
    table = pd.DataFrame(
        {"contig": parts["contig"], "start": parts["end"], "end": after["start"], "strand": parts["strand"]}
    )[same].astype({"end": "int64"})
    table = table[table["end"] - table["start"] >= MIN_INTRON].drop_duplicates()
    left = _triplets(table["contig"], table["start"], contigs, codes, 2)
    right = _triplets(table["contig"], table["end"] - 2, contigs, codes, 2)
    four = np.concatenate([left, right], axis=1)
    four = np.where((table["strand"] == "-").to_numpy()[:, None], complement(four[:, ::-1]), four)
    known = four[(four < 4).all(axis=1)]
    keys = known.astype(np.int64) @ (64, 16, 4, 1)
    found = {kind: int((keys == _key(kind)).sum()) for kind in INTRONS}
    total = len(known)
    shares = {kind: round(count / max(total, 1), 4) for kind, count in found.items()}
    return {"total": total, **shares, "canonical_share": round(sum(found.values()) / max(total, 1), 4)}


def _key(kind: str) -> int:
    """Number of the four letters of a kind of intron."""
    a, b, c, d = ("ACGT".index(letter) for letter in kind.replace("-", ""))
    return 64 * a + 16 * b + 4 * c + d
