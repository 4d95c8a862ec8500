"""Predictions for variants without a label, by the scorer that was fitted to all groups; no figure is of them.

The scorer is silent (``abstained``) where its figures say nothing: about consequences that fewer than two folds have,
and kinds of alleles and genes that no variant with a label has. A threshold that is precise over all variants may not
be so for the consequences that are in doubt, and these are what most variants without a label have: nothing is called
harmful where the calls of its consequence have not had the wanted precision on held-out groups.
"""

import logging

import numpy as np
import pandas as pd

from dnalm.io.tables import atomic_path
from dnalm.tasks.labelled import OURS, Labelled, matrix
from dnalm.variant_files.labelled import ALLELE, SAID
from dnalm.variants.final import FinalScorer
from dnalm.variants.trained import calls

log = logging.getLogger(__name__)
#: Why nothing is said, beside what was wrong with a row (`dnalm.variant_files.labelled.REASONS`).
NOT_JUDGED, NO_KIND, NO_GENE = "consequence_not_judged", "kind_without_label", "gene_without_label"
#: Why something is called uncertain whose probability is above both thresholds.
IMPRECISE = "precision_not_reached"


def silent(data: Labelled) -> np.ndarray:
    """Why the scorer says nothing of each variant without a label (n,); empty where it does."""
    table, rest = data.table, data.rest.table
    judged = set(table.loc[~data.outside, "_consequence"])
    out = rest["_trouble"].to_numpy(object)
    checks = [(NOT_JUDGED, "_consequence", judged), (NO_KIND, "_kind", set(table["_kind"]))]
    checks += [(NO_GENE, "_gene", set(table["_gene"]))] if "gene" in data.features else []
    for reason, column, known in checks:
        out = np.where((out == "") & ~rest[column].isin(known).to_numpy(), reason, out)
    return out


def predict_unlabelled(data: Labelled, scorer: FinalScorer, held: pd.DataFrame, precision: float) -> pd.DataFrame:
    """A row per variant without a label, in the order of the files.

    Parameters
    ----------
    data : Labelled
    scorer : FinalScorer
        Of the same features.
    held : DataFrame
        Held-out predictions of the variants with a label (`dnalm.tasks.labelled.predictions`).
    precision : float
        That calls of harm must have had there, among variants of the same consequence.

    Returns
    -------
    DataFrame
        ``source`` (file) and ``line`` in it, ``id``, ``contig``, ``position`` (from 1), ``ref``, ``alt`` as the file
        has them; ``kind``, ``consequence``, ``gene``, ``residue``, ``ref_aa``, ``alt_aa``; ``probability`` of harm (NaN
        where nothing is said); ``call`` (harmful, uncertain, harmless, abstained); ``reason`` of abstaining, or of
        calling something uncertain that is above both thresholds; ``held_out``, the number of variants with a
        label that had its consequence and, by their probability, its call, and ``held_out_harmful``, the share of
        harmful ones among them (NaN if there are none); ``label``, if one of the set's variants is the same and has
        one: then the scorer has learned from it.
    """
    rest, reason = data.rest.table.reset_index(drop=True), silent(data)
    x, names = matrix(data.rest, list(data.rest.features))
    if tuple(names) != scorer.names:
        raise ValueError("the scorer was fitted to other features")
    p = np.full(len(rest), np.nan)
    p[: len(x)] = scorer.probability(x) if len(x) else []  # those that cannot be asked about stand last
    p[reason != ""] = np.nan
    call, share, count = _called(rest["_consequence"], np.where(reason == "", scorer.calls(p), "abstained"), held)
    imprecise = (call == "harmful") & ~(share >= precision)
    call[imprecise], reason[imprecise] = "uncertain", IMPRECISE
    label = pd.Series(np.where(data.label, "harmful", "harmless"), pd.MultiIndex.from_frame(data.table[ALLELE]))
    said = label.reindex(pd.MultiIndex.from_frame(rest[ALLELE])).fillna("").to_numpy(object)
    place = dict(zip(("contig", "position", "ref", "alt", "id"), (rest[name] for name in SAID), strict=True))
    out = pd.DataFrame({
        "source": rest["source"], "line": rest["line"], "id": place.pop("id"), **place, "kind": rest["_kind"],
        **{name: rest[f"_{name}"] for name in ("consequence", "gene", "residue", "ref_aa", "alt_aa")},
        "probability": p, "call": call, "reason": reason, "held_out": count, "held_out_harmful": share, "label": said,
    })  # fmt: skip
    numbers = ("line", "residue", "probability", "held_out", "held_out_harmful")
    texts = [name for name in out if name not in numbers]
    out[texts] = out[texts].fillna("").astype(str)
    number = pd.to_numeric(out["residue"], errors="coerce").fillna(0).astype(np.int64)
    files = pd.Series(pd.factorize(out["source"])[0], out.index)
    return out.assign(residue=number).iloc[np.lexsort((out["line"], files))].reset_index(drop=True)


def _called(kind: pd.Series, call: np.ndarray, held: pd.DataFrame):
    """``call`` (n,), and of held-out variants with it and the same consequence the share of harmful ones and number."""
    own = calls(held[OURS], held["threshold"], held["strict"])
    groups = held["label"].groupby([held["consequence"].astype(str), pd.Series(own, held.index)])
    asked = pd.MultiIndex.from_arrays([kind.astype(str), call])
    share, count = (found.reindex(asked) for found in (groups.mean(), groups.size()))
    return call.astype(object), share.to_numpy(np.float64), count.fillna(0).to_numpy(np.int64)


def write_unlabelled(table: pd.DataFrame, path) -> None:
    """As TSV, gzipped, the same bytes for the same table."""
    with atomic_path(path) as temporary:
        table.to_csv(
            temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n",
            compression={"method": "gzip", "mtime": 0},
        )  # fmt: skip


def facts_of_unlabelled(table: pd.DataFrame) -> list[tuple[str, str]]:
    """What became of the variants without a label, (about, text), for `dnalm.tasks.labelled.facts`."""
    if table.empty:
        return []
    number = table["call"].value_counts()
    told = [f"{number.get(name, 0):,} {name}" for name in ("harmful", "uncertain", "harmless")]
    count = len(table) - number.get("abstained", 0)
    text = f"{count:,} of {len(table):,} variants have a probability by the scorer of all groups: {', '.join(told)}"
    reasons = table.loc[table["call"] == "abstained", "reason"].value_counts()
    if len(reasons):
        text += "; abstained from: " + ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in reasons.items())
    if imprecise := int((table["reason"] == IMPRECISE).sum()):
        text += f"; {imprecise:,} of the uncertain ones are above both thresholds, which were not precise enough for "
        text += "their consequence on held-out groups"
    found = [("without a label", text)]
    if known := int((table["label"] != "").sum()):
        found.append(("known already", f"{known:,} variants that were to be predicted have a label in this set"))
    log.info("; ".join(": ".join(row) for row in found))
    return found
