"""Number formats: what `auto` decides, and that bfloat16 is used in training steps only."""

import json
import logging
import time

import pytest
import torch
from helpers.training import ToyTask, interrupt, quick, run, weights
from torch.utils import benchmark

from dnalm.errors import InputError
from dnalm.training import precision
from dnalm.training.checkpoint import StateDirectory
from dnalm.training.precision import autocast, choose_precision, product_seconds


@pytest.fixture(autouse=True, scope="module")
def undisturbed():
    with quick():
        yield


def test_the_probe_agrees_with_a_benchmark_of_this_machine():
    torch.set_num_threads(1)
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a = torch.ones(256, 256, dtype=dtype)
        timer = benchmark.Timer("torch.mm(a, a)", globals={"a": a, "torch": torch}, num_threads=1)
        timer.timeit(1)
        seconds[dtype] = min(timer.timeit(1).mean for _ in range(3))
    ratio = seconds[torch.bfloat16] / seconds[torch.float32]
    if not 0.5 < ratio < 2:
        assert choose_precision("auto") == ("bfloat16" if ratio < 1 else "float32")


def test_the_probe_takes_less_than_a_third_of_a_second():
    torch.set_num_threads(1)
    begin = time.process_time()
    choose_precision("auto")
    assert time.process_time() - begin < 0.3


@pytest.mark.parametrize(("brain", "chosen"), [(0.5e-3, "bfloat16"), (40e-3, "float32")])
def test_auto_takes_the_faster_format_and_says_why(monkeypatch, caplog, brain, chosen):
    caplog.set_level(logging.INFO, "dnalm")
    monkeypatch.setattr(
        precision, "product_seconds", lambda dtype, device: {torch.float32: 1e-3, torch.bfloat16: brain}[dtype]
    )
    assert choose_precision("auto") == chosen
    assert caplog.messages == [
        f"precision auto: {chosen} (a product of matrices takes 1 ms in float32, {1e3 * brain:.3g} ms in bfloat16)"
    ]


@pytest.mark.parametrize(("supported", "chosen"), [(True, "bfloat16"), (False, "float32")])
def test_on_a_gpu_auto_asks_the_hardware(monkeypatch, supported, chosen):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    monkeypatch.setattr(precision, "product_seconds", None)
    assert choose_precision("auto", "cuda:1") == chosen


def test_the_first_slow_product_does_not_count(monkeypatch):
    clock = iter([0, 0, 9, 9, 9.5, 9.5])
    monkeypatch.setattr(precision.time, "perf_counter", lambda: next(clock))
    assert product_seconds(torch.float32) == 0.5


def test_a_chosen_format_is_not_probed_and_an_unknown_one_refused(monkeypatch):
    monkeypatch.setattr(precision, "product_seconds", None)
    assert choose_precision("float32") == "float32"
    assert choose_precision("bfloat16") == "bfloat16"
    with pytest.raises(InputError, match=r"precision is 'half'.*auto, float32, bfloat16"):
        choose_precision("half")


def test_autocast_is_for_bfloat16_alone():
    a = torch.eye(3)
    with autocast("bfloat16"):
        assert (a @ a).dtype == torch.bfloat16
    with autocast("float32"):
        assert (a @ a).dtype == torch.float32


def formats(folder, **settings):
    """Where a training was in bfloat16: {place: bool}, the task, the result."""
    seen = {}

    def hook(place, step):
        seen.setdefault(place, set()).add(torch.is_autocast_enabled("cpu"))

    task, result = run(folder, ToyTask(hook=hook), **settings)
    return seen, task, result


def test_bfloat16_is_for_training_steps_and_weights_stay_in_float32(tmp_path):
    seen, task, result = formats(tmp_path / "b", precision="bfloat16")
    assert seen == {"loss": {True}, "validate": {False}}
    assert {t.dtype for t in weights(task).values()} == {torch.float32, torch.int64}
    _, plain, reference = formats(tmp_path / "f")
    assert not torch.equal(task.model[0].weight, plain.model[0].weight)
    assert result.best_loss == pytest.approx(reference.best_loss, rel=0.2)
    assert (result.precision, reference.precision) == ("bfloat16", "float32")


@pytest.mark.parametrize("chosen", ["float32", "bfloat16"])
def test_what_auto_decided_holds_for_the_whole_training(tmp_path, monkeypatch, chosen):
    """A resumed training must not change its mind, even on a machine that would decide otherwise."""
    other = {"float32": "bfloat16", "bfloat16": "float32"}[chosen]
    _, whole, reference = formats(tmp_path / "whole", precision=chosen)
    monkeypatch.setattr("dnalm.training.loop.choose_precision", lambda wanted, device: chosen)
    interrupt(tmp_path / "auto", "loss", 20, precision="auto")
    monkeypatch.setattr("dnalm.training.loop.choose_precision", lambda wanted, device: other)
    _, task, result = formats(tmp_path / "auto", precision="auto")
    assert result.precision == chosen
    assert result.history == reference.history
    assert all(torch.equal(t, weights(whole)[name]) for name, t in weights(task).items())


def test_a_checkpoint_from_before_there_was_a_choice_is_float32(tmp_path):
    _, whole, _ = formats(tmp_path / "whole")
    interrupt(tmp_path / "old", "loss", 20)
    with StateDirectory(tmp_path / "old" / "toy", "toy") as state:
        tensors, counters = state.load()
        del counters["precision"]
        state.save(20, tensors, json.loads(json.dumps(counters)))
    _, task, result = formats(tmp_path / "old")
    assert result.precision == "float32"
    assert all(torch.equal(t, weights(whole)[name]) for name, t in weights(task).items())
