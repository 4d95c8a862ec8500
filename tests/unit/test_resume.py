"""Trainings that are interrupted, killed and resumed: the same weights as if nothing had happened."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.training import SETTINGS, Stop, ToyTask, interrupt, quick, run, weights

import dnalm
from dnalm.errors import DnalmError
from dnalm.training import loop


@pytest.fixture(autouse=True, scope="module")
def undisturbed():
    with quick():
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted training: final weights and result."""
    task, result = run(tmp_path_factory.mktemp("whole"))
    return weights(task), result


def assert_same(task, result, whole):
    expected, reference = whole
    assert all(torch.equal(t, expected[name]) for name, t in weights(task).items())
    assert result.history == reference.history
    for name in ("steps", "bases_seen", "best_step", "best_loss", "stale", "stopped_early"):
        assert getattr(result, name) == getattr(reference, name), name


BREAKS = [("loss", step) for step in (0, 1, 6, 7, 8, 35, 59)] + [("validate", step) for step in (7, 14, 56, 60)]


@pytest.mark.parametrize(("place", "step"), BREAKS)
def test_a_training_that_broke_off_ends_as_if_it_had_not(tmp_path, whole, place, step):
    interrupt(tmp_path, place, step)
    assert_same(*run(tmp_path), whole)


def test_many_interruptions_in_a_row(tmp_path, whole):
    for step in (3, 4, 20, 21, 41, 58):
        interrupt(tmp_path, "loss", step)
    assert_same(*run(tmp_path), whole)


@pytest.mark.parametrize("every", [3, 10, 1000])
def test_rare_checkpoints_cost_steps_and_nothing_else(tmp_path, whole, monkeypatch, every):
    """The clock moves one second a step, so the newest checkpoint is up to ``every`` steps old."""
    hand = [0.0]

    def tick(place, step):
        hand[0] += place == "loss"
        if step == 25 and place == "loss":
            raise Stop

    monkeypatch.setattr(loop.time, "monotonic", lambda: hand[0])
    with pytest.raises(Stop):
        run(tmp_path, ToyTask(hook=tick), checkpoint_seconds=every - 0.5)
    saved = sorted(int(p.stem.removeprefix("step-")) for p in (tmp_path / "toy").glob("step-*"))
    assert saved == list(range(every, 26, every))[-2:]
    assert_same(*run(tmp_path), whole)


@pytest.mark.parametrize("damage", [b"", b"garbage", None], ids=["empty", "garbage", "cut short"])
def test_a_damaged_newest_checkpoint_costs_one_step(tmp_path, whole, damage):
    interrupt(tmp_path, "loss", 31)
    newest = tmp_path / "toy" / "step-0000000031.safetensors"
    newest.write_bytes(newest.read_bytes()[:-9] if damage is None else damage)
    seen = []
    task, result = run(tmp_path, ToyTask(hook=lambda place, step: seen.append((place, step))))
    assert seen[0] == ("loss", 30)
    assert_same(task, result, whole)


def test_a_finished_training_is_not_trained_again(tmp_path, whole):
    run(tmp_path)
    seen = []
    task, result = run(tmp_path, ToyTask(hook=lambda *where: seen.append(where)), log=tmp_path / "log.csv")
    assert seen == []
    assert_same(task, result, whole)
    assert (tmp_path / "log.csv").exists()


def test_a_training_stopped_early_is_not_trained_again(tmp_path):
    _, first = run(tmp_path, learning_rate=1e-9, patience=1)
    assert first.stopped_early
    seen = []
    _, second = run(tmp_path, ToyTask(hook=lambda *where: seen.append(where)), learning_rate=1e-9, patience=1)
    assert seen == []
    assert second == first


def test_a_state_directory_of_another_training_is_refused(tmp_path):
    interrupt(tmp_path, "loss", 5)
    (tmp_path / "toy" / "digest").write_text("other")
    with pytest.raises(DnalmError, match="another training"):
        run(tmp_path)


def test_another_digest_is_another_training(tmp_path, whole):
    interrupt(tmp_path, "loss", 9)
    task = ToyTask()
    task.digest = "changed"
    assert_same(*run(tmp_path, task), whole)
    assert {p.name for p in tmp_path.iterdir()} == {"toy", "changed"}


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not(tmp_path, whole):
    assert_same(*run(tmp_path / "again"), whole)
    other, _ = run(tmp_path / "other", ToyTask(seed=1))
    assert not torch.equal(other.model[0].weight, whole[0]["0.weight"])


def test_the_global_random_state_has_no_say(tmp_path, whole):
    task = ToyTask()
    torch.manual_seed(12345)
    np.random.seed(12345)
    assert_same(*run(tmp_path, task), whole)


def test_signal_handlers_are_given_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    run(tmp_path / "ends")
    interrupt(tmp_path / "breaks", "loss", 3)
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_step_and_saves(tmp_path, whole, number):
    """Also when checkpoints are rare."""

    def hook(place, step):
        if (place, step) == ("loss", 23):
            os.kill(os.getpid(), number)

    with pytest.raises(DnalmError, match="stopped by a signal after step 24; run again to go on from there"):
        run(tmp_path, ToyTask(hook=hook), checkpoint_seconds=3600)
    assert [p.name for p in (tmp_path / "toy").glob("step-*")] == ["step-0000000024.safetensors"]
    assert_same(*run(tmp_path), whole)


def test_outside_of_the_main_thread_training_works_without_signals(tmp_path, whole):
    results = []
    thread = threading.Thread(target=lambda: results.append(run(tmp_path)))
    thread.start()
    thread.join()
    assert_same(*results[0], whole)


def start(folder, pause, **settings):
    """The toy training in a process of its own."""
    library, tests = Path(dnalm.__file__).parents[1], Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": f"{library}{os.pathsep}{tests}"}
    command = [sys.executable, "-m", "helpers.training", str(folder), str(pause), json.dumps({**SETTINGS, **settings})]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def wait_for_checkpoint(folder, process, step=1):
    limit = time.monotonic() + 60
    while not list((folder / "toy").glob(f"step-{step:010d}*")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < limit, "no checkpoint within a minute"
        time.sleep(0.005)


def test_sigterm_in_another_process_leaves_a_checkpoint_and_a_clear_message(tmp_path, whole):
    process = start(tmp_path, 0.05)
    try:
        wait_for_checkpoint(tmp_path, process)
        with pytest.raises(DnalmError, match=f"another process is training here .pid {process.pid} on "):
            run(tmp_path)
        process.terminate()
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    message = re.search(r"DnalmError: stopped by a signal after step (\d+); run again", errors.splitlines()[-1])
    assert (tmp_path / "toy" / f"step-{int(message[1]):010d}.safetensors").exists()
    assert_same(*run(tmp_path), whole)


def test_kill_9_at_any_moment_changes_nothing(tmp_path, whole):
    """Twice the same training: a kill may hit a step, a checkpoint being written, or a validation."""
    moment = random.Random()
    for wait in (moment.uniform(0, 0.1), moment.uniform(0, 0.4)):
        newest = max([*(tmp_path / "toy").glob("step-*.safetensors")], default=None)
        step = int(newest.stem.removeprefix("step-")) if newest else 0
        process = start(tmp_path, 0.03)
        try:
            wait_for_checkpoint(tmp_path, process, step + 1)
            time.sleep(wait)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stderr.close()
        assert process.returncode == -signal.SIGKILL, f"it had ended before the kill after {wait} s"
    assert_same(*run(tmp_path), whole)
