"""Features of an annotation as columns: text that repeats is kept once, so that millions of rows fit into memory.

While an annotation is read and checked its columns of text are categories (all but ``id``, which hardly repeats).
Files and everything behind them have plain text (`as_text`).
"""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dnalm.io.tables import atomic_path

COLUMNS = ["contig", "start", "end", "strand", "type", "phase", "id", "parent", "attributes"]
REPEATED = ("contig", "strand", "type", "parent", "attributes")
NUMBERS = {"start": pa.int64(), "end": pa.int64(), "phase": pa.int8()}
#: Rows that are held as Python objects, or written, at a time.
BLOCK = 1 << 16


class FeatureColumns:
    """Rows of features (dictionaries with the keys `COLUMNS`) that come one by one, kept as columns."""

    def __init__(self):
        self._rows: dict[str, list] = {name: [] for name in COLUMNS}
        self._blocks: list[pa.RecordBatch] = []

    def add(self, rows) -> "FeatureColumns":
        """Take more rows."""
        for row in rows:
            for name, column in self._rows.items():
                column.append(row[name])
            if len(column) == BLOCK:
                self._pack()
        return self

    def _pack(self) -> None:
        """Turn the rows at hand into arrays, each text once."""
        arrays = [pa.array(column, NUMBERS.get(name, pa.large_string())) for name, column in self._rows.items()]
        arrays = [a.dictionary_encode() if name in REPEATED else a for name, a in zip(COLUMNS, arrays, strict=True)]
        self._blocks.append(pa.RecordBatch.from_arrays(arrays, names=COLUMNS))
        for column in self._rows.values():
            column.clear()

    def table(self) -> pd.DataFrame:
        """All rows in the order in which they came, the columns `REPEATED` as categories."""
        self._pack()
        table = pa.Table.from_batches(self._blocks).unify_dictionaries()
        self._blocks = []
        return table.to_pandas(split_blocks=True, self_destruct=True)


def as_text(features: pd.DataFrame) -> pd.DataFrame:
    """The table with text in place of categories."""
    return features.astype(dict.fromkeys(REPEATED, "str"))


def sorted_features(features: pd.DataFrame) -> pd.DataFrame:
    """The table sorted by contig (in order of appearance), start, end, type and id."""
    types = pd.Categorical(features["type"])
    rank = np.argsort(np.argsort(types.categories.to_numpy(dtype=object)))
    keys = {
        "contig": pd.factorize(features["contig"])[0], "start": features["start"].to_numpy(),
        "end": features["end"].to_numpy(), "type": rank[types.codes], "id": pa.array(features["id"], pa.large_string()),
    }  # fmt: skip
    order = pc.sort_indices(pa.table(keys), sort_keys=[(name, "ascending") for name in keys])
    return features.iloc[order.to_numpy()].reset_index(drop=True)


def write_features(features: pd.DataFrame, path) -> None:
    """Write features as Parquet, text as text, in blocks: the whole table as text may not fit into memory."""
    schema = pa.Schema.from_pandas(as_text(features.iloc[:0]), preserve_index=False)
    with atomic_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as out:
        for first in range(0, len(features), BLOCK):
            part = as_text(features.iloc[first : first + BLOCK])
            out.write_table(pa.Table.from_pandas(part, schema, preserve_index=False))
