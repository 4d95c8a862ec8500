"""The optimisers of a training, and their state as named tensors.

AdamW (Loshchilov & Hutter 2019) for everything, or Muon (Jordan et al. 2024) for the matrices inside the network's
blocks and AdamW for the rest: embeddings, output heads, vectors, convolutions. Muon's update is scaled to the size of
AdamW's (Liu et al. 2025), so that one schedule and one weight decay serve both.
"""

import torch
from torch import Tensor

from dnalm.errors import InputError
from dnalm.training.settings import TrainSettings
from dnalm.training.sharding import like, whole

OPTIMIZERS = ("adamw", "muon")
#: Muon's rate over AdamW's in the same training: picked among 1 to 4 in trainings of 2 to 4 CPU minutes, on validation
#: blocks of a bacterium; 2 to 4 differ little.
MUON_RATE = 2.0


def hidden_matrices(task) -> list[str]:
    """Names of the weights that Muon is for: ``task.hidden_matrices`` if there are, else all matrices in blocks.

    Blocks are what stands in a list named ``blocks``; embeddings and output heads are outside of it, and Muon is not
    for them: their rows are separate vectors, not a map between hidden states.
    """
    if hasattr(task, "hidden_matrices"):
        return list(task.hidden_matrices)
    names = [n for n, p in task.model.named_parameters() if p.ndim == 2 and p.requires_grad]
    return [n for n in names if "blocks" in n.split(".")[:-1]]


class Optimizers:
    """One or two optimisers with the same learning rate.

    Checkpoints name their tensors ``<optimizer>.<parameter>/<kind>``.
    """

    def __init__(self, task, settings: TrainSettings):
        if settings.optimizer not in OPTIMIZERS:
            raise InputError(f"optimizer is {settings.optimizer!r}", "optimizer", f"Use one of {', '.join(OPTIMIZERS)}")
        named = {n: p for n, p in task.model.named_parameters() if p.requires_grad}
        hidden = hidden_matrices(task) if settings.optimizer == "muon" else []
        if settings.optimizer == "muon" and not hidden:
            raise InputError("the network has no matrices in blocks for muon", "optimizer", "Use adamw")
        matrices = [n for n, p in named.items() if p.ndim > 1 and n not in set(hidden)]
        vectors = [n for n, p in named.items() if p.ndim <= 1]
        groups = [
            {"params": [named[n] for n in matrices], "weight_decay": settings.weight_decay},
            {"params": [named[n] for n in vectors], "weight_decay": 0.0},
        ]
        adam = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98))
        self.named, self.parts = named, {"adam": (adam, matrices + vectors)}
        if hidden:
            muon = torch.optim.Muon(
                [named[n] for n in hidden], lr=settings.learning_rate, weight_decay=settings.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )  # fmt: skip
            self.parts["muon"] = (muon, hidden)

    def gradients(self) -> list[Tensor]:
        """Gradients in the order of the parameters."""
        return [p.grad for p in self.named.values() if p.grad is not None]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self.named.values():
            parameter.grad = None

    def step(self, rate: float) -> None:
        """One update with a learning rate."""
        for label, (optimizer, _) in self.parts.items():
            for group in optimizer.param_groups:
                group["lr"] = rate * (MUON_RATE if label == "muon" else 1.0)
            optimizer.step()

    def tensors(self) -> dict[str, Tensor]:
        """The state, for a checkpoint."""
        found = {}
        for label, (optimizer, names) in self.parts.items():
            for number, state in optimizer.state_dict()["state"].items():
                found |= {f"{label}.{names[number]}/{kind}": whole(value) for kind, value in state.items()}
        return found

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Take up the state that `tensors` gave."""
        for label, (optimizer, names) in self.parts.items():
            states: dict[int, dict] = {}
            for key, value in tensors.items():
                name, _, kind = key.removeprefix(f"{label}.").rpartition("/")
                if key.startswith(f"{label}.") and name in names:
                    value = like(self.named[name], value) if value.shape == self.named[name].shape else value
                    states.setdefault(names.index(name), {})[kind] = value
            optimizer.load_state_dict({**optimizer.state_dict(), "state": states})
