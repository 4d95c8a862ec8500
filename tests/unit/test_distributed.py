"""Training in several processes, and in several parts: the same losses as one process on the whole batch."""

import fcntl
import itertools
import os
import shutil
import signal

import numpy as np
import pytest
import torch
from helpers import ranks
from helpers.ranks import PartsTask, in_processes, losses
from helpers.training import ToyTask, quick

from dnalm.errors import InputError
from dnalm.training import distributed
from dnalm.training.checkpoint import StateDirectory
from dnalm.training.distributed import Group, is_first, share
from dnalm.training.loop import TrainSettings, train


@pytest.fixture(autouse=True, scope="module")
def undisturbed():
    with quick():
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """One process, whole batches: (task, result)."""
    return ranks.run(tmp_path_factory.mktemp("whole"))


def weights(task):
    return {name: t.numpy() for name, t in task.model.state_dict().items()}


def assert_same_bits(a, b):
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[name], b[name]) for name in a)


def trained(rank, folder, settings=None, hook=None):
    """What a process tells about its training: weights, result, batches."""
    with quick():
        task, result = ranks.run(folder, PartsTask(hook), **(settings or {}))
    return weights(task), result, task.seen


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two processes: what each tells."""
    return in_processes(trained, tmp_path_factory.mktemp("two"))


@pytest.mark.parametrize(("items", "parts"), [(1, 1), (8, 1), (8, 2), (8, 3), (7, 7), (100, 9)])
def test_shares_are_every_item_once_in_order_and_nearly_equal(items, parts):
    shares = [range(items)[share(items, part, parts)] for part in range(parts)]
    assert list(itertools.chain(*shares)) == list(range(items))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_part_without_windows_is_refused():
    with pytest.raises(InputError, match="8 windows cannot be cut in 9 parts"):
        share(8, 0, 9)


def test_the_windows_of_the_toy_are_uneven_enough_to_tell_a_mean_of_means_from_a_mean(whole):
    task, _ = whole
    wrong = []
    for step in range(20):
        parts = [task.batch(step, part, 2) for part in range(2)]
        counts = [task.count(p) for p in parts]
        means = [task.loss(p)[0].item() for p in parts]
        wrong.append(abs(np.mean(means) / np.average(means, weights=counts) - 1))
    assert np.median(wrong) > 1e-3


def test_two_processes_give_the_losses_of_one(whole, two):
    _, reference = whole
    (first, result, seen), (second, other, _) = two
    np.testing.assert_allclose(losses(result), losses(reference), rtol=1e-10)
    np.testing.assert_allclose(
        [row["train_bits"] for row in result.history], [row["train_bits"] for row in reference.history], rtol=1e-10
    )
    assert losses(reference)[-1] < 0.8 * losses(reference)[0]
    assert seen == whole[0].seen[:20]
    assert_same_bits(first, second)
    assert result.history == other.history


@pytest.mark.parametrize("micro", [2, 3, 8])
def test_parts_after_another_give_the_losses_of_the_whole(tmp_path, whole, micro):
    task, result = ranks.run(tmp_path, micro_batches=micro)
    np.testing.assert_allclose(losses(result), losses(whole[1]), rtol=1e-10)
    for name, expected in weights(whole[0]).items():
        np.testing.assert_allclose(weights(task)[name], expected, rtol=1e-7, atol=1e-9)


def test_processes_and_micro_batches_multiply(tmp_path, whole):
    for _, result, seen in in_processes(trained, tmp_path, {"micro_batches": 3}):
        np.testing.assert_allclose(losses(result), losses(whole[1]), rtol=1e-10)
        assert len(seen) == 60


def test_a_batch_of_n_alone_changes_nothing_but_the_decay(tmp_path):
    task = PartsTask()
    task._codes = lambda step: np.full((8, 12), 4)
    before = task.model.head.bias.clone()
    _, result = ranks.run(tmp_path, task, micro_batches=2)
    assert np.array_equal(losses(result), np.zeros(20))
    assert torch.equal(task.model.head.bias, before)


def kill_at(step, victim):
    """A hook that kills the process ``victim`` in a step."""

    def hook(place, now):
        if (place, now) == ("loss", step) and int(os.environ["RANK"]) == victim:
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


def killed(rank, folder, step, victim):
    with quick():
        ranks.run(folder, PartsTask(kill_at(step, victim)))


@pytest.mark.parametrize("victim", [0, 1])
def test_after_a_kill_two_processes_end_with_the_same_bits(tmp_path, two, victim):
    assert in_processes(killed, tmp_path, 9, victim)[victim] is None
    assert {p.name for p in (tmp_path / "parts").glob("step*")} == {f"step-{n:010d}.safetensors" for n in (8, 9)}
    again = in_processes(trained, tmp_path)
    assert again[0][2][0][0] == 9, "it did not go on from the checkpoint"
    for (got, result, _), (expected, reference, _) in zip(again, two, strict=True):
        assert_same_bits(got, expected)
        assert result.history == reference.history


@pytest.mark.parametrize("worlds", [(2, 1), (1, 2)])
def test_another_number_of_processes_goes_on_with_the_same_batches(tmp_path, whole, worlds):
    in_processes(killed, tmp_path, 9, 0, world=worlds[0])
    for _, result, seen in in_processes(trained, tmp_path, world=worlds[1]):
        np.testing.assert_allclose(losses(result), losses(whole[1]), rtol=1e-10)
        assert seen == whole[0].seen[9:20]


def terminated(rank, folder, number):
    def hook(place, step):
        if (place, step, rank) == ("loss", 6, 1):
            os.kill(os.getpid(), number)

    with quick():
        ranks.run(folder, PartsTask(hook), checkpoint_seconds=3600)


def test_a_signal_to_one_process_stops_all_with_a_checkpoint(tmp_path, two):
    for answer in in_processes(terminated, tmp_path, signal.SIGTERM):
        assert "DnalmError: stopped by a signal after step 7; run again to go on from there" in answer
    assert [p.name for p in (tmp_path / "parts").glob("step*")] == ["step-0000000007.safetensors"]
    assert_same_bits(in_processes(trained, tmp_path)[1][0], two[1][0])


def of_two_minds(rank, folder):
    """The second process finds every validation better than the one before, the first none."""
    task = PartsTask()
    task.validate = lambda: {"loss": 1.0 - rank * task.step}
    with quick():
        _, result = ranks.run(folder, task, patience=3)
    return result.steps, result.stopped_early, result.best_step, weights(task)


def test_all_stop_early_when_the_first_does(tmp_path):
    first, second = in_processes(of_two_minds, tmp_path)
    assert first[:3] == second[:3] == (4, True, 1)
    assert_same_bits(first[3], second[3])


def different_start(rank, folder):
    task = PartsTask()
    with torch.no_grad():
        task.model.head.weight += rank
    with quick():
        ranks.run(folder, task, bases_seen=96)
    return weights(task)


def test_all_begin_with_the_weights_of_the_first(tmp_path):
    first, second = in_processes(different_start, tmp_path)
    assert_same_bits(first, second)


def test_a_directory_in_use_is_refused_in_all_processes(tmp_path):
    with StateDirectory(tmp_path / "parts", "parts") as state:
        for answer in in_processes(trained, tmp_path):
            assert "another process is training here" in answer
        with open(state.path / "lock") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def private_folder(rank, folder):
    return trained(rank, folder / str(rank))


def test_processes_that_see_other_checkpoints_are_refused(tmp_path):
    ranks.run(tmp_path / "0", bases_seen=960)
    (tmp_path / "1").mkdir()
    assert "the processes do not see the same checkpoints" in in_processes(private_folder, tmp_path)[1]


def refused(rank, folder, settings):
    try:
        ranks.run(folder, **settings)
    except InputError as error:
        return str(error)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bases_seen": None, "budget_minutes": 1.0}, "budget_minutes is the time of one process"),
        ({"micro_batches": 5}, "8 windows cannot be cut in 10 parts"),
        ({"precision": "half"}, "precision is 'half'"),
    ],
)
def test_what_several_processes_cannot_do_is_refused_in_all(tmp_path, settings, message):
    for answer in in_processes(refused, tmp_path, settings):
        assert message in answer


def test_a_task_without_parts_is_refused_before_it_begins(tmp_path):
    with pytest.raises(InputError, match="cannot be cut in parts"):
        train(ToyTask(), TrainSettings(bases_seen=100, micro_batches=2), tmp_path)
    assert not list(tmp_path.iterdir())


def collectives(rank):
    """Everything a group can do, with numbers that tell the processes apart."""
    distributed.BUCKET = 7
    with distributed.processes() as group:
        shapes = [(2, 3), (1,), (20,), (), (4,)]
        tensors = [torch.full(shape, float(10 * n + rank)) for n, shape in enumerate(shapes)]
        tensors.insert(2, torch.full((2,), rank + 0.5, dtype=torch.float64))
        group.add_up(tensors)
        same = [torch.full((3,), rank)]
        group.copy_from_first(same)
        sums, most = group.sums([rank, 1.5]), group.largest([rank, -rank])
        return [t.tolist() for t in tensors], same[0].tolist(), sums, most, group.from_first({"rank": rank})


def test_sums_over_processes_by_hand():
    for tensors, same, sums, most, told in in_processes(collectives, world=3):
        expected = [[[3.0] * 3] * 2, [33.0], [4.5] * 2, [63.0] * 20, 93.0, [123.0] * 4]
        assert tensors == expected
        assert (same, sums, most, told) == ([0, 0, 0], [3.0, 4.5], [2.0, 0.0], {"rank": 0})


def test_a_group_of_one_needs_no_messages():
    group, tensor = Group(), torch.tensor([1.0, 2.0])
    group.add_up([tensor])
    assert tensor.tolist() == [1.0, 2.0]
    assert (group.sums([2]), group.largest([True, 3.5]), group.from_first("x"), group.first) == ([2], [1, 3.5], "x", 1)


def test_only_the_first_process_writes(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    assert is_first()
    monkeypatch.setenv("RANK", "1")
    assert not is_first()


SHORT = {"bases_seen": 960, "average": 0.5}


def shared_out(rank, folder, settings, victim=None):
    """`trained` with weights shared out; also how many numbers this process held, and whether the model came back."""
    task, held = PartsTask(), []

    def hook(place, step):
        held.append(sum(p.to_local().numel() for p in task.model.parameters()))
        kill_at(6, victim)(place, step)

    task.hook, model = hook, task.model
    with quick():
        _, result = ranks.run(folder, task, fsdp=True, **SHORT, **settings)
    return weights(task), result, task.seen, set(held), task.model is model and type(model) is ranks.Network


def test_weights_shared_out_among_processes_give_the_losses_of_one(tmp_path):
    alone, reference = ranks.run(tmp_path / "alone", **SHORT)
    size, held = sum(p.numel() for p in alone.model.parameters()), []
    more = {"activation_checkpointing": True, "micro_batches": 2, "checkpoint_seconds": 3600}
    for got, result, _, numbers, back in in_processes(shared_out, tmp_path, more):
        np.testing.assert_allclose(losses(result), losses(reference), rtol=1e-10)
        assert result.best_loss == pytest.approx(reference.best_loss, rel=1e-10)
        for name, expected in weights(alone).items():
            np.testing.assert_allclose(got[name], expected, rtol=1e-7, atol=1e-9)
        assert back
        held += numbers
    assert sum(held) == size
    assert max(held) < 0.55 * size


def single_precision(rank, folder):
    task = PartsTask(dtype=torch.float32)
    with quick():
        return losses(ranks.run(folder, task, fsdp=True, bases_seen=288, checkpoint_seconds=3600)[1])


def test_weights_in_single_precision_can_be_shared_out_too(tmp_path):
    """PyTorch adds them up in another way than those in double precision."""
    alone = ranks.run(tmp_path / "alone", PartsTask(dtype=torch.float32), bases_seen=288)[1]
    for got in in_processes(single_precision, tmp_path):
        np.testing.assert_allclose(got, losses(alone), rtol=1e-5)


def test_a_training_with_fsdp_goes_on_with_it_or_without(tmp_path):
    _, alone = ranks.run(tmp_path / "alone", **SHORT)
    in_processes(shared_out, tmp_path / "first", {}, 1)
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    with_it = in_processes(shared_out, tmp_path / "first", {})
    without = ranks.run(tmp_path / "second", **SHORT)
    for seen, result in [(with_it[0][2], with_it[0][1]), (without[0].seen, without[1])]:
        assert seen[0][0] == 6
        np.testing.assert_allclose(losses(result), losses(alone), rtol=1e-10)


def test_fsdp_in_one_process_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"there is one.*torchrun"):
        ranks.run(tmp_path, fsdp=True)


@pytest.mark.parametrize("other", [{"compile": True}, {"optimizer": "muon"}])
def test_what_does_not_go_with_fsdp_is_refused(other):
    with pytest.raises(InputError, match="does not go with fsdp"):
        TrainSettings(bases_seen=1, fsdp=True, **other)
