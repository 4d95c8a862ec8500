"""Muon beside AdamW, and averages of weights: their updates by hand, and the same bits after an interruption."""

import copy

import pytest
import torch
from helpers.ranks import Network, PartsTask
from helpers.training import SETTINGS, Stop, ToyTask, quick, raise_at, run, weights
from torch import nn

from dnalm.errors import InputError
from dnalm.training.averaging import Average
from dnalm.training.optimizers import MUON_RATE, Optimizers, hidden_matrices
from dnalm.training.settings import TrainSettings


@pytest.fixture(autouse=True, scope="module")
def undisturbed():
    with quick():
        yield


class MuonTask(ToyTask):
    """The toy, told which of its matrices are hidden."""

    hidden_matrices = ("0.weight",)


def assert_same(a, b):
    assert all(torch.equal(t, weights(b)[name]) for name, t in weights(a).items())


def test_hidden_matrices_are_those_in_blocks():
    task = PartsTask()
    assert hidden_matrices(task) == [f"blocks.{n}.{m}.weight" for n in (0, 1) for m in ("up", "down")]
    task.model = nn.ModuleDict({"tower": Network(), "blocks_head": nn.Linear(3, 3)})
    task.model.tower.blocks[0].up.weight.requires_grad_(False)
    task.model.tower.blocks[1].append = nn.Conv1d(3, 3, 3)
    expected = [f"tower.blocks.{n}.weight" for n in ("0.down", "1.up", "1.down")]
    assert hidden_matrices(task) == expected
    assert hidden_matrices(MuonTask()) == ["0.weight"]


def orthogonal_factor(matrix):
    """U V^T of the singular value decomposition, which Muon's iteration approximates."""
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    return u @ v


def test_the_first_update_of_muon_is_the_orthogonal_factor_of_the_gradient():
    torch.manual_seed(0)
    task = PartsTask(dtype=torch.float32)
    task.model.blocks[0].up = nn.Linear(8, 64)
    settings = TrainSettings(bases_seen=1, optimizer="muon", weight_decay=0.5)
    optimizers = Optimizers(task, settings)
    before = copy.deepcopy(task.model.state_dict())
    for p in task.model.parameters():
        p.grad = torch.randn_like(p)
    weight, gradient = task.model.blocks[0].up.weight, task.model.blocks[0].up.weight.grad.clone()
    optimizers.step(0.01)
    rate = 0.01 * MUON_RATE
    moved = before["blocks.0.up.weight"] * (1 - rate * 0.5) - weight.detach()
    expected = rate * 0.2 * 64**0.5 * orthogonal_factor(gradient)
    cosine = torch.nn.functional.cosine_similarity(moved.flatten(), expected.flatten(), dim=0)
    assert cosine > 0.97
    # the iteration leaves singular values between 0.7 and 1.2 or so instead of 1
    assert moved.norm() == pytest.approx(expected.norm(), rel=0.25)
    # a fifth of the rate on average, which is AdamW's usual size
    assert moved.square().mean().sqrt() == pytest.approx(rate * 0.2, rel=0.25)
    rest = task.model.embed.weight.detach() - before["embed.weight"] * (1 - 0.01 * 0.5)
    torch.testing.assert_close(rest.abs(), torch.full_like(rest, 0.01), rtol=1e-3, atol=0)
    bias = task.model.head.bias.detach() - before["head.bias"]
    torch.testing.assert_close(bias.abs(), torch.full_like(bias, 0.01), rtol=1e-3, atol=0)


def test_every_weight_belongs_to_one_optimiser():
    task = PartsTask()
    for name in ("adamw", "muon"):
        optimizers = Optimizers(task, TrainSettings(bases_seen=1, optimizer=name))
        groups = [g for optimizer, _ in optimizers.parts.values() for g in optimizer.param_groups]
        found = [id(p) for group in groups for p in group["params"]]
        assert sorted(found) == sorted(id(p) for p in task.model.parameters())
        for optimizer, names in optimizers.parts.values():
            order = [id(p) for group in optimizer.param_groups for p in group["params"]]
            assert order == [id(optimizers.named[n]) for n in names], "the state would get other names"


