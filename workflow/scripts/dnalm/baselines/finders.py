"""Gene finders to compare with: Pyrodigal, and the longest open reading frames."""

import logging

import numpy as np
import pandas as pd

from dnalm.sequence.alphabet import decode as letters
from dnalm.sequence.orfs import find_orfs, select_genes

log = logging.getLogger(__name__)
COLUMNS = ["contig", "start", "end", "strand", "score", "partial"]
#: Bases that Pyrodigal needs to train itself (its own limit).
SELF_TRAINING = 20_000
#: Shortest reading frames that `longest_orf` chooses from, in bases.
LENGTHS = (90, 150, 210, 270, 330, 400, 500)


def pyrodigal_genes(genome, mode: str) -> pd.DataFrame:
    """Genes that Pyrodigal (Larralde 2022; Hyatt et al. 2010) calls with its defaults.

    ``mode`` is ``single`` (trains itself, unlabelled, on the whole genome with the genome's code) or ``meta``. The
    column ``motif`` is the ribosome binding site that it names, empty where it sees none.
    """
    import pyrodigal  # GPL-3: an optional comparison, never needed by anything else

    sequences = [letters(np.asarray(genome.contig_codes(c)) & 7) for c in genome.contigs["contig"]]
    if mode == "single" and sum(map(len, sequences)) < SELF_TRAINING:
        log.warning("Pyrodigal cannot train on fewer than %d bases: no calls", SELF_TRAINING)
        return pd.DataFrame(columns=[*COLUMNS, "motif"])
    finder = pyrodigal.GeneFinder(meta=mode == "meta")
    if mode == "single":
        finder.train(*sequences, translation_table=int(genome.contigs["genetic_code"].iloc[0]))
    rows = []
    for contig, sequence in zip(genome.contigs["contig"], sequences, strict=True):
        for gene in finder.find_genes(sequence):
            strand = "+" if gene.strand > 0 else "-"
            partial = gene.partial_begin or gene.partial_end
            rows.append((contig, gene.begin - 1, gene.end, strand, gene.score, bool(partial), gene.rbs_motif or ""))
    return pd.DataFrame(rows, columns=[*COLUMNS, "motif"])


def longest_orfs(genome, min_length: int) -> pd.DataFrame:
    """The set of longest reading frames (most upstream start) that overlap least: no statistics at all."""
    rows = []
    for c in genome.contigs.itertuples(index=False):
        orfs = find_orfs(genome.contig_codes(c.contig), c.genetic_code, min_length, c.circular)
        length = (orfs.end - orfs.start).astype(float)
        longest = np.zeros(orfs.group.max(initial=-1) + 1)
        np.maximum.at(longest, orfs.group, length)
        score = np.where(length == longest[orfs.group], length - min_length + 1, -np.inf)
        for i in select_genes(orfs, score, c.length, penalty=1.0):
            strand = "+" if orfs.strand[i] > 0 else "-"
            rows.append((c.contig, orfs.start[i], orfs.end[i], strand, length[i], bool(orfs.partial[i])))
    return pd.DataFrame(rows, columns=COLUMNS)
