"""Language models side by side: each arm is trained for the same CPU time and asked the same questions."""

import logging
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.io.provenance import peak_memory_mb
from dnalm.io.tables import atomic_path, write_json
from dnalm.sequence.batches import tile
from dnalm.sequence.splits import SPLITS, split_intervals, split_labels
from dnalm.sequence.tokenizers import SequenceTokenizer, make_tokenizer
from dnalm.tasks.language import validation_pieces
from dnalm.tasks.pretrain import language_task, new_model
from dnalm.tasks.sampling import WindowSampler
from dnalm.tasks.scoring import score, score_positions, spread_positions
from dnalm.training.devices import placed
from dnalm.training.history import write_log
from dnalm.training.loop import TrainSettings, train

log = logging.getLogger(__name__)
#: Test bases: evenly spread windows for the code length, and single positions for the two-sided distribution.
CAUSAL_BASES, POSITIONS = 131_072, 2048
#: Window in which a single position is scored, whatever window a model was trained on.
WINDOW = 512


def train_arm(
    genome: Genome, splits, settings: dict, tokens: dict, seed: int, validate: bool = True,
    key: str = "compare.budget_minutes",
):  # fmt: skip
    """Train one arm within ``settings["budget_minutes"]`` CPU minutes, what comes before the first step included.

    Parameters
    ----------
    settings, tokens : dict
        The pretrain and the tokens section, as the arm changes them.
    validate : bool
        Without validation the last weights are kept, and no validation blocks are needed.
    key : str
        Where the study sets the budget, for an error.

    Returns
    -------
    model, facts, history
        Facts: ``parameters``, ``memory_bases``, ``prepare_seconds`` (counting, byte pairs), ``cpu_minutes`` of training
        and preparing, ``bases_seen``, ``bases_per_second`` (of training), ``peak_mb``. History: rows of the training's
        log, of which the validations are in no CPU time.
    """
    torch.set_num_threads(settings["threads"])
    begin = time.process_time()
    training = split_intervals(genome, splits, "train")
    sequences = (genome.codes[start:end] for start, end in training)
    tokenizer = SequenceTokenizer(make_tokenizer(tokens, settings["objective"] == "masked", sequences))
    model = placed(new_model(settings, genome, training, seed, tokenizer=tokenizer))
    prepared = time.process_time() - begin
    left = settings["budget_minutes"] - prepared / 60
    if left <= 0:
        raise InputError(f"counting and byte pairs alone took {prepared / 60:.1f} CPU minutes", key, "Raise it")
    settings = settings | {"budget_minutes": left, "bases_seen": None}
    sampler = WindowSampler(
        genome, training, settings["window"], settings["batch_windows"], seed, context=settings.get("carry", 0),
        sampling=settings.get("sampling", "base"),
    )  # fmt: skip
    held_out = None
    if validate:
        held_out = validation_pieces(split_intervals(genome, splits, "validation"), settings["window"])
    task = language_task(model, sampler, held_out, settings, "arm")
    with tempfile.TemporaryDirectory() as state:
        result = train(task, TrainSettings.of(settings), state)
    facts = {
        "parameters": sum(p.numel() for p in model.parameters()), "memory_bases": model.memory.bases,
        "prepare_seconds": prepared, "cpu_minutes": (prepared + result.seconds) / 60, "bases_seen": result.bases_seen,
        "bases_per_second": result.bases_seen / result.seconds,
        "peak_mb": peak_memory_mb(),
    }  # fmt: skip
    for row in result.history:
        row["cpu_minutes"] += prepared / 60
    return model.eval(), facts, result.history


def score_arm(model, genome: Genome, splits) -> dict[str, np.ndarray]:
    """Bits of the test bases that all arms are asked for: rows (position, bits) per metric; NaN at N.

    Of a masked byte-pair model only bits per masked token exist, which are in its history and compare with nothing.
    """
    test = split_intervals(genome, splits, "test")
    labels = split_labels(genome, splits)
    allowed = (labels == SPLITS.index("test")) | (labels == SPLITS.index("gap"))
    found = {}
    if model.config.objective != "masked":
        pieces = tile(test, WINDOW)
        pieces = pieces[:: max(1, len(pieces) * WINDOW // CAUSAL_BASES)]
        columns = score(model, genome, pieces, WINDOW // 2, allowed)
        place = np.concatenate([np.arange(start, end) for start, end in pieces])
        found["bits_per_base"] = np.stack([place, (columns["causal_forward"] + columns["causal_reverse"]) / 2])
    if model.config.objective == "two_sided" or (model.config.objective == "masked" and model.config.tokens != "bpe"):
        positions = spread_positions(test, POSITIONS)
        found["bits_per_base_two_sided"] = np.stack(
            [positions, score_positions(model, genome, positions, WINDOW, allowed)]
        )
    return found


def write_arm(folder, facts: dict, history: list[dict], scores: dict[str, np.ndarray]) -> None:
    """``facts.json``, ``log.csv`` and ``scores.npz`` of an arm."""
    folder = Path(folder)
    write_json(facts, folder / "facts.json")
    write_log(history, folder / "log.csv")
    with atomic_path(folder / "scores.npz") as temporary:
        np.savez(temporary, **scores)
