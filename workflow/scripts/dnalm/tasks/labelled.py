"""Variants with labels: from a file to held-out predictions of every method, ours and those it is compared with.

Methods that are fitted are all fitted and calibrated in the same folds; the others are scores as they stand. A
score is missing (NaN) where a method has nothing to say, as a matrix of amino acids outside of missense variants.
"""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.contigs.names import read_aliases
from dnalm.errors import InputError
from dnalm.io.fetch import find_file
from dnalm.variant_files.labelled import number_column, read_labelled
from dnalm.variant_files.lookup import look_up
from dnalm.variants.amino_acids import matrices, numbered
from dnalm.variants.described import describe, is_missense, nearest_exons, short_name
from dnalm.variants.features import build_features
from dnalm.variants.trained import HeldOut, LogisticScorer, folds_of, held_out, inner_scores, overlap_weights

log = logging.getLogger(__name__)
OURS, WITHOUT = "dnalm_labelled", "dnalm_labelled_no_conservation"
#: Families that are made of the table's columns.
BROUGHT = ("columns", "windows")
#: Neighbours whose labels the nearest-neighbour baseline averages.
NEIGHBOURS = 3


@dataclass(frozen=True)
class Labelled:
    """Variants with labels, ready to be learned from; all arrays have a row per variant.

    ``table`` of `dnalm.variants.described.describe`, ``left_out`` (line, reason), ``features`` by family, ``columns``
    and ``published`` values with high for harm, ``group`` and ``unit`` names, ``fold`` number, ``missense`` and
    ``outside`` (a consequence that the training groups do not have) bool.
    """

    table: pd.DataFrame
    left_out: pd.DataFrame
    features: dict[str, pd.DataFrame]
    columns: dict[str, np.ndarray]
    published: dict[str, np.ndarray]
    group: np.ndarray
    unit: np.ndarray
    fold: np.ndarray
    missense: np.ndarray
    outside: np.ndarray

    @property
    def label(self) -> np.ndarray:
        """Whether each variant is harmful."""
        return self.table["_label"].to_numpy(bool)


def prepare(
    genome, path, settings: dict, seed: int, coding=None, labels=None, aliases=None, language=None, also=(), lookup=None
) -> Labelled:
    """Read, describe and group variants.

    Parameters
    ----------
    genome : Genome
    path
        Table or VCF file.
    settings : dict
        Keys of `dnalm.config_labelled.LabelledSet`.
    seed : int
        For folds, where there are fewer than groups.
    coding : CodingSequences, optional
        Of the genome's annotation.
    labels : path, optional
        The table of labels, where they have one of their own.
    aliases : dict, optional
        Contig of the genome for names in the file.
    language : callable, optional
        Takes the table and gives the features of the family ``language_model``
        (`dnalm.tasks.labelled_language.language_features`).
    also : sequence of path
        The files of ``settings["also"]``.
    lookup : dict, optional
        The files of ``settings["lookup"]`` by name.
    """
    table, left = read_labelled(genome, path, settings, labels, aliases, also)
    found = {
        name: look_up(genome, table, file, settings["lookup"][name], f"variants.labelled: lookup.{name}", aliases)
        for name, file in (lookup or {}).items()
    }
    table = describe(table, settings, genome, coding).assign(**{f"_of_{name}": value for name, value in found.items()})
    if settings["only"]:
        kept = table["_consequence"].isin([short_name(name) for name in settings["only"]])
        other = table.loc[~kept, ["line", "source"]].assign(reason="other_consequence")
        left = pd.concat([left, other], ignore_index=True)
        table = table[kept].reset_index(drop=True)
        if table["_label"].nunique() < 2:
            raise InputError("not both labels are left", f"{path}: only", "Which consequences does the file have?")
    sign = {
        name: -1.0 if name in settings["lower_is_worse"] else 1.0
        for name in settings["columns"] | settings["published"]
    }
    brought, published = (
        {name: sign[name] * _numbers(table, column, path) for name, column in settings[key].items()}
        for key in ("columns", "published")
    )
    families = [f for f in settings["features"] if f != "language_model"]
    features = build_features(table, genome, brought, families, coding)
    if language is not None:
        features["language_model"] = language(table)
    group = group_names(table, settings["groups"], coding)
    fold = folds_of(group, settings["groups"]["folds"], seed)
    unit = group if not settings["unit"] else group_names(table, {"by": "block", "block": settings["unit"]})
    outside = unseen(table["_consequence"].to_numpy(object), fold)
    return Labelled(table, left, features, brought, published, group, unit, fold, is_missense(table), outside)


