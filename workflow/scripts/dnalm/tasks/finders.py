"""Gene finders without a network, with what they need from the annotation of training and validation blocks."""

import logging

import numpy as np
import pandas as pd

from dnalm.baselines.closed_form import closed_form_predictions
from dnalm.baselines.finders import LENGTHS, longest_orfs
from dnalm.io.labels import gene_labels, genome_cds, require_genes, whole_genes
from dnalm.sequence.splits import SPLITS, split_labels
from dnalm.tasks.calls import call_genes, tune_decoder, with_context

log = logging.getLogger(__name__)


def closed_form_genes(genome, features: pd.DataFrame, splits, min_length: int) -> pd.DataFrame:
    """Genes of the closed-form finder: counted on training blocks, decoder fitted on validation blocks."""
    labels = gene_labels(genome, features)
    require_genes(genome, labels, splits)
    training = split_labels(genome, splits) == SPLITS.index("train")
    predictions = with_context(genome, features, splits, closed_form_predictions(genome, labels, training))
    decoder = tune_decoder(genome, features, predictions, splits, min_length)
    log.info("closed form: %s", decoder)
    return call_genes(genome, predictions, decoder, min_length)


def longest_orf_genes(genome, features: pd.DataFrame, splits) -> pd.DataFrame:
    """Longest reading frames; the shortest length is the one with the best F1 at the 3' end on validation blocks."""
    truth = whole_genes(genome_cds(genome, features))
    held = splits[(splits["genome"] == genome.name) & (splits["split"] == "validation")]
    tries = {length: longest_orfs(genome, length) for length in LENGTHS}
    best = max(LENGTHS, key=lambda length: _f1(tries[length], truth, held))
    log.info("longest reading frames of at least %d bases", best)
    return tries[best]


def _f1(calls: pd.DataFrame, truth: pd.DataFrame, blocks: pd.DataFrame) -> float:
    """F1 of stop codons inside the blocks."""
    stops = []
    for table in (calls, truth):
        stop = np.where(table["strand"] == "+", table["end"], table["start"])
        inside = np.zeros(len(table), dtype=bool)
        for b in blocks.itertuples(index=False):
            inside |= ((table["contig"] == b.contig) & (table["start"] >= b.start) & (table["end"] <= b.end)).to_numpy()
        rows = zip(table["contig"][inside], table["strand"][inside], stop[inside], strict=True)
        stops.append(set(rows))
    return 2 * len(stops[0] & stops[1]) / max(len(stops[0]) + len(stops[1]), 1)
