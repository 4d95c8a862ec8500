"""What a language model of the genome at hand says of gene candidates, as columns for the gene finder's networks.

The model is counts alone: the n-gram memory of the genome with every base's own n-grams left out, read by chained
back-off. Nothing is trained and no label is read, so that a genome that nobody has annotated has the same columns.
The surprise at a base is -log2 of the probability of the true one in bits; it is given less the genome's mean, and 0 at
an N and in the gaps between contigs.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from dnalm.genefinder.candidates import GAP, Candidates, layout
from dnalm.models.memory import NgramMemory
from dnalm.sequence.alphabet import N
from dnalm.sequence.batches import cut, tile
from dnalm.sequence.genetic_code import codon_index, genetic_code
from dnalm.sequence.orfs import WRAP

#: Bases of a window of the memory, windows that are looked up at a time, and context on both sides of each.
PIECE, WINDOWS, MARGIN = 4096, 16, 32
#: Bases beside a start or stop codon that are averaged; whole codons, and fewer than the gap between contigs has.
BESIDE = 30


@dataclass(frozen=True)
class Predictions:
    """Of every base of a genome, by global position.

    ``forward``, ``reverse`` (L,): bits given what stands before it, or after it; ``both`` (L, 4): log-probabilities of
    A C G T given both sides.
    """

    forward: np.ndarray
    reverse: np.ndarray
    both: np.ndarray


def counted(genome, orders, flanks) -> Predictions:
    """Predictions by the counts of a `dnalm.io.fasta.Genome` alone, of contexts ``orders`` and ``flanks``.

    One side: the longest order, which backs off to the shorter ones. Both sides: log-linear, half the sum of the two
    one-sided log-probabilities and the mean of those between the longest flanks.
    """
    contigs = genome.contigs
    whole = contigs["offset"].to_numpy()[:, None] + np.array([0, 1]) * contigs[["length"]].to_numpy()
    memory = NgramMemory.from_genomes([genome], [whole], orders, flanks)
    longest = [i for i, one in enumerate(memory.flanks) if not any(_within(one, other) for other in memory.flanks)]
    pieces, parts = tile(whole, PIECE), []
    for some in np.split(pieces, range(WINDOWS, len(pieces), WINDOWS)):
        windows = cut(genome, some[:, 0] - MARGIN, PIECE + 2 * MARGIN, MARGIN)
        found = memory.lookup(windows.codes, windows.origin)
        ahead, behind = found.forward[..., -1, :4], found.reverse[:, ::-1, -1, 3::-1]
        joint = (ahead + behind + found.flanks[:, :, longest, :4].mean(2)) / 2
        mine = np.arange(PIECE) < (some[:, 1] - some[:, 0])[:, None]
        inner = slice(MARGIN, MARGIN + PIECE)
        true = windows.codes[:, inner][mine]
        ahead, behind, joint = (log_softmax(x[:, inner][mine], axis=-1) for x in (ahead, behind, joint))
        parts.append((bits(ahead, true), bits(behind, true), joint))
    return Predictions(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _within(flank, other) -> bool:
    return flank != other and flank[0] <= other[0] and flank[1] <= other[1]


def bits(logp: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Surprise (n,) at the ``true`` bases, from log-probabilities (n, 4); NaN at N."""
    value = -np.take_along_axis(logp, np.minimum(true, 3)[:, None].astype(np.int64), 1)[:, 0] / np.log(2)
    return np.where(true < N, value, np.nan).astype(np.float32)


def places(genome) -> np.ndarray:
    """Global position of every base of the forward text of `dnalm.genefinder.candidates.layout`, -1 in gaps."""
    gap = np.full(GAP, -1)
    parts = [gap]
    for contig in genome.contigs.itertuples(index=False):
        here = contig.offset + np.arange(contig.length)
        wrap = min(WRAP, contig.length - 1) if contig.circular else 0
        parts += [here, here[:wrap], gap]
    return np.concatenate(parts)


