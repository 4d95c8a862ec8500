"""The shape of a model: everything needed to build it, kept as ``config.json`` beside its weights."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dnalm.errors import InputError
from dnalm.models.memory import FLANK_CORE

#: What ``config.json`` calls models of dnalm.
MODEL_TYPE = "dnalm"


@dataclass(frozen=True)
class ModelConfig:
    """Shape of a language model."""

    architecture: str = "two_sided"
    """Network over the tokens, a name of `dnalm.models.networks.NETWORKS`."""
    objective: str = "two_sided"
    """``causal``, ``masked`` or ``two_sided``; the last one needs a causal network over single bases."""
    tokens: str = "base"
    """Kind of the tokens (see `dnalm.sequence.tokenizers`)."""
    vocabulary: int = 5
    """Tokens, special ones included."""
    width: int = 64
    """Channels of the residual stream."""
    layers: int = 2
    """Blocks of attention and feed-forward."""
    heads: int = 2
    """Attention heads; few and wide ones are fastest on a CPU."""
    attention_span: int = 128
    """Tokens that a position can look back in one layer, itself included; for ``local``, on each side."""
    positions: str = "rotary"
    """``rotary`` or ``sinusoidal``, for ``transformer``."""
    global_tokens: int = 4
    """Learned tokens that see everything and are seen by all, for ``local``."""
    kernel: int = 9
    """Tokens under a convolution (odd), for ``dilated_conv`` and the stem of ``hybrid``."""
    downsample: int = 4
    """Bases per position of the attention inside ``hybrid``."""
    state_size: int = 16
    """Hidden states per channel, for ``ssm``."""
    stops: tuple[str, ...] = ()
    """Stop codons of the reading frames that a model over single bases keeps track of; none for no frames."""
    memory_orders: tuple[int, ...] = (2, 3, 4, 6, 8, 9, 10, 11, 12, 14, 16, 20)
    """Lengths of the one-sided contexts of the n-gram memory, in bases."""
    memory_flanks: tuple[tuple[int, int], ...] = (
        (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (8, 8), (12, 5), (5, 12),
    )  # fmt: skip
    """(left, right) lengths of the two-sided contexts of the n-gram memory, in bases."""

    def __post_init__(self):
        if self.width % self.heads or (self.width // self.heads) % 2:
            raise InputError(
                f"width {self.width} cannot be shared by {self.heads} heads of even size",
                "pretrain",
                "Choose a width that is a multiple of twice the number of heads",
            )
        for left, right in self.memory_flanks:
            if (right, left) not in self.memory_flanks or (left != right and min(left, right) < FLANK_CORE):
                raise InputError(
                    f"memory flanks ({left}, {right}) lack their mirror image ({right}, {left}), or are unequal and "
                    f"shorter than {FLANK_CORE}",
                    "pretrain.memory_flanks",
                    "The memory must look the same from both strands",
                )

    def save(self, path) -> None:
        """Write as JSON, with the names that Hugging Face tools look for."""
        record = {"model_type": MODEL_TYPE, "architectures": ["DnalmModel"], **asdict(self)}
        Path(path).write_text(json.dumps(record, indent=2) + "\n")

    @classmethod
    def load(cls, path) -> "ModelConfig":
        """Read what `save` wrote; unknown keys are ignored so that other tools may add theirs."""
        try:
            record = json.loads(Path(path).read_text())
            fields = {k: record[k] for k in cls.__dataclass_fields__ if k in record}
            fields |= {k: tuple(fields[k]) for k in ("memory_orders", "stops") if k in fields}
            fields["memory_flanks"] = tuple(tuple(f) for f in fields["memory_flanks"])
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"not the config of a model of dnalm ({error})", str(path), "Delete it and run the workflow again"
            ) from error
        return cls(**fields)
