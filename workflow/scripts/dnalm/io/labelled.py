"""Variants with labels, from a table or a VCF file, checked against the genome; what is left out has a reason."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.io.fasta import Genome, open_text
from dnalm.io.vcf import open_variants
from dnalm.io.vcf_alleles import ContigNames
from dnalm.sequence.alphabet import encode

log = logging.getLogger(__name__)
#: Why a variant is left out; the first that applies.
REASONS = (
    "no_label", "bad_position", "unknown_contig", "not_a_substitution", "ref_mismatch", "contradicting_labels",
    "repeated", "other_consequence",
)  # fmt: skip


def read_table(path, key: str) -> pd.DataFrame:
    """All columns of a TSV or CSV file as texts, missing values empty, and ``line`` of the file.

    The separator is the one of tab, comma and semicolon that the header has most of.

    Raises
    ------
    InputError
        If the file is empty, damaged, or has rows that do not fit its header.
    """
    try:
        with open_text(path) as file:
            header = file.readline().decode("utf-8-sig")
            separator = max("\t,;", key=header.count)
            table = pd.read_csv(
                path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig",
                compression="gzip" if hasattr(file, "fileobj") else None, skip_blank_lines=False,
            )  # fmt: skip
    except (EOFError, OSError, UnicodeDecodeError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"cannot be read as a table ({first})", f"{key}: {path}", "Give a TSV or CSV file") from error
    if table.empty:
        raise InputError("the table has no rows", f"{key}: {path}", "Give a header and a row per variant")
    return table.assign(line=np.arange(len(table)) + 2)


def read_vcf(path, genome: Genome) -> pd.DataFrame:
    """A row per alternative allele, INFO keys as columns of texts: contig, position, ref, alt, line as of the file."""
    parts = []
    for batch in open_variants(path, genome).batches():
        for line, number in zip(batch.lines, batch.numbers, strict=True):
            pairs = [item.partition("=") for item in line[7].split(";")]
            info = {name: value if mark else "1" for name, mark, value in pairs if name not in ("", ".")}
            own = {"contig": line[0], "position": line[1], "ref": line[3], "line": int(number)}
            parts += [{**info, **own, "alt": alt} for alt in line[4].split(",")]
    if not parts:
        raise InputError("the file has no records", str(path), "Give a VCF file with variants")
    return pd.DataFrame(parts).fillna("")


def read_labelled(genome: Genome, path, settings: dict, labels=None, aliases=None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Substitutions with a label that lie on the genome, and those that are left out.

    Parameters
    ----------
    genome : Genome
    path
        Table or VCF file.
    settings : dict
        Keys of `dnalm.config_labelled.LabelledSet`.
    labels : path, optional
        The table of labels, if they have one of their own.
    aliases : dict, optional
        Contig of the genome for names in the file.

    Returns
    -------
    (DataFrame, DataFrame)
        Variants sorted by place: all columns of the file, and ``_contig``, ``_position`` (global), ``_ref`` and
        ``_alt`` (bases 0..3, forward strand), ``_label`` (bool). Left out: line, reason (one of `REASONS`).

    Raises
    ------
    InputError
        If a column is not there, or nothing is left of one of the two labels.
    """
    vcf = bool(settings.get("vcf"))
    table = read_vcf(path, genome) if vcf else read_table(path, "variants.labelled")
    names = {"position": "position", "ref": "ref", "alt": "alt"} if vcf else settings
    _columns_are_there(table, path, settings, vcf)
    contig = ContigNames(genome, aliases, path)
    column = "contig" if vcf else settings.get("contig")
    place = [contig.find(name) for name in table[column]] if column else [_only_contig(genome)] * len(table)
    contig.tell()
    table = _placed(genome, table, np.array(place), names, settings.get("position_offset", 0))
    label = _labels(table, settings["label"], labels)
    reason = pd.Series("", index=table.index)
    mismatch = np.asarray(genome.codes)[np.maximum(table["_position"], 0)] & 7 != table["_ref"]
    for name, bad in (
        ("no_label", label.eq("")), ("bad_position", table["_position"] == -1),
        ("unknown_contig", table["_position"] == -2),
        ("not_a_substitution", (table["_ref"] > 3) | (table["_alt"] > 3) | (table["_ref"] == table["_alt"])),
        ("ref_mismatch", mismatch), ("contradicting_labels", label.eq("both")),
    ):  # fmt: skip
        reason = reason.mask(reason.eq("") & np.asarray(bad), name)
    table["_label"], table["_reason"] = label.eq("positive"), reason
    table = _one_per_allele(table, settings["label"]["several"])
    left = table.loc[table["_reason"] != "", ["line", "_reason"]].rename(columns={"_reason": "reason"})
    kept = table[table["_reason"] == ""].drop(columns="_reason").sort_values(["_position", "_alt"], kind="stable")
    _tell(kept, left, path)
    return kept.reset_index(drop=True), left.reset_index(drop=True)


