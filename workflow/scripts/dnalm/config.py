"""The study: a whole config file, what must fit together in it, and errors in words.

The typed model of `dnalm.config_sections`, put together here, is the only place where defaults live. The JSON schema
and the key tables of ``config/README.md`` are generated from it (``make docs``).
"""

import difflib
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from dnalm.config_sections import (
    Annotate,
    Arm,
    Compare,
    Evaluate,
    GenomeSource,
    Pretrain,
    Region,
    Section,
    Splits,
    Tokens,
)
from dnalm.errors import InputError


def _fitting(tokens: Tokens, pretrain: Pretrain) -> Pretrain:
    """``pretrain``, if its objective goes with these tokens."""
    if tokens.kind != "base" and pretrain.carry:
        raise ValueError(f"carry works on single bases, not on {tokens.kind} tokens")
    if tokens.kind != "base" and pretrain.objective == "two_sided":
        raise ValueError(f"objective two_sided works on single bases; with {tokens.kind} tokens use causal or masked")
    if pretrain.recount and (tokens.kind != "base" or pretrain.objective == "masked"):
        raise ValueError("recount needs the n-gram memory, which causal and two_sided models of single bases have")
    return pretrain


class Study(Section):
    """A whole study: one config file."""

    study: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="Name; results go to results/<study>.")
    seed: int = Field(1, ge=0, description="Every random choice follows from it.")
    genomes: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")], GenomeSource] = Field(
        min_length=1, description="Genomes by name; several are read as one, with contigs `genome:contig`."
    )
    splits: Splits = Field(default_factory=Splits, description="Training, validation and test blocks.")
    tokens: Tokens = Field(default_factory=Tokens, description="Tokenizer.")
    pretrain: Pretrain = Field(default_factory=Pretrain, description="Language model.")
    annotate: Annotate | None = Field(default_factory=Annotate, description="Gene finding; null to leave it out.")
    compare: Compare | None = Field(None, description="Comparison of language models; null to leave it out.")
    evaluate: Evaluate = Field(default_factory=Evaluate, description="Confidence intervals.")

    def arm(self, name: str) -> tuple[Tokens, Pretrain]:
        """The tokens and pretrain sections of an arm of the comparison; what needs a settled length is left out."""
        changed = self.compare.arms[name]
        budget = {"bases_seen": None, "budget_minutes": self.compare.budget_minutes}
        budget |= {"window_warmup": None, "final": False, "recount": False}
        tokens = Tokens.model_validate({**self.tokens.model_dump(), **changed.tokens})
        section = {**self.pretrain.model_dump(), **budget, **changed.pretrain}
        return tokens, _fitting(tokens, Pretrain.model_validate(section))

    @model_validator(mode="after")
    def _tokens_and_objective_fit(self):
        _fitting(self.tokens, self.pretrain)
        if self.tokens.kind == "bpe" and self.pretrain.objective == "masked":
            raise ValueError("masked byte pairs have no bits per base; use objective causal, or an arm of compare")
        for name in self.compare.arms if self.compare else ():
            try:
                self.arm(name)
            except ValidationError as error:
                section = error.title.lower()
                told = [_explain({**e, "loc": (section, *e["loc"])}) for e in error.errors()]
                raise ValueError(f"compare.arms.{name}: {'; '.join(told)}") from error
            except ValueError as error:
                raise ValueError(f"compare.arms.{name}: {error}") from error
        return self

    @property
    def groups(self) -> dict[str, str]:
        """The group of every genome."""
        return {name: source.group or name for name, source in self.genomes.items()}

    @property
    def fixed_splits(self) -> dict[str, str]:
        """The split of every group that the study itself assigns."""
        return {self.groups[name]: source.split for name, source in self.genomes.items() if source.split}

    @model_validator(mode="after")
    def _genomes_can_be_told_apart(self):
        if len(self.genomes) > 1 and self.study in self.genomes:
            raise ValueError(
                f"a genome is called {self.study} like the study, which stands for all its genomes; rename either"
            )
        return self

    @model_validator(mode="after")
    def _groups_suffice(self):
        chosen = [(self.groups[name], source.split) for name, source in self.genomes.items() if source.split]
        if self.splits.by != "genome":
            if chosen:
                raise ValueError(f"genomes: `split` goes with splits.by genome, not with {self.splits.by}")
            return self
        for group in dict.fromkeys(self.groups.values()):
            found = sorted({split for mine, split in chosen if mine == group})
            if len(found) > 1:
                raise ValueError(f"genomes: group {group} cannot be in {' and '.join(found)} at once")
        free = len(set(self.groups.values()) - set(self.fixed_splits))
        open_ = [split for split in ("train", "validation", "test") if split not in self.fixed_splits.values()]
        if free < len(open_):
            raise ValueError(
                f"splits.by genome needs a group of genomes for each of {', '.join(open_)}: "
                f"{'there is' if free == 1 else 'there are'} {free}{' left' if chosen else ''}; "
                "add genomes or groups, or use splits.by block"
            )
        return self

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
    if path[:2] == ("compare", "arms"):
        return list(Arm.model_fields)
    sections = {
        "splits": Splits, "tokens": Tokens, "pretrain": Pretrain, "annotate": Annotate, "compare": Compare,
        "evaluate": Evaluate,
    }  # fmt: skip
    return list((sections[path[0]] if path else Study).model_fields)
