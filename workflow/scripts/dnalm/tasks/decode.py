"""From per-base probabilities to genes: score every candidate, choose the best set.

The decoder has ten numbers, all fitted on validation blocks: three weights rank the starts of one stop codon (a softmax
over its candidates); six and a bias turn the best start's evidence into the probability that the stop codon ends a gene
(logistic regression, so scores are probabilities). The dynamic programme of `dnalm.sequence.orfs` does the rest.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from dnalm.io.tables import write_json
from dnalm.sequence.orfs import MAX_SAME, WRAP, Orfs, find_orfs, select_genes, start_key, stop_key

#: Starts per stop codon that take part in the choice of genes.
STARTS_KEPT = 4
CLIP = 6.0
#: Inverse strength of the penalty on the standardised gene weights; chosen on E. coli K-12 (docs/evaluation.md).
RIDGE = 0.3
#: Where the fit of the start weights begins, and what it is drawn to when there is little data.
GUESS = (0.5, 0.3, 0.5)


@dataclass(frozen=True)
class Decoder:
    """Weights of the decoder."""

    start_weights: tuple[float, ...]
    """Weights of start logit, summed coding log-odds (per 100 bases) and start context among one stop's starts."""
    gene_weights: tuple[float, ...]
    """Weights of `evidence` for the logit of a gene."""
    gene_bias: float
    """Bias of that logit."""

    def save(self, path) -> None:
        """Write as JSON."""
        write_json(asdict(self), path)

    @classmethod
    def load(cls, path) -> "Decoder":
        """Read what `save` wrote."""
        record = json.loads(Path(path).read_text())
        return cls(tuple(record["start_weights"]), tuple(record["gene_weights"]), record["gene_bias"])


@dataclass(frozen=True)
class Evidence:
    """What the network says about every candidate of a contig; parallel to ``orfs``.

    ``coding`` summed log-odds of the candidate's own codon positions, per 100 bases; ``start`` and ``stop`` logits;
    ``context`` log-odds of the start's surroundings (see `dnalm.sequence.start_context`).
    """

    orfs: Orfs
    coding: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    context: np.ndarray


def gather(codes, odds, starts, stops, context, code: int, min_length: int, circular: bool) -> Evidence:
    """Evidence for all candidates of a contig.

    Parameters
    ----------
    codes : uint8 (length,)
    odds : float (length, 6)
        Log-odds that a base is codon position 1, 2, 3 on the forward, then on the reverse strand.
    starts, stops, context : float (length, 2)
        Logits for the forward and the reverse strand.
    """
    length = len(codes)
    orfs = find_orfs(codes, code, min_length, circular)
    odds = np.clip(odds, -CLIP, CLIP).astype(np.float64)
    if circular:
        odds = np.concatenate([odds, odds[: min(WRAP, length - 1)]])
    place = np.arange(len(odds))
    coding = np.zeros(len(orfs))
    for frame in range(3):
        for strand in (1, -1):
            own = (place - frame) % 3 if strand > 0 else 3 + (frame - 1 - place) % 3
            total = np.concatenate([[0.0], np.cumsum(odds[place, own])])
            anchor = orfs.start if strand > 0 else orfs.end
            mine = (orfs.strand == strand) & (anchor % 3 == frame)
            coding[mine] = (total[orfs.end[mine]] - total[orfs.start[mine]]) / 100
    side = np.where(orfs.strand > 0, 0, 1)
    first = np.where(orfs.strand > 0, orfs.start, orfs.end - 1) % length
    last = np.where(orfs.strand > 0, orfs.end - 1, orfs.start) % length
    known = orfs.codon >= 0
    at_start = (np.where(known, values[first, side], -3.0) for values in (starts, context))
    start, around = at_start
    return Evidence(orfs, coding, start, stops[last, side].astype(np.float64), around)


def class_odds(classes: np.ndarray) -> np.ndarray:
    """Log-odds (length, 6) of the coding classes from log-probabilities (length, 7)."""
    p = np.exp(np.minimum(classes[:, 1:].astype(np.float64), -1e-9))
    return np.log(np.maximum(p, 1e-9)) - np.log1p(-p)


def rank_starts(evidence: Evidence, weights) -> tuple[np.ndarray, np.ndarray]:
    """(log-probability of each candidate among the starts of its stop codon, mask of each stop's best candidate)."""
    value = weights[0] * evidence.start + weights[1] * evidence.coding + weights[2] * evidence.context
    group = evidence.orfs.group
    order = np.lexsort((-value, group))
    first = np.ones(len(order), dtype=bool)
    first[1:] = group[order][1:] != group[order][:-1]
    best = np.zeros(len(order), dtype=bool)
    best[order[first]] = True
    top = np.full(group.max(initial=-1) + 1, -np.inf)
    np.maximum.at(top, group, value)
    total = np.zeros(len(top))
    np.add.at(total, group, np.exp(value - top[group]))
    return value - top[group] - np.log(total[group]), best


def gene_features(evidence: Evidence) -> np.ndarray:
    """(candidates, 6): coding log-odds in all and per base, log length, start and stop logit, start context."""
    length = evidence.orfs.end - evidence.orfs.start
    columns = [
        np.sign(evidence.coding) * np.sqrt(np.abs(evidence.coding)),
        100 * evidence.coding / length,
        np.log(length / 300),
        evidence.start,
        evidence.stop,
        evidence.context,
    ]
    return np.stack(columns, axis=1)


