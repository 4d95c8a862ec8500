"""Variants with labels, from a table or a VCF file, checked against the genome; what is left out has a reason."""

import csv
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
from dnalm.variant_files.labelled_alleles import NO_CONTIG, NO_POSITION, locus_columns, place_alleles, spdi_columns
from dnalm.variant_files.reader import open_variants

log = logging.getLogger(__name__)
_PER_ALLELE = re.compile(r'##INFO=<(?=(?:[^"]*?,)?ID=([^,>]+))(?=(?:[^"]*?,)?Number=([AR])[,>])')
#: Why a variant is left out; the first that applies.
REASONS = (
    "not_wanted", "no_label", "bad_position", "unknown_contig", "no_alleles", "ref_mismatch", "other_kind", "too_long",
    "contradicting_labels", "repeated", "other_consequence",
)  # fmt: skip
#: What means that nothing is known.
MISSING = ("", ".", "na", "nan", "n/a", "none", "null", "-")
#: Bounds of numbers that are labels.
THRESHOLDS = ("positive_from", "positive_below", "negative_from", "negative_below")
#: What makes an allele the same; keys of the columns where it stands; and what a file itself says of it: contig,
#: position from 1, alleles, name.
ALLELE = ["_position", "_ref_bases", "_alt_bases"]
PLACE = ["position", "ref", "alt"]
SAID = ["_said_contig", "_said_position", "_said_ref", "_said_alt", "_id"]


def read_table(path, key: str) -> pd.DataFrame:
    """All columns of a TSV or CSV file as texts, missing values empty, and ``line`` of the file.

    The separator is the one of tab, comma and semicolon that the header has most of. Between tabs a quotation mark is a
    letter like others (those around a whole value are taken off); between commas and semicolons it may enclose
    separators, but no line's end. A separator at the end of every row is no column, and names of rows, above which the
    header has nothing, are left out.

    Raises
    ------
    InputError
        If the file is empty, damaged, has rows that do not fit its header, or a quotation mark that stays open.
    """
    try:
        with open_text(path) as file:
            header = file.readline().decode("utf-8-sig")
            separator = max("\t,;", key=header.count)
            tabs = separator == "\t"
            table = pd.read_csv(
                path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig",
                quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL,
                compression="gzip" if hasattr(file, "fileobj") else None, skip_blank_lines=False,
            )  # fmt: skip
            _check_rows(len(table), file, path)
    except (EOFError, OSError, UnicodeDecodeError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"cannot be read as a table ({first})", f"{key}: {path}", "Give a TSV or CSV file") from error
    if table.empty:
        raise InputError("the table has no rows", f"{key}: {path}", "Give a header and a row per variant")
    table = _named_values(table, path, key)
    if tabs:
        around = r'^"(.*)"$'
        table = table.rename(columns=lambda name: re.sub(around, r"\1", name)).replace(around, r"\1", regex=True)
    return table.assign(line=np.arange(len(table)) + 2)


def _check_rows(rows: int, file, path) -> None:
    """Refuse a table whose rows are not the lines behind its header."""
    open_at, number = 0, 1
    for number, line in enumerate(file, 2):
        open_at = open_at or number * (line.count(b'"') % 2)
    if rows != number - 1:
        why = ": a quotation mark stays open at the end of this one" if open_at else ""
        what = f"the header is followed by {number - 1:,} lines, but {rows:,} rows{why}"
        raise InputError(what, f"{path}:{open_at or 1}", "Write a row per line, with all quotation marks closed")


def _named_values(table: pd.DataFrame, path, key: str) -> pd.DataFrame:
    """Each value below its name: pandas makes an index of the first ones where rows have more than the header."""
    if isinstance(table.index, pd.RangeIndex):
        return table
    if (more := table.index.nlevels) > 1:
        what = f"the rows have {more} values more than the header has names"
        raise InputError(what, f"{key}: {path}:2", "Name all columns, and end no row with separators")
    if table.iloc[:, -1].fillna("").eq("").all():
        return table.reset_index().iloc[:, :-1].set_axis(table.columns, axis=1)
    return table.reset_index(drop=True)