def _numbers(table: pd.DataFrame, column: str, path) -> np.ndarray:
    """A column of the file, or the numbers that were looked up under its name."""
    own = f"_of_{column}"
    return table[own].to_numpy(np.float64) if own in table else number_column(table, column, path)


def find_files(settings: dict, key: str, genome) -> dict:
    """The files that a set names, as `prepare` takes them by name; ``key`` is where the set stands."""
    labels, aliases = settings["label"]["table"], settings["aliases"]
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    return {
        "path": find_file(settings["table"] or settings["vcf"], key),
        "labels": find_file(labels, f"{key}.label.table") if labels else None,
        "aliases": read_aliases(find_file(aliases, f"{key}.aliases"), lengths) if aliases else None,
        "also": [find_file(one["table"] or one["vcf"], f"{key}.also") for one in settings["also"]],
        "lookup": {
            name: find_file(one["table"] or one["wig"], f"{key}.lookup.{name}")
            for name, one in settings["lookup"].items()
        },
    }


def group_names(table: pd.DataFrame, groups: dict, coding=None) -> np.ndarray:
    """The group (n,) of each variant: a column, its gene, the nearest exon, or a block of codons or bases."""
    if groups["by"] == "column":
        return table[groups["column"]].to_numpy(object)
    if groups["by"] == "exon":
        if coding is None or not len(coding.table):
            raise InputError(
                "the genome has no annotation", "groups: by: exon", "Give one, or group by column or block"
            )
        return nearest_exons(table, coding, groups["block"])
    gene = table["_gene"].replace("", "intergenic").to_numpy(object)
    if groups["by"] == "gene":
        return gene
    codon = (table["_residue"].to_numpy() - 1) // max(groups["block"] // 3, 1)
    base = table["_position"].to_numpy() // groups["block"]
    inside = (table["_residue"].to_numpy() > 0) & (gene != "intergenic")
    contig = table["_contig"].to_numpy(object)
    names = zip(inside, gene, codon, contig, base, strict=True)
    return np.array([f"{g} {c}" if i else f"{n}:{b}" for i, g, c, n, b in names], dtype=object)


