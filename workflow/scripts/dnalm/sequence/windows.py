"""Tiling windows over the split blocks: what is audited for leakage and listed in the report."""

import numpy as np
import pandas as pd

from dnalm.sequence.alphabet import MASK_BIT, N

COLUMNS = ["genome", "contig", "start", "end", "strand", "split", "n_share", "masked_share"]


def tile_windows(genome, splits: pd.DataFrame, window: int) -> pd.DataFrame:
    """Windows of ``window`` bases that tile every block of a split (gaps excluded).

    Edge policy: the last window of a block is shifted back so that it ends with the block; a block shorter than the
    window is one short window. Nothing is dropped.
    """
    kept = splits[splits["genome"].isin(genome.names) & (splits["split"] != "gap")]
    parts = [
        _of_block(genome.contig_codes(contig), block.start, block.end, window)
        for block, contig in zip(kept.itertuples(index=False), genome.rows(kept)["contig"], strict=True)
    ]
    own = np.repeat(np.arange(len(kept)), [len(starts) for starts, *_ in parts])
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)] if parts else [np.empty(0)] * 4
    table = kept[["genome", "contig", "split"]].iloc[own].reset_index(drop=True).assign(strand="+")
    values = dict(zip(("start", "end", "n_share", "masked_share"), columns, strict=True))
    return table.assign(**values)[COLUMNS]


def _of_block(codes: np.ndarray, start: int, end: int, window: int) -> tuple[np.ndarray, ...]:
    """Starts, ends, shares of N and of soft-masked bases of the windows of one block."""
    starts = np.arange(start, max(end - window, start) + 1, window)
    if starts[-1] + window < end:
        starts = np.append(starts, end - window)
    ends, piece = np.minimum(starts + window, end), np.asarray(codes[start:end])
    shares = []
    for mask in (piece & 7 == N, piece & MASK_BIT > 0):
        before = np.concatenate([[0], np.cumsum(mask, dtype=np.int64)])
        shares.append((before[ends - start] - before[starts - start]) / (ends - starts))
    return starts, ends, *shares
