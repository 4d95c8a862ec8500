"""The shape of a model: everything needed to build it, kept as ``config.json`` beside its weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dnalm.errors import InputError


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the two-sided language model."""

    width: int = 64
    """Channels of the residual stream."""
    layers: int = 2
    """Blocks of attention and feed-forward."""
    heads: int = 2
    """Attention heads; few and wide ones are fastest on a CPU."""
    attention_span: int = 128
    """Bases that a position can look back in one layer, itself included."""
    memory_orders: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20)
    """Lengths of the one-sided contexts of the n-gram memory, in bases."""
    memory_flanks: tuple[tuple[int, int], ...] = (
        (1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (7, 7), (8, 8), (10, 10), (12, 5), (5, 12),
    )  # fmt: skip
    """(left, right) lengths of the two-sided contexts of the n-gram memory, in bases."""

    def __post_init__(self):
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise InputError(
                f"width {self.width} cannot be shared by {self.heads} heads of even size",
                "pretrain",
                "Choose a width that is a multiple of twice the number of heads",
            )

    def save(self, path) -> None:
        """Write as JSON, with the names that Hugging Face tools look for."""
        record = {"model_type": "dnalm", "architectures": ["TwoSided"], **asdict(self)}
        Path(path).write_text(json.dumps(record, indent=2) + "\n")

    @classmethod
    def load(cls, path) -> "ModelConfig":
        """Read what `save` wrote; unknown keys are ignored so that other tools may add theirs."""
        record = json.loads(Path(path).read_text())
        fields = {k: record[k] for k in cls.__dataclass_fields__ if k in record}
        fields["memory_orders"] = tuple(fields["memory_orders"])
        fields["memory_flanks"] = tuple(tuple(f) for f in fields["memory_flanks"])
        return cls(**fields)
