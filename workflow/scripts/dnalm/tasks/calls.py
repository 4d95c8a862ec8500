"""From predictions of any finder that scores bases to called genes: fit the decoder, then decode all contigs.

Predictions are four arrays in global positions: coding log-odds (length, 6), start and stop logits (length, 2), and the
start context (length, 2); see `dnalm.tasks.decode.gather`.
"""

import numpy as np
import pandas as pd

from dnalm.annotation.labels import GeneLabels, candidate_codons, genome_cds, whole_genes
from dnalm.io.fasta import Genome
from dnalm.sequence.orfs import stop_key
from dnalm.sequence.splits import SPLITS, split_labels
from dnalm.sequence.start_context import start_context, start_matrix
from dnalm.tasks.decode import Decoder, Evidence, decode, fit_decoder, gather


def learn_starts(genome: Genome, labels: GeneLabels, splits) -> np.ndarray:
    """The start matrix of the training blocks (see `dnalm.sequence.start_context`)."""
    training = split_labels(genome, splits) == SPLITS.index("train")
    return start_matrix(genome, labels.start_codons, labels.starts, training & labels.known)


def with_context(genome: Genome, matrix: np.ndarray, predictions) -> tuple:
    """(odds, starts, stops) of a genome with its start context as a fourth array."""
    starts, _ = candidate_codons(genome)
    return (*predictions, start_context(genome, starts, matrix))


def contig_evidence(genome: Genome, contig, predictions, min_length: int, first: int = 0) -> Evidence:
    """Evidence for the candidates of one contig (a row of ``genome.contigs``); predictions begin at base ``first``."""
    span = slice(contig.offset - first, contig.offset - first + contig.length)
    parts = (p[span] for p in predictions)
    return gather(genome.contig_codes(contig.contig), *parts, contig.genetic_code, min_length, contig.circular)


def tuning_contig(genome: Genome, splits) -> str:
    """The contig with most validation bases."""
    rows = genome.rows(splits[splits["split"] == "validation"])
    return (rows["end"] - rows["start"]).groupby(rows["contig"]).sum().idxmax()


def tuned_first(genome: Genome, splits) -> list[str]:
    """Names of its genomes, the one that holds the `tuning_contig` before the others."""
    first = genome.owners[genome.contigs["contig"] == tuning_contig(genome, splits)]
    return sorted(genome.names, key=lambda name: name not in first)


def tune_decoder(genome: Genome, features, predictions, splits, min_length: int, first: int = 0) -> Decoder:
    """Fit the decoder on the `tuning_contig`: only candidates inside validation blocks count.

    Predictions begin at the global position ``first``.
    """
    name, cds = tuning_contig(genome, splits), genome_cds(genome, features)
    contig = next(c for c in genome.contigs.itertuples(index=False) if c.contig == name)
    rows = genome.rows(splits[splits["split"] == "validation"])
    blocks = rows.loc[rows["contig"] == contig.contig, ["start", "end"]].to_numpy()
    evidence = contig_evidence(genome, contig, predictions, min_length, first)
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
