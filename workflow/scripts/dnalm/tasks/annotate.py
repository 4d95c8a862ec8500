"""Gene finding: fine-tune a language model to label every base, and read a genome with it."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from dnalm.io.fasta import Genome
from dnalm.io.labels import GeneLabels, gene_labels, require_genes
from dnalm.models.backbone import Backbone, codes_tensor
from dnalm.models.build import read_model
from dnalm.models.files import load_weights, memory_tensors, write_tensors
from dnalm.models.heads import GeneModel
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
#: Weight of the start and stop losses (nats per kilobase, about one gene) beside the class loss (nats per base).
SITE_WEIGHT = 0.1
#: Context on each side of a base when a genome is read, and bases read at a time; multiples of 3.
MARGIN, STRIDE = 480, 3072
#: Special tokens that a model from elsewhere may put around a window.
SPECIAL = 4
#: Validation bases that are looked at during fine-tuning.
VALIDATION_BASES = 60_000


class GeneTask:
    """What the training loop needs to know of gene finding (see `dnalm.training.loop`)."""

    def __init__(self, model: GeneModel, sampler: WindowSampler, labels: GeneLabels, held_out: np.ndarray, digest: str):
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

    def loss(self, batch):
        """Class loss in nats per base plus weighted start and stop losses."""
        windows, features = batch
        output = self.model(codes_tensor(windows.codes, self.model.device), features)
        place = np.maximum(windows.positions, 0)
        known, target = self._floats(self._known(windows)), self._floats(self.labels.classes[place])
        classes = (-(output.classes * target).sum(-1) * known).sum() / known.sum().clamp(min=1)
        kilobases = known.sum().clamp(min=1) / 1000
        start = self._sites(output.starts, self.labels.starts, self.labels.start_codons, place, known) / kilobases
        stop = self._sites(output.stops, self.labels.stops, self.labels.stop_codons, place, known) / kilobases
        metrics = {"classes": classes.item(), "starts_per_kb": start.item(), "stops_per_kb": stop.item()}
        return classes + SITE_WEIGHT * (start + stop), metrics

    def _sites(self, logits, truth, candidates, place, known):
        """Summed binary cross-entropy over the candidate codons."""
        mask = self._floats(candidates[place]) * known[..., None]
        target = self._floats(truth[place])
        return (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * mask).sum()

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


def finetune(
    backbone: Backbone, genome: Genome, features: pd.DataFrame, splits_path, settings: dict, seed: int, identity,
    state_dir, folder, log_csv,
) -> GeneModel:  # fmt: skip
    """Fine-tune backbone and head on the genes of the training blocks, and save the model in ``folder``.

    ``identity`` is anything that tells this training from others (method, code, weights it starts from).
    """
    splits = read_splits(splits_path)
    torch.manual_seed(seed)
    model = placed(GeneModel(backbone))
    window = settings["window"]
    sampler = WindowSampler(
        genome, split_intervals(genome, splits, "train"), window, settings["batch_windows"], seed,
        sampling=settings.get("sampling", "base"),
    )  # fmt: skip
    pieces = tile(split_intervals(genome, splits, "validation"), window)
    held_out = pieces[:: max(1, round(len(pieces) * window / VALIDATION_BASES)), 0]
    digest = training_digest(settings, genome.digest, splits_digest(splits_path), seed, identity)
    labels = gene_labels(genome, features)
    require_genes(genome, labels, splits)
    seen = np.isin(split_labels(genome, splits), [SPLITS.index("train"), SPLITS.index("validation")])
    # the last window of a block may reach beyond it: labels of gaps and test blocks are never looked at
    labels = replace(labels, known=labels.known & seen)
    task = GeneTask(model, sampler, labels, held_out, digest)
    train(task, TrainSettings.of(settings), state_dir, log_csv)
    if is_first():
        save_gene_model(model, folder)
        shutil.rmtree(Path(state_dir) / digest)
    return model


def save_gene_model(model: GeneModel, folder) -> None:
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


def load_gene_model(folder) -> GeneModel:
    """Read what `save_gene_model` wrote."""
    folder = Path(folder)
    if (folder / BESIDE).is_dir():
        model = GeneModel(load_backbone(folder / BESIDE))
        load_weights(model.head, load_file(folder / "model.safetensors"), folder)
        return model
    backbone, tensors = read_model(folder)
    model = GeneModel(backbone)
    load_weights(model, tensors, folder)
    return model


def reach_of(backbone) -> tuple[int, int]:
    """Context on each side and bases at a time, for a backbone that may be able to read short windows only."""
    longest = getattr(backbone, "longest", None)  # in tokens, of which a base has one at most
    if longest is None or longest >= STRIDE + 2 * MARGIN + SPECIAL:
        return MARGIN, STRIDE
    room = (longest - SPECIAL) // 3
    return room // 5 * 3, (room - 2 * (room // 5)) * 3


@torch.inference_mode()
def read_genome(model: GeneModel, genome: Genome, intervals: np.ndarray, span: tuple[int, int] | None = None):
    """Predictions for global ``intervals``: classes (genome length, 7) log-probabilities, starts and stops (length, 2).

    Bases that were not read are non-coding, without starts and stops. With a ``span`` of global positions that holds
    all intervals, the arrays are of its bases alone.
    """
    model.eval()
    first_base, end_base = span or (0, len(genome.codes))
    total = end_base - first_base
    classes = np.tile(np.array([0.0] + [-20.0] * 6, dtype=np.float32), (total, 1))
    starts, stops = np.full((2, total, 2), -20.0, dtype=np.float32)
    margin, stride = reach_of(model.backbone)
    pieces = tile(intervals, stride)
    progress = Progress(int((pieces[:, 1] - pieces[:, 0]).sum()), "bases", log)
    for first in range(0, len(pieces), 2):
        some = pieces[first : first + 2]
        windows = cut(genome, some[:, 0] - margin, stride + 2 * margin, margin)
        features = model.backbone.lookup(windows.codes, windows.origin)
        output = model(codes_tensor(windows.codes, model.device), features)
        parts = [t.numpy(force=True) for t in (output.classes, output.starts, output.stops)]
        for row, (start, end) in enumerate(some):
            inner, place = slice(margin, margin + end - start), slice(start - first_base, end - first_base)
            for whole, part in zip((classes, starts, stops), parts, strict=True):
                whole[place] = part[row, inner]
        progress.update(int((some[:, 1] - some[:, 0]).sum()))
    return classes, starts, stops
