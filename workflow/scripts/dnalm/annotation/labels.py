"""Per-base gene labels from an annotation."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.annotation.features import coding_sequences
from dnalm.errors import InputError
from dnalm.sequence.genetic_code import codon_index, genetic_code
from dnalm.sequence.splits import SPLITS, split_labels


@dataclass(frozen=True)
class GeneLabels:
    """Labels of a whole genome in global positions.

    ``classes`` float16 (length, 7): share of each class of `dnalm.models.heads.CLASSES` (bases where genes overlap
    belong to both). ``known`` bool (length,): False on CDS that are joined, partial, pseudo or out of frame, which
    teach nothing. ``starts``, ``stops`` bool (length, 2): first base of a start codon, last base of a stop codon, on
    the forward and reverse strand; ``start_codons``, ``stop_codons`` the same for every codon that could be one.
    """

    classes: np.ndarray
    known: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    start_codons: np.ndarray
    stop_codons: np.ndarray

    def sites(self, name: str) -> np.ndarray:
        """True sites of a kind, ``start`` or ``stop``."""
        return {"start": self.starts, "stop": self.stops}[name]

    def candidates(self, name: str) -> np.ndarray:
        """Codons that could be one."""
        return {"start": self.start_codons, "stop": self.stop_codons}[name]


def whole_genes(cds: pd.DataFrame) -> pd.DataFrame:
    """CDS of one part that are neither pseudo nor partial, with a length that is a multiple of three."""
    length = cds["end"] - cds["start"]
    return cds[(cds["parts"] == 1) & ~cds["pseudo"] & ~cds["partial"] & (length % 3 == 0)]


def genome_cds(genome, features: pd.DataFrame) -> pd.DataFrame:
    """All CDS of a genome (see `dnalm.annotation.features.coding_sequences`)."""
    contigs = genome.contigs
    lengths = dict(zip(contigs["contig"], contigs["length"], strict=True))
    return coding_sequences(features, lengths, set(contigs.loc[contigs["circular"], "contig"]))


def gene_labels(genome, features: pd.DataFrame) -> GeneLabels:
    """Labels of every base of a genome."""
    total = len(genome.codes)
    classes = np.zeros((total, 7), dtype=np.float16)
    known = np.ones(total, dtype=bool)
    starts, stops = np.zeros((total, 2), dtype=bool), np.zeros((total, 2), dtype=bool)
    cds = genome_cds(genome, features)
    usable = set(whole_genes(cds).index)
    for gene in cds.itertuples():
        offset, length = genome.offset(gene.contig), genome.length(gene.contig)
        place = offset + np.arange(gene.start, gene.end) % length
        if gene.Index not in usable:
            known[place] = False
            continue
        order = place if gene.strand == "+" else place[::-1]
        side = 0 if gene.strand == "+" else 1
        classes[order, 1 + 3 * side + np.arange(len(order)) % 3] = 1
        starts[order[0], side] = stops[order[-1], side] = True
    classes[:, 0] = ~classes.any(1)
    classes /= classes.sum(1, keepdims=True)
    return GeneLabels(classes, known, starts, stops, *candidate_codons(genome))


def candidate_codons(genome) -> tuple[np.ndarray, np.ndarray]:
    """Where a start codon begins and where a stop codon ends, bool (length, 2) for both strands."""
    starts, stops = np.zeros((2, len(genome.codes), 2), dtype=bool)
    for contig in genome.contigs.itertuples(index=False):
        codes = np.asarray(genome.contig_codes(contig.contig)) & 7
        _, can_start, can_stop = genetic_code(contig.genetic_code)
        span = slice(contig.offset, contig.offset + contig.length)
        for side in (0, 1):
            text = codes if side == 0 else np.where(codes < 4, 3 - codes, 4)[::-1]
            text = np.concatenate([text, text[:2] if contig.circular else np.full(2, 4)])
            codon = codon_index(text)
            begins, ends = (np.where(codon >= 0, can[codon], False) for can in (can_start, can_stop))
            ends = np.roll(ends, 2)
            if not contig.circular:
                ends[:2] = False
            starts[span, side] = begins if side == 0 else begins[::-1]
            stops[span, side] = ends if side == 0 else ends[::-1]
    return starts, stops


def require_genes(genome, labels: GeneLabels, splits) -> None:
    """Refuse a study without annotated genes to learn from.

    Raises
    ------
    InputError
        If the training or the validation blocks hold no start codon of a whole gene.
    """
    place = split_labels(genome, splits)
    for name in ("train", "validation"):
        if not (labels.starts[:].any(1) & (place == SPLITS.index(name))).any():
            raise InputError(
                f"no annotated genes in the {name} blocks",
                f"genomes: {', '.join(genome.names)}",
                "Give an annotation (GenBank, or a GFF3 as `annotation`), or leave genes out with annotate: null",
            )
