"""Gene finding: fine-tune a language model to label every base, and read a genome with it.

`LabelTask`, `fit` and `read_pieces` serve per-base labels of any kind: see `dnalm.tasks.tracks`.
"""

import logging
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from dnalm.annotation.labels import GeneLabels, gene_labels, require_genes
from dnalm.annotation.transcript_labels import TranscriptLabels, transcript_labels
from dnalm.annotation.transcripts import read_transcripts
from dnalm.io.fasta import Genome
from dnalm.models.backbone import Backbone, codes_tensor
from dnalm.models.build import read_model
from dnalm.models.files import load_weights, memory_tensors, write_tensors
from dnalm.models.heads import GENES, STRUCTURES, GeneModel, LabelModel
from dnalm.models.load import load_backbone
from dnalm.sequence.batches import cut, tile
from dnalm.sequence.splits import SPLITS, read_splits, split_intervals, split_labels, splits_digest
from dnalm.tasks.pretrain import new_model, training_digest
from dnalm.tasks.sampling import WindowSampler
from dnalm.training.devices import placed
from dnalm.training.distributed import is_first
from dnalm.training.loop import TrainSettings, train
from dnalm.training.progress import Progress

log = logging.getLogger(__name__)

#: Folder of a backbone that keeps its own files.
BESIDE = "backbone"
#: Genes that a study may annotate.
TARGETS = {"genes": GENES, "structures": STRUCTURES}
#: Weight of the site losses (nats per kilobase, about one gene) beside the class loss (nats per base).
SITE_WEIGHT = 0.1
#: Context on each side of a base when a genome is read, and bases read at a time; multiples of 3.
MARGIN, STRIDE = 480, 3072
#: Special tokens that a model from elsewhere may put around a window.
SPECIAL = 4
#: Validation bases that are looked at during fine-tuning.
VALIDATION_BASES = 60_000


class LabelTask:
    """What the training loop needs to know of per-base labels (see `dnalm.training.loop`), but for the loss.

    ``labels`` has ``known``, bool (genome length,): whether a base teaches anything.
    """

    def __init__(self, model: LabelModel, sampler: WindowSampler, labels, held_out: np.ndarray, digest: str):
        self.model, self.sampler, self.labels, self.digest = model, sampler, labels, digest
        self.bases_per_step = sampler.window * sampler.batch
        self.held_out = held_out

    def batch(self, step: int, part: int = 0, parts: int = 1):
        """Windows of a step, or a part of them, with their memory features."""
        windows = self.sampler(step, part, parts)
        return windows, self.model.backbone.lookup(windows.codes, windows.origin)

    def count(self, batch) -> int:
        """Number of bases whose labels are known."""
        return int(self._known(batch[0]).sum())

    def _known(self, windows) -> np.ndarray:
        return (windows.positions >= 0) & self.labels.known[np.maximum(windows.positions, 0)]

    def _floats(self, values: np.ndarray) -> torch.Tensor:
        """The same numbers as float32, where the model is."""
        return torch.from_numpy(values.astype(np.float32)).to(self.model.device)

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        """The training loss on fixed validation windows."""
        self.model.eval()
        sums: dict[str, float] = {}
        chunks = [self.held_out[i : i + 8] for i in range(0, len(self.held_out), 8)]
        for starts in chunks:
            windows = cut(self.sampler.genome, starts, self.sampler.window, 0)
            loss, metrics = self.loss((windows, self.model.backbone.lookup(windows.codes, windows.origin)))
            for name, value in {"loss": loss.item(), **metrics}.items():
                sums[name] = sums.get(name, 0.0) + value * len(starts) / len(self.held_out)
        return sums


