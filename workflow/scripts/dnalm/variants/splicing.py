"""Where exons end, and how a substitution changes the agreement with what splice sites look like.

A donor is the place between the last base of an exon and its intron, an acceptor that between an intron and the next
exon. Positions count in the direction of reading: at a donor -1 is the last base of the exon and +1 the first one of
the intron, at an acceptor +1 the first base of the exon and -1 the last one of the intron; there is no 0. The consensus
is that of Shapiro and Senapathy (1987), *Nucleic Acids Research* 15:7155.
"""

import re

import numpy as np

#: Bases that agree with the consensus, from the first position on.
DONOR, DONOR_FIRST = ("AC", "A", "G", "G", "T", "AG", "A", "G", "T"), -3
ACCEPTOR, ACCEPTOR_FIRST = (*["CT"] * 10, "ACGT", "CT", "A", "G", "G"), -14
#: Farther from an exon's end is all alike.
FAR = 50
_HGVS = re.compile(r"^[c.]*\*?(-?\d+)([+-]\d+)?$")


def hgvs_positions(texts) -> tuple[np.ndarray, np.ndarray]:
    """Position in the coding sequence and offset into the intron (0 in exons) of texts such as 76+2; NaN if unclear."""
    found = [_HGVS.match(str(text).strip()) for text in texts]
    coding = [float(m[1]) if m else np.nan for m in found]
    return np.array(coding), np.array([float(m[2] or 0) if m else np.nan for m in found])


def exon_ends(position: np.ndarray, coding: np.ndarray, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Donors and acceptors as the position of the first and of the last base of introns, and whether read in reverse.

    From variants at ``position`` (n,) with `hgvs_positions`. An end is known where a variant stands in its intron.
    """
    exonic = np.isfinite(coding) & (offset == 0)
    order = np.argsort(position[exonic], kind="stable")
    reverse = len(order) > 1 and coding[exonic][order][-1] < coding[exonic][order][0]
    step = -1 if reverse else 1
    ends = []
    for side in (1, -1):
        mine = np.isfinite(offset) & (np.sign(offset) == side)
        ends.append(np.unique(position[mine] - step * (offset[mine].astype(np.int64) - side)))
    return ends[0], ends[1], bool(reverse)


def relative(position: np.ndarray, ends: np.ndarray, reverse: bool, donor: bool) -> np.ndarray:
    """Position (n,) relative to the nearest donor or acceptor, no further than `FAR` from it; `FAR` if there is none.

    ``ends`` as of `exon_ends`. Bases of the exon are negative at donors and positive at acceptors.
    """
    if not len(ends):
        return np.full(len(position), FAR if donor else -FAR, dtype=np.int64)
    away = (position[:, None] - ends[None]) * (-1 if reverse else 1)  # 0 is the base of the intron at the end
    signed = np.where(away >= 0, away + 1, away) if donor else np.where(away <= 0, away - 1, away)
    nearest = np.abs(signed).argmin(axis=1)
    return np.clip(signed[np.arange(len(position)), nearest], -FAR, FAR)


def consensus_change(place: np.ndarray, ref: np.ndarray, alt: np.ndarray, donor: bool) -> np.ndarray:
    """-1 where the consensus is lost, 1 where it is gained, 0 elsewhere, (n,).

    ``place`` as of `relative`; ``ref`` and ``alt`` bases 0..3 in the direction of reading, others are no bases.
    """
    pattern, first = (DONOR, DONOR_FIRST) if donor else (ACCEPTOR, ACCEPTOR_FIRST)
    index = np.where(place > 0, place - 1, place) - first
    inside = (index >= 0) & (index < len(pattern)) & (ref >= 0) & (ref < 4) & (alt >= 0) & (alt < 4)
    agrees = np.array([[base in bases for base in "ACGT"] for bases in pattern])
    row = np.where(inside, index, 0)
    change = agrees[row, np.where(inside, alt, 0)].astype(float) - agrees[row, np.where(inside, ref, 0)]
    return np.where(inside, change, 0.0)
