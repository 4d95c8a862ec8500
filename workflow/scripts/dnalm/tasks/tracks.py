"""Labels of the user's own: fine-tune a language model on intervals, and read a genome with it.

The machinery is that of genes (`dnalm.tasks.annotate`) with another head and another loss.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F

from dnalm.annotation.track_labels import TrackLabels, label_names, require_labels, track_labels
from dnalm.io.fasta import Genome
from dnalm.io.tables import write_json
from dnalm.models.backbone import Backbone, codes_tensor
from dnalm.models.heads import TrackModel
from dnalm.sequence.splits import read_splits
from dnalm.tasks.annotate import LabelTask, fit, load_gene_model, read_pieces
from dnalm.tasks.track_calls import held_out
from dnalm.training.distributed import is_first

#: File beside the model that says what its labels are.
LABELS = "tracks.json"


class TrackTask(LabelTask):
    """Per-base labels of tracks."""

    labels: TrackLabels

    def loss(self, batch):
        """Cross-entropy in nats per base: of the class of a base, or of all its labels together."""
        windows, features = batch
        logits = self.model(codes_tensor(windows.codes, self.model.device), features)
        known = self._floats(self._known(windows))
        target = self._floats(self.labels.truth[np.maximum(windows.positions, 0)])
        if self.model.exclusive:
            target = torch.cat([1 - target.sum(-1, keepdim=True), target], dim=-1)
            nats = -(logits.log_softmax(-1) * target).sum(-1)
        else:
            nats = F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(-1)
        return (nats * known).sum() / known.sum().clamp(min=1), {}


def track_model(settings: dict):
    """What makes a `TrackModel` of a backbone, for the labels of the annotate section."""
    labels = len(label_names(settings["tracks"], settings["stranded"]))
    return partial(
        TrackModel, labels=labels, stranded=settings["stranded"], exclusive=settings["mode"] == "multi_class"
    )


def finetune_tracks(
    backbone: Backbone, genome: Genome, intervals: pd.DataFrame, splits_path, settings: dict, seed: int, identity,
    state_dir, folder, log_csv,
) -> TrackModel:  # fmt: skip
    """Fine-tune backbone and head on the intervals of the training blocks, and save the model in ``folder``.

    ``intervals`` as `dnalm.annotation.track_labels.gather_intervals` gives them, ``settings`` the annotate section.
    """
    labels = track_labels(genome, intervals, settings)
    require_labels(genome, labels, read_splits(splits_path))
    model = fit(
        TrackTask, track_model(settings), labels, backbone, genome, splits_path, settings, seed, identity, state_dir,
        folder, log_csv,
    )  # fmt: skip
    if is_first():
        kept = {key: settings[key] for key in ("tracks", "stranded", "mode")}
        write_json(kept, Path(folder) / LABELS)
    return model


def load_track_model(folder) -> tuple[TrackModel, tuple[str, ...]]:
    """A model that `finetune_tracks` saved, and the names of its labels."""
    settings = json.loads((Path(folder) / LABELS).read_text())
    return load_gene_model(folder, track_model(settings)), label_names(settings["tracks"], settings["stranded"])


def read_tracks(model: TrackModel, names: tuple[str, ...], genome: Genome, intervals: np.ndarray):
    """Probabilities of every label over global ``intervals``: float32 columns by name, end to end."""
    found = read_pieces(model, genome, intervals, lambda logits: (model.probabilities(logits),))
    values = np.concatenate([part for _, _, (part,) in found])
    return {name: values[:, i] for i, name in enumerate(names)}


def predict_tracks(model: TrackModel, names: tuple[str, ...], genome: Genome, name: str, splits, held_out_only: bool):
    """Read one genome of ``genome``, in whose positions the model knows its own n-grams.

    Returns
    -------
    intervals, columns
        Probabilities of every label, in the genome's own positions: of its contigs, or of validation and test blocks.
    """
    part, start = genome.part(name), genome.span(name)[0]
    intervals = held_out(part, splits) if held_out_only else contig_intervals(part)
    return intervals, read_tracks(model, names, genome, intervals + start)


def contig_intervals(genome: Genome) -> np.ndarray:
    """Global positions (contigs, 2) of the contigs."""
    first = genome.contigs["offset"].to_numpy()
    return np.stack([first, first + genome.contigs["length"].to_numpy()], axis=1)
