"""Pretraining: learn a language model on the training blocks, score every validation and test base with it."""

import hashlib
import json
import logging
import math
import shutil
from pathlib import Path

import numpy as np
import torch

import dnalm
from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.models.backbone import TwoSided
from dnalm.models.config import ModelConfig
from dnalm.models.memory import Features, NgramMemory
from dnalm.sequence.batches import Batch, cut, tile
from dnalm.sequence.splits import SPLITS, read_splits, split_intervals, split_labels, splits_digest
from dnalm.training.loop import TrainSettings, train
from dnalm.training.objectives import LN2, two_sided_objective
from dnalm.training.progress import Progress

log = logging.getLogger(__name__)

#: Bases of the validation blocks that are scored at every validation (evenly spread windows).
VALIDATION_BASES = 65_536
HELD_OUT = ("validation", "test")


class WindowSampler:
    """Random windows inside intervals: a pure function of (seed, step), so training can resume anywhere.

    Parameters
    ----------
    genome : Genome
    intervals : int64 (n, 2)
        Global coordinates; a window starts in an interval with a chance that grows with the interval's length.
    window, batch : int
        Bases per window, windows per batch.
    """

    def __init__(self, genome: Genome, intervals: np.ndarray, window: int, batch: int, seed: int):
        if not len(intervals):
            raise InputError("no training bases are left", "splits", "Lower the test and validation shares or the gap")
        self.genome, self.intervals = genome, intervals
        self.window, self.batch, self.seed = window, batch, seed
        self.room = np.maximum(intervals[:, 1] - intervals[:, 0] - window, 0) + 1

    def __call__(self, step: int) -> Batch:
        """The batch of a step; bases outside the interval that a window starts in are padding."""
        ends = np.cumsum(self.room)
        draw = np.random.default_rng([self.seed, step]).integers(0, ends[-1], self.batch)
        slot = np.searchsorted(ends, draw, side="right")
        spans = self.intervals[slot]
        starts = spans[:, 0] + draw - (ends - self.room)[slot]
        return cut(self.genome, starts, self.window, 0).keep(starts[:, None] + np.arange(self.window) < spans[:, 1:])


def drop_features(features: Features, rate: float, rng) -> Features:
    """Blank the memory features of a random share ``rate`` of the windows, so that the network learns without them."""
    keep = (rng.random(len(features.forward)) >= rate).astype(np.float32)[:, None, None, None]
    return Features(features.forward * keep, features.reverse * keep, features.flanks * keep)


