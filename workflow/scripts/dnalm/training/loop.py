"""The training loop: fixed global batch, one schedule, checkpoints, early stop; the same weights after any kill.

Everything random is a pure function of the seed and the step (the task sees to that), so a checkpoint needs only
weights, optimiser state and counters. The model ends with the weights of its best validation.
"""

import csv
import logging
import math
import signal
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path

import torch

from dnalm.errors import DnalmError, InputError
from dnalm.io.tables import atomic_path
from dnalm.training.checkpoint import StateDirectory
from dnalm.training.progress import Progress
from dnalm.training.schedule import learning_rate

log = logging.getLogger(__name__)
PARAMETER, MOMENT, BEST = "model.", "adam.", "best."


@dataclass(frozen=True)
class TrainSettings:
    """How long and how fast to train; the config sections hold the same keys."""

    bases_seen: int | None = None
    """Length of the training in bases."""
    budget_minutes: float | None = None
    """Length in CPU minutes of this process instead; such a training is not reproducible."""
    learning_rate: float = 2e-3
    """Peak of AdamW's rate."""
    weight_decay: float = 0.05
    """Decoupled decay of matrices (vectors have none)."""
    gradient_clip: float = 1.0
    """Largest gradient norm."""
    warmup_steps: int = 50
    """Steps of linear warm-up."""
    decay_fraction: float = 0.5
    """Last part of the training, over which the rate falls to zero."""
    validate_every: int = 500_000
    """Bases between validations."""
    patience: int = 5
    """Validations without gain before the training stops."""
    checkpoint_seconds: float = 30.0
    """Seconds between checkpoints."""
    threads: int = 1
    """CPU threads."""
    tensorboard: bool = False
    """Also write TensorBoard files, in a folder beside the log."""

    def __post_init__(self):
        if (self.bases_seen is None) == (self.budget_minutes is None):
            raise InputError("give bases_seen or budget_minutes", "training", "One of them sets the length")

    @classmethod
    def of(cls, section: dict) -> "TrainSettings":
        """The settings inside a config section; its other keys are left alone."""
        return cls(**{f.name: section[f.name] for f in fields(cls) if f.name in section})


@dataclass
class TrainResult:
    """What a training did; ``history`` holds the rows of its log."""

    steps: int = 0
    bases_seen: int = 0
    best_step: int = 0
    best_loss: float = math.inf
    stale: int = 0
    seconds: float = 0.0
    stopped_early: bool = False
    history: list[dict] = field(default_factory=list)


def train(task, settings: TrainSettings, state_dir, log_csv=None) -> TrainResult:
    """Train ``task.model`` and leave the weights of its best validation in it.

    Parameters
    ----------
    task
        Has ``model``, ``batch(step)`` (a pure function of the step), ``loss(batch)`` returning the loss in nats and a
        dictionary of metrics, ``validate()`` returning metrics with ``loss`` (lower is better), ``bases_per_step`` and
        ``digest`` (identity of inputs, settings and code).
    state_dir : path
        Checkpoints live in ``state_dir/<digest>``; a training that was killed goes on from there.
    log_csv : path, optional
        One row per validation. With ``settings.tensorboard`` the folder ``tensorboard`` beside it gets the same numbers
        for TensorBoard (needs the package ``tensorboard``).
    """
    writer = _summary_writer() if settings.tensorboard and log_csv else None
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(settings.threads)
    if settings.budget_minutes:
        log.warning("budget_minutes: another run gives other weights; for results that can be repeated use bases_seen")
    with StateDirectory(Path(state_dir) / task.digest, task.digest) as state, _interruptible() as interrupted:
        run = _Run(task, settings, state)
        run.resume()
        while not run.finished():
            run.step()
            if interrupted:
                run.checkpoint()
                raise DnalmError(f"stopped by a signal after step {run.result.steps}; run again to go on from there")
        run.keep_best()
    if log_csv:
        _write_log(run.result.history, log_csv)
    if writer:
        _write_tensorboard(run.result.history, writer, Path(log_csv).with_name("tensorboard"))
    return run.result


