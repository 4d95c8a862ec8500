"""Read a genome with a fine-tuned model and call its genes."""

import logging

import numpy as np

from dnalm.annotation.labels import gene_labels
from dnalm.io.fasta import Genome
from dnalm.models.heads import CLASSES, GeneModel
from dnalm.sequence.splits import split_intervals
from dnalm.tasks.annotate import read_genome
from dnalm.tasks.calls import call_genes, learn_starts, tune_decoder, tuned_first, with_context
from dnalm.tasks.decode import class_odds

log = logging.getLogger(__name__)


def predict(model: GeneModel, genome: Genome, name: str, matrix: np.ndarray, splits, held_out_only: bool):
    """Read one genome of ``genome``, in whose positions the model knows its own n-grams.

    With ``held_out_only`` only validation and test blocks are read, with the margin that decoding at their edges needs.

    Returns
    -------
    predictions : (odds, starts, stops, context)
        For the decoder, in the genome's own positions; ``matrix`` is that of its start context.
    intervals, columns
        Class probabilities, in the genome's own positions.
    """
    part, (start, end) = genome.part(name), genome.span(name)
    intervals = part.contigs["offset"].to_numpy()[:, None] + np.array([0, 1]) * part.contigs[["length"]].to_numpy()
    if held_out_only:
        intervals = np.concatenate([split_intervals(part, splits, split) for split in ("validation", "test")])
    classes, starts, stops = read_genome(model, genome, intervals + start, (start, end))
    place = np.concatenate([np.arange(0), *(np.arange(a, b) for a, b in intervals)])
    columns = {f"p{c}": np.exp(classes[place, c]) for c in range(len(CLASSES))}
    return with_context(part, matrix, (class_odds(classes), starts, stops)), intervals, columns


def find_genes(model: GeneModel, genome: Genome, features, splits, min_length: int, held_out_only: bool):
    """Read the genomes one by one, that of the decoder's fit first: arrays of a reading are as long as one genome.

    Yields
    ------
    name of the genome, gene calls, the fitted decoder, and the class probabilities (intervals, columns) behind them;
    with ``held_out_only`` no genome that has nothing but training blocks
    """
    matrix, decoder = learn_starts(genome, gene_labels(genome, features), splits), None
    held_out = set(splits.loc[splits["split"].isin(["validation", "test"]), "genome"])
    for name in tuned_first(genome, splits):
        if held_out_only and name not in held_out:
            continue
        predictions, intervals, columns = predict(model, genome, name, matrix, splits, held_out_only)
        if decoder is None:
            decoder = tune_decoder(genome, features, predictions, splits, min_length, genome.span(name)[0])
            log.info("decoder fitted on validation blocks: %s", decoder)
        yield name, call_genes(genome.part(name), predictions, decoder, min_length), decoder, intervals, columns
        predictions = intervals = columns = None  # let go of these before the next genome is read
