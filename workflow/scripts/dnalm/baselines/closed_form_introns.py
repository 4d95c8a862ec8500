"""The closed-form gene finder for genes with introns: counts and matrices in place of a network.

Bases: the codon-position Markov models of `dnalm.baselines.closed_form`; introns, UTRs and the rest are one model, the
non-coding one. With ``introns`` the introns of each strand have one of their own, and counts of rare contexts are
shrunk to those of shorter ones, for genomes with many introns and few genes to learn from.

Sites: position weight matrices of start codons, donors and acceptors against all other candidates (Staden 1984); for
start codons also how many other ATG their reading frame offered before, since ribosomes mostly take the first (Kozak
1987), and for acceptors the word of the branch point (`dnalm.baselines.branch_point`). Scores are log-ratios in nats;
they go into the same automaton, with a decoder fitted on validation blocks, as those of a network.
"""

from dataclasses import dataclass

import numpy as np

from dnalm.annotation.transcript_labels import CODING, TranscriptLabels
from dnalm.baselines.branch_point import BranchPoint, branch_point
from dnalm.baselines.closed_form import coding_gain, score_coding
from dnalm.sequence.gene_structure import CLASSES, SITES, class_index
from dnalm.sequence.start_context import PSEUDO, earlier_starts, site_matrix, site_scores

#: Bases before the site, and from it on, that each matrix covers.
WINDOWS = {"start": (12, 6), "donor": (3, 8), "acceptor": (24, 4)}
#: Earlier ATG of a reading frame are counted up to this number.
MOST_EARLIER = 3
#: Columns of `coding_gain` as classes.
GAINS = [class_index(side, part) for side in (0, 1) for part in "123"]
#: Classes of the introns of each strand, and their bits.
INTRONS = [[class_index(side, f"intron{phase}") for phase in range(3)] for side in (0, 1)]
INTRON_BITS = [np.uint16(sum(1 << column for column in columns)) for columns in INTRONS]
#: Counts that a shorter context is worth with ``introns``; from held-out likelihoods of worm, Arabidopsis and fly.
SHRINK = 100.0


@dataclass(frozen=True)
class ClosedFormIntrons:
    """Counted models; call it with a contig (a row of ``genome.contigs``) for its scores."""

    genome: object
    labels: TranscriptLabels
    gain: np.ndarray
    matrices: dict[str, np.ndarray]
    earlier: np.ndarray
    """Log-ratios (`MOST_EARLIER` + 1,) of the number of earlier ATG, real starts against other ATG."""
    branch: BranchPoint

    def __call__(self, contig) -> tuple[np.ndarray, np.ndarray]:
        """Emissions (length, 15) and site scores (length, 8), float32, as `best_structure` wants them."""
        span = (contig.offset, contig.offset + contig.length)
        emissions = np.zeros((contig.length, len(CLASSES)), dtype=np.float32)
        scores = score_coding(np.asarray(self.genome.codes[slice(*span)]) & 7, self.gain)
        each = scores.shape[1] // 2
        for side in (0, 1):
            emissions[:, GAINS[3 * side :][:3]] = scores[:, each * side :][:, :3]
            if each > 3:
                emissions[:, INTRONS[side]] = scores[:, each * side + 3, None]
        sites = np.zeros((contig.length, 2 * len(SITES)), dtype=np.float32)
        for name, matrix in self.matrices.items():
            column = 2 * SITES.index(name)
            candidates = self.labels.candidates(name)
            sites[:, column : column + 2] = site_scores(self.genome, candidates, matrix, WINDOWS[name][0], span)
        before = {
            "start": self.earlier[_earlier(self.genome, contig)],
            "acceptor": self.branch.scores(self.genome.contig_codes(contig.contig)),
        }
        for name, scores in before.items():
            column = 2 * SITES.index(name)
            sites[:, column : column + 2] += np.where(self.labels.candidates(name)[slice(*span)], scores, 0.0)
        return emissions, sites


def _earlier(genome, contig) -> np.ndarray:
    return np.minimum(earlier_starts(genome.contig_codes(contig.contig), contig.genetic_code), MOST_EARLIER)


def _earlier_ratios(genome, labels: TranscriptLabels, usable: np.ndarray) -> np.ndarray:
    counts = np.full((2, MOST_EARLIER + 1), PSEUDO)
    for c in genome.contigs.itertuples(index=False):
        span = slice(c.offset, c.offset + c.length)
        number, real = _earlier(genome, c), labels.sites("start")[span]
        counted = labels.candidates("start")[span] & usable[span, None]
        for row in (0, 1):
            counts[row] += np.bincount(number[counted & (real == row)], minlength=MOST_EARLIER + 1)
    share = np.log(counts / counts.sum(1, keepdims=True))
    return share[1] - share[0]


def _gain(genome, labels: TranscriptLabels, usable: np.ndarray, introns: bool) -> np.ndarray:
    """`coding_gain` of the codon positions, and in a fourth column that of introns if they have a model."""
    coding = np.uint16(CODING[0] | CODING[1])
    others = coding | INTRON_BITS[0] | INTRON_BITS[1] if introns else coding
    each = 4 if introns else 3

    def members(span, column):
        bits, (side, part) = labels.class_bits[span], divmod(column - 1, each)
        if column == 0:
            return bits & others == 0
        if part == 3:
            return (bits & coding == 0) & (bits & INTRON_BITS[side] > 0)
        return bits == 1 << GAINS[3 * side + part]

    return coding_gain(genome, members, usable, each, SHRINK if introns else 0.0)


def closed_form_introns(
    genome, labels: TranscriptLabels, training: np.ndarray, introns: bool = False
) -> ClosedFormIntrons:
    """Count everything where ``training`` (bool mask of global positions) allows it.

    With ``introns`` they have a model of their own.
    """
    usable = training & labels.known
    matrices = {
        name: site_matrix(genome, labels.candidates(name), labels.sites(name), usable, *window)
        for name, window in WINDOWS.items()
    }
    earlier = _earlier_ratios(genome, labels, usable)
    branch = branch_point(genome, labels.sites("acceptor"), usable)
    return ClosedFormIntrons(genome, labels, _gain(genome, labels, usable, introns), matrices, earlier, branch)