def read_vcf(path, genome: Genome, aliases=None) -> pd.DataFrame:
    """A row per alternative allele, INFO keys as columns of texts: contig, position, ref, alt, line as of the file.

    Of keys that have a value for each allele by the header (``Number=A``, ``Number=R``) each gets its own.
    """
    file, parts = open_variants(path, genome, aliases), []
    first = {found[1]: "AR".index(found[2]) for line in file.header if (found := _PER_ALLELE.match(line))}
    for batch in file.batches():
        for line, number in zip(batch.lines, batch.numbers, strict=True):
            pairs = [item.partition("=") for item in line[7].split(";")]
            info = {name: value if mark else "1" for name, mark, value in pairs if name not in ("", ".")}
            own = {"contig": line[0], "position": line[1], "ref": line[3], "line": int(number), "_id": line[2]}
            alts = line[4].split(",")
            split = {name: values for name, begin in first.items() if name in info
                     if len(values := info[name].split(",")[begin:]) == len(alts)}  # fmt: skip
            for i, alt in enumerate(alts):
                parts.append({**info, **{name: values[i] for name, values in split.items()}, **own, "alt": alt})
    if not parts:
        raise InputError("the file has no records", str(path), "Give a VCF file with variants")
    return pd.DataFrame(parts).fillna("")


def read_labelled(genome: Genome, path, settings: dict, labels=None, aliases=None, also=()):
    """Variants with a label that lie on the genome, and those that are left out: the first two of `read_set`."""
    return read_set(genome, path, settings, labels, aliases, also)[:2]


def read_set(genome: Genome, path, settings: dict, labels=None, aliases=None, also=()):
    """Variants with a label that lie on the genome, those that are left out, and of these the ones without a label.

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
    (DataFrame, DataFrame, DataFrame)
        Variants sorted by place: all columns of the file (empty for those of other files), ``line``, ``source`` (name
        of the file), the columns of `dnalm.variant_files.labelled_alleles.place_alleles`, ``_label`` (bool), and
        `SAID`, what the file itself says. Left out: line, reason (one of `REASONS`), source. Without a label: the
        same columns as the first, in the order of the files, and ``_trouble``, what else is wrong with a row; an allele
        stands there once, and not if another row has its label.

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
    table = _one_per_allele(stacked(parts), settings["label"]["several"])
    left = table.loc[table["_reason"] != "", ["line", "_reason", "source"]].rename(columns={"_reason": "reason"})
    kept = table[table["_reason"] == ""].drop(columns=["_reason", "_mismatch"]).sort_values(ALLELE, kind="stable")
    _tell(kept, left, path)
    rest = _without_label(table)
    return kept.reset_index(drop=True), left.reset_index(drop=True), rest.reset_index(drop=True)


def read_unlabelled(genome: Genome, path, settings: dict, aliases=None) -> pd.DataFrame:
    """The rows of a file that has the form of a set's own, or of a VCF file: as `read_set` gives those without a label.

    Whether a row has a label is not asked, and every row is there.
    """
    vcf = str(path) if re.search(r"\.(vcf(\.b?gz)?|bcf)$", str(path)) else None
    settings = settings | {"vcf": vcf, "label": None, "where": {}, "groups": {}, "published": {}}
    settings |= {"spdi": None, "locus": None} if vcf else {}
    _columns_are_there(table := _rows(genome, path, settings, aliases), path, settings)
    return _judged(genome, table, path, settings, settings, None, aliases).drop(columns=["_reason", "_mismatch"])


def stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Tables one below the other; columns that one of them has not are empty there."""
    table = pd.concat(parts, ignore_index=True)
    gaps = table.columns[table.isna().any()]
    return table.assign(**{name: table[name].astype(object).fillna("") for name in gaps})


def _without_label(table: pd.DataFrame) -> pd.DataFrame:
    rest = table[table["_reason"] == "no_label"].drop(columns=["_reason", "_mismatch"])
    labelled = pd.MultiIndex.from_frame(table.loc[table["_reason"].isin(["", "contradicting_labels"]), ALLELE])
    told = rest.duplicated(ALLELE).to_numpy() | pd.MultiIndex.from_frame(rest[ALLELE]).isin(labelled)
    return rest[~told | rest["_trouble"].ne("").to_numpy()]


def _rows(genome: Genome, path, settings: dict, aliases) -> pd.DataFrame:
    return read_vcf(path, genome, aliases) if settings.get("vcf") else read_table(path, "variants.labelled")


