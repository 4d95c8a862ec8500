"""From per-base scores to genes with introns: a decoder of a few numbers, fitted on validation blocks.

A finder is anything that, called with a contig (a row of ``genome.contigs``), gives its emissions (length, 15) and site
scores (length, 8) in nats (`dnalm.sequence.gene_structure.CLASSES` and `SITES`): log-probabilities and logits of a
network (`from_arrays`), or log-ratios of counted models. It may give two pairs of them (`beside`). The decoder weighs
them, adds what a gene and an intron cost, and takes the best structure.
"""

import itertools
import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.annotation.transcripts import COLUMNS, transcript_row
from dnalm.io.tables import write_json
from dnalm.sequence.gene_structure import (
    DONOR_A,
    FLOOR,
    PARTS,
    SHIFT,
    SITES,
    Lengths,
    best_structure,
    site_candidates,
)
from dnalm.tasks.structure_truth import StructureTruth

log = logging.getLogger(__name__)
#: Bases around a block that are decoded with it while the decoder is fitted.
MARGIN = 5000
#: First steps of the search: factors of weights, nats of costs. They shrink to their root and to half, `ROUNDS` times.
STEPS = {"class_weight": 2.0, "splice_weight": 2.0, "stop_weight": 2.0, "gene_cost": 4.0, "intron_cost": 4.0}
#: The same for the weights of a second finder.
SECOND_STEPS = {"second_class_weight": 2.0, "second_site_weight": 2.0}
ROUNDS, MOST_TRIALS = 3, 500
#: Factors of the first finder's class weight that the search may begin with; a second finder keeps its own.
LOUDNESS = (1.0, 0.25, 0.0625, 0.015625)


@dataclass(frozen=True)
class StructureDecoder:
    """Weights and costs of the decoder; site scores of starts count once, everything else relative to them."""

    class_weight: float = 1.0
    stop_weight: float = 1.0
    splice_weight: float = 1.0
    gene_cost: float = 8.0
    """Nats that a gene must be worth."""
    intron_cost: float = 8.0
    """Nats that an intron must be worth."""
    kind_costs: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Nats more for GT-AG, GC-AG and AT-AC, for donor scores that do not know how rare each is."""
    min_intron: int = 20
    min_cds: int = 60
    """Shortest coding sequence, stop codon included; shorter genes of the best structure are left out."""
    utr: bool = False
    """Whether genes may have UTRs; only where the scores know them."""
    second_class_weight: float = 0.5
    """What emissions of a second finder count, beside one for those of the first."""
    second_site_weight: float = 0.5
    """What its site scores count."""
    intron_lengths: tuple[Lengths, ...] = ()
    """Kinds of introns by length in place of ``min_intron`` (`dnalm.baselines.intron_lengths`); none: all are alike."""

    def save(self, path) -> None:
        """Write as JSON."""
        write_json(asdict(self), path)

    @classmethod
    def load(cls, path) -> "StructureDecoder":
        """Read what `save` wrote."""
        record = json.loads(Path(path).read_text())
        lengths = tuple(Lengths(*kind) for kind in record["intron_lengths"])
        return cls(**record | {"kind_costs": tuple(record["kind_costs"]), "intron_lengths": lengths})

    def combined(self, emissions: np.ndarray, sites: np.ndarray, *second) -> tuple[np.ndarray, np.ndarray]:
        """One pair of emissions and site scores from what a finder gives; no single base of the first decides."""
        if not second:
            return emissions, sites
        together = np.maximum(emissions, FLOOR) + np.float32(self.second_class_weight) * second[0]
        return together, sites + np.float32(self.second_site_weight) * second[1]

    def site_scores(self, codes: np.ndarray, sites: np.ndarray, code: int) -> np.ndarray:
        """Site scores (length, 8) with weights and costs, for `best_structure`."""
        weights = {"start": 1.0, "stop": self.stop_weight, "donor": self.splice_weight, "acceptor": self.splice_weight}
        costs = {"start": self.gene_cost, "donor": self.intron_cost}
        out = np.empty_like(sites, dtype=np.float32)
        for number, name in enumerate(SITES):
            columns = slice(2 * number, 2 * number + 2)
            out[:, columns] = weights[name] * sites[:, columns] - costs.get(name, 0.0)
        if any(self.kind_costs):
            out[:, 2 * SITES.index("donor") :][:, :2] -= self._donor_costs(codes, code)
        return out

    def length_score(self, length: int) -> float:
        """Nats that the length of an intron is worth."""
        kinds = [kind for kind in self.intron_lengths if length >= kind.shortest]
        return max((kind.enter + kind.stay * (length - kind.shortest) for kind in kinds), default=0.0)

    def _donor_costs(self, codes: np.ndarray, code: int) -> np.ndarray:
        """What each donor's kind costs, (length, 2)."""
        gt, gc, at = self.kind_costs
        text, bits = np.asarray(codes) & 7, site_candidates(codes, code)
        second = (np.append(text[1:], 4), np.insert(3 - np.minimum(text[:-1], 3), 0, 4))
        kinds = [
            np.where(bits & DONOR_A << SHIFT * side > 0, at, np.where(second[side] == 1, gc, gt)) for side in (0, 1)
        ]
        return np.stack(kinds, axis=1)


