"""The training loop: fixed global batch, one schedule, checkpoints, early stop; the same weights after any kill.

Everything random is a pure function of the seed and the step (the task sees to that), so a checkpoint needs only
weights, optimiser state and counters. The model ends with the weights of its best validation. How a batch is shared out
among processes is told in `dnalm.training.distributed`.
"""

import logging
import math
import signal
import time
from contextlib import ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path

import torch

from dnalm.errors import DnalmError, InputError
from dnalm.training.averaging import Average
from dnalm.training.checkpoint import StateDirectory
from dnalm.training.distributed import Group, processes
from dnalm.training.history import summary_writer, write_log, write_tensorboard
from dnalm.training.optimizers import Optimizers
from dnalm.training.precision import autocast, choose_precision
from dnalm.training.progress import Progress
from dnalm.training.schedule import learning_rate
from dnalm.training.settings import TrainResult, TrainSettings
from dnalm.training.sharding import compiled, recomputed, restore, sharded, snapshot, whole

log = logging.getLogger(__name__)
PARAMETER, BEST, AVERAGE = "model.", "best.", "average."


def train(task, settings: TrainSettings, state_dir, log_csv=None) -> TrainResult:
    """Train ``task.model`` and leave the weights of its best validation in it.

    Parameters
    ----------
    task
        Has ``model``, ``batch(step)`` (a pure function of the step), ``loss(batch)`` returning the loss in nats and a
        dictionary of metrics, ``validate()`` returning metrics with ``loss`` (lower is better; no metrics at all
        without a validation set), ``bases_per_step`` and ``digest`` (identity of inputs, settings and code). For
        several processes or micro-batches also ``batch(step, part, parts)``, which gives part number ``part`` of the
        batch of the step (see `dnalm.training.distributed.share`), and ``count(batch)``, the number of things that the
        loss and the metrics of the batch are means over. Optional: ``hidden_matrices`` (see
        `dnalm.training.optimizers.hidden_matrices`).
    state_dir : path
        Checkpoints live in ``state_dir/<digest>``; a training that was killed goes on from there. All processes must
        see it.
    log_csv : path, optional
        One row per validation. With ``settings.tensorboard`` the folder ``tensorboard`` beside it gets the same numbers
        for TensorBoard (needs the package ``tensorboard``).

    Notes
    -----
    Under torchrun all processes call this with equal arguments and get equal results; the first one writes the files.
    """
    writer = summary_writer() if settings.tensorboard and log_csv else None
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(settings.threads)
    if settings.budget_minutes:
        log.warning("budget_minutes: another run gives other weights; for results that can be repeated use bases_seen")
    with processes(next(task.model.parameters()).device) as group:
        _check(task, settings, group)
        result = _trained(task, settings, Path(state_dir) / task.digest, group)
        if log_csv and group.first:
            write_log(result.history, log_csv)
        if writer and group.first:
            write_tensorboard(result.history, writer, Path(log_csv).with_name("tensorboard"))
    return result


def _check(task, settings: TrainSettings, group: Group) -> None:
    """Refuse what cannot work before anything is computed."""
    if group.world > 1 and settings.budget_minutes:
        raise InputError("budget_minutes is the time of one process", "budget_minutes", "Set bases_seen instead")
    if group.world * settings.micro_batches > 1 and not hasattr(task, "count"):
        raise InputError("batches of this task cannot be cut in parts", "micro_batches", "Use one process and 1")


def _trained(task, settings: TrainSettings, path: Path, group: Group) -> TrainResult:
    """The training proper, in its state directory."""
    state = StateDirectory(path, task.digest)
    with ExitStack() as stack:
        interrupted = stack.enter_context(_interruptible())
        group.first_then_all(lambda: stack.enter_context(state) if group.first else None)
        group.copy_from_first(list(task.model.state_dict().values()))
        if settings.fsdp:
            stack.enter_context(sharded(task, group.world))
        if settings.compile:
            stack.enter_context(compiled(task.model))
        if settings.activation_checkpointing:
            stack.enter_context(recomputed(task.model))
        run = _Run(task, settings, state, group)
        run.resume()
        while not run.finished():
            run.step()
            # decided alike in all processes: whoever saw a signal, and by the first one's clock
            stop, save = group.largest([bool(interrupted), group.first and run.due()])
            if save or stop:
                run.checkpoint()
            if stop:
                raise DnalmError(f"stopped by a signal after step {run.result.steps}; run again to go on from there")
        run.keep_best()
    return run.result


