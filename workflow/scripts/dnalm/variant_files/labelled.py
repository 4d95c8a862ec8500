"""Variants with labels, from a table or a VCF file, checked against the genome; what is left out has a reason."""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.io.text_files import open_text
from dnalm.sequence.alleles import KINDS
from dnalm.variant_files.alleles import ContigNames
from dnalm.variant_files.labelled_alleles import NO_CONTIG, NO_POSITION, place_alleles, spdi_columns
from dnalm.variant_files.reader import open_variants

log = logging.getLogger(__name__)
#: Why a variant is left out; the first that applies.
REASONS = (
    "not_wanted", "no_label", "bad_position", "unknown_contig", "no_alleles", "ref_mismatch", "other_kind", "too_long",
    "contradicting_labels", "repeated", "other_consequence",
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


def read_vcf(path, genome: Genome, aliases=None) -> pd.DataFrame:
    """A row per alternative allele, INFO keys as columns of texts: contig, position, ref, alt, line as of the file."""
    parts = []
    for batch in open_variants(path, genome, aliases).batches():
        for line, number in zip(batch.lines, batch.numbers, strict=True):
            pairs = [item.partition("=") for item in line[7].split(";")]
            info = {name: value if mark else "1" for name, mark, value in pairs if name not in ("", ".")}
            own = {"contig": line[0], "position": line[1], "ref": line[3], "line": int(number)}
            parts += [{**info, **own, "alt": alt} for alt in line[4].split(",")]
    if not parts:
        raise InputError("the file has no records", str(path), "Give a VCF file with variants")
    return pd.DataFrame(parts).fillna("")


def read_labelled(genome: Genome, path, settings: dict, labels=None, aliases=None, also=()):
    """Variants with a label that lie on the genome, and those that are left out.

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
    also : sequence of path
        The files of ``settings["also"]``.

    Returns
    -------
    (DataFrame, DataFrame)
        Variants sorted by place: all columns of the file (empty for those of other files), ``line``, ``source`` (name
        of the file), the columns of `dnalm.variant_files.labelled_alleles.place_alleles` and ``_label`` (bool). Left
        out: line, reason (one of `REASONS`), source.

    Raises
    ------
    InputError
        If a column is not there, or nothing is left of one of the two labels.
    """
    _columns_are_there(table := _rows(genome, path, settings, aliases), path, settings)
    parts = [_judged(genome, table, path, settings, settings, labels, aliases)]
    for file, other in zip(also, settings.get("also", ()), strict=True):
        _columns_are_there(table := _rows(genome, file, other, aliases), file, other)
        parts.append(_judged(genome, table, file, other, settings, None, aliases))
    table = pd.concat(parts, ignore_index=True)
    gaps = table.columns[table.isna().any()]  # columns of one file that another has not
    table[gaps] = table[gaps].fillna("")
    table = _one_per_allele(table, settings["label"]["several"])
    left = table.loc[table["_reason"] != "", ["line", "_reason", "source"]].rename(columns={"_reason": "reason"})
    order = ["_position", "_ref_bases", "_alt_bases"]
    kept = table[table["_reason"] == ""].drop(columns=["_reason", "_mismatch"]).sort_values(order, kind="stable")
    _tell(kept, left, path)
    return kept.reset_index(drop=True), left.reset_index(drop=True)


def _rows(genome: Genome, path, settings: dict, aliases) -> pd.DataFrame:
    return read_vcf(path, genome, aliases) if settings.get("vcf") else read_table(path, "variants.labelled")


def _judged(genome: Genome, table, path, settings: dict, wanted: dict, labels, aliases) -> pd.DataFrame:
    """Rows of one file with their alleles, labels, and the reason why they are left out."""
    vcf, spdi = bool(settings.get("vcf")), settings.get("spdi")
    contig = ContigNames(genome, aliases, path)
    column = "contig" if vcf else settings.get("contig")
    place = [contig.find(name) for name in table[column]] if column else [only_contig(genome)] * len(table)
    contig.tell()
    names = [name if vcf else settings[name] for name in ("position", "ref", "alt")]
    said = spdi_columns(table[spdi]) if spdi else table[names].set_axis(["position", "ref", "alt"], axis=1)
    shift = settings.get("position_offset", 0)
    found = place_alleles(genome, np.array(place), said["position"], said["ref"], said["alt"], shift, bool(spdi))
    longest = np.maximum(found["_ref_bases"].str.len(), found["_alt_bases"].str.len())
    label, reason = _labels(table, settings["label"], labels), pd.Series("", index=table.index)
    unwanted = np.zeros(len(table), dtype=bool)
    for name, values in settings.get("where", {}).items():
        unwanted |= ~table[name].str.strip().isin([str(value) for value in values]).to_numpy()
    for name, bad in (
        ("not_wanted", unwanted), ("no_label", label.eq("")), ("bad_position", found["_position"] == NO_POSITION),
        ("unknown_contig", found["_position"] == NO_CONTIG), ("no_alleles", found["_kind"] == ""),
        ("ref_mismatch", found["_mismatch"]), ("other_kind", ~found["_kind"].isin(wanted.get("kinds", KINDS))),
        ("too_long", longest > wanted.get("max_length", 50)), ("contradicting_labels", label.eq("both")),
    ):  # fmt: skip
        reason = reason.mask(reason.eq("") & np.asarray(bad), name)
    own = {"_label": label.eq("positive"), "_reason": reason, "source": Path(path).name}
    return pd.concat([table, found], axis=1).assign(**own)


def _tell(kept: pd.DataFrame, left: pd.DataFrame, path) -> None:
    counts = left["reason"].value_counts()
    log.info("%s: %d variants with a label, %d harmful", path, len(kept), kept["_label"].sum())
    if len(counts):
        log.warning("%s: left out: %s", path, ", ".join(f"{n:,} {r.replace('_', ' ')}" for r, n in counts.items()))
    if kept["_label"].nunique() < 2:
        told = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in counts.items()) or "none was left out"
        raise InputError(f"not both labels are left ({told})", str(path), "Check label, position_offset and genome")


