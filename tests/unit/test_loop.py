"""The training loop: its updates, its early stop and its end, its log, and clear words when it fails."""

import csv
import logging
import math
import sys
import time

import numpy as np
import pytest
import torch
from helpers.training import SETTINGS, Stop, ToyTask, interrupt, quick, raise_at, run, weights

from dnalm.errors import DnalmError, InputError
from dnalm.training import loop, progress
from dnalm.training.loop import TrainSettings, train


@pytest.fixture(autouse=True, scope="module")
def undisturbed():
    with quick():
        yield


def test_updates_are_those_of_adamw_with_the_schedule(tmp_path):
    """A loop by hand: decay for matrices only, clipped gradients, the rate of every step."""
    task, hand = ToyTask(), ToyTask()
    settings = {"weight_decay": 0.3, "gradient_clip": 0.5, "bases_seen": 200, "validate_every": 200}
    run(tmp_path, task, **settings)
    matrices = [p for p in hand.model.parameters() if p.ndim > 1]
    vectors = [p for p in hand.model.parameters() if p.ndim == 1 and p.requires_grad]
    groups = [{"params": matrices, "weight_decay": 0.3}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    for step in range(20):
        rate = 0.02 * min(1, (step + 1) / 5) * min(1, (1 - step / 20) / 0.5)
        for group in optimizer.param_groups:
            group["lr"] = rate
        hand.model.train()
        loss, _ = hand.loss(hand.batch(step))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(hand.model.parameters(), 0.5)
        optimizer.step()
    for name, expected in hand.model.state_dict().items():
        torch.testing.assert_close(task.model.state_dict()[name], expected, atol=1e-6, rtol=1e-6)
    assert torch.equal(task.model[3].bias, ToyTask().model[3].bias)


class Scripted(ToyTask):
    """Validation losses as given; remembers the weights at each validation."""

    digest = "scripted"

    def __init__(self, losses):
        super().__init__()
        self.losses, self.snapshots = losses, []

    def validate(self):
        self.snapshots.append(weights(self))
        return {"loss": self.losses[len(self.snapshots) - 1]}


def test_the_model_ends_with_the_weights_of_its_best_validation(tmp_path):
    task, result = run(tmp_path, Scripted([5.0, 4.0, 2.0, 3.0, 2.0, 2.5, 9.0, 9.0, 9.0]))
    assert (result.best_step, result.best_loss) == (21, 2.0)
    assert all(torch.equal(t, task.snapshots[2][name]) for name, t in weights(task).items())
    assert not torch.equal(task.model[0].weight, task.snapshots[-1]["0.weight"])
    assert not task.model.training


def test_patience_is_the_number_of_validations_without_gain(tmp_path):
    task, result = run(tmp_path, Scripted([5.0, 4.0, 4.0, 4.5, 3.0, 3.1, 3.0, 3.2, 1.0]), patience=3)
    assert result.stopped_early
    assert result.steps == 8 * 7
    assert (result.best_step, result.stale) == (35, 3)
    assert all(torch.equal(t, task.snapshots[4][name]) for name, t in weights(task).items())


def test_patience_is_counted_across_an_interruption(tmp_path):
    losses = [1.0, 2.0, 2.0, 2.0, 2.0]
    first = Scripted(losses)
    first.hook = raise_at("loss", 17)
    with pytest.raises(Stop):
        run(tmp_path, first, patience=4)
    second = Scripted(losses[2:])
    task, result = run(tmp_path, second, patience=4)
    assert (result.steps, result.best_step, result.stopped_early) == (35, 7, True)
    assert all(torch.equal(t, first.snapshots[0][name]) for name, t in weights(task).items())


def test_validation_comes_when_it_is_due_and_at_the_end(tmp_path):
    seen = []
    run(tmp_path, ToyTask(hook=lambda place, step: seen.append(step) if place == "validate" else None))
    assert seen == [7, 14, 21, 28, 35, 42, 49, 56, 60]


def test_a_length_that_is_no_multiple_of_the_step_is_rounded_up(tmp_path):
    _, result = run(tmp_path, bases_seen=101, validate_every=1)
    assert (result.steps, result.bases_seen) == (11, 110)
    assert len(result.history) == 11


def test_a_loss_that_is_nan_is_an_error_with_its_step(tmp_path):
    task = ToyTask()
    plain = task.loss

    def loss(batch):
        value, metrics = plain(batch)
        return (value * math.nan if task.step == 12 else value), metrics

    task.loss = loss
    with pytest.raises(DnalmError, match=r"the loss is nan at step 12.*learning_rate"):
        run(tmp_path, task)
    assert (tmp_path / "toy" / "step-0000000012.safetensors").exists()


def test_a_validation_that_is_nan_is_an_error_too(tmp_path):
    """It would never be the best one, and the training would end with the weights it began with."""
    with pytest.raises(DnalmError, match="nan"):
        run(tmp_path, Scripted([math.nan] * 9))


def test_a_budget_ends_the_training(tmp_path, monkeypatch):
    """Every look at the clock costs a second, so that a step takes one and a validation takes one."""
    clock = iter(range(10_000))
    monkeypatch.setattr(loop.time, "process_time", lambda: float(next(clock)))
    _, result = run(tmp_path, bases_seen=None, budget_minutes=0.5, validate_every=100)
    assert result.seconds == pytest.approx(30, abs=3)
    assert result.steps == pytest.approx(28, abs=3)
    assert result.history[-1]["step"] == result.steps
    rates = [row["learning_rate"] for row in result.history]
    assert rates[-1] < 0.1 * max(rates)


def test_a_budget_pays_for_steps_and_has_four_validations(tmp_path, monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(loop.time, "process_time", lambda: float(next(clock)))
    _, result = run(tmp_path, bases_seen=None, budget_minutes=0.5, validate_every=10)
    assert result.seconds == pytest.approx(30, abs=1)
    assert result.steps == pytest.approx(30, abs=1)
    assert [row["cpu_minutes"] * 60 for row in result.history] == pytest.approx([8, 15, 23, 30], abs=1)


class Unvalidated(ToyTask):
    """A task without a validation set."""

    def validate(self):
        return {}


def test_without_a_validation_set_the_newest_weights_are_kept(tmp_path):
    task = Unvalidated()
    result = train(task, TrainSettings(**SETTINGS), tmp_path)
    assert result.best_step == result.steps == 60
    assert not result.stopped_early
    assert result.history and not any(name.startswith("validation") for row in result.history for name in row)


def test_a_budget_counts_what_was_spent_before_an_interruption(tmp_path, monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(loop.time, "process_time", lambda: float(next(clock)))
    budget = {"bases_seen": None, "budget_minutes": 0.5, "validate_every": 100}
    interrupt(tmp_path, "loss", 20, **budget)
    _, result = run(tmp_path, **budget)
    assert result.seconds == pytest.approx(30, abs=3)


def test_a_real_budget_is_kept(tmp_path):
    begin = time.process_time()
    _, result = run(tmp_path, bases_seen=None, budget_minutes=0.5 / 60, checkpoint_seconds=60)
    assert result.steps > 1
    assert 0.5 <= result.seconds <= time.process_time() - begin < 2.5


@pytest.mark.parametrize("lengths", [{}, {"bases_seen": 10, "budget_minutes": 1.0}])
def test_exactly_one_length_is_wanted(lengths):
    with pytest.raises(InputError, match="give bases_seen or budget_minutes"):
        TrainSettings(**lengths)


def test_settings_are_taken_from_a_section_with_other_keys():
    settings = TrainSettings.of({"bases_seen": 5, "window": 512, "patience": 2, "threads": 1})
    assert settings == TrainSettings(bases_seen=5, patience=2)


def test_the_log_has_a_row_per_validation(tmp_path):
    log = tmp_path / "out" / "log.csv"
    _, result = run(tmp_path, log=log)
    with open(log, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "step", "bases_seen", "learning_rate", "train_loss", "train_error", "train_share", "validation_loss",
        "validation_root",
    ]  # fmt: skip
    assert [int(row["step"]) for row in rows] == [7, 14, 21, 28, 35, 42, 49, 56, 60]
    assert [int(row["bases_seen"]) for row in rows] == [10 * int(row["step"]) for row in rows]
    for row, kept in zip(rows, result.history, strict=True):
        assert {name: float(value) for name, value in row.items()} == kept
        assert float(row["train_share"]) == pytest.approx(0.5)
    assert b"\r" not in log.read_bytes()


def test_the_log_holds_means_over_the_steps_since_the_last_validation(tmp_path):
    task = ToyTask()
    plain, losses = task.loss, []

    def loss(batch):
        value, metrics = plain(batch)
        losses.append(value.item())
        return value, metrics

    task.loss = loss
    _, result = run(tmp_path, task)
    for first, last, row in zip([0, 7, 49, 56], [7, 14, 56, 60], np.array(result.history)[[0, 1, 7, 8]], strict=True):
        assert row["train_loss"] == pytest.approx(np.mean(losses[first:last]))


def test_the_log_is_the_same_after_an_interruption(tmp_path):
    run(tmp_path / "a", log=tmp_path / "a.csv")
    interrupt(tmp_path / "b", "loss", 30)
    run(tmp_path / "b", log=tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_progress_tells_share_speed_metrics_and_time_left(tmp_path, caplog, monkeypatch):
    clock = iter(np.arange(0.0, 1e6, 5.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    caplog.set_level(logging.INFO, "dnalm")
    run(tmp_path)
    lines = [m for m in caplog.messages if " left" in m]
    assert len(lines) > 5
    assert all(" of 600 bases, error " in m and "/s, " in m for m in lines)
    assert lines[-1].startswith("100 %") and lines[-1].endswith("0 s left")
    validations = [m for m in caplog.messages if m.startswith("validation after")]
    assert len(validations) == 9
    assert validations[0].startswith("validation after 7 steps: loss ") and validations[0].endswith("(best so far)")


def test_progress_after_a_resume_starts_where_the_training_is(tmp_path, caplog, monkeypatch):
    interrupt(tmp_path, "loss", 30)
    clock = iter(np.arange(0.0, 1e6, 20.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    caplog.clear()
    caplog.set_level(logging.INFO, "dnalm")
    run(tmp_path)
    assert "going on from step 30" in caplog.messages
    first = next(m for m in caplog.messages if " left" in m)
    assert first.startswith(" 52 % of 600 bases")
    assert "/s" in first


def test_without_tensorboard_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    seen = []
    task = ToyTask(hook=lambda *where: seen.append(where))
    with pytest.raises(InputError, match=r"TensorBoard is not installed\. pip install tensorboard"):
        train(task, TrainSettings(**SETTINGS, tensorboard=True), tmp_path, tmp_path / "log.csv")
    assert seen == [], "found out only after the training"


def test_tensorboard_gets_every_value_over_bases(tmp_path, monkeypatch):
    written = []

    class Writer:
        def __init__(self, folder):
            assert folder == str(tmp_path / "tensorboard")

        def __enter__(self):
            return self

        def __exit__(self, *error):
            written.append("closed")

        def add_scalar(self, *scalar):
            written.append(scalar)

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", type(sys)("fake"))
    sys.modules["torch.utils.tensorboard"].SummaryWriter = Writer
    result = train(ToyTask(), TrainSettings(**SETTINGS, tensorboard=True), tmp_path, tmp_path / "log.csv")
    expected = [(name, value, row["bases_seen"]) for row in result.history for name, value in row.items()]
    assert written == [*expected, "closed"]


def test_threads_and_determinism_are_set(tmp_path):
    torch.use_deterministic_algorithms(False)
    run(tmp_path, threads=1, bases_seen=10)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == 1