class LanguageTask:
    """What the training loop needs to know of language modelling (see `dnalm.training.loop`)."""

    def __init__(self, model: TwoSided, sampler: WindowSampler, held_out, feature_dropout: float, digest: str):
        self.model, self.sampler, self.digest = model, sampler, digest
        self.feature_dropout = feature_dropout
        self.bases_per_step = sampler.window * sampler.batch
        self.held_out = held_out

    def batch(self, step: int):
        """Codes and memory features of a step."""
        windows = self.sampler(step)
        features = self.model.lookup(windows.codes, windows.origin)
        rng = np.random.default_rng([self.sampler.seed, step, 1])
        return windows, drop_features(features, self.feature_dropout, rng)

    def loss(self, batch):
        """Loss in nats per base and metrics in bits per base."""
        windows, features = batch
        codes = torch.from_numpy(windows.codes.astype(np.int64))
        return two_sided_objective(self.model(codes, features), codes)

    def validate(self) -> dict[str, float]:
        """Bits per base on evenly spread validation windows; ``loss`` in nats as in training."""
        scores = score(self.model, self.sampler.genome, self.held_out, self.sampler.window // 2)
        causal = float(np.nanmean((scores["causal_forward"] + scores["causal_reverse"]) / 2))
        two_sided = float(np.nanmean(scores["two_sided"]))
        return {"loss": (causal + two_sided) * LN2, "bits_per_base": causal, "bits_per_base_two_sided": two_sided}


def validation_pieces(intervals: np.ndarray, window: int) -> np.ndarray:
    """Evenly spread pieces of validation intervals, `VALIDATION_BASES` in all at most."""
    pieces = tile(intervals, window)
    return pieces[:: math.ceil(len(pieces) * window / VALIDATION_BASES)]


@torch.inference_mode()
def score(model: TwoSided, genome: Genome, pieces: np.ndarray, margin: int, allowed=None, progress=None, batch=16):
    """Bits per base of every base of ``pieces`` (n, 2), with ``margin`` bases of context on each side.

    ``allowed`` (bool per global position) blanks context that may not be read. Returns float32 columns
    ``causal_forward``, ``causal_reverse`` and ``two_sided``, concatenated over the pieces; NaN at N.
    """
    model.eval()
    stride = int((pieces[:, 1] - pieces[:, 0]).max(initial=1))
    columns = {name: [] for name in ("causal_forward", "causal_reverse", "two_sided")}
    for first in range(0, len(pieces), batch):
        some = pieces[first : first + batch]
        windows = cut(genome, some[:, 0] - margin, stride + 2 * margin, margin)
        windows = windows.keep(_once(genome, some, margin, windows.codes.shape[1]))
        if allowed is not None:
            windows = windows.keep(allowed[windows.positions] & (windows.positions >= 0))
        codes = torch.from_numpy(windows.codes.astype(np.int64))
        output = model(codes, model.lookup(windows.codes, windows.origin))
        for name, logp in zip(columns, (output.forward, output.reverse, output.two_sided), strict=True):
            bits = -logp.gather(2, codes.clamp(max=3).unsqueeze(2)).squeeze(2) / LN2
            bits = bits.masked_fill(codes > 3, float("nan")).numpy()
            columns[name] += [row[margin : margin + e - s] for row, (s, e) in zip(bits, some, strict=True)]
        if progress:
            progress.update(int((some[:, 1] - some[:, 0]).sum()))
    model.train()
    return {name: np.concatenate(rows) if rows else np.empty(0, np.float32) for name, rows in columns.items()}


def _once(genome: Genome, pieces: np.ndarray, margin: int, length: int) -> np.ndarray:
    """Bool (pieces, length): False where a window round a short circular contig meets a base for the second time."""
    contig = np.searchsorted(genome.contigs["offset"], pieces[:, 0], side="right") - 1
    size = pieces[:, 1] - pieces[:, 0]
    spare = genome.contigs["length"].to_numpy()[contig] - size
    offset = np.arange(length) - margin
    once = (offset >= -(spare // 2)[:, None]) & (offset < (size + spare - spare // 2)[:, None])
    return once | ~genome.contigs["circular"].to_numpy(dtype=bool)[contig][:, None]


def score_held_out(model: TwoSided, genome: Genome, splits, window: int):
    """Scores of all validation and test bases: (intervals, columns) as `dnalm.io.tables.write_scores` wants them.

    Context reads gaps but no base of another split.
    """
    labels = split_labels(genome, splits)
    total = sum(int(np.diff(split_intervals(genome, splits, name)).sum()) for name in HELD_OUT)
    progress, intervals, columns = Progress(total, "bases", log), [], []
    for name in HELD_OUT:
        mine = split_intervals(genome, splits, name)
        allowed = (labels == SPLITS.index(name)) | (labels == SPLITS.index("gap"))
        columns.append(score(model, genome, tile(mine, window), window // 2, allowed, progress))
        intervals.append(mine)
    return np.concatenate(intervals), {k: np.concatenate([c[k] for c in columns]) for k in columns[0]}


def model_config(settings: dict) -> ModelConfig:
    """The model's shape from the ``pretrain`` section of a study."""
    shape = {name: settings[name] for name in ("width", "layers", "heads", "attention_span")}
    flanks = tuple(tuple(f) for f in settings["memory_flanks"])
    return ModelConfig(**shape, memory_orders=tuple(settings["memory_orders"]), memory_flanks=flanks)


def new_model(settings: dict, genome: Genome, training: np.ndarray, seed: int, memory: bool = True) -> TwoSided:
    """A model with fresh weights from ``seed`` and a memory of the ``training`` intervals, or an empty one."""
    config = model_config(settings)
    torch.manual_seed(seed)
    kept = NgramMemory.from_genomes([genome], [training], config.memory_orders, config.memory_flanks)
    return TwoSided(config, kept if memory else None)


def training_digest(settings: dict, *parts) -> str:
    """Identity of a training: its config section and anything else that JSON can hold.

    What changes nothing (how often checkpoints are written, TensorBoard files) does not count.
    """
    parts = ({k: v for k, v in settings.items() if k not in ("checkpoint_seconds", "tensorboard")}, *parts)
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def pretrain(genome: Genome, splits_path, settings: dict, seed: int, code: str, state_dir, folder, log_csv) -> TwoSided:
    """Train a language model on the training blocks, or go on with it, and save it with its card in ``folder``.

    Parameters
    ----------
    settings : dict
        The ``pretrain`` section of the study.
    code : str
        Digest of the code; another one starts another training.
    state_dir : path
        Where checkpoints live until the model is saved.
    """
    splits = read_splits(splits_path)
    training = split_intervals(genome, splits, "train")
    model = new_model(settings, genome, training, seed)
    sampler = WindowSampler(genome, training, settings["window"], settings["batch_windows"], seed)
    held_out = validation_pieces(split_intervals(genome, splits, "validation"), settings["window"])
    digest = training_digest(settings, genome.digest, splits_digest(splits_path), seed, code)
    task = LanguageTask(model, sampler, held_out, settings["feature_dropout"], digest)
    weights = sum(p.numel() for p in model.parameters())
    log.info("%s weights, %d bases of memory, digest %s", f"{weights:,}", len(model.memory.sequence), digest)
    result = train(task, TrainSettings.of(settings), state_dir, log_csv)
    model.save(folder)
    facts = {"best_step": result.best_step, "steps": result.steps, "bases_seen": result.bases_seen, "weights": weights}
    best = next(row for row in result.history if row["step"] == result.best_step)
    write_card(Path(folder) / "README.md", genome, settings, facts, best, training)
    shutil.rmtree(Path(state_dir) / digest)
    return model


def write_card(path, genome: Genome, settings: dict, facts: dict, best: dict, training: np.ndarray) -> None:
    """The model card."""
    bases = int((training[:, 1] - training[:, 0]).sum())
    lines = [
        f"# Two-sided DNA language model of {genome.name}",
        "",
        f"Trained by dnalm {dnalm.__version__} from scratch on the training blocks of `{genome.name}`: {bases:,} bases"
        f", both strands, {facts['bases_seen']:,} bases seen in {facts['steps']:,} steps; the weights are of step "
        f"{facts['best_step']:,}, the best on the validation blocks "
        f"({best['validation_bits_per_base']:.4f} causal and "
        f"{best['validation_bits_per_base_two_sided']:.4f} two-sided bits per base).",
        "",
        f"- Weights: {facts['weights']:,}; width {settings['width']}, {settings['layers']} layers, "
        f"{settings['heads']} heads, attention span {settings['attention_span']} bases per layer.",
        "- Input: bases A C G T N = 0..4. Output: probabilities of each base from the left, from the right, from both.",
        "- **It remembers its training sequence**: the n-gram memory stores the training blocks letter by letter. Do",
        "  not share the model where the sequence may not be shared.",
        "- Meant for this genome and close relatives. Not tested on anything else.",
        "- Load with `dnalm.models.backbone.TwoSided.load(folder)`.",
    ]
    Path(path).write_text("\n".join(lines) + "\n")