def test_muon_learns_and_is_another_optimiser_than_adamw(tmp_path):
    adam, _ = run(tmp_path / "a", MuonTask(), learning_rate=0.1)
    muon, result = run(tmp_path / "m", MuonTask(), optimizer="muon", learning_rate=0.1)
    assert not torch.equal(adam.model[0].weight, muon.model[0].weight)
    assert result.best_loss < 0.5 * result.history[0]["train_loss"]


@pytest.mark.parametrize("settings", [{"optimizer": "muon"}, {"average": 0.8}, {"optimizer": "muon", "average": 0.5}])
@pytest.mark.parametrize("steps", [(1,), (30,), (31,), (45, 46, 56)])
def test_an_interruption_changes_no_bit(tmp_path, settings, steps):
    whole, reference = run(tmp_path / "whole", MuonTask(), **settings)
    for step in steps:
        with pytest.raises(Stop):
            run(tmp_path / "broken", MuonTask(hook=raise_at("loss", step)), **settings)
    task, result = run(tmp_path / "broken", MuonTask(), **settings)
    assert_same(task, whole)
    assert result.history == reference.history


def test_the_names_of_optimisers_are_checked():
    with pytest.raises(InputError, match=r"optimizer is 'sgd'.*adamw, muon"):
        Optimizers(ToyTask(), TrainSettings(bases_seen=1, optimizer="sgd"))
    with pytest.raises(InputError, match="no matrices in blocks for muon"):
        Optimizers(ToyTask(), TrainSettings(bases_seen=1, optimizer="muon"))


class Watched(ToyTask):
    """Keeps the weights of every step, as the next one finds them, and those that are validated."""

    def __init__(self):
        super().__init__()
        self.steps, self.validated = [], []

    def loss(self, batch):
        self.steps.append(weights(self))
        return super().loss(batch)

    def validate(self):
        self.validated.append(weights(self))
        return super().validate()


def test_averages_by_hand_are_validated_kept_and_not_trained_on(tmp_path):
    """60 steps; the average begins with the weights after step 30."""
    plain, reference = run(tmp_path / "plain", Watched())
    task, result = run(tmp_path / "average", Watched(), average=0.9)
    for a, b in zip(task.steps, plain.steps, strict=True):
        assert all(torch.equal(t, b[name]) for name, t in a.items()), "the training itself is another one"
    average = None
    for done in range(30, 60):
        now = task.steps[done]
        average = now if average is None else {n: 0.9 * t + 0.1 * now[n] for n, t in average.items()}
        if done % 7 == 0:
            seen = task.validated[done // 7 - 1]
            for name in ("0.weight", "0.bias", "1.weight", "3.weight"):
                torch.testing.assert_close(seen[name], average[name], rtol=1e-5, atol=1e-6)
            assert torch.equal(seen["1.running_mean"], now["1.running_mean"])
            assert not torch.allclose(seen["0.weight"], now["0.weight"], rtol=1e-3)
    for place in range(4):
        assert all(torch.equal(t, plain.validated[place][n]) for n, t in task.validated[place].items())
    best = task.validated[[row["step"] for row in result.history].index(result.best_step)]
    assert all(torch.equal(t, best[name]) for name, t in weights(task).items())
    assert [r["train_loss"] for r in result.history] == [r["train_loss"] for r in reference.history]


def test_an_average_of_nothing_is_the_model_itself():
    model = nn.Linear(2, 2)
    average = Average(model, 0.0)
    average.update(1.0)
    with average.applied():
        assert average.state() == {}
    average = Average(model, 0.5)
    average.update(0.49)
    assert average.state() == {}


def test_the_own_weights_come_back_after_an_error():
    model = nn.Linear(2, 2)
    average, own = Average(model, 0.5), model.weight.detach().clone()
    average.update(0.5)
    with torch.no_grad():
        model.weight += 1
    with pytest.raises(ZeroDivisionError), average.applied():
        assert torch.equal(model.weight, own)
        raise ZeroDivisionError
    assert torch.equal(model.weight, own + 1)


def test_settings_of_the_toy_have_no_average():
    assert TrainSettings(**SETTINGS).average == 0
    assert TrainSettings(**SETTINGS).optimizer == "adamw"
