"""From networks to called genes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from dnalm.errors import InputError
from dnalm.genefinder.candidates import Candidates
from dnalm.genefinder.chain import choose
from dnalm.genefinder.features import Table
from dnalm.genefinder.groups import best_of_group, per_group
from dnalm.genefinder.networks import Networks
from dnalm.genefinder.selftrain import SelfTrained
from dnalm.genefinder.starts import UPSTREAM, WIDTH
from dnalm.sequence.alphabet import decode

#: Columns of called genes.
COLUMNS = (
    "contig", "start", "end", "strand", "score", "partial", "codon", "motif_score", "motif_distance", "motif",
)  # fmt: skip
#: Starts that are further below the best of their stop codon, in nats, cannot be chosen.
LEAST_START = -5.0


@dataclass(frozen=True)
class Ranked:
    """What the networks say: ``gene`` (n,) logit of the candidate's stop codon, ``start`` (n,) nats below its best."""

    index: np.ndarray
    gene: np.ndarray
    start: np.ndarray


def rank_starts(c: Candidates, table: Table, networks: Networks) -> Ranked:
    """Judge all candidates of a table.

    Raises
    ------
    InputError
        If the networks were trained on other features.
    """
    if (table.gene_names, table.start_names) != (networks.gene_names, networks.start_names):
        raise InputError(
            "the gene finder was trained on other features", "model", "Train it with this version of dnalm"
        )
    start = networks.start.score(table.start)
    group = c.group[table.index]
    best = np.searchsorted(table.index, best_of_group(c, table.index, start))
    logit = np.zeros(c.groups)
    logit[group[best]] = networks.gene.score(table.gene[best])
    return Ranked(table.index, logit[group], start - per_group(c, table.index, start)[group])


def choose_genes(c: Candidates, ranked: Ranked, threshold: float) -> np.ndarray:
    """Candidates that are called, sorted: the set with the largest sum of logits over ``threshold``."""
    score = ranked.gene - threshold + ranked.start
    keep = (ranked.start > LEAST_START) & (score > 0)
    return np.sort(choose(c, ranked.index[keep], score[keep]))


def calls(genome, c: Candidates, chosen: np.ndarray, learned: SelfTrained, logit: np.ndarray) -> pd.DataFrame:
    """The called genes as a table of `COLUMNS`; ``logit`` of being a gene becomes the score, a probability.

    ``motif_score`` is the evidence for a motif in front of the start in nats, ``motif`` the bases where the likeliest
    one lies, ``motif_distance`` bases before the start codon; empty where nothing speaks for one, or the start is cut
    off.
    """
    around = learned.around[chosen]
    motif, _, distance = learned.starts[1].motif(around)
    sites = around[np.arange(len(around))[:, None], UPSTREAM - distance[:, None] - WIDTH + np.arange(WIDTH)]
    there = (motif > 0) & (c.codon[chosen] >= 0)
    letters = [decode(site) if seen else "" for site, seen in zip(sites, there, strict=True)]
    values = (
        genome.contigs["contig"].to_numpy()[c.contig[chosen]], c.start[chosen], c.end[chosen],
        np.where(c.side[chosen] == 0, "+", "-"), expit(logit), c.open_end[chosen] | (c.codon[chosen] < 0),
        c.codon[chosen], motif, distance, letters,
    )  # fmt: skip
    table = pd.DataFrame(dict(zip(COLUMNS, values, strict=True)))
    order = np.lexsort((table["end"], table["start"], c.contig[chosen]))
    return table.iloc[order].reset_index(drop=True)
