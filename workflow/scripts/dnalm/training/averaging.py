"""A running average of the weights, for the last part of a training.

Averages of the last weights of a trajectory generalise better than the last weights themselves, above all while the
learning rate is not yet zero (Polyak & Juditsky 1992; exponential form: Tarvainen & Valpola 2017).
"""

from contextlib import contextmanager

import torch
from torch import Tensor, nn

from dnalm.training.sharding import like, restore, snapshot, whole

#: Share of the training after which the average begins.
BEGIN = 0.5


class Average:
    """``average = decay * average + (1 - decay) * weights`` after every step, beginning with the weights themselves.

    Buffers are not averaged; they are those of the model.
    """

    def __init__(self, model: nn.Module, decay: float):
        self.model, self.decay = model, decay
        self.tensors: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, share_done: float) -> None:
        """Take in the weights after a step; nothing happens before `BEGIN`."""
        if not self.decay or share_done < BEGIN:
            return
        for name, weight in self.model.named_parameters():
            if name in self.tensors:
                self.tensors[name].lerp_(weight, 1 - self.decay)
            else:
                self.tensors[name] = weight.detach().clone()

    @contextmanager
    def applied(self):
        """The model has the averaged weights inside; outside it goes on with its own."""
        if not self.tensors:
            yield
            return
        own = snapshot(self.model)
        restore(self.model, {**own, **self.state()})
        try:
            yield
        finally:
            restore(self.model, own)

    def state(self) -> dict[str, Tensor]:
        """The average, whole, for a checkpoint; empty before it begins."""
        return {name: whole(t) for name, t in self.tensors.items()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up what `state` gave."""
        own = dict(self.model.named_parameters())
        self.tensors = {name: like(own[name], t).to(own[name].device) for name, t in tensors.items()}
