"""Bits per base of every held-out base, on two axes: code length along one strand, and given both sides."""

import logging

import numpy as np
import torch

from dnalm.io.fasta import Genome
from dnalm.models.backbone import Backbone, codes_tensor
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.batches import cut, tile
from dnalm.sequence.splits import SPLITS, split_intervals, split_labels
from dnalm.training.objectives import LN2
from dnalm.training.progress import Progress

log = logging.getLogger(__name__)
HELD_OUT = ("validation", "test")
#: Bases of each split at which a masked model is scored: every one of them takes a pass of its own.
POSITIONS = 4096


@torch.inference_mode()
def score(model: Backbone, genome: Genome, pieces: np.ndarray, margin: int, allowed=None, progress=None, batch=16):
    """Bits per base of every base of ``pieces`` (n, 2), with ``margin`` bases of context on each side.

    ``allowed`` (bool per global position) blanks context that may not be read. Returns float32 columns
    ``causal_forward``, ``causal_reverse`` and, if the model has it, ``two_sided``, concatenated over the pieces; NaN at
    N. Not for masked models (`score_positions`).
    """
    model.eval()
    read = _read_bases if isinstance(model, TwoSided) else _read_tokens
    stride = int((pieces[:, 1] - pieces[:, 0]).max(initial=1))
    columns: dict[str, list] = {}
    for first in range(0, len(pieces), batch):
        some = pieces[first : first + batch]
        windows = cut(genome, some[:, 0] - margin, stride + 2 * margin, margin)
        windows = windows.keep(_once(genome, some, margin, windows.codes.shape[1]))
        if allowed is not None:
            windows = windows.keep(allowed[windows.positions] & (windows.positions >= 0))
        for name, bits in read(model, windows).items():
            rows = (row[margin : margin + e - s] for row, (s, e) in zip(bits, some, strict=True))
            columns.setdefault(name, []).extend(rows)
        if progress:
            progress.update(int((some[:, 1] - some[:, 0]).sum()))
    model.train()
    return {name: np.concatenate(rows).astype(np.float32) for name, rows in columns.items()}


def _read_bases(model, windows) -> dict[str, np.ndarray]:
    codes = codes_tensor(windows.codes, model.device)
    output = model(codes, model.lookup(windows.codes, windows.origin))
    columns = {}
    for name, logp in (
        ("causal_forward", output.forward), ("causal_reverse", output.reverse), ("two_sided", output.two_sided),
    ):  # fmt: skip
        if logp is not None:
            bits = -logp.gather(2, codes.clamp(max=3).unsqueeze(2)).squeeze(2) / LN2
            columns[name] = bits.masked_fill(codes > 3, float("nan")).numpy(force=True)
    return columns


def _read_tokens(model, windows) -> dict[str, np.ndarray]:
    other = reverse_complement(windows.codes)
    return {
        "causal_forward": model.causal_bits(windows.codes),
        "causal_reverse": model.causal_bits(other)[:, ::-1],
    }


def mean_bits(columns: dict[str, np.ndarray]) -> dict[str, float]:
    """Means of the columns of `score`; the causal number is that of both directions."""
    causal = float(np.nanmean((columns["causal_forward"] + columns["causal_reverse"]) / 2))
    two_sided = columns.get("two_sided")
    metrics = {"bits_per_base": causal}
    return metrics if two_sided is None else metrics | {"bits_per_base_two_sided": float(np.nanmean(two_sided))}


def spread_positions(intervals: np.ndarray, count: int) -> np.ndarray:
    """``count`` evenly spread bases of intervals (n, 2), or all of them if they are fewer; global, int64."""
    place = np.concatenate([np.arange(start, end) for start, end in intervals])
    return place[np.linspace(0, len(place), min(count, len(place)), endpoint=False).astype(np.int64)]


def score_positions(model, genome: Genome, positions: np.ndarray, window: int, allowed=None, progress=None, batch=32):
    """Two-sided bits (n,) of single bases, each in the middle of a window of its own with nothing else hidden.

    For a masked model; for a `TwoSided` one the same windows, so that both are asked alike. NaN at N.
    """
    model.eval()
    bits = np.full(len(positions), np.nan)
    middle = np.full(batch, window // 2)
    for first in range(0, len(positions), batch):
        some = positions[first : first + batch]
        windows = cut(genome, some - window // 2, window, window // 2)
        if allowed is not None:
            windows = windows.keep(allowed[windows.positions] & (windows.positions >= 0))
        true = windows.codes[:, window // 2]
        logp = model.two_sided_at(windows, middle[: len(some)])
        value = -np.take_along_axis(logp, np.minimum(true, 3)[:, None].astype(np.int64), 1)[:, 0] / LN2
        bits[first : first + batch] = np.where(true < 4, value, np.nan)
        if progress:
            progress.update(len(some))
    model.train()
    return bits


def _once(genome: Genome, pieces: np.ndarray, margin: int, length: int) -> np.ndarray:
    """Bool (pieces, length): False where a window round a short circular contig meets a base for the second time."""
    contig = np.searchsorted(genome.contigs["offset"], pieces[:, 0], side="right") - 1
    size = pieces[:, 1] - pieces[:, 0]
    spare = genome.contigs["length"].to_numpy()[contig] - size
    offset = np.arange(length) - margin
    once = (offset >= -(spare // 2)[:, None]) & (offset < (size + spare - spare // 2)[:, None])
    return once | ~genome.contigs["circular"].to_numpy(dtype=bool)[contig][:, None]


def score_held_out(model: Backbone, genome: Genome, splits, window: int, names=HELD_OUT):
    """Scores of all bases of splits: (intervals, columns) as `dnalm.io.tables.write_scores` wants them.

    Context reads gaps but no base of another split. A masked model is scored at `POSITIONS` bases of each split; the
    others are NaN.
    """
    labels = split_labels(genome, splits)
    masked = model.config.objective == "masked"
    spans = {name: split_intervals(genome, splits, name) for name in names}
    bases = {name: int(np.diff(mine).sum()) for name, mine in spans.items()}
    total = sum(min(POSITIONS, n) if masked else n for n in bases.values())
    progress, columns = Progress(total, "bases", log), []
    for name, mine in spans.items():
        allowed = (labels == SPLITS.index(name)) | (labels == SPLITS.index("gap"))
        if masked:
            columns.append(_at_positions(model, genome, mine, window, allowed, progress))
        else:
            columns.append(score(model, genome, tile(mine, window), window // 2, allowed, progress))
    return np.concatenate(list(spans.values())), {k: np.concatenate([c[k] for c in columns]) for k in columns[0]}


def recounted(model: Backbone, genome: Genome) -> Backbone:
    """The model with the memory of another genome, or of more of its own: no weight changes, no label is read.

    What it says of a base then depends on counts from both of its sides, whichever way it reads.
    """
    contigs = genome.contigs
    whole = contigs["offset"].to_numpy()[:, None] + np.array([0, 1]) * contigs[["length"]].to_numpy()
    model.memory = model.memory.recounted(genome, whole)
    return model


def _at_positions(model, genome, intervals, window, allowed, progress) -> dict[str, np.ndarray]:
    place = np.concatenate([np.arange(start, end) for start, end in intervals])
    some = spread_positions(intervals, POSITIONS)
    column = np.full(len(place), np.nan, dtype=np.float32)
    column[np.searchsorted(place, some)] = score_positions(model, genome, some, window, allowed, progress)
    return {"two_sided": column}
