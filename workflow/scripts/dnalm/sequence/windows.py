"""Tiling windows over the split blocks: what is audited for leakage and listed in the report."""

import numpy as np
import pandas as pd
from numba import njit

from dnalm.sequence.alphabet import MASK_BIT, N

COLUMNS = ["genome", "contig", "start", "end", "strand", "split", "n_share", "masked_share"]


def tile_windows(genome, splits: pd.DataFrame, window: int) -> pd.DataFrame:
    """Windows of ``window`` bases that tile every block of a split (gaps excluded).

    Edge policy: the last window of a block is shifted back so that it ends with the block; a block shorter than the
    window is one short window. Nothing is dropped. Columns of text are categories: a large genome has millions of
    windows.
    """
    kept = splits[splits["genome"].isin(genome.names) & (splits["split"] != "gap")].reset_index(drop=True)
    first, last = (kept[name].to_numpy(dtype=np.int64) for name in ("start", "end"))
    counts = -(-(last - first) // window)
    own = np.repeat(np.arange(len(kept), dtype=np.int32), counts)
    number = np.arange(len(own)) - np.repeat(np.cumsum(counts) - counts, counts)
    starts = np.minimum(first[own] + number * window, np.maximum(last - window, first)[own])
    ends = np.minimum(starts + window, last[own])
    offsets = genome.contigs["offset"].to_numpy(dtype=np.int64)[genome.numbers(kept)]
    columns = {name: _spread(kept[name], own) for name in ("genome", "contig", "split")}
    columns |= {"start": starts, "end": ends, "strand": pd.Categorical.from_codes(np.zeros(len(own), np.int8), ["+"])}
    shares = _shares(genome.arrays[0], starts, ends, offsets[own])
    return pd.DataFrame(columns | dict(zip(("n_share", "masked_share"), shares, strict=True)), copy=False)[COLUMNS]


def _spread(names: pd.Series, own: np.ndarray) -> pd.Categorical:
    """The name that each window takes over from its block."""
    values = pd.Categorical(names, categories=names.unique())
    return pd.Categorical.from_codes(values.codes[own], dtype=values.dtype)


@njit(cache=True)
def _shares(codes, starts, ends, offsets):
    """Shares of N and of soft-masked bases of windows [start, end) of contigs that begin at the offsets."""
    unknown, masked = np.empty(len(starts)), np.empty(len(starts))
    for w in range(len(starts)):
        ns, lower = 0, 0
        for code in codes[offsets[w] + starts[w] : offsets[w] + ends[w]]:
            ns += (code & 7) == N
            lower += (code & MASK_BIT) > 0
        unknown[w], masked[w] = ns / (ends[w] - starts[w]), lower / (ends[w] - starts[w])
    return unknown, masked