def _judged(genome: Genome, table, path, settings: dict, wanted: dict, labels, aliases) -> pd.DataFrame:
    """Rows of one file with their alleles, labels, and the reason why they are left out."""
    contig, said = ContigNames(genome, aliases, path), _notation(table, settings)
    column = "contig" if settings.get("vcf") else settings.get("contig")
    called = table[column] if column else said.get("contig")  # a column that the user names comes before the notation's
    if called is None:
        place = [only_contig(genome)] * len(table)
    else:
        place = [contig.find(name) if name or column else 0 for name in called]
    contig.tell()
    shift = settings.get("position_offset", 0)
    spdi = bool(settings.get("spdi"))
    found = place_alleles(genome, np.array(place), said["position"], said["ref"], said["alt"], shift, spdi)
    longest = np.maximum(found["_ref_bases"].str.len(), found["_alt_bases"].str.len())
    none = pd.Series("", index=table.index, dtype=object)
    label = _labels(table, settings["label"], labels, path) if settings["label"] else none
    unwanted = np.zeros(len(table), dtype=bool)
    for name, values in settings.get("where", {}).items():
        unwanted |= ~table[name].str.strip().isin([str(value) for value in values]).to_numpy()
    reason, trouble = none, none
    for name, bad in (
        ("not_wanted", unwanted), ("no_label", label.eq("")), ("bad_position", found["_position"] == NO_POSITION),
        ("unknown_contig", found["_position"] == NO_CONTIG), ("no_alleles", found["_kind"] == ""),
        ("ref_mismatch", found["_mismatch"]), ("other_kind", ~found["_kind"].isin(wanted.get("kinds", KINDS))),
        ("too_long", longest > wanted.get("max_length", 50)), ("contradicting_labels", label.eq("both")),
    ):  # fmt: skip
        reason = reason.mask(reason.eq("") & np.asarray(bad), name)
        if name != "no_label":
            trouble = trouble.mask(trouble.eq("") & np.asarray(bad), name)
    own = {"_label": label.eq("positive"), "_reason": reason, "_trouble": trouble, "source": Path(path).name}
    own |= _said(table, said, column, settings, genome)
    return pd.concat([table, found], axis=1).assign(**own)


def _notation(table: pd.DataFrame, settings: dict) -> pd.DataFrame:
    """``position`` from 1, ``ref`` and ``alt`` as the file has them, and ``contig`` if the notation names it."""
    if settings.get("vcf"):
        return table[PLACE]
    if settings.get("spdi"):
        return spdi_columns(table[settings["spdi"]])
    if settings.get("locus"):
        return locus_columns(table[settings["locus"]], table[settings["alleles"]])
    return table[[settings[name] for name in PLACE]].set_axis(PLACE, axis=1)


def _said(table: pd.DataFrame, said: pd.DataFrame, column, settings: dict, genome: Genome) -> dict:
    """`SAID` of every row."""
    if notation := settings.get("spdi") or settings.get("locus"):
        contig = table[notation].str.partition(":")[0].str.strip()
    else:
        contig = table[column] if column else genome.contigs["contig"].iat[0]
    name = table[settings["id"]] if settings.get("id") else table.get("_id", "")
    return dict(zip(SAID, (contig, said["position"], said["ref"], said["alt"], name), strict=True))


def _tell(kept: pd.DataFrame, left: pd.DataFrame, path) -> None:
    counts = left["reason"].value_counts()
    log.info("%s: %d variants with a label, %d harmful", path, len(kept), kept["_label"].sum())
    if len(counts):
        log.warning("%s: left out: %s", path, ", ".join(f"{n:,} {r.replace('_', ' ')}" for r, n in counts.items()))
    if kept["_label"].nunique() < 2:
        told = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in counts.items()) or "none was left out"
        raise InputError(f"not both labels are left ({told})", str(path), "Check label, position_offset and genome")


def _columns_are_there(table: pd.DataFrame, path, settings: dict) -> None:
    noted = [key for key in ("spdi", "locus", "alleles") if settings.get(key)]
    wanted = {} if settings.get("vcf") else {key: settings.get(key) for key in (*(noted or PLACE), "contig")}
    wanted |= {f"where.{name}": name for name in settings.get("where", {})}
    if label := settings["label"]:
        wanted["label"] = label["name"] if label.get("table") else label["column"]
    wanted |= {key: settings.get(key) for key in ("gene", "transcript_position", "id")}
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