def _tell(kept: pd.DataFrame, left: pd.DataFrame, path) -> None:
    counts = left["reason"].value_counts()
    log.info("%s: %d variants with a label, %d harmful", path, len(kept), kept["_label"].sum())
    if len(counts):
        log.warning("%s: left out: %s", path, ", ".join(f"{n:,} {r.replace('_', ' ')}" for r, n in counts.items()))
    if kept["_label"].nunique() < 2:
        told = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in counts.items()) or "none was left out"
        raise InputError(f"not both labels are left ({told})", str(path), "Check label, position_offset and genome")


def _columns_are_there(table: pd.DataFrame, path, settings: dict, vcf: bool) -> None:
    wanted = {} if vcf else {key: settings.get(key) for key in ("position", "ref", "alt", "contig")}
    label = settings["label"]
    wanted["label"] = label["name"] if label.get("table") else label["column"]
    wanted |= {key: settings.get(key) for key in ("gene", "transcript_position")}
    wanted["groups"] = settings["groups"].get("column")
    for key in ("consequence", "amino_acids", "columns", "published"):
        inner = {k: v for k, v in (settings.get(key) or {}).items() if k != "order"}
        wanted |= {f"{key}.{name}": column for name, column in inner.items()}
    for key, column in wanted.items():
        if column and column not in table.columns:
            known = ", ".join(map(repr, table.columns[:12]))
            raise InputError(f"there is no column {column!r}", f"{path}: {key}", f"Its first columns: {known}")


def _only_contig(genome: Genome) -> int:
    if len(genome.contigs) > 1:
        raise InputError("the genome has several contigs", "variants.labelled: contig", "Name the column of contigs")
    return 0


def _placed(genome: Genome, table: pd.DataFrame, row: np.ndarray, names: dict, shift: int) -> pd.DataFrame:
    """With global positions (-1 none, -2 no contig) and bases; 4 is no single base."""
    place = pd.to_numeric(table[names["position"]], errors="coerce")
    whole = place.notna() & (place % 1 == 0)
    local = place.where(whole, 0).to_numpy(np.int64) - shift - 1
    offset, length = (genome.contigs[name].to_numpy(np.int64)[row] for name in ("offset", "length"))
    inside = (local >= 0) & (local < length)
    position = np.where(row < 0, -2, np.where(inside, offset + local, -1))
    bases = {}
    for name in ("ref", "alt"):
        text = table[names[name]].str.strip()
        bases[f"_{name}"] = encode("".join(text.where(text.str.fullmatch("[ACGTUacgtu]"), "N"))) & 7
    contig = genome.contigs["contig"].to_numpy()[row]
    return table.assign(_contig=contig, _position=position, **bases)


def _labels(table: pd.DataFrame, label: dict, path) -> pd.Series:
    """positive, negative, both, or empty for every row."""
    if path is None:
        return _meant(table[label["column"]], label)
    other = read_table(path, "variants.labelled: label.table")
    for key in ("key", "column"):
        if label[key] not in other.columns:
            known = ", ".join(map(repr, other.columns[:12]))
            raise InputError(f"there is no column {label[key]!r}", f"{path}: label.{key}", f"Its columns: {known}")
    meant = _meant(other[label["column"]], label)
    found = meant[meant != ""].groupby(other[label["key"]]).agg(set)
    if label["several"] == "any":
        one = found.map(lambda said: "positive" if "positive" in said else "negative")
    else:
        one = found.map(lambda said: said.copy().pop() if len(said) == 1 else "both")
    return table[label["name"]].map(one).astype(object).fillna("")


def _meant(values: pd.Series, label: dict) -> pd.Series:
    means = {str(v): side for side in ("positive", "negative") for v in label[side]}
    return values.str.strip().map(means).astype(object).fillna("")


def _one_per_allele(table: pd.DataFrame, several: str) -> pd.DataFrame:
    """The first row of every allele; with several labels as the config says."""
    good = table[table["_reason"] == ""]
    keys = ["_position", "_alt"]
    said = good.groupby(keys)["_label"].transform("nunique")
    harmful = good.groupby(keys)["_label"].transform("any")
    table.loc[good.index, "_label"] = harmful if several == "any" else good["_label"]
    if several == "agree":
        table.loc[good.index[said > 1], "_reason"] = "contradicting_labels"
    good = table[table["_reason"] == ""]
    table.loc[good.index[good.duplicated(keys)], "_reason"] = "repeated"
    return table


def number_column(table: pd.DataFrame, column: str, path: Path | str = "") -> np.ndarray:
    """A column as float64 (n,), NaN where it is empty or says that nothing is known.

    Raises
    ------
    InputError
        With the line of the first value that is neither.
    """
    text = table[column].str.strip()
    value = pd.to_numeric(text, errors="coerce")
    odd = value.isna() & ~text.str.lower().isin(["", ".", "na", "nan", "n/a", "none", "null", "-"])
    if odd.any():
        row = table[odd].iloc[0]
        raise InputError(f"{row[column]!r} is no number", f"{path}:{row['line']}, column {column}", "Mend or empty it")
    return value.to_numpy(np.float64)