def from_arrays(classes, starts, stops, donors, acceptors):
    """A finder of arrays in global positions: log-probabilities (length, 15) and logits (length, 2)."""
    columns = (starts, stops, donors, acceptors)

    def finder(contig):
        span = slice(contig.offset, contig.offset + contig.length)
        return classes[span], np.concatenate([c[span] for c in columns], axis=1)

    return finder


def beside(first, second):
    """A finder that gives what two say, for a decoder that weighs them."""
    return lambda contig: (*first(contig), *second(contig))


def decode_structures(codes, emissions, sites, code: int, decoder: StructureDecoder) -> list[dict]:
    """Genes of a stretch of sequence: coding parts with phases, exons, strand and score, by position.

    The score of a gene is what the structure gains by it, in nats: its emissions and sites with the decoder's weights
    and costs, less the emissions of the same bases as no gene.
    """
    sites = decoder.site_scores(codes, sites, code)
    path = best_structure(
        codes, emissions, sites, code, decoder.class_weight, decoder.min_intron, decoder.utr, decoder.intron_lengths
    ).classes
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (path > 0).astype(np.int8), [0]])))
    genes = []
    for start, end in edges.reshape(-1, 2):
        labels, side = path[start:end], int(path[start] > len(PARTS))
        part = (labels.astype(np.int64) - 1) % len(PARTS)
        cds, exons = _runs((part > 0) & (part < 4)), _runs(part < 4)
        if sum(b - a for a, b in cds) < decoder.min_cds:
            continue
        # codon position 1, 2, 3 of a part's first base in reading order: phase 0, 2, 1
        phases = [int(4 - part[a if side == 0 else b - 1]) % 3 for a, b in cds]
        gain = np.maximum(emissions[np.arange(start, end), labels], FLOOR).sum(dtype=np.float64)
        gain -= np.maximum(emissions[start:end, 0], FLOOR).sum(dtype=np.float64)
        score = decoder.class_weight * gain + _used_sites(sites, side, start, cds)
        score += sum(decoder.length_score(high - low) for (_, low), (high, _) in itertools.pairwise(cds))
        cds = [(int(start) + a, int(start) + b, phase) for (a, b), phase in zip(cds, phases, strict=True)]
        exons = [(int(start) + a, int(start) + b) for a, b in exons]
        genes.append({"strand": "+-"[side], "cds": cds, "exons": exons, "score": float(score)})
    return genes


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _used_sites(sites: np.ndarray, side: int, offset: int, cds) -> float:
    """Sum of the site scores that a gene uses."""
    first, last = offset + cds[0][0], offset + cds[-1][1] - 1
    used = [(first, "start"), (last, "stop")] if side == 0 else [(last, "start"), (first, "stop")]
    for (_, low), (high, _) in itertools.pairwise(cds):
        ends = (offset + low, offset + high - 1)
        used += zip(ends if side == 0 else ends[::-1], ("donor", "acceptor"), strict=True)
    return sum(float(sites[place, 2 * SITES.index(name) + side]) for place, name in used)


def call_structures(genome, finder, decoder: StructureDecoder) -> pd.DataFrame:
    """Genes of all contigs: the columns of `dnalm.annotation.transcripts` and ``score``."""
    return call_each(genome, finder, {"": decoder})[""]


