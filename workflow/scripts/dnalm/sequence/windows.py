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
    rows = []
    kept = splits[splits["genome"].isin(genome.names) & (splits["split"] != "gap")]
    for block, contig in zip(kept.itertuples(index=False), genome.rows(kept)["contig"], strict=True):
        codes = genome.contig_codes(contig)
        starts = np.arange(block.start, max(block.end - window, block.start) + 1, window)
        if starts[-1] + window < block.end:
            starts = np.append(starts, block.end - window)
        for start in starts:
            end = min(start + window, block.end)
            piece = codes[start:end]
            shares = float((piece & 7 == N).mean()), float((piece & MASK_BIT > 0).mean())
            rows.append((block.genome, block.contig, start, end, "+", block.split, *shares))
    return pd.DataFrame(rows, columns=COLUMNS)
