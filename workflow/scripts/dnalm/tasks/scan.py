"""A sample scanned for positions that look wrong to the language model, with neither reference nor reads.

One pass over the sample scores all repairs of one base at every place (`dnalm.variants.repairs`). That is a screen: the
places where it is highest, of each kind of repair, are read again with and without their repair, as a whole
(`dnalm.tasks.joint_likelihood`), and ranked by how many nats the repair gains. Memory grows with what is flagged alone.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from dnalm.io.fasta import Genome
from dnalm.models.backbone import codes_tensor
from dnalm.sequence.batches import cut
from dnalm.tasks.differences import joint_ratios
from dnalm.tasks.joint_likelihood import JointLikelihood
from dnalm.tasks.substitutions import BATCH, TILE, Expectations
from dnalm.training.progress import Progress
from dnalm.variants.rankings import Ranking
from dnalm.variants.repairs import INSERT, NAMES, NEAR, REMOVE, SUBSTITUTE, Best, Reading, repair_scores

log = logging.getLogger(__name__)
#: Places of each kind of repair that are read again, for every one that may be flagged.
AGAIN = 3
#: Bases to each side of a stretch that its scores look at.
HALO = 64
LETTERS = "ACGT"
#: What is read again stands above all that is not.
ABOVE = 1e6


class Readings(Expectations):
    """What a two-sided model expects at every base of a genome, from both sides and from each."""

    @torch.inference_mode()
    def parts(self) -> Iterator[Reading]:
        """All bases of the genome in order, contig after contig, some thousands at a time."""
        count = self._first_tile[-1]
        progress = Progress(len(self.genome.codes), "bases", log)
        for first in range(0, count, BATCH):
            tiles = np.arange(first, min(first + BATCH, count))
            starts, length = self.tile_starts(tiles), TILE + 2 * self.margin
            windows = cut(self.genome, starts - self.margin, length, self.margin)
            found = self.model(
                codes_tensor(windows.codes, self.model.device), self.model.lookup(windows.codes, windows.origin)
            )
            contig = np.searchsorted(self._offsets, starts, side="right") - 1
            here = starts[:, None] + np.arange(TILE) < self._ends[contig][:, None]
            inner = slice(self.margin, self.margin + TILE)
            kinds = (found.two_sided, found.forward, found.reverse)
            values = (logp[:, inner].float().numpy(force=True)[here] for logp in kinds)
            progress.update(int(here.sum()))
            yield reading_of(self.genome, int(starts[0]), *values)


def reading_of(genome: Genome, start: int, between, ahead, behind) -> Reading:
    """The `Reading` of bases from ``start`` on."""
    codes = np.asarray(genome.codes[start : start + len(between)]) & 7
    offsets = genome.contigs["offset"].to_numpy()
    first = np.zeros(len(codes), dtype=bool)
    first[offsets[(offsets >= start) & (offsets < start + len(codes))] - start] = True
    return Reading(start, codes, first, between, ahead, behind)


def with_halo(parts: Iterable[Reading]) -> Iterator[tuple[Reading, int, int]]:
    """Readings that overlap, and the first and last + 1 index of the bases that are each one's own, all in order."""
    held, own = None, 0
    for part in parts:
        held = _joined(held, part)
        if (ready := len(held.codes) - HALO) <= own:
            continue
        yield held, own, ready
        drop = max(0, ready - HALO)
        held, own = _from(held, drop), ready - drop
    if held is not None and own < len(held.codes):
        yield held, own, len(held.codes)


ARRAYS = ("codes", "first", "between", "ahead", "behind")


def _joined(held: Reading | None, part: Reading) -> Reading:
    if held is None:
        return part
    both = {name: np.concatenate([getattr(held, name), getattr(part, name)]) for name in ARRAYS}
    return replace(held, **both)


def _from(held: Reading, drop: int) -> Reading:
    return replace(held, start=held.start + drop, **{name: getattr(held, name)[drop:] for name in ARRAYS})


