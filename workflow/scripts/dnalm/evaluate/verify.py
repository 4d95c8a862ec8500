"""Do the metrics of a study come out as expected? ``python -m dnalm.evaluate.verify METRICS EXPECTED [--write]``.

On one machine a study is reproduced to the last digit; on another one sums of floating-point numbers are taken in
another order, and a training drifts a little. The expected file therefore carries a tolerance per row. It is absolute,
and depends on the metric alone (`TOLERANCES`): small against the intervals that the bootstrap gives, large against
rounding. Intervals and numbers of scored bases or genes are in the file for the reader; the numbers must be equal, the
intervals are not compared.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import DnalmError, InputError
from dnalm.io.tables import write_tsv

KEY = ["stage", "dataset", "split", "stratum", "method", "metric", "seed"]
COLUMNS = ["study", *KEY[:-1], "value", "ci_low", "ci_high", "n", "seed", "tolerance"]
#: Stages whose trainings are measured in CPU minutes.
TIMED = ("compare", "few_labels")
#: Absolute tolerance of each metric: bits of a code length, shares of genes or bases, probabilities.
TOLERANCES = {
    "bits_per_base": 0.005,
    "bits_per_base_two_sided": 0.005,
    "gene_sensitivity_3prime": 0.02,
    "gene_precision_3prime": 0.02,
    "gene_f1_3prime": 0.02,
    "gene_f1_exact": 0.03,
    "start_accuracy": 0.03,
    "base_f1": 0.02,
    "auprc": 0.02,
    "auroc": 0.02,
    "mean_ratio": 0.1,
    "mcc": 0.02,
    "interval_sensitivity": 0.02,
    "interval_precision": 0.02,
    "brier": 0.01,
    "ece": 0.01,
    "balanced_accuracy": 0.02,
    "recall_at_budget": 0.02,
    **{f"{a}_{b}_structure": 0.02 for a in ("base", "exon", "gene") for b in ("sensitivity", "precision", "f1")},
}
#: The same for metrics whose names end with the precision that was asked for: a threshold that moves a little takes
#: several variants along.
PREFIXES = {"recall_at_precision_": 0.05, "precision_at_precision_": 0.05}


def tolerance(metric: str) -> float | None:
    """The absolute tolerance of a metric, None if it has none yet."""
    return TOLERANCES.get(metric, next((value for name, value in PREFIXES.items() if metric.startswith(name)), None))


def expected_of(metrics: pd.DataFrame) -> pd.DataFrame:
    """The expected file of a metrics table: its test rows, each with a tolerance.

    Rows of the stages `TIMED` are left out: trainings by CPU time are not reproducible.

    Raises
    ------
    InputError
        If there is no test row, or a metric has no tolerance yet.
    """
    test = metrics[(metrics["split"] == "test") & ~metrics["stage"].isin(TIMED)]
    if test.empty:
        raise InputError("no row of the test split", "metrics", "Expected values are of test rows alone")
    unknown = sorted(metric for metric in set(test["metric"]) if tolerance(metric) is None)
    if unknown:
        raise InputError(f"no tolerance for {', '.join(unknown)}", "metrics", "Add one to TOLERANCES of verify.py")
    return test.assign(tolerance=test["metric"].map(tolerance))[COLUMNS].reset_index(drop=True)


def deviations(metrics: pd.DataFrame, expected: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``expected`` that are missing in ``metrics``, or whose value or number ``n`` is off.

    Returns
    -------
    DataFrame with the key columns and: ``value`` found, ``expected``, ``difference``, ``tolerance``, and ``problem``
    (missing, value, n). Two NaN are equal; a NaN and a number are not.
    """
    both = _keyed(expected).merge(_keyed(metrics)[[*KEY, "value", "n"]], on=KEY, how="left", suffixes=("_expected", ""))
    missing = both["n"].isna()
    difference = both["value"] - both["value_expected"]
    near = (difference.abs() <= both["tolerance"]) | (both["value"].isna() & both["value_expected"].isna())
    checks = [(missing, "missing"), (~near, "value"), (both["n"] != both["n_expected"], "n")]
    problem = np.select([failed for failed, _ in checks], [name for _, name in checks], "")
    table = both.assign(expected=both["value_expected"], difference=difference, problem=problem)
    columns = [*KEY, "value", "expected", "difference", "tolerance", "problem"]
    return table.loc[problem != "", columns].reset_index(drop=True)


def _keyed(table: pd.DataFrame) -> pd.DataFrame:
    """Seeds are numbers or ``mean``, dataset names may look like numbers: compare them all as text."""
    table = table.assign(**{name: table[name].astype(str) for name in KEY})
    twice = table.duplicated(KEY)
    if twice.any():
        row = " ".join(table.loc[twice, KEY].iloc[0])
        raise InputError(f"a row is there twice: {row}", "metrics", "Make the table again")
    return table


def read_table(path, columns: list[str]) -> pd.DataFrame:
    """A TSV that must have ``columns``.

    Raises
    ------
    InputError
        If it cannot be read, or a column is missing.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype={"dataset": str, "seed": str})
    except FileNotFoundError as error:
        raise InputError("no such file", str(path), "Run the study first (make run)") from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", str(path), "It should be a table separated by tabs") from error
    absent = [name for name in columns if name not in table]
    if absent:
        raise InputError(f"no column {', '.join(absent)}", str(path), "Is this the right file?")
    return table


def main(arguments: list[str] | None = None) -> int:
    """Command line; exit status 1 if anything is missing or off."""
    parser = argparse.ArgumentParser(prog="dnalm.evaluate.verify", description=__doc__.splitlines()[0])
    parser.add_argument("metrics", help="all_metrics.tsv of a study")
    parser.add_argument("expected", help="config/expected/<study>.tsv")
    parser.add_argument("--write", action="store_true", help="make the expected file from the metrics")
    options = parser.parse_args(arguments)
    try:
        metrics = read_table(options.metrics, COLUMNS[:-1])
        if options.write:
            Path(options.expected).parent.mkdir(parents=True, exist_ok=True)
            write_tsv(expected_of(metrics), options.expected)
            print(f"written: {options.expected}")
            return 0
        expected = read_table(options.expected, COLUMNS)
        wrong = deviations(metrics, expected)
    except DnalmError as error:
        print(error, file=sys.stderr)
        return 1
    return _tell(wrong, expected, options)


def _tell(wrong: pd.DataFrame, expected: pd.DataFrame, options) -> int:
    """Print what is off; the exit status."""
    if wrong.empty:
        print(f"{len(expected)} values of {options.metrics} are as expected ({options.expected})")
        return 0
    print(wrong.to_string(index=False, float_format=lambda x: f"{x:.6g}", na_rep="-"))
    missing = int((wrong["problem"] == "missing").sum())
    print(
        f"{options.metrics}: of {len(expected)} expected values {len(wrong) - missing} are off and {missing} missing",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