class GeneTask(LabelTask):
    """Per-base labels of genes, with the classes and sites that the model's targets name."""

    labels: GeneLabels | TranscriptLabels

    def loss(self, batch):
        """Class loss in nats per base plus the weighted losses of all sites."""
        windows, features = batch
        output = self.model(codes_tensor(windows.codes, self.model.device), features)
        place = np.maximum(windows.positions, 0)
        known, target = self._floats(self._known(windows)), self._floats(self.labels.classes[place])
        classes = (-(output.classes * target).sum(-1) * known).sum() / known.sum().clamp(min=1)
        kilobases = known.sum().clamp(min=1) / 1000
        sites = {name: self._sites(name, logits, place, known) / kilobases for name, logits in output.sites.items()}
        metrics = {"classes": classes.item(), **{f"{name}s_per_kb": loss.item() for name, loss in sites.items()}}
        return classes + SITE_WEIGHT * sum(sites.values()), metrics

    def _sites(self, name, logits, place, known):
        """Summed binary cross-entropy over the candidates of a kind of site."""
        mask = self._floats(self.labels.candidates(name)[place]) * known[..., None]
        target = self._floats(self.labels.sites(name)[place])
        return (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * mask).sum()


def backbone_for(
    method: str, pretrained, settings: dict, genome: Genome, splits_path, seed: int, tokenizer=None
) -> Backbone:
    """The backbone that a method starts from: pretrained, or a twin with fresh weights (and an empty memory)."""
    if method == "dnalm":
        backbone = load_backbone(pretrained)
        backbone.attach([genome])
        return backbone
    if settings.get("model"):
        return fresh_foreign(settings["model"], seed + 1000)
    training = split_intervals(genome, read_splits(splits_path), "train")
    return new_model(settings, genome, training, seed + 1000, method == "dnalm_memory_only", tokenizer)


def fresh_foreign(source: dict, seed: int):
    """A model of ``transformers`` of the same shape as the one that a study takes, with fresh weights."""
    from dnalm.models.hub import HubBackbone  # only then is the package transformers needed

    model = HubBackbone(source["hf"], source["revision"], source["trust_remote_code"], not source["download"])
    torch.manual_seed(seed)
    model.model = type(model.model)(model.model.config)
    return model


def labels_of(genome: Genome, features: pd.DataFrame, settings: dict) -> GeneLabels | TranscriptLabels:
    """The labels that a study annotates: genes in one piece, or their structures with introns."""
    if settings["labels"] == "genes":
        return gene_labels(genome, features)
    return transcript_labels(genome, read_transcripts(genome, features, settings["min_intron"]))


def finetune(
    backbone: Backbone, genome: Genome, features: pd.DataFrame, splits_path, settings: dict, seed: int, identity,
    state_dir, folder, log_csv,
) -> GeneModel:  # fmt: skip
    """Fine-tune backbone and head on the genes of the training blocks, and save the model in ``folder``.

    ``identity`` is anything that tells this training from others (method, code, weights it starts from).
    """
    labels = labels_of(genome, features, settings)
    require_genes(genome, labels, read_splits(splits_path))
    return fit(
        GeneTask, partial(GeneModel, targets=TARGETS[settings["labels"]]), labels, backbone, genome, splits_path,
        settings, seed, identity, state_dir, folder, log_csv,
    )  # fmt: skip


def fit(
    task: type[LabelTask], model_of, labels, backbone: Backbone, genome: Genome, splits_path, settings: dict, seed: int,
    identity, state_dir, folder, log_csv,
):  # fmt: skip
    """Train ``model_of(backbone)`` on the labels of the training blocks, and save it in ``folder``."""
    splits = read_splits(splits_path)
    torch.manual_seed(seed)
    model = placed(model_of(backbone))
    window = settings["window"]
    sampler = WindowSampler(
        genome, split_intervals(genome, splits, "train"), window, settings["batch_windows"], seed,
        sampling=settings.get("sampling", "base"),
    )  # fmt: skip
    pieces = tile(split_intervals(genome, splits, "validation"), window)
    held_out = pieces[:: max(1, round(len(pieces) * window / VALIDATION_BASES)), 0]
    digest = training_digest(settings, genome.digest, splits_digest(splits_path), seed, identity)
    seen = np.isin(split_labels(genome, splits), [SPLITS.index("train"), SPLITS.index("validation")])
    # the last window of a block may reach beyond it: labels of gaps and test blocks are never looked at
    labels = replace(labels, known=labels.known & seen)
    train(task(model, sampler, labels, held_out, digest), TrainSettings.of(settings), state_dir, log_csv)
    if is_first():
        save_gene_model(model, folder)
        shutil.rmtree(Path(state_dir) / digest)
    return model


