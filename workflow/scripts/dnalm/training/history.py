"""The log of a training as a table, and for TensorBoard."""

import csv

from dnalm.errors import InputError
from dnalm.io.tables import atomic_path


def write_log(history: list[dict], path) -> None:
    """One CSV row per validation; the columns are all keys that occur, in order of appearance."""
    columns = list(dict.fromkeys(key for row in history for key in row))
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def summary_writer():
    """TensorBoard's writer class, or an error that says what to install."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("TensorBoard is not installed", "tensorboard", "pip install tensorboard") from error
    return SummaryWriter


def write_tensorboard(history: list[dict], writer_class, folder) -> None:
    """Every number of the log over the bases seen."""
    with writer_class(str(folder)) as writer:
        for row in history:
            for name, value in row.items():
                writer.add_scalar(name, value, row["bases_seen"])
