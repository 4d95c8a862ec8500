"""How the network is run: weights shared out among processes (FSDP), blocks computed twice, or compiled.

With FSDP (Zhao et al. 2023; ``fully_shard`` of PyTorch) each process keeps a slice of every weight, of its gradient and
of the optimiser's moments, and weights are put together block by block while they are needed. Everything else of a
training sees whole tensors: `whole` collects one (all processes must call it), `like` takes this process's slice of it.
"""

import copy
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dnalm.errors import InputError


def whole(tensor: Tensor) -> Tensor:
    """A detached, contiguous tensor on the CPU, put together if it is shared out; may share memory with the input."""
    tensor = tensor.detach()
    if hasattr(tensor, "full_tensor"):
        tensor = tensor.full_tensor()
    return tensor.cpu().contiguous()


def like(reference: Tensor, tensor: Tensor) -> Tensor:
    """A whole tensor shared out as ``reference`` is."""
    if not hasattr(reference, "full_tensor"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    tensor = tensor.to(reference.device)
    # every process has all of it already: no message needed
    return distribute_tensor(tensor, reference.device_mesh, reference.placements, src_data_rank=None)


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """A whole copy of everything in the model."""
    return {name: whole(t).clone() for name, t in model.state_dict().items()}


def restore(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give the model what `snapshot` took."""
    model.load_state_dict({name: like(t, tensors[name]) for name, t in model.state_dict().items()})


def blocks_of(model: nn.Module, wish: str) -> list[nn.Module]:
    """The blocks of the network: what stands in lists named ``blocks``, wherever they are."""
    lists = [m for name, m in model.named_modules() if name.rpartition(".")[2] == "blocks"]
    blocks = [block for found in lists if isinstance(found, nn.ModuleList) for block in found]
    if not blocks:
        raise InputError(f"the network has no blocks, which {wish} works on", wish, f"Switch {wish} off")
    return blocks


@contextmanager
def sharded(task, world: int):
    """Replace ``task.model`` by a copy that is shared out among ``world`` processes; at the end the copy's weights go
    back into the original.
    """
    if world == 1:
        raise InputError("fsdp shares weights out among processes, and there is one", "fsdp", "Start with torchrun")
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    original = task.model
    # PyTorch would take a GPU wherever there is one, even for a model on the CPU
    mesh = init_device_mesh(next(original.parameters()).device.type, (world,))
    # what is no weight (the n-gram memory) is large and read only: the copy uses the same
    plain = [v for m in original.modules() for v in vars(m).values() if type(v).__module__.startswith("dnalm.")]
    task.model = copy.deepcopy(original, {id(v): v for v in plain})
    for module in [*blocks_of(task.model, "fsdp"), task.model]:
        fully_shard(module, mesh=mesh)
        module.set_gradient_divide_factor(1.0)  # sums, not means over processes
        module.set_force_sum_reduction_for_comms(True)  # gloo knows no other
    try:
        yield
        original.load_state_dict(snapshot(task.model))
    finally:
        task.model = original


@contextmanager
def _replaced(blocks: list[nn.Module], wrap):
    """The forward passes of the blocks go through ``wrap``; afterwards they are what they were."""
    before = [vars(block).get("forward") for block in blocks]
    try:
        for block in blocks:
            block.forward = wrap(block.forward)
        yield
    finally:
        for block, own in zip(blocks, before, strict=True):
            vars(block).pop("forward", None)
            if own:
                block.forward = own


def recomputed(model: nn.Module):
    """Context in which blocks keep their input only, and are computed again in the backward pass (Chen et al. 2016)."""
    from torch.utils.checkpoint import checkpoint

    def wrap(forward):
        def run(*inputs, **named):
            if not torch.is_grad_enabled():
                return forward(*inputs, **named)
            return checkpoint(forward, *inputs, use_reentrant=False, **named)

        return run

    return _replaced(blocks_of(model, "activation_checkpointing"), wrap)


def compiled(model: nn.Module):
    """Context in which blocks go through torch.compile.

    Blocks are nearly all of the work, compile once for all layers, and hold nothing but tensors; around them stand
    look-ups in the memory and bookkeeping of masks, for which the CPU compiler of PyTorch 2.13 writes invalid C++.
    """
    return _replaced(blocks_of(model, "compile"), torch.compile)
