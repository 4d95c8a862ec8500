"""How far few labels go: gene finders that learn from a few curated genes, each within the same CPU time in all.

The networks have one shape, and all their weights are trained: one has read this genome's training blocks before,
unlabelled, one has read other genomes, and one has fresh weights and an empty memory, and spends the minutes of reading
on more fine-tuning. What they are told of genes is a table of
`dnalm.annotation.curated`. There are no other labels: fine-tuning has no validation set and keeps its last weights.
"""

import logging
import tempfile
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import torch

from dnalm.annotation.curated import genes_within
from dnalm.annotation.labels import gene_labels
from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.models.backbone import Backbone, codes_tensor
from dnalm.models.heads import GeneModel
from dnalm.models.load import load_backbone
from dnalm.sequence.batches import cut
from dnalm.sequence.splits import COLUMNS, SPLITS, split_intervals, split_labels
from dnalm.tasks.annotate import GeneTask
from dnalm.tasks.compare import train_arm
from dnalm.tasks.finders import closed_form_genes
from dnalm.tasks.predict import find_genes
from dnalm.tasks.pretrain import new_model
from dnalm.tasks.sampling import WindowSampler
from dnalm.training.devices import placed
from dnalm.training.loop import TrainSettings, train

log = logging.getLogger(__name__)
KEY = "few_labels.budget_minutes"


def all_training(genome: Genome) -> pd.DataFrame:
    """A splits table that gives all of a genome, or of several put end to end, to training."""
    rows = []
    for owner, c in zip(genome.owners, genome.contigs.itertuples(index=False), strict=True):
        name = c.contig.removeprefix(f"{owner}:") if genome.composite else c.contig
        rows.append([owner, name, 0, c.length, "train", "elsewhere"])
    return pd.DataFrame(rows, columns=COLUMNS)


@torch.inference_mode()
def compile_first(genome: Genome, settings: dict) -> None:
    """Have Numba compile what a model of these settings needs, or the first clock in a new checkout pays for all."""
    model = new_model(settings, genome, np.array([[0, min(1000, len(genome.codes))]]), 0)
    windows = cut(genome, np.array([0]), 96)
    model.states(codes_tensor(windows.codes, model.device), model.lookup(windows.codes, windows.origin))


def pretrain_arm(genome: Genome, splits: pd.DataFrame, settings: dict, seed: int, folder) -> dict:
    """Pretrain on the training blocks for ``settings["budget_minutes"]`` and save the model in ``folder``; its facts.

    Nothing is validated: the last weights are kept, as there is nothing to choose.
    """
    compile_first(genome, settings)
    model, facts, _ = train_arm(genome, splits, settings, {"kind": "base"}, seed, validate=False, key=KEY)
    model.save(folder)
    return facts


def surroundings(genome: Genome, curated: pd.DataFrame, splits: pd.DataFrame, reach: int) -> np.ndarray:
    """Global intervals (n, 2) of the curated training stretches with ``reach`` bases on both sides, joined.

    They stay inside the training blocks. A window that began with its stretch would tell where the first gene begins.
    """
    stretches, found = split_intervals(genome, curated, "train"), []
    for start, end in split_intervals(genome, splits, "train"):
        inside = (stretches[:, 0] >= start) & (stretches[:, 1] <= end)
        for low, high in stretches[inside] + np.array([-reach, reach]):
            low, high = max(low, start), min(high, end)
            if found and start <= found[-1][0] and low <= found[-1][1]:
                found[-1][1] = max(found[-1][1], high)
            else:
                found.append([low, high])
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def fresh_backbone(genome: Genome, settings: dict, seed: int) -> Backbone:
    """The same network with fresh weights and an empty memory."""
    return new_model(settings, genome, np.empty((0, 2), dtype=np.int64), seed + 1000, memory=False)


def finetune_few(
    backbone: Backbone, genome: Genome, features: pd.DataFrame, curated: pd.DataFrame, splits: pd.DataFrame,
    settings: dict, seed: int,
):  # fmt: skip
    """Fine-tune a backbone and a fresh head for ``settings["budget_minutes"]`` on curated genes alone.

    Windows lie around the curated stretches; only bases inside them have a loss. Returns model and training result.
    """
    torch.manual_seed(seed)
    model = placed(GeneModel(backbone))
    window = settings["window"]
    around = surroundings(genome, curated, splits, window // 2)
    sampler = WindowSampler(genome, around, window, settings["batch_windows"], seed)
    labels = gene_labels(genome, features)
    labels = replace(labels, known=labels.known & (split_labels(genome, curated) == SPLITS.index("train")))
    task = GeneTask(model, sampler, labels, np.empty(0, dtype=np.int64), "few_labels")
    with tempfile.TemporaryDirectory() as state:
        result = train(task, TrainSettings.of(settings), state)
    return model.eval(), result


def network_arm(
    pretrained, spent: float, genome: Genome, features: pd.DataFrame, curated: pd.DataFrame, splits: pd.DataFrame,
    pretrain: dict, annotate: dict, seed: int,
):  # fmt: skip
    """Gene calls of a network within ``annotate["budget_minutes"]`` CPU minutes, those of its pretraining included.

    Parameters
    ----------
    pretrained : path or None
        Folder of a language model, which took ``spent`` CPU minutes; without one the backbone is a fresh one.

    Returns
    -------
    calls, facts
        Fitting the decoder, reading and calling are in no budget: they are the same for all.

    Raises
    ------
    InputError
        If pretraining left no time.
    """
    torch.set_num_threads(annotate["threads"])
    compile_first(genome, pretrain)
    begin = time.process_time()
    backbone = load_backbone(pretrained) if pretrained else fresh_backbone(genome, pretrain, seed)
    backbone.attach([genome])
    left = annotate["budget_minutes"] - spent - (time.process_time() - begin) / 60
    if left <= 0:
        raise InputError(f"pretraining took {spent:.2f} of all CPU minutes", KEY, "Raise it, or lower pretrain_share")
    settings = annotate | {"budget_minutes": left, "bases_seen": None}
    model, result = finetune_few(backbone, genome, features, curated, splits, settings, seed)
    facts = {
        "cpu_minutes": annotate["budget_minutes"] - left + result.seconds / 60, "pretrain_minutes": spent,
        "bases_seen": result.bases_seen, "parameters": sum(p.numel() for p in model.parameters()),
        "memory_bases": backbone.memory.bases,
    }  # fmt: skip
    _, calls, *_ = next(find_genes(model, genome, features, curated, annotate["min_length"], held_out_only=True))
    return calls, facts | label_facts(genome, features, curated)


def counting_arm(genome: Genome, features: pd.DataFrame, curated: pd.DataFrame, min_length: int):
    """Gene calls of the closed form from the same genes, and its facts (CPU minutes with decoding)."""
    begin = time.process_time()
    calls = closed_form_genes(genome, features, curated, min_length)[genome.name]
    facts = {"cpu_minutes": (time.process_time() - begin) / 60, "pretrain_minutes": 0.0}
    return calls, facts | label_facts(genome, features, curated)


def label_facts(genome: Genome, features: pd.DataFrame, curated: pd.DataFrame) -> dict[str, int]:
    """Numbers of curated genes: in all, for training, for the decoder."""
    found = genes_within(genome, features, curated)
    told = {
        "labelled_genes": sum(found.values()),
        "training_genes": found["train"],
        "decoder_genes": found["validation"],
    }
    log.info("curated genes: %s", told)
    return told
