"""A scorer of variants that is the study's language model itself, fine-tuned on the labels of the other groups.

It stands beside the scorers of features and is judged on the same groups, none of which it has seen; since each fold is
a training, they are held out in a few folds at most. A third of the training groups is kept back: training stops when
these are predicted worse again, and calibration and thresholds are made on them. A twin with fresh weights and an empty
memory shows what pretraining brings.
"""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.model_selection import GroupKFold

from dnalm.io.fasta import Genome
from dnalm.models.backbone import codes_tensor
from dnalm.models.build import build_model
from dnalm.models.variant_head import VariantModel
from dnalm.sequence.alphabet import N, bases, encode
from dnalm.sequence.batches import cut, with_allele
from dnalm.tasks.pretrain import training_digest
from dnalm.training.devices import placed
from dnalm.training.loop import TrainSettings, train
from dnalm.variants.trained import INNER, Calibration, HeldOut, best_threshold, folds_of, precise_threshold

log = logging.getLogger(__name__)
FINETUNED, TWIN = "dnalm_finetuned", "dnalm_finetuned_random_init"
#: Bases on each side of an allele, and variants of a step.
FLANK, BATCH = 64, 32
#: Settled beforehand, never chosen on scores.
SETTINGS = {
    "optimizer": "adamw", "learning_rate": 5e-4, "weight_decay": 0.1, "warmup_steps": 20, "patience": 3,
    "checkpoint_seconds": 600.0,
}  # fmt: skip
#: Validations in the length of a training, and folds at most.
VALIDATIONS, FOLDS = 5, 5


@dataclass(frozen=True)
class AlleleWindows:
    """Windows (n, L) of variants with the reference and with the alternative allele, as codes and as global positions.

    Positions are -1 for bases that only the alternative allele has, and for padding. ``ends`` (n, 2): the first base
    behind either allele.
    """

    codes: np.ndarray
    positions: np.ndarray
    ends: np.ndarray
    digest: str

    @classmethod
    def of(cls, genome: Genome, position, ref: list[str], alt: list[str], flank: int) -> "AlleleWindows":
        """Those of trimmed alleles at global positions (n,), with ``flank`` bases on each side."""
        removed, longest = np.array(list(map(len, ref))), max(max(map(len, ref)), max(map(len, alt)))
        length = 2 * flank + longest
        whole = cut(genome, np.asarray(position) - flank, 2 * flank + 2 * longest, flank)
        codes = np.full((2, len(ref), length), N, dtype=np.uint8)
        positions = np.full(codes.shape, -1, dtype=np.int64)
        for row, new in enumerate(alt):
            for side, allele in enumerate((None, bases(encode(new)))):
                text, place = with_allele(whole, row, flank, removed[row], allele, flank)
                codes[side, row, : len(text)], positions[side, row, : len(text)] = text, place
        ends = flank + np.stack([removed, np.array(list(map(len, alt)))], axis=1)
        return cls(codes, positions, ends, genome.digest)

    def take(self, rows: np.ndarray):
        """Codes (2 rows, L), positions of the same shape, and ends (rows, 2)."""
        pair = (array[:, rows].reshape(2 * len(rows), -1) for array in (self.codes, self.positions))
        return (*pair, self.ends[rows])


