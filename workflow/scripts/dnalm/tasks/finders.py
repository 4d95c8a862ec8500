"""Gene finders without a network, with what they need from the annotation of training and validation blocks."""

import logging

import numpy as np
import pandas as pd

from dnalm.annotation.labels import gene_labels, genome_cds, require_genes, whole_genes
from dnalm.baselines.closed_form import closed_form_predictions, genes_gain
from dnalm.baselines.finders import LENGTHS, longest_orfs
from dnalm.sequence.splits import SPLITS, place_in, split_labels
from dnalm.tasks.calls import call_genes, learn_starts, tune_decoder, tuned_first, with_context

log = logging.getLogger(__name__)


def closed_form_genes(genome, features: pd.DataFrame, splits, min_length: int) -> dict[str, pd.DataFrame]:
    """Genes of the closed-form finder by genome: counted on training blocks, decoder fitted on validation blocks."""
    labels = gene_labels(genome, features)
    require_genes(genome, labels, splits)
    training = split_labels(genome, splits) == SPLITS.index("train")
    gain, matrix = genes_gain(genome, labels, training), learn_starts(genome, labels, splits)
    decoder, found = None, {}
    for name in tuned_first(genome, splits):
        part = genome.part(name)
        predictions = with_context(part, matrix, closed_form_predictions(part, gain))
        if decoder is None:
            decoder = tune_decoder(genome, features, predictions, splits, min_length, genome.span(name)[0])
            log.info("closed form: %s", decoder)
        found[name] = call_genes(part, predictions, decoder, min_length)
    return found


def longest_orf_genes(genome, features: pd.DataFrame, splits) -> dict[str, pd.DataFrame]:
    """Longest reading frames by genome; the shortest length is that of the best F1 at the 3' end on validation."""
    truth, held = whole_genes(genome_cds(genome, features)), splits[splits["split"] == "validation"]
    parts = {name: genome.part(name) for name in genome.names}
    counts = {}
    for length in LENGTHS:
        calls = [longest_orfs(parts[name], length).assign(genome=name) for name in set(held["genome"]) & set(parts)]
        counts[length] = _f1(genome.rows(pd.concat(calls)), truth, genome.rows(held))
    best = max(LENGTHS, key=counts.get)
    log.info("longest reading frames of at least %d bases", best)
    return {name: longest_orfs(part, best) for name, part in parts.items()}


def _f1(calls: pd.DataFrame, truth: pd.DataFrame, blocks: pd.DataFrame) -> float:
    """F1 of stop codons inside the blocks."""
    stops = []
    for table in (calls, truth):
        stop = np.where(table["strand"] == "+", table["end"], table["start"])
        _, inside = place_in(table, blocks)
        rows = zip(table["contig"][inside], table["strand"][inside], stop[inside], strict=True)
        stops.append(set(rows))
    return 2 * len(stops[0] & stops[1]) / max(len(stops[0]) + len(stops[1]), 1)
