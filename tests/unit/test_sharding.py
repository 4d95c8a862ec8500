"""Blocks computed twice and compiled networks: the same numbers, and the model as it was afterwards."""

import functools

import numpy as np
import pytest
import torch
from helpers import ranks
from helpers.ranks import Network, PartsTask, losses
from helpers.training import ToyTask, quick, run
from torch import nn

from dnalm.errors import InputError
from dnalm.training.sharding import blocks_of, compiled, recomputed, restore, sharded, snapshot


@pytest.fixture(autouse=True, scope="module")
def undisturbed():
    with quick():
        yield


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return ranks.run(tmp_path_factory.mktemp("plain"))


def gradients(task, step=3):
    task.model.zero_grad()
    task.loss(task.batch(step))[0].backward()
    return [p.grad.clone() for p in task.model.parameters()]


class Counted(nn.Module):
    """A block that counts how often it is computed, with dropout, whose draws must be the same both times."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.times = inner, 0

    def forward(self, x):
        self.times += 1
        return nn.functional.dropout(self.inner(x), 0.5, self.training)


def test_gradients_of_recomputed_blocks_are_the_same_bits():
    task = PartsTask()
    blocks = task.model.blocks = nn.ModuleList(Counted(b) for b in task.model.blocks)
    torch.manual_seed(1)
    expected = gradients(task)
    assert [b.times for b in blocks] == [1, 1]
    with recomputed(task.model):
        torch.manual_seed(1)
        got = gradients(task)
        assert [b.times for b in blocks] == [3, 3]
        with torch.inference_mode():
            task.model(torch.zeros(1, 4, dtype=torch.int64))
        assert [b.times for b in blocks] == [4, 4]
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
    gradients(task)
    assert [b.times for b in blocks] == [5, 5], "still computed twice"
    assert not any("forward" in vars(b) for b in blocks)


def kept_bytes(task):
    """Bytes that the forward pass keeps for the backward pass, weights aside."""
    weights, sizes = {p.data_ptr() for p in task.model.parameters()}, {}

    def pack(tensor):
        if tensor.data_ptr() not in weights:
            sizes[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss, _ = task.loss(task.batch(0))
    loss.backward()
    return sum(sizes.values())


def test_recomputed_blocks_keep_less():
    task = PartsTask()
    before = kept_bytes(task)
    with recomputed(task.model):
        assert kept_bytes(task) < 0.5 * before


def test_a_training_with_recomputed_blocks_is_the_same_to_the_bit(tmp_path, plain):
    task, result = ranks.run(tmp_path, activation_checkpointing=True)
    assert result.history == plain[1].history
    assert all(torch.equal(t, plain[0].model.state_dict()[n]) for n, t in task.model.state_dict().items())


def test_blocks_are_found_wherever_they_are():
    model = nn.ModuleDict({"a": Network(), "b": nn.Sequential(Network())})
    model.blocks_of_another_kind = nn.ModuleList([nn.Linear(1, 1)])
    assert blocks_of(model, "x") == [*model["a"].blocks, *model["b"][0].blocks]


def test_a_network_without_blocks_is_refused(tmp_path):
    with pytest.raises(InputError, match="no blocks, which activation_checkpointing works on"):
        run(tmp_path, ToyTask(), activation_checkpointing=True)


@pytest.mark.parametrize("twice", [False, True], ids=["compiled", "compiled and recomputed"])
def test_a_compiled_training_gives_the_same_losses(tmp_path, plain, monkeypatch, twice):
    """Captured and differentiated ahead of time as ever, but without generating machine code, which takes long."""
    calls, compile_ = [], functools.partial(torch.compile, backend="aot_eager")
    monkeypatch.setattr(torch, "compile", lambda forward: calls.append(forward) or compile_(forward))
    task, result = ranks.run(tmp_path, compile=True, activation_checkpointing=twice, bases_seen=288)
    assert [c.__self__ for c in calls] == list(task.model.blocks)
    assert not any("forward" in vars(block) for block in task.model.blocks)
    # the schedule of the shorter training begins with the same rates
    np.testing.assert_allclose(losses(result)[:2], losses(plain[1])[:2], rtol=1e-10)


def test_blocks_are_themselves_again_after_an_error(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda forward: "compiled")
    model = Network()
    model.blocks[1].forward = own = lambda x: x
    with pytest.raises(ZeroDivisionError), compiled(model):
        assert [block.forward for block in model.blocks] == ["compiled"] * 2
        raise ZeroDivisionError
    assert model.blocks[0].forward.__func__ is type(model.blocks[0]).forward
    assert model.blocks[1].forward is own


def test_a_snapshot_is_a_copy_that_can_be_restored():
    model = nn.BatchNorm1d(3)
    kept = snapshot(model)
    model(torch.randn(5, 3))
    with torch.no_grad():
        model.weight += 1
    assert kept["weight"].tolist() == [1, 1, 1]
    assert kept["num_batches_tracked"] == 0
    restore(model, kept)
    assert all(torch.equal(t, kept[n]) for n, t in model.state_dict().items())


def test_weights_are_shared_out_where_the_model_is(monkeypatch):
    """PyTorch itself would take a GPU wherever there is one."""
    seen = []

    def fully_shard(module, mesh):
        seen.append(mesh)
        module.set_gradient_divide_factor = module.set_force_sum_reduction_for_comms = lambda value: None

    monkeypatch.setattr("torch.distributed.fsdp.fully_shard", fully_shard)
    monkeypatch.setattr("torch.distributed.device_mesh.init_device_mesh", lambda *shape: shape)
    with sharded(PartsTask(), 2):
        assert seen == [("cpu", (2,))] * (len(PartsTask().model.blocks) + 1)