class _Run:
    """A training in progress."""

    def __init__(self, task, settings: TrainSettings, state: StateDirectory, group: Group):
        self.task, self.settings, self.state, self.group = task, settings, state, group
        self.device = next(task.model.parameters()).device
        self.result = TrainResult()
        self.total = math.ceil(settings.bases_seen / task.bases_per_step) if settings.bases_seen else None
        self.every = max(1, round(settings.validate_every / task.bases_per_step))
        self.optimizers = Optimizers(task, settings)
        self.average = Average(task.model, settings.average)
        self.best = snapshot(task.model)
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

    def due(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() - self.saved > self.settings.checkpoint_seconds

    def step(self) -> None:
        """One update, and the validation when it is due."""
        begin = time.process_time()
        s, step = self.settings, self.result.steps
        rate = learning_rate(step, self.share_done(), s.learning_rate, s.warmup_steps, s.decay_fraction)
        self.task.model.train()
        self.optimizers.zero_grad()
        metrics = self.gradient(step)
        if not math.isfinite(metrics["loss"]):
            raise DnalmError(f"the loss is {metrics['loss']} at step {step}: lower learning_rate or gradient_clip")
        torch.nn.utils.clip_grad_norm_(self.task.model.parameters(), s.gradient_clip)
        self.optimizers.step(rate)
        self.result.steps += 1
        self.result.bases_seen += self.task.bases_per_step
        for name, value in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.sums["steps"] = self.sums.get("steps", 0) + 1
        self.result.seconds += time.process_time() - begin
        self.average.update(self.share_done())
        self._report({name: value for name, value in metrics.items() if name != "loss"})
        if self._validation_is_due():
            self.validate(rate)

    def _validation_is_due(self) -> bool:
        """Every so many bases, or after each quarter of a CPU budget, and at the end."""
        if self.share_done() >= 1:
            return True
        if self.total:
            return self.result.steps % self.every == 0
        return int(4 * self.share_done()) > len(self.result.history)

    def gradient(self, step: int) -> dict[str, float]:
        """Leave the gradient of the mean loss of the whole batch in the weights; returns that loss and the metrics."""
        micro = self.settings.micro_batches
        parts, scored, sums = self.group.world * micro, 0, {}
        for part in range(self.group.rank * micro, (self.group.rank + 1) * micro):
            batch = self.task.batch(step) if parts == 1 else self.task.batch(step, part, parts)
            count = 1 if parts == 1 else self.task.count(batch)
            with autocast(self.result.precision, self.device):
                loss, metrics = self.task.loss(batch)
            (loss * count).backward()
            scored += count
            for name, value in {"loss": loss.item(), **metrics}.items():
                sums[name] = sums.get(name, 0.0) + value * count
        scored, *totals = self.group.sums([scored, *sums.values()])
        scored = scored or 1.0  # a batch of N alone
        gradients = self.optimizers.gradients()
        if not self.settings.fsdp:  # which has added them up already
            self.group.add_up(gradients)
        for gradient in gradients if parts > 1 else ():
            gradient /= scored
        return {name: total / scored for name, total in zip(sums, totals, strict=True)}

    def _report(self, metrics) -> None:
        if self.total and self.group.first:
            bases = self.task.bases_per_step
            if self.progress is None:
                self.progress = Progress(self.total * bases, "bases", log, done=self.result.bases_seen - bases)
            self.progress.update(bases, **metrics)

    def validate(self, rate: float) -> None:
        """Score the validation set, write a row of the log, remember the best weights, decide on an early stop.

        A task that gives no metrics has no validation set: the newest weights count as the best. The time is not part
        of `TrainResult.seconds`: it chooses, and what it costs depends on the set.
        """
        result = self.result
        with self.average.applied():
            metrics = self.group.from_first(self.task.validate())
            better = not metrics or metrics["loss"] < result.best_loss
            weights = snapshot(self.task.model) if better else None
        if metrics and not math.isfinite(metrics["loss"]):
            raise DnalmError(
                f"the validation loss is {metrics['loss']} after step {result.steps}: lower learning_rate, and check "
                "that the validation blocks hold bases other than N"
            )
        row = {"step": result.steps, "bases_seen": result.bases_seen, "learning_rate": rate}
        if not self.total:
            row["cpu_minutes"] = result.seconds / 60
        count = self.sums.pop("steps", 1)
        row |= {f"train_{k}": v / count for k, v in self.sums.items()}
        row |= {f"validation_{k}": float(v) for k, v in metrics.items()}
        result.history.append(row)
        self.sums = {}
        if weights:
            self.best = weights
            result.best_loss = float(metrics.get("loss", result.best_loss))
            result.best_step, result.stale = result.steps, 0
        else:
            result.stale += 1
            result.stopped_early = result.stale >= self.settings.patience
        if self.group.first and metrics:
            self._tell(metrics)

    def _tell(self, metrics) -> None:
        shown = ", ".join(f"{k.replace('_', ' ')} {v:.4f}" for k, v in metrics.items())
        better = "" if self.result.stale else " (best so far)"
        log.info("validation after %d steps: %s%s", self.result.steps, shown, better)

    def checkpoint(self) -> None:
        """Save everything that the next step depends on."""
        tensors = {PARAMETER + n: whole(t) for n, t in self.task.model.state_dict().items()}
        tensors |= {BEST + n: t for n, t in self.best.items()}
        tensors |= {AVERAGE + n: t for n, t in self.average.state().items()}
        tensors |= self.optimizers.tensors()
        counters = {f.name: getattr(self.result, f.name) for f in fields(TrainResult)} | {"sums": self.sums}
        if self.group.first:
            self.state.save(self.result.steps, tensors, counters)
        self.saved = time.monotonic()

    def resume(self) -> None:
        """Go on from the newest whole checkpoint, if there is one; else decide what a training decides once."""
        first = self.group.first
        found = self.group.first_then_all(self.state.load)
        step = found[1]["steps"] if found else None
        if self.group.from_first(step) != step:
            raise DnalmError(f"{self.state.path}: the processes do not see the same checkpoints; use a shared folder")
        if not found:
            wanted = self.settings.precision
            chosen = self.group.first_then_all(lambda: choose_precision(wanted, self.device) if first else None)
            self.result.precision = self.group.from_first(chosen)
            return
        tensors, counters = found
        self.sums = counters.pop("sums")
        self.result = TrainResult(**{"precision": "float32", **counters})
        restore(self.task.model, _under(PARAMETER, tensors))
        self.best = _under(BEST, tensors)
        self.average.load(_under(AVERAGE, tensors))
        self.optimizers.load(tensors)
        if first:
            log.info("going on from step %d", self.result.steps)

    def keep_best(self) -> None:
        """Give the model the weights of its best validation, and save that as the last checkpoint."""
        self.checkpoint()
        restore(self.task.model, self.best)
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