def _columns_are_there(table: pd.DataFrame, path, settings: dict) -> None:
    place = () if settings.get("vcf") else ("spdi", "contig") if settings.get("spdi") else ("position", "ref", "alt")
    wanted = {key: settings.get(key) for key in (*place, *([] if settings.get("vcf") else ["contig"]))}
    wanted |= {f"where.{name}": name for name in settings.get("where", {})}
    label = settings["label"]
    wanted["label"] = label["name"] if label.get("table") else label["column"]
    wanted |= {key: settings.get(key) for key in ("gene", "transcript_position")}
    wanted["groups"] = settings.get("groups", {}).get("column")
    for key in ("consequence", "amino_acids", "columns", "published"):
        inner = {k: v for k, v in (settings.get(key) or {}).items() if k != "order"}
        wanted |= {
            f"{key}.{name}": column for name, column in inner.items() if column not in settings.get("lookup", ())
        }
    for key, column in wanted.items():
        if column and column not in table.columns:
            known = ", ".join(map(repr, table.columns[:12]))
            raise InputError(f"there is no column {column!r}", f"{path}: {key}", f"Its first columns: {known}")


def only_contig(genome: Genome) -> int:
    """Row of the one contig that a genome has; an error if it has several."""
    if len(genome.contigs) > 1:
        raise InputError("the genome has several contigs", "variants.labelled: contig", "Name the column of contigs")
    return 0


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
    if label.get("pattern"):
        values = values.map(lambda text: found[0] if (found := re.search(label["pattern"], text)) else "")
    said = values.str.strip().map(means).astype(object).fillna("")
    if label.get("negative_from") is None:
        return said
    number = pd.to_numeric(values, errors="coerce")
    return said.mask(said.eq("") & (number >= label["negative_from"]), "negative")


def _one_per_allele(table: pd.DataFrame, several: str) -> pd.DataFrame:
    """The first row of every allele; with several labels as the config says."""
    good = table[table["_reason"] == ""]
    keys = ["_position", "_ref_bases", "_alt_bases"]
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
