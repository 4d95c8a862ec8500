"""A device without hardware, for tests of what a GPU would see.

Its tensors keep their numbers in a tensor of the CPU that nothing but their own operations can reach, so results can be
compared with those of the CPU. What fails on a GPU fails here: an operation over tensors of two devices (numbers of the
CPU and indices excepted), ``numpy()`` without ``force``, writing into an array, bytes of a tensor. Copies are free in
both directions. The device is one of PyTorch's "private use", as makers of hardware register theirs.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

aten = torch.ops.aten
NAME = "pretend"
COPIES = (aten._to_copy.default, aten.copy_.default)
#: Operations whose second argument are indices.
INDEXED = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default, aten._index_put_impl_.default)

#: Views that turn a sign at once, since operations on the numbers inside would not hear that it is still to be turned.
SIGNS = {aten._conj.default: aten.conj_physical.default, aten._neg_view.default: aten.neg.default}


class Module(_DummyBackendModule):
    """What PyTorch asks a maker of hardware for; outside of `pretend` there is none, for the sake of other tests."""

    there = False

    def is_available(self):
        return self.there

    def get_amp_supported_dtype(self):
        return [torch.float32, torch.bfloat16]

    def get_rng_state(self, device=None):
        return torch.get_rng_state()

    def set_rng_state(self, state, device=None):
        pass

    def device(self, index):
        return nullcontext()


_setup_privateuseone_for_python_backend(NAME, Module())
DEVICE = torch.device(NAME, 0)


class Away(Tensor):
    """A tensor on the device."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, inner):
        layout = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        return Tensor._make_wrapper_subclass(cls, inner.shape, device=DEVICE, **layout)

    def __init__(self, inner):
        self.inner = inner

    def __repr__(self):
        return f"Away({self.inner})"

    def numpy(self, *, force=False):
        if not force:
            raise TypeError(f"a tensor on {NAME} has no numpy()")
        return self.detach().cpu().numpy()

    @classmethod
    def __torch_dispatch__(cls, operation, types, args=(), kwargs=None):
        return compute(operation, args, kwargs or {})


def compute(operation, args, kwargs):
    """Run an operation on the numbers inside, if the device could."""
    operation = SIGNS.get(operation, operation)
    parts = [args[:1], args[2:], kwargs] if operation in INDEXED else [args, kwargs]
    strangers = [x for x in tree_leaves(parts) if isinstance(x, Tensor) and not isinstance(x, Away) and x.ndim]
    if strangers and operation not in COPIES:
        raise RuntimeError(f"{operation} over tensors on {NAME} and {strangers[0].device}")
    inside_args, inside = tree_map_only(Away, lambda x: x.inner, (args, kwargs))
    goal = torch.device(kwargs.get("device") or NAME).type
    if kwargs.get("device") is not None:
        inside["device"] = "cpu"
    with torch.inference_mode(False):  # or views of weights, which were made outside of it, would be refused
        found = operation(*inside_args, **inside)
        if operation is aten.copy_.default:
            return args[0]
        if goal == "cpu":
            return found
        return return_and_correct_aliasing(operation, args, kwargs, tree_map_only(Tensor, Away, found))


def _empty(size, stride, dtype=None, **where):
    return Away(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source, goal, non_blocking=False):
    goal.inner.copy_(source)
    return goal


#: A list as an index becomes a tensor on the device by these, without a word to the classes here.
LIBRARY = torch.library.Library("aten", "IMPL")
LIBRARY.impl("empty_strided", _empty, "PrivateUse1")
LIBRARY.impl("_copy_from", _copy_from, "PrivateUse1")


class _Dispatch(TorchDispatchMode):
    """Hands on what has to do with the device, new tensors on it included, to `compute`."""

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        device = kwargs.get("device")
        asked = device is not None and torch.device(device).type == NAME
        if not asked and not any(isinstance(x, Away) for x in tree_leaves((args, kwargs))):
            return operation(*args, **kwargs)
        with self:  # in inference mode PyTorch leaves it to us to take operations apart
            found = operation.decompose(*args, **kwargs)
        return compute(operation, args, kwargs) if found is NotImplemented else found


@contextmanager
def pretend():
    """Tensors can be on the device (whose name it gives) inside of it."""
    # The threads of the backward pass are started once in a process, for the devices that it has by then.
    with _Dispatch(), torch.autograd.set_multithreading_enabled(False):
        Module.there = True
        try:
            yield DEVICE
        finally:
            Module.there = False
