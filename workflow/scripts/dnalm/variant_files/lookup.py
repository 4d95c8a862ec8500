"""Numbers that other files have for positions or alleles: conservation as a wiggle file, scores as a table."""

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.io.text_files import numbered_lines
from dnalm.variant_files.alleles import ContigNames
from dnalm.variant_files.labelled import number_column, only_contig, read_table


def look_up(genome: Genome, variants: pd.DataFrame, path, settings: dict, key: str, aliases=None) -> np.ndarray:
    """The number (n,) that a file has for each variant, NaN where it has none.

    Parameters
    ----------
    genome : Genome
    variants : DataFrame
        ``_position`` (global), ``_kind``, ``_alt_bases`` (`dnalm.variant_files.labelled_alleles.place_alleles`).
    path
        The file.
    settings : dict
        Keys of `dnalm.config_labelled.Lookup`. With ``alt`` substitutions of one base alone have a number; without it,
        the one of the position stands for all alleles.
    key : str
        Where the file was named.
    aliases : dict, optional
        Contig of the genome for names in the file.

    Raises
    ------
    InputError
        If the file cannot be read, or has no number for any of the variants.
    """
    contigs = ContigNames(genome, aliases, path)
    if settings.get("wig"):
        known = _wiggle(genome, path, contigs, settings["position_offset"])
    else:
        known = _table(genome, path, settings, contigs, key)
    position = variants["_position"].to_numpy(np.int64)
    alt = variants["_alt_bases"].where(variants["_kind"] == "snv", "") if settings.get("alt") else ""
    wanted = pd.DataFrame({"position": position, "alt": alt})
    found = wanted.merge(known, on=["position", "alt"], how="left", validate="many_to_one")["value"].to_numpy()
    if not np.isfinite(found).any():
        raise InputError("no variant has a number in it", f"{key}: {path}", "Check contig, position_offset and columns")
    return found.astype(np.float64)


def _table(genome: Genome, path, settings: dict, contigs: ContigNames, key: str) -> pd.DataFrame:
    """Position (global), alt and value; the mean of rows that say several."""
    table = read_table(path, key)
    wanted = [settings[name] for name in ("contig", "position", "alt", "column") if settings.get(name)]
    for column in wanted:
        if column not in table.columns:
            shown = ", ".join(map(repr, table.columns[:12]))
            raise InputError(f"there is no column {column!r}", f"{key}: {path}", f"Its first columns: {shown}")
    if settings.get("contig"):
        row = np.array([contigs.find(name) for name in table[settings["contig"]]])
    else:
        row = np.full(len(table), only_contig(genome))
    contigs.tell()
    number = pd.to_numeric(table[settings["position"]], errors="coerce").fillna(0).to_numpy(np.int64)
    local = number - settings["position_offset"] - 1
    offset, length = (genome.contigs[name].to_numpy(np.int64)[row] for name in ("offset", "length"))
    alt = table[settings["alt"]].str.strip().str.upper() if settings.get("alt") else ""
    value = number_column(table, settings["column"], path)
    known = pd.DataFrame({"position": offset + local, "alt": alt, "value": value})
    known = known[(row >= 0) & (local >= 0) & (local < length) & np.isfinite(value)]
    return known.groupby(["position", "alt"], as_index=False)["value"].mean()


def _wiggle(genome: Genome, path, contigs: ContigNames, shift: int) -> pd.DataFrame:
    """The same of a wiggle file, one number per position."""
    spans = read_wiggle(path)
    names = spans["contig"].unique()
    # a genome of one contig and a file of one: names as different as NC_012920.1 and chrM are the same
    alone = len(names) == 1 and len(genome.contigs) == 1
    rows = {name: 0 if alone else contigs.find(name) for name in names}
    contigs.tell()
    size = spans["span"].to_numpy()
    row = np.repeat(spans["contig"].map(rows).to_numpy(np.int64), size)
    within = np.arange(size.sum()) - np.repeat(size.cumsum() - size, size)
    local = np.repeat(spans["start"].to_numpy(), size) + within - shift
    offset, length = (genome.contigs[name].to_numpy(np.int64)[row] for name in ("offset", "length"))
    known = pd.DataFrame({"position": offset + local, "alt": "", "value": np.repeat(spans["value"].to_numpy(), size)})
    return known[(row >= 0) & (local >= 0) & (local < length)].drop_duplicates("position")


def read_wiggle(path) -> pd.DataFrame:
    """Rows of a wiggle file: contig, ``start`` (0-based), ``span`` in bases, ``value``.

    Raises
    ------
    InputError
        With the line that is none of fixedStep, variableStep, or a number that belongs to them.
    """
    rows, place = [], 0
    for number, line in numbered_lines(path):
        words = line.decode("ascii", "replace").split()
        if not words or words[0] in ("track", "browser") or words[0].startswith("#"):
            continue
        try:
            if words[0] in ("fixedStep", "variableStep"):
                said = {"step": "1", "span": "1", "start": "1"} | dict(word.split("=") for word in words[1:])
                contig, span, step = said["chrom"], int(said["span"]), int(said["step"])
                place, fixed = int(said["start"]), words[0] == "fixedStep"
                continue
            start = place if fixed else int(words[0])
            rows.append((contig, start - 1, span, float(words[0] if fixed else words[1])))
            place += step
        except (KeyError, ValueError, IndexError, UnboundLocalError) as error:
            raise InputError(
                f"{' '.join(words)[:60]!r} is no line of a wiggle file", f"{path}:{number}",
                "Give fixedStep or variableStep with chrom, and numbers",
            ) from error  # fmt: skip
    if not rows:
        raise InputError("the file has no numbers", str(path), "Give a wiggle file")
    return pd.DataFrame(rows, columns=["contig", "start", "span", "value"])
