"""What the report reads from a stage: estimates with their intervals, and what a paired comparison says."""

from dataclasses import dataclass
from itertools import product
from math import isnan, nan

import pandas as pd

LOWER_IS_BETTER = frozenset({"bits_per_base", "bits_per_base_two_sided", "brier", "ece"})
#: Levels on which genes with introns are judged.
LEVELS = ("gene", "exon", "base")
HIGHER_IS_BETTER = frozenset(
    {
        "gene_sensitivity_3prime", "gene_precision_3prime", "gene_f1_3prime", "gene_f1_exact", "start_accuracy",
        "interval_sensitivity", "interval_precision",
        "base_f1", "auroc", "auprc", "recall_at_budget", "mcc", "balanced_accuracy", "pearson", "spearman", "r2",
        *(f"{level}_{score}_structure" for level, score in product(LEVELS, ("sensitivity", "precision", "f1"))),
    }
)  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A value or a difference with its 95 % interval (NaN where it has none) and the number of things counted."""

    value: float
    low: float = nan
    high: float = nan
    n: int = 0

    @property
    def has_interval(self) -> bool:
        """Whether both ends of the interval are known."""
        return not (isnan(self.low) or isnan(self.high))


class Stage:
    """Metrics and comparisons of one stage.

    Parameters
    ----------
    metrics, comparisons : DataFrame
        Tables of the contract (`dnalm.io.tables`). Where several seeds were run, their ``mean`` is what counts.
    """

    def __init__(self, metrics: pd.DataFrame, comparisons: pd.DataFrame):
        self.all, place = metrics.assign(seed=metrics["seed"].astype(str)), ["split", "stratum", "method", "metric"]
        chosen = self.all.assign(_last=self.all["seed"] == "mean").sort_values("_last", kind="stable")
        self.table = chosen.drop_duplicates(place, keep="last").drop(columns="_last").sort_index()
        self.comparisons = comparisons
        self._values = {key: _estimate(row, "value") for key, row in _rows(self.table, place)}
        paired = ["split", "stratum", "method_b", "metric"]
        ours = comparisons[comparisons["method_a"] == "dnalm"]
        self._differences = {key: _estimate(row, "difference") for key, row in _rows(ours, paired)}

    def value(self, method: str, metric: str, stratum: str = "all", split: str = "test") -> Estimate | None:
        """The estimate of a method, None where there is none."""
        return self._values.get((split, stratum, method, metric))

    def difference(self, other: str, metric: str, stratum: str = "all", split: str = "test") -> Estimate | None:
        """Dnalm minus another method, None where they were not compared."""
        return self._differences.get((split, stratum, other, metric))

    def methods(self, metric: str) -> list[str]:
        """Methods with a test value of a metric, in the order of the table."""
        rows = self.table[(self.table["metric"] == metric) & (self.table["split"] == "test")]
        return list(dict.fromkeys(rows["method"]))

    def strata(self, metric: str) -> list[str]:
        """Strata with a test value of a metric, in the order of the table."""
        rows = self.table[(self.table["metric"] == metric) & (self.table["split"] == "test")]
        return list(dict.fromkeys(rows.loc[rows["value"].notna(), "stratum"]))

    def by_seed(self, metric: str, method: str = "dnalm") -> dict[str, Estimate]:
        """Test values of the single seeds of a method over all bases."""
        rows = self.all[(self.all["metric"] == metric) & (self.all["method"] == method) & (self.all["seed"] != "mean")]
        rows = rows[(rows["split"] == "test") & (rows["stratum"] == "all")]
        return {row["seed"]: _estimate(row, "value") for row in rows.to_dict("records")}

    @property
    def choosing(self) -> str:
        """The split that choices are made on: validation, or test where a final training scored nothing else."""
        return "validation" if (self.table["split"] == "validation").any() else "test"

    def best_order(self, metric: str = "bits_per_base") -> str | None:
        """The single Markov order that is best on the validation blocks, so that no choice is made on test.

        Of a final training, which has no validation, it is the best one on test, which favours the baseline.
        """
        rows = self.table[(self.table["metric"] == metric) & (self.table["split"] == self.choosing)]
        rows = rows[rows["method"].str.startswith("markov_order_") & (rows["stratum"] == "all")].dropna(subset="value")
        return None if rows.empty else rows.loc[rows["value"].idxmin(), "method"]


class Arms:
    """A comparison of language models.

    Parameters
    ----------
    metrics, comparisons, costs : DataFrame
        Tables of the stage ``compare``: comparisons are of an arm (or baseline) minus the default, which is called
        ``dnalm``; costs has a row per training.
    """

    def __init__(self, metrics: pd.DataFrame, comparisons: pd.DataFrame, costs: pd.DataFrame):
        self.stage, self.costs = Stage(metrics, comparisons), costs
        theirs = comparisons[comparisons["method_b"] == "dnalm"]
        self._differences = {key: _estimate(row, "difference") for key, row in _rows(theirs, ["method_a", "metric"])}

    def difference(self, arm: str, metric: str) -> Estimate | None:
        """An arm minus the default, None where they were not compared."""
        return self._differences.get((arm, metric))

    def ranked(self, metric: str) -> list[str]:
        """Arms with a value of a metric, the one with the fewest bits first."""
        found = {arm: e.value for arm in self.costs["method"].unique() if (e := self.stage.value(arm, metric))}
        return sorted((arm for arm, value in found.items() if not isnan(value)), key=found.get)


def _rows(table: pd.DataFrame, keys: list[str]):
    return [(tuple(row[k] for k in keys), row) for row in table.to_dict("records")]


def _estimate(row: dict, column: str) -> Estimate:
    return Estimate(float(row[column]), float(row["ci_low"]), float(row["ci_high"]), int(row["n"]))


def verdict(metric: str, difference: Estimate | None) -> str:
    """What a paired difference (dnalm minus the other) says.

    Returns
    -------
    ``better`` or ``worse`` when the interval is clear of zero, ``unclear`` when it holds zero, ``unknown`` when there
    is no comparison or no interval, when the interval has no width (all bases lie in one bootstrap unit, so nothing
    was resampled), or when nobody said which direction of the metric is good.
    """
    if difference is None or not difference.has_interval or metric not in LOWER_IS_BETTER | HIGHER_IS_BETTER:
        return "unknown"
    if difference.low <= 0 <= difference.high:
        return "unclear"
    if difference.low == difference.high:
        return "unknown"
    return "better" if (difference.high < 0) == (metric in LOWER_IS_BETTER) else "worse"


@dataclass(frozen=True)
class GeneCounts:
    """Genes of the truth found (right stop codon), of these with the right start, missed; calls beyond the truth."""

    genes: int
    found: int
    right_start: int | None
    extra: int | None

    @property
    def missed(self) -> int:
        """Genes of the truth without a call that ends at their stop codon."""
        return self.genes - self.found


def gene_counts(stage: Stage, method: str, split: str = "test") -> GeneCounts | None:
    """Counts behind a finder's sensitivity, precision and start accuracy; None where it was not judged."""
    sensitivity = stage.value(method, "gene_sensitivity_3prime", split=split)
    precision = stage.value(method, "gene_precision_3prime", split=split)
    starts = stage.value(method, "start_accuracy", split=split)
    if sensitivity is None or isnan(sensitivity.value):
        return None
    found = round(sensitivity.value * sensitivity.n)
    known = precision is not None and not isnan(precision.value) and precision.value > 0
    extra = round(found / precision.value) - found if known else None
    right = round(starts.value * found) if starts is not None and not isnan(starts.value) else None
    return GeneCounts(sensitivity.n, found, right, extra)
