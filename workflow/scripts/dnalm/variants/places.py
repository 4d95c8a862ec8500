"""Places as users read them, contig and position from 0 in it, and as the library counts: through all contigs."""

import numpy as np
import pandas as pd


def place_in_contigs(contigs: pd.DataFrame, position) -> tuple[np.ndarray, np.ndarray]:
    """Names of contigs (n,) and int64 positions from 0 in them, of global positions (n,).

    ``contigs`` is that of the genome (`dnalm.io.fasta.Genome.contigs`).
    """
    offsets, position = contigs["offset"].to_numpy(np.int64), np.asarray(position, dtype=np.int64)
    row = np.searchsorted(offsets, position, side="right") - 1
    return contigs["contig"].to_numpy()[row], position - offsets[row]


def in_contigs(table: pd.DataFrame, contigs: pd.DataFrame) -> pd.DataFrame:
    """A table with global ``position`` as it is handed out: with ``contig`` before, and ``position`` from 0 in it."""
    contig, place = place_in_contigs(contigs, table["position"])
    placed = table.assign(position=place)
    placed.insert(placed.columns.get_loc("position"), "contig", contig)
    return placed


def global_position(table: pd.DataFrame, contigs: pd.DataFrame, column: str = "position") -> np.ndarray:
    """Global positions int64 (n,) of the rows of a table with ``contig`` and a ``column`` that counts from 0 in it.

    All contigs must be known: the table was made from the same genome.
    """
    row = pd.Index(contigs["contig"]).get_indexer(table["contig"])
    return contigs["offset"].to_numpy(np.int64)[row] + table[column].to_numpy(np.int64)