def fit_decoder(evidence: Evidence, truth: pd.DataFrame, usable: np.ndarray, length: int) -> Decoder:
    """Fit the weights on the candidates ``usable`` (mask: inside validation blocks, stop not excluded).

    ``truth`` has start, end, strand of the genes there.
    """
    orfs = evidence.orfs
    stop = stop_key(orfs.start, orfs.end, orfs.strand, length)
    side = np.where(truth["strand"] == "+", 1, -1)
    true_stop = stop_key(truth["start"].to_numpy(), truth["end"].to_numpy(), side, length)
    true_start = start_key(truth["start"].to_numpy(), truth["end"].to_numpy(), side, length)
    is_gene = np.isin(stop, true_stop)
    is_start = is_gene & np.isin(start_key(orfs.start, orfs.end, orfs.strand, length), true_start)
    weights = _fit_starts(evidence, usable & is_start, usable & is_gene)
    _, best = rank_starts(evidence, weights)
    rows = usable & best & (is_gene | ~_ruled_out(orfs, truth))
    x, y = gene_features(evidence)[rows], is_gene[rows]
    if y.all() or not y.any():
        return Decoder(weights, (0.0, 1.0, 1.0, 0.0, 0.0, 0.0), -1.0)
    scale = x.std(axis=0)
    scale[scale == 0] = 1.0
    model = LogisticRegression(C=RIDGE, max_iter=1000).fit((x - x.mean(axis=0)) / scale, y)
    slopes = model.coef_[0] / scale
    bias = model.intercept_[0] - (slopes * x.mean(axis=0)).sum()
    return Decoder(weights, tuple(float(w) for w in slopes), float(bias))


def _ruled_out(orfs: Orfs, truth: pd.DataFrame) -> np.ndarray:
    """Candidates that could not be chosen beside the true genes, because they overlap them too far.

    The programme decides between rivals; the gene score is about candidates that have no better rival.
    """
    if truth.empty:
        return np.zeros(len(orfs), dtype=bool)
    genes = truth.sort_values("start")
    start, end = genes["start"].to_numpy(), np.maximum.accumulate(genes["end"].to_numpy())
    start = np.maximum(start, np.concatenate([[0], end[:-1]]))  # a base under two genes counts once
    before = np.concatenate([[0], np.cumsum(np.maximum(end - start, 0))])

    def covered(place):
        slot = np.searchsorted(start, place, side="right") - 1
        inside = np.clip(np.minimum(place, end[slot]) - start[slot], 0, None)
        return np.where(slot >= 0, before[np.maximum(slot, 0)] + inside, 0)

    overlap = covered(orfs.end) - covered(orfs.start)
    return overlap > np.minimum(MAX_SAME, (orfs.end - orfs.start) // 2)


def _fit_starts(evidence: Evidence, right: np.ndarray, candidates: np.ndarray) -> tuple[float, ...]:
    """Weights that make the annotated starts most likely among their stop's candidates (penalised)."""
    if not right.any():
        return tuple(GUESS)
    columns = (evidence.coding, evidence.start, evidence.stop, evidence.context)
    some = Evidence(evidence.orfs.take(candidates), *(column[candidates] for column in columns))
    target = right[candidates]

    def cost(weights):
        logp, _ = rank_starts(some, weights)
        return -logp[target].sum() + 0.5 * ((weights - np.array(GUESS)) ** 2).sum()

    return tuple(float(w) for w in minimize(cost, np.array(GUESS), method="Nelder-Mead").x)


def decode(evidence: Evidence, decoder: Decoder, length: int) -> pd.DataFrame:
    """Genes of a contig: start, end, strand, score (probability), partial, codon (start codon's index)."""
    orfs = evidence.orfs
    logp, best = rank_starts(evidence, decoder.start_weights)
    logit = gene_features(evidence) @ np.array(decoder.gene_weights) + decoder.gene_bias
    of_group = np.zeros(orfs.group.max(initial=-1) + 1)
    of_group[orfs.group[best]] = logit[best]
    group_logit = of_group[orfs.group]
    likely = logp > np.log(1e-3)
    order = np.lexsort((-logp, orfs.group))
    rank = np.empty(len(order), dtype=np.int64)
    firsts = np.flatnonzero(np.diff(orfs.group[order], prepend=-1))
    rank[order] = np.arange(len(order)) - np.repeat(firsts, np.diff(np.append(firsts, len(order))))
    kept = likely & (rank < STARTS_KEPT)
    # the best start carries the whole score, another one pays for being less likely
    top = np.zeros_like(of_group)
    top[orfs.group[best]] = logp[best]
    relative = logp - top[orfs.group]
    score = np.where(kept, group_logit + relative, -np.inf)
    chosen = select_genes(orfs, score, length)
    return pd.DataFrame(
        {
            "start": orfs.start[chosen],
            "end": orfs.end[chosen],
            "strand": np.where(orfs.strand[chosen] > 0, "+", "-"),
            "score": 1 / (1 + np.exp(-group_logit[chosen])),
            "partial": orfs.partial[chosen],
            "codon": orfs.codon[chosen],
        }
    )
