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
from dnalm.tasks.labelled_groups import group_names, unseen
from dnalm.variant_files.labelled import number_column, read_set, read_unlabelled, stacked
from dnalm.variant_files.lookup import look_up
from dnalm.variants.amino_acids import matrices, numbered
from dnalm.variants.described import describe, is_missense, short_name
from dnalm.variants.families import LANGUAGE
from dnalm.variants.features import build_features
from dnalm.variants.final import FinalScorer
from dnalm.variants.trained import HeldOut, calls, folds_of, held_out

log = logging.getLogger(__name__)
OURS, WITHOUT = "dnalm_labelled", "dnalm_labelled_no_conservation"
#: Families that are made of the table's columns.
BROUGHT = ("columns", "windows")
#: Neighbours whose labels the nearest-neighbour baseline averages.
NEIGHBOURS = 3


@dataclass(frozen=True)
class Unlabelled:
    """Variants without a label, which nothing is learned from and no figure is of.

    ``table`` as that of `Labelled`, and ``_trouble``: why a row cannot be asked about, if it cannot; ``features`` by
    family, with the columns of `Labelled.features`, made in the same way beside them.
    """

    table: pd.DataFrame
    features: dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Labelled:
    """Variants with labels, ready to be learned from; all arrays have a row per variant.

    ``table`` of `dnalm.variants.described.describe`, ``left_out`` (line, reason), ``features`` by family, ``columns``
    and ``published`` values with high for harm, ``group`` and ``unit`` names, ``fold`` number, ``missense`` and
    ``outside`` (a consequence that the training groups do not have) bool; ``rest`` without a label.
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
    rest: Unlabelled | None = None

    @property
    def label(self) -> np.ndarray:
        """Whether each variant is harmful."""
        return self.table["_label"].to_numpy(bool)


def prepare(
    genome, path, settings: dict, seed: int, coding=None, labels=None, aliases=None, language=None, also=(),
    lookup=None, asked=(),
) -> Labelled:  # fmt: skip
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
        Takes the table, which rows have a label, and families of features, and gives these
        (`dnalm.tasks.labelled_language.Language`).
    also : sequence of path
        The files of ``settings["also"]``.
    lookup : dict, optional
        The files of ``settings["lookup"]`` by name.
    asked : sequence of path
        The files of ``settings["predict"]``.
    """
    kept, left, rest = read_set(genome, path, settings, labels, aliases, also)
    rest = [rest, *(read_unlabelled(genome, file, settings, aliases) for file in asked)]
    both = stacked([kept.assign(_trouble=""), *rest]).assign(_known=lambda t: np.arange(len(t)) < len(kept))
    both, left, aside = _described(genome, both, left, path, settings, coding, aliases, lookup or {})
    known = both["_known"].to_numpy()
    brought, published = (_brought(both, settings, key, path, known) for key in ("columns", "published"))
    families = [f for f in settings["features"] if f not in LANGUAGE]
    features = build_features(both, genome, brought, families, coding, known)
    if said := [f for f in settings["features"] if f in LANGUAGE]:
        features |= language(both, known, said)
    table = both[known].drop(columns="_trouble")
    of_rest = {family: values[~known].reset_index(drop=True) for family, values in features.items()}
    unlabelled = Unlabelled(stacked([both[~known], aside]), of_rest)
    features = {family: values[known] for family, values in features.items()}
    brought, published = ({name: value[known] for name, value in some.items()} for some in (brought, published))
    group = group_names(table, settings["groups"], coding)
    fold = folds_of(group, settings["groups"]["folds"], seed)
    unit = group if not settings["unit"] else group_names(table, {"by": "block", "block": settings["unit"]})
    outside = unseen(table["_consequence"].to_numpy(object), fold)
    return Labelled(
        table, left, features, brought, published, group, unit, fold, is_missense(table), outside, unlabelled
    )


def _described(genome, both: pd.DataFrame, left: pd.DataFrame, path, settings: dict, coding, aliases, lookup: dict):
    """Rows that can be asked about, with what is known of them, the labelled ones first; ``left``; and the others."""
    whole = both["_trouble"] == ""
    both, aside = both[whole].reset_index(drop=True), both[~whole]
    found = {
        f"_of_{name}": look_up(
            genome, both, file, settings["lookup"][name], f"variants.labelled: lookup.{name}", aliases
        )
        for name, file in lookup.items()
    }
    both = describe(both, settings, genome, coding, both["_known"].to_numpy()).assign(**found)
    if not settings["only"]:
        return both, left, aside
    kept = both["_consequence"].isin([short_name(name) for name in settings["only"]])
    other = both.loc[~kept & both["_known"], ["line", "source"]].assign(reason="other_consequence")
    if both.loc[kept & both["_known"], "_label"].nunique() < 2:
        raise InputError("not both labels are left", f"{path}: only", "Which consequences does the file have?")
    more = both[~kept & ~both["_known"]].assign(_trouble="other_consequence")
    return both[kept].reset_index(drop=True), pd.concat([left, other], ignore_index=True), stacked([aside, more])


def _brought(table: pd.DataFrame, settings: dict, key: str, path, known: np.ndarray) -> dict[str, np.ndarray]:
    """Values (n,) of columns of the file, or of numbers that were looked up under their name, high for harm."""
    out = {}
    for name, column in settings[key].items():
        own = f"_of_{column}"
        value = table[own].to_numpy(np.float64) if own in table else number_column(table, column, path, known)
        out[name] = -value if name in settings["lower_is_worse"] else value
    return out


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
        "asked": [find_file(name, f"{key}.predict") for name in settings["predict"]],
    }


def matrix(data: Labelled | Unlabelled, families, without: str | None = None) -> tuple[np.ndarray, list[str]]:
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
    if own and any(data.features[f].shape[1] for f in BROUGHT if f in families):
        methods.append((matrix(data, own), {WITHOUT: kind}))
    for name, left in (("language_model", LANGUAGE), ("embeddings", ["embeddings"])):
        rest = [f for f in families if f not in left]
        if name in families and rest:
            methods.append((matrix(data, rest), {f"{OURS}_no_{name}": kind}))
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
    """The scorer of all features (`OURS`), fitted to all groups, as JSON (`dnalm.variants.final.FinalScorer`)."""
    x, names = matrix(data, list(data.features))
    rest = settings["model"], seed, settings["calibration"], settings["precision"], settings["balance"]
    FinalScorer.fit(x, data.label, data.group, names, *rest).save(path, variants=len(x), **facts)


def predictions(data: Labelled, fitted: dict[str, HeldOut], raw: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row per variant: contig and place in it (0-based), label, group, and probabilities and scores of all methods.

    ``call`` is of our probability by the thresholds of the wanted precision and of the best balanced accuracy
    (`dnalm.variants.trained.calls`); and abstained where no training group has the consequence.
    """
    ours = fitted[OURS]
    p = ours.probability
    call = np.where(data.outside, "abstained", calls(p, ours.threshold, ours.strict)).astype(object)
    table = data.table
    own = pd.DataFrame({
        "line": table["line"], "contig": table["_contig"], "position": table["_local"],
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
