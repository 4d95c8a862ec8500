"""The study: every key of a config file, with its meaning, default and range.

This typed model is the only place where defaults live. The JSON schema and the key tables of ``config/README.md`` are
generated from it (``make docs``).
"""

import difflib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dnalm.errors import InputError

Positive = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """Base of all sections: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")


class Region(Section):
    """A slice of one contig."""

    contig: str | None = Field(None, description="Contig to cut from; the first one if left out.")
    start: int = Field(0, ge=0, description="First base, 0-based.")
    end: Positive = Field(description="Last base + 1, 0-based half-open.")


class GenomeSource(Section):
    """Where a genome comes from: exactly one of `embedded`, `path` and `ncbi`."""

    embedded: str | None = Field(None, description="Name of a genome that ships in resources/genomes.")
    path: str | None = Field(None, description="GenBank file, or FASTA; plain, gzip or bgzip.")
    annotation: str | None = Field(None, description="GFF3 for a FASTA given by `path`.")
    ncbi: str | None = Field(None, description="NCBI accession; the file is looked up in the folders of DNALM_DATA.")
    file: str | None = Field(None, description="File name of an `ncbi` genome inside a folder of DNALM_DATA.")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Checksum that the file must have.")
    genetic_code: int | None = Field(None, ge=1, le=33, description="NCBI genetic code; from the annotation, else 11.")
    circular: bool | None = Field(None, description="Whether contigs are circular; from the record, else false.")
    region: Region | None = Field(None, description="Use only this slice of the genome.")

    @model_validator(mode="after")
    def _one_source(self):
        if sum(x is not None for x in (self.embedded, self.path, self.ncbi)) != 1:
            raise ValueError("give exactly one of embedded, path and ncbi")
        if self.ncbi and not self.file:
            raise ValueError("an ncbi genome needs `file`, its name inside a folder of DNALM_DATA")
        return self


class Splits(Section):
    """How the genome is divided into training, validation and test blocks."""

    by: Literal["block", "contig"] = Field("block", description="Unit that is assigned: blocks of bases, or contigs.")
    block: Positive = Field(20_000, ge=1000, description="Bases per block.")
    test: float = Field(0.2, gt=0, lt=1, description="Share of the units that nobody looks at before the end.")
    validation: float = Field(0.1, gt=0, lt=1, description="Share of the units that all choices are made on.")
    gap: int = Field(1000, ge=0, description="Bases left unused between blocks of different splits.")

    @model_validator(mode="after")
    def _something_left(self):
        if self.test + self.validation >= 0.95:
            raise ValueError("test + validation must leave at least 5 % for training")
        if self.gap * 2 >= self.block:
            raise ValueError("gap must be less than half a block")
        return self


class Tokens(Section):
    """How sequence becomes tokens."""

    kind: Literal["base"] = Field("base", description="One token per base.")


class Optimiser(Section):
    """Keys shared by all trainings."""

    bases_seen: Positive | None = Field(5_000_000, description="Length of the training in bases; reproducible.")
    budget_minutes: float | None = Field(
        None, gt=0, description="Length in CPU minutes instead; for comparisons, not reproducible."
    )
    learning_rate: float = Field(2e-3, gt=0, le=1, description="Peak learning rate of AdamW.")
    weight_decay: float = Field(0.05, ge=0, le=1, description="Decoupled weight decay of matrices.")
    gradient_clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    warmup_steps: int = Field(50, ge=0, description="Steps of linear warm-up.")
    decay_fraction: float = Field(0.5, ge=0, le=1, description="Last part of the training with linear decay to zero.")
    patience: Positive = Field(5, description="Validations without gain before the training stops.")
    checkpoint_seconds: float = Field(30.0, gt=0, description="Seconds between checkpoints.")
    tensorboard: bool = Field(
        False, description="Also write TensorBoard files beside log.csv; needs `pip install tensorboard`."
    )
    threads: Positive = Field(1, description="CPU threads; changes floating-point sums, so it is part of the science.")

    @model_validator(mode="after")
    def _one_length(self):
        if self.budget_minutes and "bases_seen" not in self.model_fields_set:
            self.bases_seen = None
        if (self.bases_seen is None) == (self.budget_minutes is None):
            raise ValueError("give bases_seen or budget_minutes, one of them")
        return self


class Pretrain(Optimiser):
    """The language model and its training."""

    architecture: Literal["two_sided"] = Field("two_sided", description="Strand-symmetric two-sided model.")
    objective: Literal["two_sided"] = Field("two_sided", description="Causal plus two-sided log-likelihood.")
    learning_rate: float = Field(3e-3, gt=0, le=1, description="Peak learning rate of AdamW.")
    weight_decay: float = Field(0.1, ge=0, le=1, description="Decoupled weight decay of matrices.")
    window: Positive = Field(512, ge=32, le=1_000_000, description="Bases per training window.")
    batch_windows: Positive = Field(8, description="Windows per step, whatever the number of devices.")
    validate_every: Positive = Field(500_000, description="Bases between validations.")
    width: Positive = Field(64, description="Channels of the network.")
    layers: Positive = Field(2, le=48, description="Blocks of attention and feed-forward.")
    heads: Positive = Field(2, description="Attention heads.")
    attention_span: Positive = Field(128, description="Bases that a layer looks back.")
    memory_orders: list[Annotated[int, Field(ge=1, le=31)]] = Field(
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 20],
        min_length=1,
        description="Context lengths of the n-gram memory.",
    )
    memory_flanks: list[tuple[Positive, Positive]] = Field(
        [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (8, 8), (12, 5), (5, 12)],
        min_length=1,
        description="(left, right) context lengths of the two-sided n-gram memory; with each its mirror image.",
    )
    feature_dropout: float = Field(0.1, ge=0, lt=1, description="Share of windows that train without the memory.")

    @model_validator(mode="after")
    def _shape_fits(self):
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} is not a multiple of twice the {self.heads} heads")
        flanks = set(self.memory_flanks)
        if any((right, left) not in flanks for left, right in flanks):
            raise ValueError("memory_flanks needs the mirror image (right, left) of every (left, right)")
        if any(left != right and min(left, right) < 5 for left, right in flanks):
            raise ValueError("memory_flanks of unequal lengths must be at least 5 long on both sides")
        return self


class Annotate(Optimiser):
    """Gene finding by fine-tuning."""

    labels: Literal["genes"] = Field("genes", description="What is annotated.")
    bases_seen: Positive | None = Field(2_000_000, description="Length of the fine-tuning in bases; reproducible.")
    window: Positive = Field(2304, ge=96, multiple_of=3, description="Bases per window; a multiple of 3.")
    batch_windows: Positive = Field(2, description="Windows per step.")
    validate_every: Positive = Field(300_000, description="Bases between validations.")
    warmup_steps: int = Field(30, ge=0, description="Steps of linear warm-up.")
    min_length: Positive = Field(90, ge=30, description="Shortest gene that is called, in bases.")
    twins: bool = Field(True, description="Also fine-tune the random-init and the memory-only twin.")


class Evaluate(Section):
    """Confidence intervals."""

    bootstrap: Positive = Field(1000, ge=10, description="Draws of the block bootstrap.")
    unit: Positive = Field(5000, description="Bases per resampled unit inside blocks.")


class Study(Section):
    """A whole study: one config file."""

    study: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="Name; results go to results/<study>.")
    seed: int = Field(1, ge=0, description="Every random choice follows from it.")
    genomes: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")], GenomeSource] = Field(
        min_length=1, max_length=1, description="The genome by name (one, for now)."
    )
    splits: Splits = Field(default_factory=Splits, description="Training, validation and test blocks.")
    tokens: Tokens = Field(default_factory=Tokens, description="Tokenizer.")
    pretrain: Pretrain = Field(default_factory=Pretrain, description="Language model.")
    annotate: Annotate | None = Field(default_factory=Annotate, description="Gene finding; null to leave it out.")
    evaluate: Evaluate = Field(default_factory=Evaluate, description="Confidence intervals.")

    @model_validator(mode="after")
    def _gap_covers_the_window(self):
        least = min(self.pretrain.window, 1000)
        if self.splits.gap < least:
            raise ValueError(
                f"splits.gap is {self.splits.gap}, it must be at least min(pretrain.window, 1000) = {least}"
            )
        return self


def load_study(config: dict) -> Study:
    """The typed study of a config dictionary.

    Raises
    ------
    InputError
        One line that names every key that is wrong, what is allowed, and for unknown keys the nearest known one.
    """
    try:
        return Study.model_validate(config)
    except ValidationError as error:
        lines = "; ".join(_explain(e) for e in error.errors())
        raise InputError(lines, "config", "config/README.md lists every key") from error


def _explain(error: dict) -> str:
    key = ".".join(str(part) for part in error["loc"]) or "config"
    if not error["loc"]:
        return error["msg"].removeprefix("Value error, ")
    if error["type"] != "extra_forbidden":
        return f"{key}: {error['msg'].removeprefix('Value error, ')} (got {str(error['input'])[:60]!r})"
    known = _keys_at(error["loc"][:-1])
    near = difflib.get_close_matches(str(error["loc"][-1]), known, 1)
    return f"unknown key {key}" + (f", did you mean {near[0]}?" if near else "")


def _keys_at(path) -> list[str]:
    """The keys that are allowed at a place of the config."""
    if path and path[0] == "genomes":
        return list(Region.model_fields if "region" in path[2:] else GenomeSource.model_fields)
    sections = {"splits": Splits, "tokens": Tokens, "pretrain": Pretrain, "annotate": Annotate, "evaluate": Evaluate}
    return list((sections[path[0]] if path else Study).model_fields)