def _labels(table: pd.DataFrame, label: dict, path, where) -> pd.Series:
    """positive, negative, both, or empty for every row."""
    if path is None:
        return _meant(table[label["column"]], label, where)
    other = read_table(path, "variants.labelled: label.table")
    for key in ("key", "column"):
        if label[key] not in other.columns:
            known = ", ".join(map(repr, other.columns[:12]))
            raise InputError(f"there is no column {label[key]!r}", f"{path}: label.{key}", f"Its columns: {known}")
    meant = _meant(other[label["column"]], label, path)
    found = meant[meant != ""].groupby(other[label["key"]]).agg(set)
    if label["several"] == "any":
        one = found.map(lambda said: "positive" if "positive" in said else "negative")
    else:
        one = found.map(lambda said: said.copy().pop() if len(said) == 1 else "both")
    return table[label["name"]].map(one).astype(object).fillna("")


def _meant(values: pd.Series, label: dict, where) -> pd.Series:
    """positive, negative or empty for every value."""
    means = {str(v): side for side in ("positive", "negative") for v in label[side]}
    if label.get("pattern"):
        values = values.map(lambda text: found[0] if (found := re.search(label["pattern"], text)) else "")
    said = values.str.strip().map(means).astype(object).fillna("")
    bounds = {key: label[key] for key in THRESHOLDS if label.get(key) is not None}
    if not bounds:
        return said
    number = _label_numbers(values, said, label["column"], str(where))
    for name, bound in bounds.items():
        side, _, end = name.partition("_")
        said = said.mask(said.eq("") & (number >= bound if end == "from" else number < bound), side)
    return said


def _label_numbers(values: pd.Series, said: pd.Series, column: str, where: str) -> pd.Series:
    """The numbers of a column with thresholds, NaN where there is none; what is neither a label nor missing is told."""
    number = pd.to_numeric(values, errors="coerce").replace([np.inf, -np.inf], np.nan)
    text = values.str.strip().str.lower()
    odd = number.isna() & said.eq("") & ~text.isin(MISSING)
    if odd.any() and number.isna().all():
        raise InputError(
            f"{values[odd].iloc[0]!r} is no number, nor is any other value of column {column!r}",
            f"{where}: label.column", "Thresholds are for numbers; is this the right column, with decimal points?",
        )  # fmt: skip
    if odd.any():
        log.warning("%s: column %s: %d values are no numbers and no label, as %r", where, column, odd.sum(),
                    values[odd].iloc[0])  # fmt: skip
    return number


def _one_per_allele(table: pd.DataFrame, several: str) -> pd.DataFrame:
    """The first row of every allele; with several labels as the config says."""
    good = table[table["_reason"] == ""]
    said = good.groupby(ALLELE)["_label"].transform("nunique")
    harmful = good.groupby(ALLELE)["_label"].transform("any")
    table.loc[good.index, "_label"] = harmful if several == "any" else good["_label"]
    if several == "agree":
        table.loc[good.index[said > 1], "_reason"] = "contradicting_labels"
    good = table[table["_reason"] == ""]
    table.loc[good.index[good.duplicated(ALLELE)], "_reason"] = "repeated"
    return table


def number_column(table: pd.DataFrame, column: str, path: Path | str = "", known=None) -> np.ndarray:
    """A column as float64 (n,), NaN where it is empty or says that nothing is known.

    In rows that are not ``known`` (bool (n,), by default all) anything else is missing as well, and told in the log.

    Raises
    ------
    InputError
        With the line of the first known value that is neither.
    """
    text = table[column].str.strip()
    value = pd.to_numeric(text, errors="coerce")
    odd = value.isna() & ~text.str.lower().isin(MISSING)
    wrong = odd if known is None else odd & known
    if wrong.any():
        row = table[wrong].iloc[0]
        raise InputError(f"{row[column]!r} is no number", f"{path}:{row['line']}, column {column}", "Mend or empty it")
    if odd.any():
        row = table[odd].iloc[0]
        log.warning("%s:%s, column %s: %r and the like (%d) count as missing", row["source"], row["line"], column,
                    row[column], odd.sum())  # fmt: skip
    return value.to_numpy(np.float64)
