"""Every candidate gene of a genome, laid out so that all contigs and both strands are scored at once.

The contigs stand in one text, each followed by its own beginning if it is circular, and by a gap of N. The second
strand is the reverse complement of the whole text. A candidate is a span of one of the two texts that begins with its
start codon and ends with its stop codon, so that everything that is learned or scored needs one direction only.
"""

from dataclasses import dataclass

import numpy as np

from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.genetic_code import genetic_code
from dnalm.sequence.orfs import WRAP, find_orfs

#: N between contigs: more than any model looks at beside a start codon.
GAP = 60
#: Shortest candidates of the gene finder, in bases.
MIN_LENGTH = 60


@dataclass(frozen=True)
class Candidates:
    """Candidates as parallel arrays of shape (n,), sorted by contig, end, start and strand.

    ``start``, ``end`` are those of `dnalm.sequence.orfs.Orfs`, in bases of the contig; ``first``, ``last`` the same
    span [first, last) in the text of the candidate's strand; ``side`` 0 or 1 is the strand's text; ``group`` numbers
    the stop codon over the whole genome; ``codon`` is the start codon's index or -1; ``open_end`` marks candidates
    without a stop codon, which run off a contig. ``length`` and ``code`` are bases and genetic code of
    every candidate's contig, ``texts`` the two texts, uint8 (2, bases).
    """

    contig: np.ndarray
    start: np.ndarray
    end: np.ndarray
    side: np.ndarray
    group: np.ndarray
    codon: np.ndarray
    open_end: np.ndarray
    first: np.ndarray
    last: np.ndarray
    length: np.ndarray
    code: np.ndarray
    texts: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    @property
    def groups(self) -> int:
        """Number of stop codons."""
        return int(self.group.max(initial=-1)) + 1

    @property
    def bases(self) -> np.ndarray:
        """Length of every candidate in bases."""
        return self.end - self.start


def layout(genome) -> tuple[np.ndarray, np.ndarray]:
    """The forward text, uint8, and the place in it where every contig begins."""
    parts, places, at = [], [], GAP
    parts.append(np.full(GAP, 4, dtype=np.uint8))
    for contig in genome.contigs.itertuples(index=False):
        codes = np.asarray(genome.codes[contig.offset : contig.offset + contig.length]) & 7
        wrap = min(WRAP, contig.length - 1) if contig.circular else 0
        parts += [codes, codes[:wrap], np.full(GAP, 4, dtype=np.uint8)]
        places.append(at)
        at += contig.length + wrap + GAP
    return np.concatenate(parts), np.array(places, dtype=np.int64)


def find_candidates(genome, min_length: int) -> Candidates:
    """All candidates of at least ``min_length`` bases of a `dnalm.io.fasta.Genome`."""
    text, places = layout(genome)
    total, groups, rows = len(text), 0, []
    for number, contig in enumerate(genome.contigs.itertuples(index=False)):
        codes = genome.codes[contig.offset : contig.offset + contig.length]
        orfs = find_orfs(codes, contig.genetic_code, min_length, contig.circular)
        if not len(orfs):
            continue
        side = (orfs.strand < 0).astype(np.int64)
        low, high = places[number] + orfs.start, places[number] + orfs.end
        first, last = np.where(side, total - high, low), np.where(side, total - low, high)
        group = np.unique(orfs.group, return_inverse=True)[1] + groups
        groups = group.max() + 1
        same = np.full(len(orfs), number)
        size, code = np.full(len(orfs), contig.length), np.full(len(orfs), contig.genetic_code)
        rows.append((same, orfs.start, orfs.end, side, group, orfs.codon, first, last, size, code))
    texts = np.stack([text, reverse_complement(text)])
    if not rows:
        empty = np.empty(0, dtype=np.int64)
        return Candidates(*[empty] * 6, empty.astype(bool), *[empty] * 4, texts)
    *columns, first, last, size, code = (np.concatenate(column) for column in zip(*rows, strict=True))
    open_end = np.zeros(len(first), dtype=bool)
    for number in np.unique(code):
        mine = code == number
        open_end[mine] = ~genetic_code(int(number))[2][codon_at(texts, columns[3][mine], last[mine] - 3)]
    return Candidates(*columns, open_end, first, last, size, code, texts)


def codon_at(texts, side, place) -> np.ndarray:
    """Index of the codon at a place of a text; 0, which is AAA, where there is an N."""
    a, b, c = (texts[side, place + i].astype(np.int64) for i in range(3))
    return np.where((a < 4) & (b < 4) & (c < 4), 16 * a + 4 * b + c, 0)