def unseen(kind: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Rows (n,) whose kind no other fold has."""
    folds = pd.Series(fold).groupby(kind).nunique()
    return pd.Series(kind).map(folds).to_numpy() < 2


def matrix(data: Labelled, families, without: str | None = None) -> tuple[np.ndarray, list[str]]:
    """Features (n, k) of families and their names, without those of one column."""
    table = pd.concat([data.features[f] for f in families], axis=1)
    if without:
        table = table.loc[
            :, [c for c in table if c != without and not c.startswith((f"{without}_within_", f"{without}_known"))]
        ]
    return table.to_numpy(np.float64), list(table)


def fitted_methods(data: Labelled, settings: dict) -> list[tuple[np.ndarray, dict[str, str]]]:
    """Features, and which method is which kind of scorer of them."""
    families, kind = list(data.features), settings["model"]
    own = [f for f in families if f not in BROUGHT]
    every = {OURS: kind} | ({f"{OURS}_{k}": k for k in ("logistic", "boosting")} if kind == "mean" else {})
    methods = [(matrix(data, families), every)]
    if len(own) < len(families) and own:
        methods.append((matrix(data, own), {WITHOUT: kind}))
    if "language_model" in families and len(families) > 1:
        rest = [f for f in families if f != "language_model"]
        methods.append((matrix(data, rest), {f"{OURS}_no_language_model": kind}))
    if len(data.columns) > 1 and "columns" in families:
        methods += [(matrix(data, families, name), {f"{OURS}_logistic_no_{name}": "logistic"}) for name in data.columns]
    return [(x, kinds) for (x, _), kinds in methods] + [(x, {name: "logistic"}) for name, x in _simple(data).items()]


def _simple(data: Labelled) -> dict[str, np.ndarray]:
    """Features of the fitted baselines."""
    blosum = np.where(data.missense, _between(data, "blosum62"), 0.0)[:, None]
    kinds = pd.get_dummies(data.table["_consequence"], dtype=np.float64).to_numpy()
    simple = {"consequence_fitted": kinds, "consequence_blosum62": np.concatenate([kinds, blosum], axis=1)}
    if kinds.shape[1] == 1:
        simple = {}
    wanted = {"chemistry_fitted": ["chemistry"], "gene_fitted": ["gene"], "gene_chemistry": ["gene", "chemistry"]}
    known = {name: some for name, some in wanted.items() if set(some) <= set(data.features)}
    return simple | {name: matrix(data, some)[0] for name, some in known.items()}


def _between(data: Labelled, name: str) -> np.ndarray:
    a, b = (np.maximum(numbered(data.table[column]), 0) for column in ("_ref_aa", "_alt_aa"))
    return matrices()[name][a, b].astype(np.float64)


def raw_scores(data: Labelled) -> dict[str, np.ndarray]:
    """Scores without labels, high for harm, NaN where there is none."""
    out = {"consequence_order": -data.table["_rank"].to_numpy(np.float64)} if data.table["_rank"].nunique() > 1 else {}
    for name in ("blosum62", "grantham") if data.missense.any() else ():
        out[name] = np.where(data.missense, _between(data, name), np.nan)
    if "language_model" in data.features:
        said = data.features["language_model"]
        out["dnalm"] = -said["joint" if "joint" in said else "llr"].to_numpy()
    return out | data.columns | data.published


def nearest_labels(data: Labelled) -> np.ndarray:
    """Mean label (n,) of the nearest variants of other folds: what a place alone tells."""
    position, label, out = data.table["_position"].to_numpy(), data.label, np.full(len(data.fold), 0.5)
    for k in np.unique(data.fold):
        test, train = np.flatnonzero(data.fold == k), np.flatnonzero(data.fold != k)
        away = np.abs(position[test][:, None] - position[train][None])
        near = np.argsort(away, axis=1, kind="stable")[:, :NEIGHBOURS]
        out[test] = label[train][near].mean(1)
    return out


def predict(data: Labelled, settings: dict, seed: int) -> tuple[dict[str, HeldOut], dict[str, np.ndarray]]:
    """Held-out predictions of fitted methods, and scores of the others."""
    fitted = {}
    for x, methods in fitted_methods(data, settings):
        kinds, rest = (
            tuple(methods.values()),
            (seed, settings["calibration"], settings["precision"], settings["balance"]),
        )
        found = held_out(x, data.label, data.group, data.fold, kinds, *rest)
        fitted |= {name: found[kind] for name, kind in methods.items()}
        log.info("%s: %d features, %d folds", ", ".join(methods), x.shape[1], len(np.unique(data.fold)))
    share = np.zeros(len(data.fold))
    for k in np.unique(data.fold):
        share[data.fold == k] = data.label[data.fold != k].mean()
    fitted["majority"] = HeldOut(share, np.full(len(share), 0.5), np.full(len(share), np.inf), data.fold)
    return fitted, raw_scores(data) | {"nearest_neighbour": nearest_labels(data)}


def save_model(data: Labelled, settings: dict, seed: int, path, **facts) -> None:
    """The logistic regression of all features, fitted to all groups, as JSON."""
    x, names = matrix(data, list(data.features))
    c, _ = inner_scores(x, data.label, data.group, ("logistic",), seed, settings["balance"])
    weight = overlap_weights(data.label, data.group) if settings["balance"] else None
    LogisticScorer.fit(x, data.label, c, names, weight).save(path, penalty=1 / c, variants=len(x), **facts)


def predictions(data: Labelled, fitted: dict[str, HeldOut], raw: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row per variant: place (0-based), label, group, and probabilities and scores of all methods.

    ``call`` is harmful where our probability reaches the threshold of the wanted precision, uncertain below it and
    above that of the best balanced accuracy, else harmless; and abstained where no training group has the consequence.
    """
    ours = fitted[OURS]
    p = ours.probability
    call = np.select(
        [data.outside, p >= ours.strict, p >= ours.threshold], ["abstained", "harmful", "uncertain"], "harmless"
    )
    table = data.table
    own = pd.DataFrame({
        "line": table["line"], "contig": table["_contig"], "position": table["_position"],
        "ref": table["_ref_bases"], "alt": table["_alt_bases"], "kind": table["_kind"], "label": data.label,
        "group": data.group, "unit": data.unit, "fold": data.fold,
        "consequence": table["_consequence"], "gene": table["_gene"], "residue": table["_residue"],
        "ref_aa": table["_ref_aa"], "alt_aa": table["_alt_aa"], "missense": data.missense, "call": call,
        "threshold": ours.threshold, "strict": ours.strict,
    })  # fmt: skip
    scores = {name: one.probability for name, one in fitted.items()} | raw
    return pd.concat([own.reset_index(drop=True), pd.DataFrame(scores)], axis=1)


def facts(data: Labelled, settings: dict) -> list[tuple[str, str]]:
    """What a reader has to know, (about, text): terms, notes, what is held out, what was left out, what is unsure."""
    held = settings["groups"]
    how = {
        "exon": f"exons, cut every {held['block']} bases",
        "column": f"values of {held['column']}",
        "gene": "genes",
        "block": f"blocks of {held['block']} bases",
    }
    count, folds = len(set(data.group)), len(np.unique(data.fold))
    told = _what_there_is(data)
    told.append(
        ("held out", f"{count} groups ({how[held['by']]}) in {folds} folds; units of intervals: {len(set(data.unit))}")
    )
    for reason, number in data.left_out["reason"].value_counts().items():
        told.append(("left out", f"{number:,} rows: {reason.replace('_', ' ')}"))
    if data.outside.any():
        kinds = ", ".join(sorted(set(data.table.loc[data.outside, "_consequence"])))
        told.append(
            ("abstained", f"{int(data.outside.sum())} variants ({kinds}): no training group has their consequence")
        )
    for key in ("terms", "note"):
        if settings[key]:
            told.append((key, settings[key]))
            log.info("%s: %s", key, settings[key])
    return told


def _what_there_is(data: Labelled) -> list[tuple[str, str]]:
    """Variants, kinds if they are not all of one base, and sources if there are several."""
    kinds = data.table["_kind"].value_counts()
    what = "substitutions" if set(kinds.index) == {"snv"} else "variants"
    told = [("variants", f"{len(data.label):,} {what} with a label, {int(data.label.sum()):,} of them harmful")]
    if what == "variants":
        told.append(("kinds", ", ".join(f"{number:,} {kind}" for kind, number in kinds.items())))
    if data.table["source"].nunique() > 1:
        several = pd.crosstab(data.table["source"], np.where(data.label, "harmful", "harmless"))
        told += [
            ("source", f"{n}: " + ", ".join(f"{v:,} {k}" for k, v in r.items() if v)) for n, r in several.iterrows()
        ]
    return told
