"""Teach the finder on the genome at hand, without labels: seed, then a few rounds of models and choices.

Genes of one genome differ: its own, the highly expressed, and those that came from elsewhere. Each round learns
`CLASSES` coding models, gives every chosen gene to the one that fits it best, and chooses genes anew by dynamic
programming (self-training on long reading frames: Besemer et al. 2001, Hyatt et al. 2010; atypical genes by a second
model: Borodovsky et al. 1995).
"""

import logging
from dataclasses import dataclass

import numpy as np

from dnalm.genefinder.candidates import Candidates
from dnalm.genefinder.chain import choose
from dnalm.genefinder.coding import Background, coding_gain, own_score
from dnalm.genefinder.groups import best_of_group
from dnalm.genefinder.seed import LONG, likely_codons, protein_score
from dnalm.genefinder.starts import StartModel, fit_starts, surroundings

log = logging.getLogger(__name__)
#: Coding models at most, and genes that each needs.
CLASSES, GENES_PER_CLASS = 3, 300
ROUNDS = 4
#: Least score of a seed, in nats.
SEED_SCORE = 9.0
#: Codons of the average protein that every coding model begins with, so that small genomes have one too.
PRIOR_CODONS = 500
#: What a gene costs, in nats, so that chance reading frames do not pay: with models of many genes, and the number of
#: genes at which it is half of that, because models of few genes are cautious and give genes little.
PRICE, HALF_PRICE_GENES = 9.0, 100


@dataclass(frozen=True)
class SelfTrained:
    """What the genome has taught.

    ``starts`` two start models (see `learn_starts`), ``shares`` (classes,) of the coding models, ``coding`` (classes,
    n) sums of every candidate under them in nats, ``score`` (n,) of every candidate as a gene in nats, ``chosen``
    indices of the genes; ``around`` are the `surroundings`.
    """

    starts: tuple[StartModel, StartModel]
    shares: np.ndarray
    coding: np.ndarray
    score: np.ndarray
    chosen: np.ndarray
    around: np.ndarray
    background: Background


def seed_genes(c: Candidates) -> np.ndarray:
    """Long candidates, the outermost start of each, chosen by their protein; indices."""
    score = protein_score(c)
    longest = best_of_group(c, np.arange(len(c)), c.bases)
    keep = longest[(c.bases[longest] >= LONG) & (score[longest] > SEED_SCORE)]
    return choose(c, keep, score[keep])


def self_train(c: Candidates) -> SelfTrained:
    """Learn the genome's models from the genome."""
    around = surroundings(c)
    background = Background.of(c.texts, PRIOR_CODONS * likely_codons(c.texts, int(c.code[0])))
    genes, starts = seed_genes(c), (None, None)
    log.info("%d reading frames look like proteins", len(genes))
    belongs = np.zeros(len(genes), dtype=np.int64)
    count = 1
    for turn in range(ROUNDS + 1):
        shares, sums = _learn_classes(c, genes, belongs, count, background)
        weighted = sums + np.log(shares)[:, None]
        coding = np.logaddexp.reduce(weighted, axis=0)
        starts = _relearn_starts(c, around, genes, coding, starts)
        score = coding + start_value(c, around, starts) - PRICE * len(genes) / (len(genes) + HALF_PRICE_GENES)
        pick = np.flatnonzero(score > 0)
        genes = choose(c, pick, score[pick])
        if turn == 0:
            count = int(np.clip(len(genes) // GENES_PER_CLASS, 1, CLASSES))
            belongs = _by_typicality(coding[genes] / c.bases[genes], count)
        else:
            belongs = weighted[:, genes].argmax(0)
        log.info("round %d: %d genes, by class %s", turn, len(genes), np.bincount(belongs, minlength=count))
    last = np.minimum(np.arange(CLASSES), count - 1)  # always as many rows, so that features keep their places
    shares = shares[last] / np.bincount(last)[last]
    return SelfTrained(starts, shares, sums[last], score, genes, around, background)


def _by_typicality(per_base: np.ndarray, count: int) -> np.ndarray:
    """Genes in ``count`` equal parts, the most typical first."""
    rank = np.argsort(np.argsort(-per_base))
    return rank * count // max(len(rank), 1)


def _learn_classes(c: Candidates, genes, belongs, count: int, background: Background):
    """Shares (count,) of the classes, and sums (count, n) of all candidates under their models."""
    sums = np.empty((count, len(c)))
    for k in range(count):
        sums[k] = own_score(c, background.sums(coding_gain(c, genes[belongs == k], background)))
    return (np.bincount(belongs, minlength=count) + 1) / (len(belongs) + count), sums


def _relearn_starts(c: Candidates, around, genes, coding, old) -> tuple:
    """Start models of the genes, whose starts are those that coding potential and the old models like best."""
    value = coding if old[0] is None else coding + start_value(c, around, old)
    best = best_of_group(c, np.arange(len(c)), value)
    best = best[np.isin(c.group[best], c.group[genes]) & (c.codon[best] >= 0)]
    return learn_starts(c, around, best, old)


def learn_starts(c: Candidates, around, best: np.ndarray, old=(None, None)) -> tuple[StartModel, StartModel]:
    """Start models of the candidates ``best``: against all others, and against the other starts of the same genes.

    The first knows what tells a start from any place, the second what tells it from those inside of its gene.
    """
    every = c.codon >= 0
    same = every & np.isin(c.group, c.group[best])
    same[best] = False
    others = (np.flatnonzero(every), np.flatnonzero(same))
    return tuple(fit_starts(around, c.codon, best, rest, model) for rest, model in zip(others, old, strict=True))


def start_value(c: Candidates, around, starts: tuple) -> np.ndarray:
    """Mean log-ratio of the two models for every candidate, 0 where the start is cut off."""
    every = np.arange(len(c))
    parts = [model.parts(c, around, every) for model in starts]
    return sum(p["motif"] + p["far"] + p["behind"] + p["codon"] for p in parts) / len(starts) * (c.codon >= 0)