class Scan:
    """The screen of a sample, and what of it is read again.

    Parameters
    ----------
    genome : Genome
        The sample.
    budget : int
        Positions that are flagged, per million bases.
    events : int64 (n,)
        Global positions that every ranking is asked about.
    """

    def __init__(self, genome: Genome, budget: int, events=()):
        self.genome = genome
        self.most = flags_of(genome, budget)
        self.rankings = {name: Ranking(events, self.most) for name in ("dnalm_screen", "dnalm")}
        self._candidates = [Best(AGAIN * self.most, "score") for _ in NAMES]

    def screen(self, parts: Iterable[Reading]) -> None:
        """Read the sample from end to end."""
        for reading, low, high in with_halo(parts):
            scores, bases = repair_scores(reading)
            self.rankings["dnalm_screen"].add(reading.start, scores.max(0), low, high)
            self.rankings["dnalm"].add(reading.start, scores[SUBSTITUTE], low, high)
            for kind, best in enumerate(self._candidates):
                place, score = Ranking.peaks_in(scores[kind], low, high)
                best.add(position=place + reading.start, score=score, base=bases[kind, place])

    def read_again(self, joint: JointLikelihood) -> pd.DataFrame:
        """All candidates: position, kind (row of `NAMES`), base (-1 removes), score, and gain in nats; by position."""
        tables = [pd.DataFrame(best.table()).assign(kind=kind) for kind, best in enumerate(self._candidates)]
        table = pd.concat(tables, ignore_index=True)
        if table.empty:
            return pd.DataFrame({"position": [], "kind": [], "base": [], "score": [], "gain": []}, dtype=np.int64)
        table = table.sort_values(["position", "kind"], ignore_index=True)
        gain = joint_ratios(joint, table["position"].to_numpy(), *repairs_as_alleles(self.genome, table))
        return table.assign(gain=gain).dropna(subset="gain").reset_index(drop=True)

    def rank_again(self, candidates: pd.DataFrame) -> None:
        """Make the ranking ``dnalm_scan``: by gain what was read again, behind it the screen."""
        self.rankings = {"dnalm_scan": self.rankings["dnalm_screen"].below(leading(candidates), ABOVE)} | self.rankings


def flags_of(genome: Genome, budget: int) -> int:
    """How many positions are flagged: ``budget`` per million known bases, at least one."""
    pieces = range(0, len(genome.codes), 1 << 20)
    known = sum(int((np.asarray(genome.codes[i : i + (1 << 20)]) & 7 < 4).sum()) for i in pieces)
    return max(1, round(budget * known / 1e6))


def repairs_as_alleles(genome: Genome, table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Trimmed alleles of repairs: what the sample has, and what it would have."""
    kind, base = table["kind"].to_numpy(), table["base"].to_numpy()
    here = np.asarray(genome.codes[table["position"].to_numpy()]) & 3
    ref = ["" if k == INSERT else LETTERS[c] for k, c in zip(kind, here, strict=True)]
    return ref, ["" if k == REMOVE else LETTERS[b] for k, b in zip(kind, base, strict=True)]


def leading(candidates: pd.DataFrame) -> pd.DataFrame:
    """Candidates without those near one that gains more, by falling gain."""
    ordered = candidates.sort_values(["gain", "position"], ascending=[False, True], ignore_index=True)
    taken, kept = set(), []
    for row, place in enumerate(ordered["position"].tolist()):  # of candidates, which are few
        if place not in taken:
            kept.append(row)
            taken.update(range(place - NEAR, place + NEAR + 1))
    return ordered.iloc[kept].reset_index(drop=True)


def flagged(scan: Scan, candidates: pd.DataFrame) -> pd.DataFrame:
    """The flagged positions with the most gain, none without, by (global) position."""
    rows = leading(candidates)
    rows = rows[rows["gain"] > 0].head(scan.most).reset_index(drop=True)
    ref, alt = repairs_as_alleles(scan.genome, rows)
    repair = np.array(NAMES, dtype=object)[rows["kind"].to_numpy(int)]
    found = rows.assign(repair=repair, ref=ref, alt=alt, rank=np.arange(1, len(rows) + 1))
    columns = ["position", "repair", "ref", "alt", "score", "gain", "rank"]
    return found[columns].sort_values("position", ignore_index=True)


def summary(scan: Scan, flags: pd.DataFrame) -> pd.DataFrame:
    """What was scanned and flagged: columns what, count."""
    known = sum(int((np.asarray(part) & 7 < 4).sum()) for part in np.array_split(scan.genome.codes, 64))
    rows = [("bases", len(scan.genome.codes)), ("known_bases", known), ("contigs", len(scan.genome.contigs))]
    rows += [("budget", scan.most), ("flagged", len(flags))]
    rows += [(f"flagged_{name}", int((flags["repair"] == name).sum())) for name in NAMES]
    return pd.DataFrame(rows, columns=["what", "count"])