class VariantTask:
    """Variants for the training loop (`dnalm.training.loop.train`)."""

    def __init__(self, model: VariantModel, windows: AlleleWindows, label, rows, held_out, seed: int, digest: str):
        self.model, self.windows, self.label = model, windows, np.asarray(label, dtype=np.float32)
        self.rows, self.held_out, self.seed, self.digest = rows, held_out, seed, digest
        self.bases_per_step = 2 * BATCH * windows.codes.shape[2]

    def batch(self, step: int) -> np.ndarray:
        """Rows of a step: every variant once an epoch, in an order that follows from the seed."""
        first = step * BATCH + np.arange(BATCH)
        epoch, at = np.divmod(first, len(self.rows))
        orders = {e: np.random.default_rng([self.seed, int(e)]).permutation(self.rows) for e in np.unique(epoch)}
        return np.array([orders[e][i] for e, i in zip(epoch, at, strict=True)])

    def logits(self, rows: np.ndarray) -> torch.Tensor:
        """Log-odds of harm of some variants."""
        codes, positions, ends = self.windows.take(rows)
        features = self.model.backbone.lookup(codes, (self.windows.digest, positions))
        device = self.model.device
        return self.model(codes_tensor(codes, device), features, FLANK, torch.from_numpy(ends).to(device))

    def loss(self, rows: np.ndarray):
        """Binary cross-entropy in nats."""
        target = torch.from_numpy(self.label[rows]).to(self.model.device)
        return F.binary_cross_entropy_with_logits(self.logits(rows), target), {}

    def validate(self) -> dict[str, float]:
        """The same of the groups that are kept back."""
        score, y = self.scores(self.held_out), self.label[self.held_out]
        return {"loss": float(np.logaddexp(0, np.where(y > 0, -score, score)).mean())}

    @torch.inference_mode()
    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Log-odds (n,) of some variants."""
        self.model.eval()
        parts = [self.logits(rows[i : i + 64]).numpy(force=True) for i in range(0, len(rows), 64)]
        return np.concatenate(parts).astype(np.float64)


def finetuned(language, data, settings: dict, seed: int, state_dir) -> dict[str, HeldOut]:
    """Held-out predictions of the fine-tuned language model and of its twin.

    Parameters
    ----------
    language : dnalm.tasks.labelled_language.Language
    data : dnalm.tasks.labelled.Labelled
    settings : dict
        Keys of `dnalm.config_labelled.LabelledSet`.
    seed : int
    state_dir : path
        For checkpoints; what is finished leaves nothing there.
    """
    table, own = data.table, language.model
    place = table["_position"].to_numpy() + language.first
    alleles = list(table["_ref_bases"]), list(table["_alt_bases"])
    windows = AlleleWindows.of(language.whole, place, *alleles, FLANK)
    torch.manual_seed(seed + 1000)
    twin = placed(build_model(own.config, None))
    fold = data.fold if len(np.unique(data.fold)) <= FOLDS else folds_of(data.group, FOLDS, seed)
    found = {}
    for name, backbone in ((FINETUNED, own), (TWIN, twin)):
        start = {key: value.clone() for key, value in backbone.state_dict().items()}
        out = np.full((3, len(table)), np.nan)
        for i, k in enumerate(np.unique(fold), 1):
            backbone.load_state_dict(start)
            _one_fold(backbone, windows, data, fold == k, settings, [name, seed], state_dir, out)
            log.info("%s: fold %d of %d", name, i, len(np.unique(fold)))
        backbone.load_state_dict(start)
        found[name] = HeldOut(*out, fold)
    return found


def _one_fold(backbone, windows, data, held_out, settings: dict, identity: list, state_dir, out: np.ndarray) -> None:
    """Train without the rows of a fold (bool (n,)), and write its probabilities and thresholds into ``out`` (3, n)."""
    y, test, others = data.label, np.flatnonzero(held_out), np.flatnonzero(~held_out)
    out[:, test] = np.array([[y[others].mean()], [0.5], [np.inf]])
    groups = min(INNER, len(np.unique(data.group[others].astype(str))))
    if groups < 2 or len(np.unique(y[others])) < 2:
        return
    rows, kept = next(GroupKFold(groups).split(others, y[others], data.group[others].astype(str)))
    rows, kept = others[rows], others[kept]
    name, seed = identity
    torch.manual_seed(seed)
    model = placed(VariantModel(backbone))
    with torch.no_grad():  # begins at the base rate
        model.leave.bias.fill_(float(np.log(y[rows].mean() + 1e-3) - np.log(1 - y[rows].mean() + 1e-3)) / 2)
    weights = [float(p.detach().double().sum()) for p in backbone.parameters()]
    table = data.table[["_position", "_ref_bases", "_alt_bases"]].to_csv(index=False)
    bases_seen = settings["finetune_bases"]
    length = {"bases_seen": bases_seen, "validate_every": max(bases_seen // VALIDATIONS, 1)}
    digest = training_digest(SETTINGS | length, name, seed, weights, table, y.tolist(), test.tolist())
    task = VariantTask(model, windows, y, rows, kept, seed, digest)
    train(task, TrainSettings(**SETTINGS, **length), state_dir)
    shutil.rmtree(Path(state_dir) / digest)
    inner = task.scores(kept)
    line = Calibration.fit(settings["calibration"], inner, y[kept])
    sure = line(inner)
    out[0, test] = line(task.scores(test))
    out[1, test] = best_threshold(sure, y[kept])
    out[2, test] = precise_threshold(sure, y[kept], settings["precision"])
