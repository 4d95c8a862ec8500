"""Read a genome with a fine-tuned model and call its genes."""

import logging

import numpy as np

from dnalm.io.fasta import Genome
from dnalm.models.heads import CLASSES, GeneModel
from dnalm.sequence.splits import split_intervals
from dnalm.tasks.annotate import read_genome
from dnalm.tasks.calls import call_genes, tune_decoder, with_context
from dnalm.tasks.decode import class_odds

log = logging.getLogger(__name__)


def predict(model: GeneModel, genome: Genome, features, splits, held_out_only: bool):
    """(odds, starts, stops, context) for the decoder, and (intervals, columns) of the class probabilities.

    With ``held_out_only`` only validation and test blocks are read, with the margin that decoding at their edges needs.
    """
    whole = genome.contigs["offset"].to_numpy()[:, None] + np.array([0, 1]) * genome.contigs[["length"]].to_numpy()
    held_out = np.concatenate([split_intervals(genome, splits, name) for name in ("validation", "test")])
    intervals = held_out if held_out_only else whole
    classes, starts, stops = read_genome(model, genome, intervals)
    place = np.concatenate([np.arange(a, b) for a, b in intervals])
    columns = {f"p{c}": np.exp(classes[place, c]) for c in range(len(CLASSES))}
    return with_context(genome, features, splits, (class_odds(classes), starts, stops)), intervals, columns


def find_genes(model: GeneModel, genome: Genome, features, splits, min_length: int, held_out_only: bool):
    """Gene calls, the fitted decoder, and the class probabilities (intervals, columns) behind them."""
    predictions, intervals, columns = predict(model, genome, features, splits, held_out_only)
    decoder = tune_decoder(genome, features, predictions, splits, min_length)
    log.info("decoder fitted on validation blocks: %s", decoder)
    return call_genes(genome, predictions, decoder, min_length), decoder, intervals, columns