class Sums:
    """Running sums of a signal (2, T) along both texts: of every base, and of every third."""

    def __init__(self, signal: np.ndarray):
        self.every = np.zeros((2, signal.shape[1] + 1))
        np.cumsum(signal, axis=1, out=self.every[:, 1:])
        self.thirds = np.zeros((2, signal.shape[1] + 3))
        for frame in range(3):
            self.thirds[:, frame + 3 :: 3] = np.cumsum(signal[:, frame::3], axis=1)

    def mean(self, side, begin, end) -> np.ndarray:
        """Mean over [begin, end)."""
        return (self.every[side, end] - self.every[side, begin]) / np.maximum(end - begin, 1)

    def third(self, side, begin, end) -> np.ndarray:
        """Mean of the places begin, begin + 3, ... before ``end``, which is a multiple of three away."""
        return (self.thirds[side, end] - self.thirds[side, begin]) / np.maximum((end - begin) // 3, 1)


@dataclass(frozen=True)
class Signals:
    """Sums along the two texts of a genome.

    Surprise given what stands before a base in its text (``along``), after it (``against``) and on ``both`` sides;
    ``doubt``, the probability of the three other bases; and ``silent``, the part of the doubt about the codon that
    begins at a place that would not change its amino acid.
    """

    along: Sums
    against: Sums
    both: Sums
    doubt: Sums
    silent: Sums
    total: int


def signals(genome, said: Predictions) -> Signals:
    """The predictions of a genome, laid out as its candidates are."""
    text, place = layout(genome)[0], places(genome)
    known = (place >= 0) & (text < N)
    at = np.where(known, place, 0)
    true = np.minimum(text, 3)
    one_sided = np.nanmean((said.forward + said.reverse) / 2)
    forward, reverse = (np.where(known, x[at] - one_sided, 0.0) for x in (said.forward, said.reverse))
    both = bits(said.both, np.asarray(genome.codes) & 7)
    both = np.where(known, both[at] - np.nanmean(both), 0.0)
    p = np.where(known[:, None], np.exp(said.both[at]), 0.0)
    doubt = np.where(known, 1 - p[np.arange(len(p)), true], 0.0)
    code = int(genome.contigs["genetic_code"].iloc[0])
    other = np.where(text < N, 3 - true, N)[::-1]
    silent = np.stack([silent_doubt(text, p, code), silent_doubt(other, p[::-1, ::-1], code)])
    return Signals(
        Sums(np.stack([forward, reverse[::-1]])), Sums(np.stack([reverse, forward[::-1]])),
        Sums(np.stack([both, both[::-1]])), Sums(np.stack([doubt, doubt[::-1]])), Sums(silent), len(text),
    )  # fmt: skip


def silent_doubt(text: np.ndarray, p: np.ndarray, code: int) -> np.ndarray:
    """Probability (T,) of the single changes of the codon at each place that keep its amino acid; 0 beside an N."""
    amino = np.unique(list(genetic_code(code)[0]), return_inverse=True)[1]
    codon = codon_index(text)
    out = np.zeros(len(text))
    for position, step in enumerate((16, 4, 1)):
        here = slice(position, position + len(codon))
        own = codon // step % 4
        for base in range(4):
            changed = codon + (base - own) * step
            out[: len(codon)] += p[here, base] * ((amino[changed] == amino[codon]) & (base != own) & (codon >= 0))
    return out


def columns(c: Candidates, index: np.ndarray, s: Signals) -> tuple[dict, dict]:
    """Columns (n,) by name of the candidates ``index``, for the network of genes and for that of starts."""
    side, first, last = c.side[index], c.first[index], c.last[index] - 3  # without the stop codon
    begins, ends = c.codon[index] >= 0, ~c.open_end[index]
    before, after = s.both.mean(side, first - BESIDE, first), s.both.mean(side, first, first + BESIDE)
    beyond = s.both.mean(side, last + 3, last + 3 + BESIDE) - s.both.mean(side, last - BESIDE, last)
    along, against = s.along.mean(side, first, last), s.against.mean(side, first, last)
    inside = [s.both.third(side, first + i, last + i) for i in range(3)]
    silent = _silent_shares(s, side, first, last)
    gene = {
        **{f"lm_position{i + 1}": value for i, value in enumerate(inside)}, "lm_third": _third(s, side, first, last),
        "lm_before": before * begins, "lm_step": (after - before) * begins, "lm_beyond": beyond * ends,
        "lm_direction": along - against, "lm_other_side": (along + against) / 2 - s.both.mean(side, first, last),
        "lm_silent": silent[0], "lm_silent_over": silent[0] - np.max(silent[1:], axis=0),
    }  # fmt: skip
    near = [_silent_shares(s, side, a, a + BESIDE)[0] for a in (first - BESIDE, first)]
    start = {
        "lm_before": before, "lm_after": after, "lm_step": after - before,
        "lm_third_before": _third(s, side, first - BESIDE, first),
        "lm_third_after": _third(s, side, first, first + BESIDE),
        "lm_codon": s.both.mean(side, first, first + 3), "lm_silent_step": near[1] - near[0],
    }  # fmt: skip
    return gene, {name: value * begins for name, value in start.items()}


def _third(s: Signals, side, begin, end) -> np.ndarray:
    """Surprise at third codon positions less that at the other two, over what the two other frames have of it."""
    first, second, third = (s.both.third(side, begin + i, end + i) for i in range(3))
    return 1.5 * (third - np.maximum(first, second))


def _silent_shares(s: Signals, side, begin, end) -> np.ndarray:
    """Share of the doubt that is silent in the six frames of spans, own frame first, (6, n)."""
    doubt = np.maximum(3 * s.doubt.mean(side, begin, end), 1e-6)
    own = [s.silent.third(side, begin + i, end + i) for i in range(3)]
    other = [s.silent.third(1 - side, s.total - end + i, s.total - begin + i) for i in range(3)]
    return np.stack(own + other) / doubt
