"""How well held-out predictions of variants agree with their labels, by consequence, within groups, and calibrated.

All methods are judged on the same rows: one without a score for every row of a stratum is left out of it. Strata are

- ``all``, and ``missense`` and every other consequence with `LEAST` variants of each label;
- ``undecided``: the variants of consequences that do not say it by themselves: those with `LEAST` variants of each
  label and a share of harm inside of `TRIVIAL`;
- ``macro``: the mean over those consequences, in which the consequence itself brings nothing;
- ``<stratum>_within_group``: only pairs of one group (exon, gene) are compared, weighted by their number. A constant
  fitted without a group is higher where the group has fewer harmful ones, so that it is worse than chance when groups
  are pooled; within groups it is chance;
- ``<stratum>_within_gene``: the same for genes, where these are not the groups, and there are several;
- ``answered``: without variants of a consequence that the training groups do not have.
"""

import hashlib

import numpy as np
import pandas as pd

from dnalm.evaluate.bases import bin_sums, calibration_error
from dnalm.evaluate.intervals import bootstrap, draws_of, paired, ratio
from dnalm.evaluate.ranking import AveragePrecision, auroc, difference, interval
from dnalm.tasks.labelled_groups import JOINED, NO_GENE

#: Variants of each label that a stratum needs.
LEAST = 5
#: Shares of harm beyond which a consequence says by itself what its variants do.
TRIVIAL = 0.05, 0.95
OURS, WITHOUT = "dnalm_labelled", "dnalm_labelled_no_conservation"
#: The language model fine-tuned on the labels; it is compared with its twin.
FINETUNED = "dnalm_finetuned"
#: What has no comparison of its own with the second of ours.
OF_OURS = "dnalm_labelled"


class Kept:
    """A statistic that remembers its value and its draws: it stands in an interval and in several comparisons."""

    def __init__(self, statistic):
        self._statistic, self._known, self.filled = statistic, {}, statistic.filled

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """Those of the statistic; all draws (draws, units) are taken to be the same ones."""
        key = np.shape(weights)[:-1]
        if key not in self._known:
            self._known[key] = self._statistic(weights)
        return self._known[key]


class Mean:
    """The mean of statistics; of a draw without one of them the mean of the others."""

    def __init__(self, parts: list):
        self.parts = parts
        self.filled = np.any([part.filled for part in parts], axis=0)

    def __call__(self, weights: np.ndarray) -> np.ndarray:
        """The mean (...) for draws (..., units)."""
        values = np.stack([part(weights) for part in self.parts])
        count = np.isfinite(values).sum(0)
        total = np.nansum(values, axis=0)
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def strata(table: pd.DataFrame) -> dict[str, tuple]:
    """Name to (rows, group of each row or None), of a table of `dnalm.tasks.labelled.predictions`."""
    label, kind = table["label"].to_numpy(bool), table["consequence"].to_numpy(object)
    within = {"group": pd.factorize(table["group"])[0]}
    if table["gene"].nunique() > 1 and not _of_genes(table["gene"], table["group"]):
        within["gene"] = pd.factorize(table["gene"])[0]
    chosen = {"all": np.ones(len(table), dtype=bool)}
    if len(set(kind)) > 1 or not table["missense"].all():
        chosen |= {"missense": table["missense"].to_numpy(bool)}
        chosen |= {"undecided": undecided(label, kind)}
        chosen |= {name: kind == name for name in sorted(set(kind)) if name != "missense"}
    out = {}
    for name, mine in chosen.items():
        rows = np.flatnonzero(mine)
        if min(label[rows].sum(), (~label[rows]).sum()) < LEAST:
            continue
        out[name] = rows, None
        for what, group in within.items():
            if pd.Series(label[rows]).groupby(group[rows]).nunique().gt(1).sum() > 1:
                out[f"{name}_within_{what}"] = rows, group[rows]
    answered = table["call"].to_numpy() != "abstained"
    if not answered.all():
        out["answered"] = np.flatnonzero(answered), None
    return out


def _of_genes(gene: pd.Series, group: pd.Series) -> bool:
    """Whether the groups are genes, overlapping ones joined, and all that lies in none."""
    pairs = pd.DataFrame({"gene": gene.replace("", NO_GENE).astype(str), "group": group.astype(str)}).drop_duplicates()
    return all(r.gene in (NO_GENE, *r.group.split(JOINED)) for r in pairs.itertuples())


def undecided(label: np.ndarray, kind: np.ndarray) -> np.ndarray:
    """Rows (n,) of consequences that do not say by themselves what a variant does.

    None if that is true of all of them, or of one alone: these are strata already.
    """
    counts = pd.DataFrame({"kind": kind, "harm": label}).groupby("kind")["harm"].agg(["sum", "count", "mean"])
    both = np.minimum(counts["sum"], counts["count"] - counts["sum"]) >= LEAST
    open_ones = counts.index[both & counts["mean"].between(*TRIVIAL)]
    mine = np.isin(kind.astype(str), open_ones.astype(str))
    return mine & (1 < len(open_ones) < len(counts))


def folds_digest(table: pd.DataFrame) -> str:
    """SHA-256 of the variants and the fold of each: what a split's digest is to the other stages."""
    text = table[["contig", "position", "alt", "fold"]].to_csv(index=False)
    return hashlib.sha256(text.encode()).hexdigest()


