"""Changes planted in a genome, beside places that were left as they are: what a scan should find, and should not.

Errors are those of sequencing: a wrong base, a base too many or missing, and homopolymers of the wrong length, which
nanopore reads leave behind (Wick et al. 2019). Real differences are single bases that a related genome has instead.
One change stands in the middle of a slot of `SLOT` bases at most, so that no change is in the context of another. Every
change has a control: a place that nothing was done to, with the same base between the same neighbours (of homopolymers:
the same base as often), read by the language model or not, as the change's own place was.
"""

import hashlib
import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.variants.repairs import run_ends
from dnalm.variants.simulated import stretches, trinucleotides

log = logging.getLogger(__name__)
ERRORS = ("substitution", "insertion", "deletion", "homopolymer")
REAL = "real"
#: Bases of a slot, and how far from its ends a change stays.
SLOT, MARGIN = 256, 64
#: Equal bases in a row that make a homopolymer, and how many at most.
SHORTEST, LONGEST = 4, 12
#: How near a control may be to a change.
APART = 50


@dataclass(frozen=True, eq=False)
class Planted:
    """A genome with planted changes.

    ``table`` has a row per change and per control, sorted by place: ``kind``, ``planted`` (False for a control),
    ``position`` (global, in ``genome``; of a missing base the one behind it, of a homopolymer its first), ``original``
    (global, in the genome before), ``ref`` and ``alt`` (what was there and what was made of it, either may be empty),
    ``read`` (whether the language model was trained there). ``read`` says the same of every base of ``genome``.
    """

    genome: Genome
    table: pd.DataFrame
    read: np.ndarray


def plant(genome: Genome, per_mb: int, seed: int, read: np.ndarray, real: pd.DataFrame | None = None) -> Planted:
    """Plant ``per_mb`` changes of each kind per million bases.

    Parameters
    ----------
    read : bool (length,)
        Where the language model was trained.
    real : DataFrame, optional
        ``position`` (global) and ``alt`` (0..3) of real differences.

    Raises
    ------
    InputError
        If there is no room for so many.
    """
    rng, facts = np.random.default_rng([seed, 505]), _Facts(genome)
    wanted = max(1, round(per_mb * int((facts.codes < 4).sum()) / 1e6))
    places = {} if real is None else {REAL: real["position"].to_numpy(np.int64)}
    places |= {kind: np.flatnonzero(facts.fits(kind)) for kind in ERRORS}
    taken, parts = np.zeros(0, dtype=np.int64), []
    for kind, candidates in places.items():
        chosen = _one_a_slot(facts, candidates, taken, rng)[:wanted]
        if len(chosen) < wanted:
            log.warning("%s: %d places instead of %d", kind, len(chosen), wanted)
        if not len(chosen):
            raise InputError(
                f"no place for a change of kind {kind}", genome.name, "Plant fewer (per_mb), or in more bases"
            )
        taken = np.append(taken, facts.slot[chosen])
        parts.append(_changes(facts, kind, chosen, rng, real))
    changes = pd.concat(parts, ignore_index=True).sort_values("original", kind="stable", ignore_index=True)
    table = pd.concat([changes.assign(planted=True), _controls(facts, changes, read, rng)], ignore_index=True)
    table = table.sort_values("original", kind="stable", ignore_index=True)
    table["read"] = read[table["original"]]
    changed, table["position"], copies = _changed(genome, changes, table["original"].to_numpy())
    return Planted(changed, table, np.repeat(read, copies))


class _Facts:
    """Of every base: its slot, its neighbours, its run of equal bases, and whether a change fits there."""

    def __init__(self, genome: Genome):
        self.codes, place = np.asarray(genome.codes) & 7, np.arange(len(genome.codes))
        offset, length = (genome.contigs[name].to_numpy() for name in ("offset", "length"))
        contig = np.searchsorted(offset, place, side="right") - 1
        inside = place - offset[contig]
        self.slot = stretches(genome, place, SLOT)
        self.inner = (inside % SLOT >= MARGIN) & (inside % SLOT < SLOT - MARGIN) & (inside < length[contig] - MARGIN)
        self.three = trinucleotides(genome)
        self.inner &= self.three >= 0
        first = np.zeros(len(place), dtype=bool)
        first[offset] = True
        self.begins = first | (self.codes != np.append(4, self.codes[:-1]))
        self.run = run_ends(self.codes, first) + 1 - place

    def fits(self, kind: str) -> np.ndarray:
        """Where a change of this kind can be made, bool (length,)."""
        if kind == "homopolymer":
            return self.inner & self.begins & (self.run >= SHORTEST) & (self.run <= LONGEST)
        return self.inner & self.begins & (self.run == 1) if kind == "deletion" else self.inner

    def key(self, kind: str, read: np.ndarray) -> np.ndarray:
        """What a change and its control have in common, int64 (length,)."""
        same = 16 * self.codes.astype(np.int64) + self.run if kind == "homopolymer" else self.three.astype(np.int64)
        return 2 * same + read


