"""Places on many contigs as numbers of one line, so that all of them are looked up at once.

A genome may have a hundred thousand contigs: a loop over them with a look at a whole table in each takes hours.
"""

import numpy as np
import pandas as pd


def laid(*tables: pd.DataFrame) -> list[tuple[np.ndarray, np.ndarray]]:
    """Starts and ends of the rows of tables (contig, start, end) with all contigs end to end: int64 (rows,) each.

    Places of different contigs never meet.
    """
    numbers = pd.Index(pd.concat([table["contig"] for table in tables]).unique())
    size = 1 + max((int(table["end"].max()) for table in tables if len(table)), default=0)
    found = []
    for table in tables:
        offset = numbers.get_indexer(table["contig"]) * size
        found.append(tuple(offset + table[name].to_numpy(dtype=np.int64) for name in ("start", "end")))
    return found


def covers(spans: tuple[np.ndarray, np.ndarray], places: np.ndarray) -> np.ndarray:
    """Whether places lie in one of the spans (starts, ends), which may overlap: bool (places,)."""
    order = np.argsort(spans[0], kind="stable")
    furthest = np.concatenate([[-1], np.maximum.accumulate(spans[1][order])])
    return furthest[np.searchsorted(spans[0][order], places, side="right")] > places


def owner(spans: tuple[np.ndarray, np.ndarray], places: np.ndarray) -> np.ndarray:
    """Number of the span that each place lies in, -1 for none; spans must not overlap."""
    order = np.append(np.argsort(spans[0], kind="stable"), -1)
    slot = order[np.searchsorted(spans[0][order[:-1]], places, side="right") - 1]
    return np.where((slot >= 0) & (places < np.append(spans[1], -1)[slot]), slot, -1)
