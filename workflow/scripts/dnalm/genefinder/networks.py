"""Two small networks that judge candidates by their features: is this a gene, and which of its starts is the right one.

Both are ensembles of multilayer perceptrons over standardised features. The second one ranks the starts of one stop
codon against each other (a softmax over the list: Cao et al. 2007), so that it learns what tells them apart.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dnalm.errors import InputError
from dnalm.models.files import write_tensors

#: Standardised features beyond this are cut, so that an odd genome cannot throw the networks far off.
LIMIT = 6.0


def _perceptron(features: int, width: int) -> nn.Module:
    layers = nn.Linear(features, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1)
    return nn.Sequential(*layers)


class Scorer(nn.Module):
    """Ensemble of perceptrons: features (..., F) to one logit (...), the mean of the members."""

    def __init__(self, features: int, width: int, members: int, dropout: float = 0.0):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.members = nn.ModuleList(_perceptron(features, width) for _ in range(members))

    def standardise(self, x_NF: Tensor) -> None:
        """Take mean and spread of the features from training rows."""
        self.mean.copy_(x_NF.mean(0))
        self.scale.copy_(x_NF.std(0) + 1e-3)

    def each(self, x: Tensor) -> list[Tensor]:
        """Logits of every member; in training each sees its own dropout."""
        x = ((x - self.mean) / self.scale).clamp(-LIMIT, LIMIT)
        return [member(self.dropout(x))[..., 0] for member in self.members]

    def forward(self, x: Tensor) -> Tensor:
        """Mean logit of the members."""
        return torch.stack(self.each(x)).mean(0)

    @torch.inference_mode()
    def score(self, x_NF: np.ndarray) -> np.ndarray:
        """Logits (N,) as float64."""
        self.eval()
        parts = [self(torch.from_numpy(x_NF[i : i + 65_536])) for i in range(0, len(x_NF), 65_536)]
        return torch.cat(parts).double().numpy() if parts else np.empty(0)


@dataclass
class Networks:
    """Both scorers with all that is needed to use them; ``facts`` go to the model card."""

    gene: Scorer
    start: Scorer
    threshold: float
    gene_names: tuple[str, ...]
    start_names: tuple[str, ...]
    facts: dict = field(default_factory=dict)

    def save(self, folder) -> None:
        """Write ``config.json`` and ``model.safetensors``."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        shape = {
            name: {"features": len(s.mean), "width": s.members[0][0].out_features, "members": len(s.members)}
            for name, s in (("gene", self.gene), ("start", self.start))
        }
        record = {
            "model_type": "dnalm_genefinder", **shape, "threshold": self.threshold, "facts": self.facts,
            "gene_names": self.gene_names, "start_names": self.start_names,
        }  # fmt: skip
        (folder / "config.json").write_text(json.dumps(record, indent=2) + "\n")
        both = nn.ModuleDict({"gene": self.gene, "start": self.start}).state_dict()
        write_tensors(both, folder / "model.safetensors")

    @classmethod
    def load(cls, folder) -> "Networks":
        """Read what `save` wrote.

        Raises
        ------
        InputError
            If the folder holds no gene finder.
        """
        folder = Path(folder)
        try:
            record = json.loads((folder / "config.json").read_text())
            tensors = load_file(folder / "model.safetensors")
            scorers = {}
            for name in ("gene", "start"):
                scorers[name] = Scorer(**record[name])
                mine = {k.removeprefix(f"{name}."): t for k, t in tensors.items() if k.startswith(f"{name}.")}
                scorers[name].load_state_dict(mine)
            names = (tuple(record[key]) for key in ("gene_names", "start_names"))
            return cls(scorers["gene"], scorers["start"], record["threshold"], *names, record["facts"])
        except (OSError, KeyError, TypeError, RuntimeError, json.JSONDecodeError) as error:
            raise InputError(
                f"not a trained gene finder ({error})", str(folder), "Name a folder of resources/models, or train one"
            ) from error