def _one_a_slot(facts: _Facts, candidates: np.ndarray, taken: np.ndarray, rng) -> np.ndarray:
    """Candidates in random order, at most one in each slot that is not taken."""
    candidates = candidates[facts.inner[candidates] & ~np.isin(facts.slot[candidates], taken)]
    candidates = rng.permutation(candidates)
    _, first = np.unique(facts.slot[candidates], return_index=True)
    return candidates[np.sort(first)]


def _changes(facts: _Facts, kind: str, places: np.ndarray, rng, real) -> pd.DataFrame:
    """The changes of one kind: original, kind, ref, alt (letters)."""
    here, before = facts.codes[places].astype(np.int64), facts.codes[places - 1].astype(np.int64)
    letters, none = np.array(list("ACGT")), np.full(len(places), "", dtype=object)
    if kind == REAL:
        alt = real.set_index("position")["alt"].groupby(level=0).first().loc[places].to_numpy(np.int64)
        ref, alt = letters[here], letters[alt]
    elif kind == "substitution":
        ref, alt = letters[here], letters[(here + rng.integers(1, 4, len(here))) % 4]
    elif kind == "insertion":  # neither of the neighbours, which would make a homopolymer longer
        allowed = (np.arange(4) != here[:, None]) & (np.arange(4) != before[:, None])
        ref, alt = none, letters[(rng.random(allowed.shape) * allowed).argmax(1)]
    else:
        longer = rng.random(len(here)) < 0.5 if kind == "homopolymer" else np.zeros(len(here), dtype=bool)
        ref, alt = np.where(longer, "", letters[here]), np.where(longer, letters[here], "")
    return pd.DataFrame({"original": places, "kind": kind, "ref": ref, "alt": alt}).astype({"ref": str, "alt": str})


def _controls(facts: _Facts, changes: pd.DataFrame, read: np.ndarray, rng) -> pd.DataFrame:
    """A place for each change that nothing was done to; changes without are counted in the log."""
    free = facts.inner.copy()
    places = changes["original"].to_numpy()
    for step in range(-APART, APART + 1):
        free[np.clip(places + step, 0, len(free) - 1)] = False
    parts = []
    for kind, mine in changes.groupby("kind", sort=True):
        key = facts.key(kind, read)
        shape = facts.fits("homopolymer") if kind == "homopolymer" else facts.inner
        candidates = rng.permutation(np.flatnonzero(free & shape))
        candidates = candidates[np.argsort(key[candidates], kind="stable")]
        wanted = np.sort(key[mine["original"].to_numpy()])
        have, rank = key[candidates], np.arange(len(wanted)) - np.searchsorted(wanted, wanted)
        pick = np.searchsorted(have, wanted) + rank
        chosen = candidates[pick[pick < np.searchsorted(have, wanted, side="right")]]
        if len(chosen) < len(mine):
            log.info("%s: %d changes have no control", kind, len(mine) - len(chosen))
        free[chosen] = False
        parts.append(pd.DataFrame({"original": chosen, "kind": kind, "ref": "", "alt": "", "planted": False}))
    return pd.concat(parts, ignore_index=True)


def _changed(genome: Genome, changes: pd.DataFrame, original: np.ndarray) -> tuple[Genome, np.ndarray, np.ndarray]:
    """The genome with all changes made, where in it ``original`` positions are, and how often each base is in it."""
    place = changes["original"].to_numpy()
    ref, alt = changes["ref"].to_numpy(), changes["alt"].to_numpy()
    more = np.array([len(a) - len(r) for r, a in zip(ref, alt, strict=True)], dtype=np.int64)
    copies = np.ones(len(genome.codes), dtype=np.int64)
    copies[place] += more
    before = np.append(0, np.cumsum(more))  # changes are sorted, and no place has two
    moved = original + before[np.searchsorted(place, original, side="left")]
    codes = np.repeat(np.asarray(genome.codes), copies)
    new = alt != ""
    codes[place[new] + before[:-1][new]] = ["ACGT".index(letter) for letter in alt[new]]
    ends = np.searchsorted(place, np.append(genome.contigs["offset"].to_numpy(), len(genome.codes)), side="left")
    lengths = genome.contigs["length"].to_numpy() + np.diff(before[ends])
    contigs = genome.contigs.assign(length=lengths, offset=np.cumsum(lengths) - lengths)
    digest = hashlib.sha256(codes.tobytes()).hexdigest()
    return Genome(genome.name, codes, contigs, digest), moved, copies
