"""Tables and score files: written whole or not at all, byte-identical on rerun."""

import contextlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import InputError

METRIC_COLUMNS = [
    "study", "stage", "dataset", "split", "stratum", "method", "metric", "value", "ci_low", "ci_high", "n", "seed",
    "splits_sha256",
]  # fmt: skip
COMPARISON_COLUMNS = [
    "study", "stage", "dataset", "split", "stratum", "metric", "method_a", "method_b", "difference", "ci_low",
    "ci_high", "n", "unit",
]  # fmt: skip


@contextlib.contextmanager
def atomic_path(path):
    """A temporary path beside ``path`` that takes its name when the block ends without an error.

    The temporary name keeps the suffixes of ``path``, because many libraries choose a format by them.
    """
    path = Path(path)
    with _scratch(path.parent) as scratch:
        yield scratch / path.name
        os.replace(scratch / path.name, path)


@contextlib.contextmanager
def atomic_folder(folder):
    """A temporary folder inside ``folder``; its files move up when the block ends without an error, and only then."""
    with _scratch(Path(folder)) as scratch:
        yield scratch
        for path in sorted(scratch.iterdir()):
            os.replace(path, Path(folder) / path.name)


@contextlib.contextmanager
def _scratch(folder: Path):
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".writing-", dir=folder))
    except OSError as error:
        raise InputError(
            f"cannot write here ({error.strerror})", str(folder), "Check the path and its permissions"
        ) from error
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def write_tsv(table: pd.DataFrame, path) -> None:
    """Tab-separated, floats with six digits, Unix line ends."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")


def write_parquet(table: pd.DataFrame, path) -> None:
    """Parquet without the index."""
    with atomic_path(path) as temporary:
        table.to_parquet(temporary, index=False, compression="zstd")


def write_json(record, path) -> None:
    """Indented JSON with a final newline."""
    with atomic_path(path) as temporary:
        Path(temporary).write_text(json.dumps(record, indent=2, default=str) + "\n")


def write_scores(path, intervals: np.ndarray, **columns: np.ndarray) -> None:
    """Per-base values over global intervals (n, 2); each column is float32, concatenated over the intervals."""
    intervals = np.asarray(intervals, dtype=np.int64).reshape(-1, 2)
    total = int((intervals[:, 1] - intervals[:, 0]).sum())
    for name, values in columns.items():
        if len(values) != total:
            raise ValueError(f"column {name} has {len(values)} values, the intervals hold {total} bases")
    with atomic_path(path) as temporary:
        np.savez(temporary, intervals=intervals, **{k: np.asarray(v, dtype=np.float32) for k, v in columns.items()})


def read_scores(path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Intervals and columns that `write_scores` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return file["intervals"], {name: file[name] for name in file.files if name != "intervals"}


def write_metrics(rows: list[dict], path) -> None:
    """Rows of the metrics contract as TSV."""
    write_tsv(pd.DataFrame(rows, columns=METRIC_COLUMNS), path)


def write_comparisons(rows: list[dict], path) -> None:
    """Rows of the comparisons contract as TSV."""
    write_tsv(pd.DataFrame(rows, columns=COMPARISON_COLUMNS), path)


def read_leakage(path) -> pd.DataFrame:
    """The table that `dnalm.sequence.leakage.audit` made."""
    text = dict.fromkeys(("genome", "contig", "hit_contig"), str)
    return pd.read_csv(path, sep="\t", dtype=text, keep_default_na=False)
