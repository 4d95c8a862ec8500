"""The closed-form gene finder for genes with introns: counts and matrices in place of a network.

Bases: the codon-position Markov models of `dnalm.baselines.closed_form`; introns, UTRs and the rest are one model, the
non-coding one. Sites: position weight matrices of start codons, donors and acceptors against all other candidates
(Staden 1984). Scores are log-ratios in nats; they go into the same automaton, with a decoder fitted on validation
blocks, as those of a network.
"""

from dataclasses import dataclass

import numpy as np

from dnalm.baselines.closed_form import coding_gain, score_coding
from dnalm.io.transcript_labels import CODING, TranscriptLabels
from dnalm.sequence.gene_structure import CLASSES, SITES, class_index
from dnalm.sequence.start_context import site_matrix, site_scores

#: Bases before the site, and from it on, that each matrix covers.
WINDOWS = {"start": (12, 6), "donor": (3, 8), "acceptor": (24, 4)}
#: Columns of `coding_gain` as classes.
GAINS = [class_index(side, part) for side in (0, 1) for part in "123"]


@dataclass(frozen=True)
class ClosedFormIntrons:
    """Counted models; call it with a contig (a row of ``genome.contigs``) for its scores."""

    genome: object
    labels: TranscriptLabels
    gain: np.ndarray
    matrices: dict[str, np.ndarray]

    def __call__(self, contig) -> tuple[np.ndarray, np.ndarray]:
        """Emissions (length, 15) and site scores (length, 8), float32, as `best_structure` wants them."""
        span = (contig.offset, contig.offset + contig.length)
        emissions = np.zeros((contig.length, len(CLASSES)), dtype=np.float32)
        emissions[:, GAINS] = score_coding(np.asarray(self.genome.codes[slice(*span)]) & 7, self.gain)
        sites = np.zeros((contig.length, 2 * len(SITES)), dtype=np.float32)
        for name, matrix in self.matrices.items():
            column = 2 * SITES.index(name)
            candidates = self.labels.candidates(name)
            sites[:, column : column + 2] = site_scores(self.genome, candidates, matrix, WINDOWS[name][0], span)
        return emissions, sites


def closed_form_introns(genome, labels: TranscriptLabels, training: np.ndarray) -> ClosedFormIntrons:
    """Count everything where ``training`` (bool mask of global positions) allows it."""
    usable = training & labels.known
    coding = np.uint16(CODING[0] | CODING[1])

    def members(span, column):
        bits = labels.class_bits[span]
        return bits & coding == 0 if column == 0 else bits == 1 << GAINS[column - 1]

    matrices = {
        name: site_matrix(genome, labels.candidates(name), labels.sites(name), usable, *window)
        for name, window in WINDOWS.items()
    }
    return ClosedFormIntrons(genome, labels, coding_gain(genome, members, usable), matrices)
