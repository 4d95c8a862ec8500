"""How long introns are: many of nearly one length, the others of any, counted in the training blocks.

Worm, fly and plants have many introns of some dozens of bases, whose lengths hardly differ, and a few of hundreds or
thousands. Two geometric distributions tell both, one from ``min_intron`` bases on and one that begins later and falls
soon; their weights and means are fitted by expectation maximisation, the beginning of the second by likelihood. They
are geometric because the best path stays exact and its time linear (Burge & Karlin 1997); a histogram of the short
ones, as in AUGUSTUS (Stanke & Waack 2003), would say more and cost more.
"""

import logging

import numpy as np
import pandas as pd

from dnalm.annotation.transcripts import CHOSEN
from dnalm.sequence.gene_structure import Lengths

log = logging.getLogger(__name__)
#: Fewer introns say too little of their lengths.
FEWEST = 30
ROUNDS = 100
#: Shares of the introns that may be shorter than the many.
STARTS = np.linspace(0, 0.5, 101)


def training_introns(genome, transcripts: pd.DataFrame, training: np.ndarray) -> np.ndarray:
    """Lengths of the introns of chosen transcripts whose ends both lie where ``training`` (bool, global) is true."""
    offsets = dict(zip(genome.contigs["contig"], genome.contigs["offset"], strict=True))
    spans = np.array(
        [
            (offsets[t.contig] + end, offsets[t.contig] + start)
            for t in transcripts[transcripts["role"] == CHOSEN].itertuples(index=False)
            for end, start in zip(t.cds_ends[:-1], t.cds_starts[1:], strict=True)
        ]
    ).reshape(-1, 2)
    low, high = spans.astype(np.int64).T
    return (high - low)[training[low] & training[high - 1]]


def intron_lengths(lengths: np.ndarray, shortest: int) -> tuple[Lengths, ...]:
    """Two kinds of introns by length, the many and the others; none where ``lengths`` are fewer than `FEWEST`."""
    lengths = np.asarray(lengths)[np.asarray(lengths) >= shortest]
    if len(lengths) < FEWEST:
        return ()
    starts = np.unique(np.quantile(lengths, STARTS, method="lower"))
    _, best = max((_mixture(lengths, (int(start), shortest)) for start in starts), key=lambda fit: fit[0])
    log.info("%d introns: the many are %s; the others %s", len(lengths), *map(_told, best))
    return best


def _told(kind: Lengths) -> str:
    stay = np.exp(kind.stay)
    share, mean = np.exp(kind.enter) / (1 - stay), kind.shortest + stay / (1 - stay)
    return f"{100 * share:.0f} % of {kind.shortest} bases or more, {mean:.0f} in the mean"


def _mixture(lengths: np.ndarray, starts: tuple[int, int]) -> tuple[float, tuple[Lengths, ...]]:
    """(log-likelihood, kinds) of geometric distributions that begin at ``starts``."""
    beyond = lengths - np.array(starts)[:, None]
    typical = beyond[1].mean() + 1
    share, stay = np.array([0.5, 0.5]), np.array([0.8, typical / (1 + typical)])
    for _ in range(ROUNDS):
        each = np.where(beyond >= 0, (share * (1 - stay))[:, None] * stay[:, None] ** np.maximum(beyond, 0), 0.0)
        belongs = each / each.sum(0)
        # one intron more of each kind, one base longer than its shortest, keeps both possible
        count, bases = belongs.sum(1) + 1, (belongs * beyond).sum(1) + 1
        share, stay = count / count.sum(), bases / (count + bases)
    kinds = zip(starts, np.log(share * (1 - stay)), np.log(stay), strict=True)
    return float(np.log(each.sum(0)).sum()), tuple(Lengths(start, float(a), float(b)) for start, a, b in kinds)