def evaluate_labelled(table: pd.DataFrame, scores: dict, fitted: dict, settings: dict, seed: int, common: dict):
    """Rows of metrics and of comparisons.

    Parameters
    ----------
    table : DataFrame
        Of `dnalm.tasks.labelled.predictions`.
    scores : dict
        Method to score (n,), higher for harm, NaN for none.
    fitted : dict
        Method to `dnalm.variants.trained.HeldOut`, of those that give probabilities.
    settings : dict
        ``bootstrap`` draws, ``unit`` what the intervals resample, in words, ``precision`` wanted.
    common : dict
        study, stage, dataset, split and splits_sha256 of the metrics contract.
    """
    label = table["label"].to_numpy(bool)
    unit, names = pd.factorize(table["unit"])
    weights = draws_of(len(names), settings["bootstrap"], seed)
    every = {name: one.probability for name, one in fitted.items()} | scores
    rows, pairs, classes = [], [], {}
    for stratum, (mine, group) in strata(table).items():
        methods = {m: s[mine] for m, s in every.items() if np.isfinite(s[mine]).all()}
        where = {**common, "stratum": stratum, "n": len(mine), "seed": seed}
        data = label[mine], unit[mine], len(names), group
        found = {m: ranking(s, *data) for m, s in methods.items()}
        if group is None and stratum not in ("all", "answered", "undecided"):
            classes[stratum] = {m: found[m]["auroc"] for m in found}
        rows += [_row(where, m, k, interval(s, weights)) for m in found for k, s in found[m].items()]
        pairs += _pairs(where, found, weights, settings["unit"], difference)
        if group is None:
            sums = {m: calls(fitted[m], mine, *data[:3], settings["precision"]) for m in methods if m in fitted}
            rows += [_row(where, m, k, bootstrap(f, s, weights)) for m in sums for k, (f, s) in sums[m].items()]
            pairs += _sum_pairs(where, sums, weights, settings["unit"])
    if len(classes) > 1:
        shared = [m for m in every if all(m in one for one in classes.values())]
        means = {m: {"auroc": Mean([one[m] for one in classes.values()])} for m in shared}
        where = {**common, "stratum": "macro", "n": len(label), "seed": seed}
        rows += [_row(where, m, "auroc", interval(s["auroc"], weights)) for m, s in means.items()]
        pairs += _pairs(where, means, weights, settings["unit"], difference)
    return rows, pairs


def ranking(score, label, unit, units: int, group=None) -> dict:
    """Statistics of a ranking: the AUROC, and without groups the area under the precision-recall curve."""
    levels = len(score) + 1  # small tables: no two scores are made alike
    out = {"auroc": Kept(auroc(score, label, unit, units, group, levels))}
    return out if group is not None else out | {"auprc": Kept(AveragePrecision(score, label, unit, units, levels))}


def calls(one, rows, label, unit, units: int, precision: float) -> dict:
    """Statistics and unit sums of calibrated probabilities and of the calls made with them."""
    p, y = one.probability[rows], label.astype(np.float64)

    def sums(*values):
        return np.stack([np.bincount(unit, weights=v, minlength=units) for v in values], axis=1)

    called, strict = (p >= bound[rows] for bound in (one.threshold, one.strict))
    name = f"{precision:g}"
    return {
        "brier": (ratio, sums((p - y) ** 2, np.ones(len(p)))),
        "ece": (calibration_error, bin_sums(p, y, unit, units).reshape(units, -1)),
        "balanced_accuracy": (balanced_accuracy, sums(called * y, y, ~called * (1 - y), 1 - y)),
        f"recall_at_precision_{name}": (ratio, sums(strict * y, y)),
        f"precision_at_precision_{name}": (ratio, sums(strict * y, strict * 1.0)),
    }


def balanced_accuracy(sums: np.ndarray) -> np.ndarray:
    """Mean of sensitivity and specificity from (true calls, positives, true rejections, negatives)."""
    return (ratio(sums[..., :2]) + ratio(sums[..., 2:])) / 2


def _row(where: dict, method: str, metric: str, value: tuple) -> dict:
    return {**where, "method": method, "metric": metric, "value": value[0], "ci_low": value[1], "ci_high": value[2]}


def _against(methods):
    """Pairs of methods that are compared: ours with all, ours without the table's columns with all that is not ours."""
    pairs = [(OURS, m) for m in methods if m != OURS] if OURS in methods else []
    if FINETUNED in methods:
        pairs.append((FINETUNED, f"{FINETUNED}_random_init"))
    if WITHOUT in methods:
        pairs += [(WITHOUT, m) for m in methods if not m.startswith(OF_OURS)]
    return pairs


def _pair(where: dict, metric: str, a: str, b: str, value: tuple, unit: str) -> dict:
    place = {k: v for k, v in where.items() if k not in ("splits_sha256", "seed")}
    names = {"metric": metric, "method_a": a, "method_b": b, "unit": unit}
    return {**place, **names, "difference": value[0], "ci_low": value[1], "ci_high": value[2]}


def _pairs(where: dict, found: dict, weights, unit: str, compare) -> list[dict]:
    return [
        _pair(where, metric, a, b, compare(found[a][metric], found[b][metric], weights), unit)
        for a, b in _against(found)
        for metric in found[a]
    ]


def _sum_pairs(where: dict, sums: dict, weights, unit: str) -> list[dict]:
    return [
        _pair(where, metric, a, b, paired(sums[a][metric][0], sums[a][metric][1], sums[b][metric][1], weights), unit)
        for a, b in _against(sums)
        for metric in ("brier", "balanced_accuracy")
    ]
