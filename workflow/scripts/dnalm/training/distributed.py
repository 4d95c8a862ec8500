"""Training with several processes, each on its share of the windows of a step.

The batch of a step is the same whatever the number of processes: it is cut in ``parts``, of which every process takes
one, or several after another (``micro_batches``). The loss of a step is a mean over the scored bases of the whole
batch. So every part weighs as many times as it has scored bases: gradients of sums are added over parts and processes
and divided once by the number of scored bases, which gives the gradient of one process on the whole batch up to
rounding, however unevenly N is dealt out. (A mean over the means of the processes, the habit of
``DistributedDataParallel``, would count a base in an N-rich part more than one elsewhere.)

The sums are explicit all-reduces over flattened gradients in the order of the parameters. This is simple and gives the
same bits in every run with the same number of processes; communication does not overlap the backward pass, which is
cheap as long as the network is small compared to its batch.

What a window gives must not depend on the other windows of its part: no batch normalisation, no random numbers in the
network.

Processes are started by ``torchrun``, which tells each its RANK, the WORLD_SIZE and where to meet.
"""

import os
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor

from dnalm.errors import DnalmError, InputError

#: Numbers of a flattened bucket; one message per bucket.
BUCKET = 4_000_000


def share(items: int, part: int, parts: int) -> slice:
    """Which of ``items`` belong to ``part`` of ``parts``: contiguous, in order, sizes differ by one at most.

    Raises
    ------
    InputError
        If a part would be empty.
    """
    if items < parts:
        raise InputError(
            f"a batch of {items} windows cannot be cut in {parts} parts (processes x micro_batches)",
            "batch_windows", "Use more windows per step, or fewer processes or micro_batches",
        )  # fmt: skip
    return slice(part * items // parts, (part + 1) * items // parts)


def is_first() -> bool:
    """Whether this process is the one that writes files (rank 0); also true without torchrun."""
    return int(os.environ.get("RANK", 0)) == 0


class Group:
    """The processes of a training; with one process every method gives back what it was given.

    Parameters
    ----------
    rank, world : int
        Number of this process, from 0, and how many there are.
    device : torch.device
        Where messages are put together; NCCL wants them on the GPU.
    """

    def __init__(self, rank: int = 0, world: int = 1, device="cpu"):
        self.rank, self.world, self.device = rank, world, torch.device(device)

    @property
    def first(self) -> bool:
        """Whether this process decides and writes."""
        return self.rank == 0

    def sums(self, numbers: list[float]) -> list[float]:
        """Sum over the processes, number by number."""
        return self._reduced(numbers, dist.ReduceOp.SUM)

    def largest(self, numbers: list[float]) -> list[float]:
        """Maximum over the processes, number by number."""
        return self._reduced(numbers, dist.ReduceOp.MAX)

    def _reduced(self, numbers, operation) -> list[float]:
        if self.world == 1:
            return list(numbers)
        tensor = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor, operation)
        return tensor.tolist()

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace every tensor by its sum over the processes; all processes must name the same ones in this order."""
        for bucket in _buckets(tensors) if self.world > 1 else ():
            flat = torch.cat([t.flatten() for t in bucket])
            dist.all_reduce(flat)
            for tensor, part in zip(bucket, flat.split([t.numel() for t in bucket]), strict=True):
                tensor.copy_(part.view_as(tensor))

    def copy_from_first(self, tensors: list[Tensor]) -> None:
        """Replace every tensor by that of the first process."""
        for tensor in tensors if self.world > 1 else ():
            dist.broadcast(tensor, 0)

    def from_first(self, value):
        """The first process's value of anything that can be pickled."""
        box = [value]
        if self.world > 1:
            dist.broadcast_object_list(box, 0, device=self.device)
        return box[0]

    def first_then_all(self, action):
        """Do ``action()`` in the first process, then in the others; what fails in the first fails in all.

        Raises
        ------
        DnalmError
            The first process's, in every process, so that none waits for one that has given up.
        """
        result, problem = None, None
        if self.first:
            try:
                result = action()
            except DnalmError as error:
                problem = error
        problem = self.from_first(problem)
        if problem:
            raise problem
        return result if self.first else action()


def _buckets(tensors: list[Tensor]):
    """Runs of tensors of one type, of `BUCKET` numbers at most unless one alone is larger."""
    bucket, size = [], 0
    for tensor in tensors:
        if bucket and (size + tensor.numel() > BUCKET or tensor.dtype != bucket[0].dtype):
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel()
    if bucket:
        yield bucket


@contextmanager
def processes(device="cpu"):
    """The group that torchrun started this process in, or a group of one. NCCL on a GPU, gloo on CPUs."""
    device = torch.device(device)
    world = int(os.environ.get("WORLD_SIZE", 1))
    if world == 1:
        yield Group(device=device)
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Group(dist.get_rank(), world, device)
    finally:
        dist.destroy_process_group()
