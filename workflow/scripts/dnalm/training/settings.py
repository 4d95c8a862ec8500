"""What a training is told, and what it tells afterwards."""

import math
from dataclasses import dataclass, field, fields

from dnalm.errors import InputError


@dataclass(frozen=True)
class TrainSettings:
    """How long and how fast to train; the config sections hold the same keys."""

    bases_seen: int | None = None
    """Length of the training in bases."""
    budget_minutes: float | None = None
    """Length in CPU minutes of this process instead, validations left out; such a training is not reproducible."""
    optimizer: str = "adamw"
    """``adamw``, or ``muon`` for the matrices inside blocks and AdamW for the rest."""
    learning_rate: float = 2e-3
    """Peak of the optimiser's rate."""
    weight_decay: float = 0.05
    """Decoupled decay of matrices (vectors have none)."""
    gradient_clip: float = 1.0
    """Largest gradient norm."""
    warmup_steps: int = 50
    """Steps of linear warm-up."""
    decay_fraction: float = 0.5
    """Last part of the training, over which the rate falls to zero."""
    average: float = 0.0
    """Decay per step of the running average of the weights over the last half of the training; 0 for none."""
    validate_every: int = 500_000
    """Bases between validations; a training by ``budget_minutes`` has four, at the quarters."""
    patience: int = 5
    """Validations without gain before the training stops."""
    checkpoint_seconds: float = 30.0
    """Seconds between checkpoints."""
    threads: int = 1
    """CPU threads."""
    micro_batches: int = 1
    """Parts that each process cuts its share of a batch into, to need less memory."""
    precision: str = "float32"
    """``float32``, ``bfloat16`` (autocast), or ``auto`` for whichever is faster here."""
    activation_checkpointing: bool = False
    """Compute the inside of blocks again in the backward pass instead of keeping it."""
    compile: bool = False
    """Compile the blocks of the network with torch.compile."""
    fsdp: bool = False
    """Share weights, gradients and optimiser state out among the processes."""
    tensorboard: bool = False
    """Also write TensorBoard files, in a folder beside the log."""

    def __post_init__(self):
        if (self.bases_seen is None) == (self.budget_minutes is None):
            raise InputError("give bases_seen or budget_minutes", "training", "One of them sets the length")
        if self.fsdp and (self.compile or self.optimizer == "muon"):
            other = "compile" if self.compile else "muon"
            raise InputError(f"{other} does not go with fsdp", "training", "It needs whole matrices; use one of them")

    @classmethod
    def of(cls, section: dict) -> "TrainSettings":
        """The settings inside a config section; its other keys are left alone."""
        return cls(**{f.name: section[f.name] for f in fields(cls) if f.name in section})


@dataclass
class TrainResult:
    """What a training did; ``history`` holds the rows of its log, ``precision`` is what ``auto`` was taken for."""

    steps: int = 0
    bases_seen: int = 0
    best_step: int = 0
    best_loss: float = math.inf
    stale: int = 0
    seconds: float = 0.0
    stopped_early: bool = False
    precision: str = ""
    history: list[dict] = field(default_factory=list)
