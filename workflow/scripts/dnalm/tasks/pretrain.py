"""Pretraining: learn a language model on the training blocks and save it with its card."""

import hashlib
import json
import logging
import shutil
from pathlib import Path

import torch

from dnalm.io.fasta import Genome
from dnalm.models.backbone import Backbone
from dnalm.models.build import build_model
from dnalm.models.config import ModelConfig
from dnalm.models.memory import HashedMemory, Memory, NgramMemory
from dnalm.models.two_sided import TwoSided
from dnalm.sequence.genetic_code import stop_codons
from dnalm.sequence.splits import read_splits, split_intervals, splits_digest, training_intervals
from dnalm.sequence.tokenizers import SequenceTokenizer
from dnalm.tasks.card import write_card
from dnalm.tasks.language import LanguageTask, TokenTask, validation_pieces
from dnalm.tasks.sampling import WindowSampler
from dnalm.training.devices import placed
from dnalm.training.distributed import is_first
from dnalm.training.loop import TrainSettings, train

log = logging.getLogger(__name__)
#: Keys of the pretrain section that shape the network.
SHAPE = (
    "architecture", "objective", "width", "layers", "heads", "attention_span", "positions", "global_tokens", "kernel",
    "downsample", "state_size",
)  # fmt: skip


def model_config(settings: dict, tokenizer: SequenceTokenizer | None = None, codes=()) -> ModelConfig:
    """The model's shape from the ``pretrain`` section of a study.

    Reading frames end at the stops that the genetic ``codes`` of its genomes have in common. Without a tokenizer tokens
    are single bases.
    """
    shape = {name: settings[name] for name in SHAPE if name in settings}
    if tokenizer and (tokenizer.kind != "base" or settings["objective"] == "masked"):
        shape |= {"tokens": tokenizer.kind, "vocabulary": tokenizer.vocab_size}
        return ModelConfig(**shape, memory_orders=(), memory_flanks=())
    flanks = tuple(tuple(f) for f in settings["memory_flanks"])
    if settings.get("objective") == "causal":
        flanks = ()
    if len(codes) and settings.get("reading_frames"):
        shape["stops"] = stop_codons(*codes)
        if not shape["stops"]:
            log.warning("no reading frames: the genetic codes %s have no stop codon in common", codes)
    return ModelConfig(**shape, memory_orders=tuple(settings["memory_orders"]), memory_flanks=flanks)


def new_model(settings: dict, genome: Genome, training, seed: int, memory: bool = True, tokenizer=None) -> Backbone:
    """A model with fresh weights from ``seed`` and a memory of the ``training`` intervals, or an empty one."""
    config = model_config(settings, tokenizer, sorted(map(int, genome.contigs["genetic_code"].unique())))
    torch.manual_seed(seed)
    kept = None
    if memory and config.memory_orders + config.memory_flanks:
        kept = new_memory(genome, training, config, settings.get("memory_megabytes"))
    return build_model(config, kept, tokenizer)


def new_memory(genome: Genome, training, config: ModelConfig, megabytes: int | None = None) -> Memory:
    """Counts of the ``training`` intervals: exact, or in a hash table of a fixed size."""
    contexts = config.memory_orders, config.memory_flanks
    if megabytes:
        return HashedMemory.from_genomes([genome], [training], *contexts, megabytes * 2**20)
    return NgramMemory.from_genomes([genome], [training], *contexts)


def training_digest(settings: dict, *parts) -> str:
    """Identity of a training: its config section and anything else that JSON can hold.

    What changes nothing (how often checkpoints are written, what is computed again, TensorBoard files) does not count.
    """
    neutral = ("checkpoint_seconds", "tensorboard", "activation_checkpointing")
    parts = ({k: v for k, v in settings.items() if k not in neutral}, *parts)
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def language_task(model: Backbone, sampler: WindowSampler, held_out, settings: dict, digest: str) -> LanguageTask:
    """The task that fits the model."""
    kind = LanguageTask if isinstance(model, TwoSided) else TokenTask
    return kind(model, sampler, held_out, settings, digest)


def window_warmup(settings: dict) -> tuple[int, int] | None:
    """First window and number of steps for `WindowSampler`: the first half of the training."""
    if not settings.get("window_warmup"):
        return None
    return settings["window_warmup"], settings["bases_seen"] // (2 * settings["window"] * settings["batch_windows"])


def pretrain(
    genome: Genome, splits_path, settings: dict, seed: int, code: str, state_dir, folder, log_csv, tokenizer=None
) -> Backbone:
    """Train a language model on the training blocks, or go on with it, and save it with its card in ``folder``.

    Parameters
    ----------
    settings : dict
        The ``pretrain`` section of the study. With ``final`` the validation blocks are trained on too and the last
        weights are kept.
    code : str
        Digest of the code; another one starts another training.
    state_dir : path
        Where checkpoints live until the model is saved.
    folder : path or None
        Where the model is saved, if it is.
    tokenizer : SequenceTokenizer, optional
        Needed for tokens other than bases and for the objective ``masked``.
    """
    splits, final = read_splits(splits_path), settings.get("final", False)
    training = training_intervals(genome, splits, final)
    model = placed(new_model(settings, genome, training, seed, tokenizer=tokenizer))
    sampler = WindowSampler(
        genome, training, settings["window"], settings["batch_windows"], seed, window_warmup(settings),
        settings.get("carry", 0), settings.get("sampling", "base"),
    )  # fmt: skip
    held_out = None
    if not final:
        held_out = validation_pieces(split_intervals(genome, splits, "validation"), settings["window"])
    digest = training_digest(settings, genome.digest, splits_digest(splits_path), seed, code)
    task = language_task(model, sampler, held_out, settings, digest)
    weights = sum(p.numel() for p in model.parameters())
    log.info("%s weights, %d bases of memory, digest %s", f"{weights:,}", model.memory.bases, digest)
    result = train(task, TrainSettings.of(settings), state_dir, log_csv)
    if is_first() and folder:
        model.save(folder)
        facts = {
            "best_step": result.best_step, "steps": result.steps, "bases_seen": result.bases_seen, "weights": weights,
            "cpu_minutes": result.seconds / 60,
        }  # fmt: skip
        best = next(row for row in result.history if row["step"] == result.best_step)
        write_card(Path(folder) / "README.md", genome, model, facts, best, training)
    if is_first():
        shutil.rmtree(Path(state_dir) / digest)
    return model
