"""From predictions of any finder that scores bases to called genes: fit the decoder, then decode all contigs.

Predictions are four arrays in global positions: coding log-odds (length, 6), start and stop logits (length, 2), and the
start context (length, 2); see `dnalm.tasks.decode.gather`.
"""

import numpy as np
import pandas as pd

from dnalm.io.fasta import Genome
from dnalm.io.labels import gene_labels, genome_cds, whole_genes
from dnalm.sequence.splits import SPLITS, split_labels
from dnalm.sequence.start_context import start_context
from dnalm.tasks.decode import Decoder, Evidence, decode, fit_decoder, gather, stop_key


def with_context(genome: Genome, features: pd.DataFrame, splits, predictions) -> tuple:
    """(odds, starts, stops) with the start context, learned on the training blocks, as a fourth array."""
    labels = gene_labels(genome, features)
    training = split_labels(genome, splits) == SPLITS.index("train")
    odds, starts, stops = predictions
    return (odds, starts, stops, start_context(genome, labels.start_codons, labels.starts, training & labels.known))


def contig_evidence(genome: Genome, contig, predictions, min_length: int) -> Evidence:
    """Evidence for the candidates of one contig (a row of ``genome.contigs``)."""
    span = slice(contig.offset, contig.offset + contig.length)
    parts = (p[span] for p in predictions)
    return gather(genome.contig_codes(contig.contig), *parts, contig.genetic_code, min_length, contig.circular)


def tune_decoder(genome: Genome, features: pd.DataFrame, predictions, splits, min_length: int) -> Decoder:
    """Fit the decoder on the contig with most validation bases: only candidates inside validation blocks count."""
    cds = genome_cds(genome, features)
    rows = splits[(splits["genome"] == genome.name) & (splits["split"] == "validation")]
    bases = (rows["end"] - rows["start"]).groupby(rows["contig"]).sum()
    contig = next(c for c in genome.contigs.itertuples(index=False) if c.contig == bases.idxmax())
    blocks = rows.loc[rows["contig"] == contig.contig, ["start", "end"]].to_numpy()
    evidence = contig_evidence(genome, contig, predictions, min_length)
    orfs, mine = evidence.orfs, cds[cds["contig"] == contig.contig]
    truth = whole_genes(mine)
    odd = mine[~mine.index.isin(truth.index)]
    sides = np.where(odd["strand"] == "+", 1, -1)
    excluded = stop_key(odd["start"].to_numpy(), odd["end"].to_numpy(), sides, contig.length)
    usable = within(orfs.start, orfs.end, blocks) & ~orfs.partial
    usable &= ~np.isin(stop_key(orfs.start, orfs.end, orfs.strand, contig.length), excluded)
    truth = truth[within(truth["start"].to_numpy(), truth["end"].to_numpy(), blocks)]
    return fit_decoder(evidence, truth, usable, contig.length)


def within(start, end, blocks: np.ndarray) -> np.ndarray:
    """True where [start, end) lies inside one of the sorted, disjoint ``blocks`` (n, 2)."""
    slot = np.searchsorted(blocks[:, 0], start, side="right") - 1
    return (slot >= 0) & (end <= blocks[np.maximum(slot, 0), 1])


def call_genes(genome: Genome, predictions, decoder: Decoder, min_length: int) -> pd.DataFrame:
    """Genes of all contigs: contig, start, end, strand, score, partial, codon."""
    tables = []
    for contig in genome.contigs.itertuples(index=False):
        genes = decode(contig_evidence(genome, contig, predictions, min_length), decoder, contig.length)
        genes.insert(0, "contig", contig.contig)
        tables.append(genes.sort_values(["start", "end"]))
    return pd.concat(tables, ignore_index=True)
