"""Finders of genes with introns in a study: a fine-tuned network beside counts, the network alone, and counts alone.

What all of them share: transcripts and labels of the annotation, counts of the training blocks
(`dnalm.baselines.closed_form_introns`), and a decoder that is fitted on the validation blocks. The counts of a base's
own gene are never in its scores where anything is fitted or judged, for those blocks were not counted.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from dnalm.annotation.labels import require_genes
from dnalm.annotation.transcript_labels import transcript_labels
from dnalm.annotation.transcripts import read_transcripts
from dnalm.baselines.closed_form_introns import ClosedFormIntrons, closed_form_introns
from dnalm.baselines.intron_lengths import intron_lengths, training_introns
from dnalm.io.fasta import Genome, contig_name
from dnalm.models.heads import GeneModel
from dnalm.sequence.splits import SPLITS, blocks_of, split_intervals, split_labels
from dnalm.tasks.annotate import read_genome
from dnalm.tasks.structures import StructureDecoder, beside, call_each, fit_structures


def counted(
    genome: Genome, features: pd.DataFrame, splits, settings: dict
) -> tuple[pd.DataFrame, ClosedFormIntrons, StructureDecoder]:
    """Transcripts of the annotation, the closed-form finder of the training blocks, and a decoder to begin with."""
    transcripts = read_transcripts(genome, features, settings["min_intron"])
    labels = transcript_labels(genome, transcripts)
    require_genes(genome, labels, splits)
    training = split_labels(genome, splits) == SPLITS.index("train")
    finder = closed_form_introns(genome, labels, training, settings["intron_model"])
    decoder = StructureDecoder(min_intron=settings["min_intron"])
    if settings["intron_model"]:
        kinds = intron_lengths(training_introns(genome, transcripts, training), settings["min_intron"])
        decoder = replace(decoder, intron_lengths=kinds)
    return transcripts, finder, decoder


def closed_form_structures(genome: Genome, features, splits, settings: dict) -> dict[str, pd.DataFrame]:
    """Genes that counts alone find, by genome."""
    transcripts, finder, first = counted(genome, features, splits, settings)
    fitted = _fit(genome, finder, transcripts, splits, first)
    return _by_genome(genome, call_each(genome, finder, {"": fitted})[""])


def network_structures(model: GeneModel, genome: Genome, features, splits, settings: dict, held_out_only: bool):
    """Genes that a network finds with counts beside it, and by itself.

    With ``held_out_only`` the network reads validation and test blocks alone.

    Returns
    -------
    calls : {"with_counts": {genome: table}, "alone": {genome: table}}
    decoders : {"with_counts": StructureDecoder, "alone": StructureDecoder}
    """
    transcripts, counts, first = counted(genome, features, splits, settings)
    held_out = blocks_of(splits, genome, "validation")
    both = beside(_reader(model, genome, splits, held_out_only), counts)
    finder = _kept(both, set(held_out["contig"]))
    alone = replace(first, second_class_weight=0.0, second_site_weight=0.0)
    decoders = {
        name: _fit(genome, finder, transcripts, splits, start)
        for name, start in (("with_counts", first), ("alone", alone))
    }
    calls = call_each(genome, finder, decoders)
    return {name: _by_genome(genome, table) for name, table in calls.items()}, decoders


def _fit(genome, finder, transcripts, splits, start: StructureDecoder) -> StructureDecoder:
    return fit_structures(genome, finder, transcripts, blocks_of(splits, genome, "validation"), start)


def _reader(model: GeneModel, genome: Genome, splits, held_out_only: bool):
    """A finder that reads contigs with a network, as `read_genome` does."""
    spans = genome.contigs["offset"].to_numpy()[:, None] + np.array([0, 1]) * genome.contigs[["length"]].to_numpy()
    if held_out_only:
        spans = np.concatenate([split_intervals(genome, splits, split) for split in ("validation", "test")])

    def finder(contig):
        first, end = contig.offset, contig.offset + contig.length
        mine = spans[(spans[:, 0] >= first) & (spans[:, 1] <= end)]
        classes, *sites = read_genome(model, genome, mine, (first, end))
        return classes, np.concatenate(sites, axis=1)

    return finder


def _kept(finder, contigs: set[str]):
    """The same finder, which remembers what it said of some contigs."""
    known: dict[str, tuple] = {}

    def again(contig):
        scores = known.get(contig.contig) or finder(contig)
        if contig.contig in contigs:
            known[contig.contig] = scores
        return scores

    return again


def _by_genome(genome: Genome, calls: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Calls of each genome, with its own names of contigs."""
    if not genome.composite:
        return {genome.name: calls}
    owner = calls["contig"].map(dict(zip(genome.contigs["contig"], genome.owners, strict=True)))
    own = {name: calls[owner == name].reset_index(drop=True) for name in genome.names}
    return {name: t.assign(contig=t["contig"].str.removeprefix(contig_name(name, ""))) for name, t in own.items()}