def call_each(genome, finder, decoders: dict[str, StructureDecoder]) -> dict[str, pd.DataFrame]:
    """`call_structures` with several decoders, each contig scored once."""
    rows: dict[str, list] = {name: [] for name in decoders}
    for c in genome.contigs.itertuples(index=False):
        codes, scores = genome.contig_codes(c.contig), finder(c)
        for name, decoder in decoders.items():
            genes = decode_structures(codes, *decoder.combined(*scores), c.genetic_code, decoder)
            rows[name] += _rows(c.contig, 0, genes, len(rows[name]))
    return {name: pd.DataFrame(found, columns=[*COLUMNS, "score"]) for name, found in rows.items()}


def _rows(contig: str, offset: int, genes: list[dict], before: int) -> list[list]:
    """Genes as rows of the transcript table, moved by ``offset`` bases."""
    rows = []
    for number, gene in enumerate(genes, before + 1):
        cds = [(a + offset, b + offset, phase) for a, b, phase in gene["cds"]]
        exons = [(a + offset, b + offset) for a, b in gene["exons"]]
        rows.append([*transcript_row(contig, gene["strand"], f"g{number}.t1", f"g{number}", cds, exons), gene["score"]])
    return rows


def fit_structures(
    genome, finder, transcripts: pd.DataFrame, blocks: pd.DataFrame, decoder: StructureDecoder
) -> StructureDecoder:
    """Find the weights and costs with the best gene F1 on ``blocks`` (contig, start, end), then the best exon F1.

    A coordinate search from ``decoder``: each number in turn goes up or down by its step as long as that helps; then
    steps get smaller. It begins at a smaller class weight if nothing at all is right, and again at a start that by
    itself does better than all that it came to. Nothing is random.
    """
    truth, pieces = StructureTruth(transcripts, blocks), list(_pieces(genome, finder, blocks))
    steps = STEPS | (SECOND_STEPS if len(pieces[0][4]) > 2 else {})

    def quality(trial: StructureDecoder) -> tuple[float, float]:
        rows = []
        for contig, offset, codes, code, scores in pieces:
            genes = decode_structures(codes, *trial.combined(*scores), code, trial)
            rows += _rows(contig, offset, genes, len(rows))
        return truth.quality(pd.DataFrame(rows, columns=[*COLUMNS, "score"]))

    begun = [(trial, quality(trial)) for trial in _starts(decoder)]
    best, fitted = _searched(*next((b for b in begun if max(b[1]) > 0), begun[0]), steps, quality)
    other, found = max(begun, key=lambda b: b[1])
    if found > best:
        best, fitted = _searched(other, found, steps, quality)
    log.info("gene F1 %.3f, exon F1 %.3f on validation blocks: %s", *best, fitted)
    return fitted


def _searched(decoder: StructureDecoder, best: tuple, steps: dict, quality) -> tuple[tuple, StructureDecoder]:
    """The best quality that a coordinate search from a decoder of quality ``best`` finds, and its decoder."""
    tried = 0
    for step in range(ROUNDS):
        for name, size in steps.items():
            for sign in (1, -1):
                while tried < MOST_TRIALS:
                    trial = replace(decoder, **{name: _moved(name, getattr(decoder, name), size, sign, step)})
                    result, tried = quality(trial), tried + 1
                    if result <= best:
                        break
                    best, decoder = result, trial
    return best, decoder


def _starts(decoder: StructureDecoder) -> list[StructureDecoder]:
    """Where a search may begin: a network that knows little is too sure of no gene."""
    return [
        replace(
            decoder, class_weight=factor * decoder.class_weight, gene_cost=factor * decoder.gene_cost,
            second_class_weight=decoder.second_class_weight / factor,
        )
        for factor in LOUDNESS
    ]  # fmt: skip


def _moved(name: str, value: float, size: float, sign: int, step: int) -> float:
    if name.endswith("weight"):
        return value * size ** (sign / 2**step)
    return value + sign * size / 2**step


def _pieces(genome, finder, blocks: pd.DataFrame):
    """(contig, offset, codes, genetic code, the finder's scores) of each block with a margin."""
    for contig, mine in blocks.groupby("contig", sort=False):
        c = next(c for c in genome.contigs.itertuples(index=False) if c.contig == contig)
        codes, scores = genome.contig_codes(contig), finder(c)
        for b in mine.itertuples(index=False):
            span = slice(max(b.start - MARGIN, 0), min(b.end + MARGIN, c.length))
            # copies, so that the rest of the contig's scores can go
            yield contig, span.start, codes[span], c.genetic_code, [s[span].copy() for s in scores]
