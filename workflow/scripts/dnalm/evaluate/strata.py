"""Kinds of bases among those that were scored: coding, intergenic, repeats and so on.

Only bases of the scored intervals are held, so that memory grows with what is held out and not with the genome.
"""

import numpy as np
import pandas as pd

from dnalm.annotation.features import rna_genes
from dnalm.annotation.labels import genome_cds, whole_genes
from dnalm.io.fasta import Genome
from dnalm.sequence.alphabet import MASK_BIT


class ScoredBases:
    """Bases of disjoint intervals in their order, and where stretches of the genome lie among them.

    ``intervals`` are global, int64 (n, 2), in any order.
    """

    def __init__(self, genome: Genome, intervals: np.ndarray):
        self.genome = genome
        self.position = np.concatenate([np.arange(a, b) for a, b in intervals] or [np.empty(0, dtype=np.int64)])
        order = np.argsort(intervals[:, 0])
        self._spans = intervals[order]
        self._first = (np.cumsum(intervals[:, 1] - intervals[:, 0]) - (intervals[:, 1] - intervals[:, 0]))[order]

    def none(self) -> np.ndarray:
        """A mask of no base, bool (bases,)."""
        return np.zeros(len(self.position), dtype=bool)

    def within(self, contig: str, start: int, end: int):
        """Scored bases of a stretch, which may run over the origin of a circular contig.

        Yields
        ------
        index : slice
            Of `position`.
        number : int
            How many bases of the stretch lie before the first of these.
        """
        offset, length = self.genome.offset(contig), self.genome.length(contig)
        parts = [(start, min(end, length), 0), (0, end - length, length - start)]
        for low, high, before in ((offset + a, offset + b, n) for a, b, n in parts if b > a):
            row = max(int(np.searchsorted(self._spans[:, 0], low, side="right")) - 1, 0)
            while row < len(self._spans) and self._spans[row, 0] < high:
                first, last = max(low, self._spans[row, 0]), min(high, self._spans[row, 1])
                if first < last:
                    index = self._first[row] + first - self._spans[row, 0]
                    yield slice(int(index), int(index + last - first)), int(before + first - low)
                row += 1

    def covered(self, rows: pd.DataFrame) -> np.ndarray:
        """Bases that any row (contig, start, end) covers, bool (bases,)."""
        mask = self.none()
        for row in rows.itertuples(index=False):
            for index, _ in self.within(row.contig, row.start, row.end):
                mask[index] = True
        return mask

    def codons(self, genes: pd.DataFrame) -> np.ndarray:
        """Bases that are first, second and third of a codon of any of the genes, each in one piece; bool (3, bases)."""
        masks = np.zeros((3, len(self.position)), dtype=bool)
        for gene in genes.itertuples(index=False):
            for index, number in self.within(gene.contig, gene.start, gene.end):
                read = number + np.arange(index.stop - index.start)
                phase = read % 3 if gene.strand == "+" else (gene.end - gene.start - 1 - read) % 3
                masks[phase, np.arange(index.start, index.stop)] = True
        return masks


def strata_of(scored: ScoredBases, features: pd.DataFrame, leakage: pd.DataFrame) -> dict[str, np.ndarray]:
    """Bool masks over the scored bases: all, coding (and by codon position), intergenic, rna, repeat, unique.

    Bases of coding sequences that are joined, partial, pseudo or out of frame are neither coding nor intergenic. Nor
    are those of genomes without any coding sequence, of which nobody knows where genes are; where no genome has one,
    these strata are not there. Repeats are the held-out windows of the leakage audit that match the training blocks;
    unique is everything else. Where lower-case letters were scored there are also soft_masked and not_soft_masked.
    """
    genome = scored.genome
    rna, repeat = scored.covered(rna_genes(features)), scored.covered(genome.rows(leakage[leakage["matched"] > 0]))
    strata, cds = {"all": ~scored.none()}, genome_cds(genome, features)
    if len(cds):
        strata |= _gene_strata(scored, cds, rna)
    between = {"intergenic": strata.pop("intergenic")} if "intergenic" in strata else {}
    soft = (genome.codes[scored.position] & MASK_BIT) > 0
    if soft.any():
        strata |= {"soft_masked": soft, "not_soft_masked": ~soft}
    return {**strata, **between, "rna": rna, "repeat": repeat, "unique": ~repeat}


def _gene_strata(scored: ScoredBases, cds: pd.DataFrame, rna: np.ndarray) -> dict[str, np.ndarray]:
    """The strata that coding sequences define."""
    contigs, owners = scored.genome.contigs, scored.genome.owners
    bare = contigs[~np.isin(owners, owners[contigs["contig"].isin(set(cds["contig"]))])]
    usable = cds.index.isin(whole_genes(cds).index)
    known = ~scored.covered(cds[~usable]) & ~scored.covered(bare.assign(start=0, end=bare["length"]))
    codons = scored.codons(cds[usable])
    strata = {"coding": codons.any(0) & known, "intergenic": ~codons.any(0) & known & ~rna}
    return strata | {f"codon_position_{number + 1}": mask & known for number, mask in enumerate(codons)}