def save_gene_model(model: LabelModel, folder) -> None:
    """Write what `Backbone.save` writes, with the weights of the head beside those of the backbone.

    A backbone of ``transformers`` stays a checkpoint of its own, in the folder ``backbone``.
    """
    folder = Path(folder)
    if isinstance(model.backbone, Backbone):
        model.backbone.save(folder)
        write_tensors(model.state_dict() | memory_tensors(model.backbone.memory), folder / "model.safetensors")
        return
    model.backbone.save(folder / BESIDE)
    shutil.copyfile(folder / BESIDE / "config.json", folder / "config.json")
    write_tensors(model.head.state_dict(), folder / "model.safetensors")


def load_gene_model(folder, model_of=None):
    """Read what `save_gene_model` wrote of ``model_of(backbone)``.

    Without ``model_of`` it is a `GeneModel`, and how many scores its head has tells what it labels.
    """
    folder = Path(folder)
    beside = (folder / BESIDE).is_dir()
    if beside:
        backbone, tensors = load_backbone(folder / BESIDE), load_file(folder / "model.safetensors")
    else:
        backbone, tensors = read_model(folder)
    if model_of is None:
        scores = len(tensors["leave.bias" if beside else "head.leave.bias"])
        model_of = partial(GeneModel, targets=next(t for t in TARGETS.values() if t.scores == scores))
    model = model_of(backbone)
    load_weights(model.head if beside else model, tensors, folder)
    return model


def reach_of(backbone) -> tuple[int, int]:
    """Context on each side and bases at a time, for a backbone that may be able to read short windows only."""
    longest = getattr(backbone, "longest", None)  # in tokens, of which a base has one at most
    if longest is None or longest >= STRIDE + 2 * MARGIN + SPECIAL:
        return MARGIN, STRIDE
    room = (longest - SPECIAL) // 3
    return room // 5 * 3, (room - 2 * (room // 5)) * 3


@torch.inference_mode()
def read_pieces(model: LabelModel, genome: Genome, intervals: np.ndarray, parts_of):
    """Read global ``intervals`` piece by piece, each with its context.

    Yields
    ------
    start, end
        Global positions of a piece; pieces come in order and cover the intervals.
    parts
        Arrays (end - start, ...) of what ``parts_of`` takes from the model's output.
    """
    model.eval()
    margin, stride = reach_of(model.backbone)
    pieces = tile(intervals, stride)
    progress = Progress(int((pieces[:, 1] - pieces[:, 0]).sum()), "bases", log)
    for first in range(0, len(pieces), 2):
        some = pieces[first : first + 2]
        windows = cut(genome, some[:, 0] - margin, stride + 2 * margin, margin)
        features = model.backbone.lookup(windows.codes, windows.origin)
        output = model(codes_tensor(windows.codes, model.device), features)
        parts = [t.numpy(force=True) for t in parts_of(output)]
        for row, (start, end) in enumerate(some):
            yield start, end, [part[row, margin : margin + end - start] for part in parts]
        progress.update(int((some[:, 1] - some[:, 0]).sum()))


def read_genome(model: GeneModel, genome: Genome, intervals: np.ndarray, span: tuple[int, int] | None = None):
    """Predictions for global ``intervals``: class log-probabilities (genome length, classes); then of each kind of
    site the logits (genome length, 2), for genes in one piece those of starts and stops.

    Bases that were not read are no part of a gene and no site. With a ``span`` of global positions that holds all
    intervals, the arrays are of its bases alone.
    """
    first_base, end_base = span or (0, len(genome.codes))
    total = end_base - first_base
    classes = np.full((total, len(model.targets.classes)), -20.0, dtype=np.float32)
    classes[:, 0] = 0.0
    found = (classes, *np.full((len(model.targets.sites), total, 2), -20.0, dtype=np.float32))
    pieces = read_pieces(model, genome, intervals, lambda output: (output.classes, *output.sites.values()))
    for start, end, parts in pieces:
        for whole, part in zip(found, parts, strict=True):
            whole[start - first_base : end - first_base] = part
    return found