class _Run:
    """A training in progress."""

    def __init__(self, task, settings: TrainSettings, state: StateDirectory):
        self.task, self.settings, self.state = task, settings, state
        self.result = TrainResult()
        self.total = math.ceil(settings.bases_seen / task.bases_per_step) if settings.bases_seen else None
        self.every = max(1, round(settings.validate_every / task.bases_per_step))
        named = [(n, p) for n, p in task.model.named_parameters() if p.requires_grad]
        groups = [
            {"params": [p for _, p in named if p.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [p for _, p in named if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.names = [n for n, p in named if p.ndim > 1] + [n for n, p in named if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98))
        self.best = {n: p.detach().clone() for n, p in task.model.state_dict().items()}
        self.sums: dict[str, float] = {}
        self.saved = time.monotonic()
        self.progress = None

    def share_done(self) -> float:
        """Share of the training that is done."""
        if self.total:
            return self.result.steps / self.total
        return self.result.seconds / (60 * self.settings.budget_minutes)

    def finished(self) -> bool:
        return self.result.stopped_early or self.share_done() >= 1

    def step(self) -> None:
        """One update; validation and checkpoint when they are due."""
        begin = time.process_time()
        s, step = self.settings, self.result.steps
        rate = learning_rate(step, self.share_done(), s.learning_rate, s.warmup_steps, s.decay_fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.task.model.train()
        loss, metrics = self.task.loss(self.task.batch(step))
        if not math.isfinite(loss.item()):
            raise DnalmError(f"the loss is {loss.item()} at step {step}: lower learning_rate or gradient_clip")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.task.model.parameters(), s.gradient_clip)
        self.optimizer.step()
        self.result.steps += 1
        self.result.bases_seen += self.task.bases_per_step
        for name, value in {"loss": loss.item(), **metrics}.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.sums["steps"] = self.sums.get("steps", 0) + 1
        self.result.seconds += time.process_time() - begin
        self._report(metrics)
        if self.result.steps % self.every == 0 or self.share_done() >= 1:
            self.validate(rate)
        if time.monotonic() - self.saved > s.checkpoint_seconds:
            self.checkpoint()

    def _report(self, metrics) -> None:
        if self.total:
            bases = self.task.bases_per_step
            if self.progress is None:
                self.progress = Progress(self.total * bases, "bases", log, done=self.result.bases_seen - bases)
            self.progress.update(bases, **metrics)

    def validate(self, rate: float) -> None:
        """Score the validation set, write a row of the log, remember the best weights, decide on an early stop."""
        begin = time.process_time()
        metrics = self.task.validate()
        result = self.result
        if not math.isfinite(metrics["loss"]):
            raise DnalmError(
                f"the validation loss is {metrics['loss']} after step {result.steps}: lower learning_rate, and check "
                "that the validation blocks hold bases other than N"
            )
        row = {"step": result.steps, "bases_seen": result.bases_seen, "learning_rate": rate}
        count = self.sums.pop("steps", 1)
        row |= {f"train_{k}": v / count for k, v in self.sums.items()}
        row |= {f"validation_{k}": float(v) for k, v in metrics.items()}
        result.seconds += time.process_time() - begin
        result.history.append(row)
        self.sums = {}
        if metrics["loss"] < result.best_loss:
            result.best_loss, result.best_step, result.stale = float(metrics["loss"]), result.steps, 0
            self.best = {n: p.detach().clone() for n, p in self.task.model.state_dict().items()}
        else:
            result.stale += 1
            result.stopped_early = result.stale >= self.settings.patience
        shown = ", ".join(f"{k.replace('_', ' ')} {v:.4f}" for k, v in metrics.items())
        log.info("validation after %d steps: %s%s", result.steps, shown, "" if result.stale else " (best so far)")

    def checkpoint(self) -> None:
        """Save everything that the next step depends on."""
        tensors = {PARAMETER + n: t.detach().contiguous() for n, t in self.task.model.state_dict().items()}
        tensors |= {BEST + n: t.contiguous() for n, t in self.best.items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"{MOMENT}{self.names[number]}/{k}": v.detach().contiguous() for k, v in state.items()}
        counters = {f.name: getattr(self.result, f.name) for f in fields(TrainResult)} | {"sums": self.sums}
        self.state.save(self.result.steps, tensors, counters)
        self.saved = time.monotonic()

    def resume(self) -> None:
        """Go on from the newest whole checkpoint, if there is one."""
        found = self.state.load()
        if not found:
            return
        tensors, counters = found
        self.sums = counters.pop("sums")
        self.result = TrainResult(**counters)
        self.task.model.load_state_dict(_under(PARAMETER, tensors))
        self.best = _under(BEST, tensors)
        moments: dict[int, dict] = {}
        for key, value in _under(MOMENT, tensors).items():
            name, _, kind = key.rpartition("/")
            moments.setdefault(self.names.index(name), {})[kind] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        log.info("going on from step %d", self.result.steps)

    def keep_best(self) -> None:
        """Give the model the weights of its best validation, and save that as the last checkpoint."""
        self.checkpoint()
        self.task.model.load_state_dict(self.best)
        self.task.model.eval()


def _under(prefix: str, tensors: dict) -> dict:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


@contextmanager
def _interruptible():
    """Collect SIGINT and SIGTERM in a list instead of dying in the middle of a step."""
    seen: list[int] = []
    wanted = (signal.SIGINT, signal.SIGTERM)
    try:
        before = {s: signal.signal(s, lambda number, frame: seen.append(number)) for s in wanted}
    except ValueError:  # not the main thread: leave the signals alone
        before = {}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_log(history: list[dict], path) -> None:
    columns = list(dict.fromkeys(key for row in history for key in row))
    with atomic_path(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)


def _summary_writer():
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("TensorBoard is not installed", "tensorboard", "pip install tensorboard") from error
    return SummaryWriter


def _write_tensorboard(history: list[dict], summary_writer, folder) -> None:
    with summary_writer(str(folder)) as writer:
        for row in history:
            for name, value in row.items():
                writer.add_scalar(name, value, row["bases_seen"])
