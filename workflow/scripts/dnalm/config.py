"""The study: a whole config file, what must fit together in it, and errors in words.

The typed model of `dnalm.config_sections`, put together here, is the only place where defaults live. The JSON schema
and the key tables of ``config/README.md`` are generated from it (``make docs``).
"""

import difflib
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from dnalm.config_base import Section
from dnalm.config_download import Download, Mirrors
from dnalm.config_few_labels import FewLabels
from dnalm.config_genomes import Ensembl, GenomeSource, Region, Ucsc
from dnalm.config_labelled import AminoAcids, Consequences, Groups, Label, LabelledSet, Lookup, Source
from dnalm.config_samples import Plant, Sample
from dnalm.config_sections import Annotate, Arm, Compare, Evaluate, Pretrain, Splits, Tokens, Track
from dnalm.config_variants import Observed, VariantMap, Variants, VariantSet
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
        {},
        description="Genomes to learn from by name; several are read as one, with contigs `genome:contig`. None in a "
        "study that only annotates `annotate.targets`.",
    )
    splits: Splits = Field(default_factory=Splits, description="Training, validation and test blocks.")
    tokens: Tokens = Field(default_factory=Tokens, description="Tokenizer.")
    pretrain: Pretrain | None = Field(
        default_factory=Pretrain, description="Language model; null to leave it out, as in a study without genomes."
    )
    annotate: Annotate | None = Field(default_factory=Annotate, description="Gene finding; null to leave it out.")
    compare: Compare | None = Field(None, description="Comparison of language models; null to leave it out.")
    few_labels: FewLabels | None = Field(None, description="Gene finders from few labels; null to leave it out.")
    variants: Variants | None = Field(
        default_factory=Variants,
        description="Scores of variants, for studies with a two_sided model; null to leave them out.",
    )
    evaluate: Evaluate = Field(default_factory=Evaluate, description="Confidence intervals.")
    download: Download = Field(default_factory=Download, description="Where genomes are fetched from.")

    def arm(self, name: str) -> tuple[Tokens, Pretrain]:
        """The tokens and pretrain sections of an arm of the comparison; what needs a settled length is left out."""
        changed = self.compare.arms[name]
        budget = {"bases_seen": None, "budget_minutes": self.compare.budget_minutes}
        budget |= {"window_warmup": None, "final": False, "recount": False}
        tokens = Tokens.model_validate({**self.tokens.model_dump(), **changed.tokens})
        section = {**self.pretrain.model_dump(), **budget, **changed.pretrain}
        return tokens, _fitting(tokens, Pretrain.model_validate(section))

    @model_validator(mode="after")
    def _stages_have_what_they_need(self):
        if not self.genomes:
            if not (self.annotate and self.annotate.targets):
                raise ValueError("genomes: name at least one, or annotate.model and annotate.targets")
            idle = self._about_learning()
            if idle:
                raise ValueError(f"without genomes nothing is learned: leave out {', '.join(idle)}, or give genomes")
            self.pretrain = None
        elif self.pretrain is None and (self.annotate or self.compare or self.few_labels):
            told = " and ".join(name for name in ("annotate", "compare", "few_labels") if getattr(self, name))
            raise ValueError(f"pretrain is null, but {told} of genomes begins with its language model")
        elif self.pretrain is None and not (self.variants and self.variants.labelled):
            raise ValueError("pretrain and annotate are both null: there is nothing to do")
        return self

    def _about_learning(self) -> list[str]:
        """The keys that say how to learn, as far as they are not what they are by default."""
        default = {"splits": Splits(), "tokens": Tokens(), "compare": None, "few_labels": None, "evaluate": Evaluate()}
        idle = [key for key, value in default.items() if getattr(self, key) != value]
        idle += ["pretrain"] if self.pretrain and "pretrain" in self.model_fields_set else []
        fields = {key: field for key, field in Annotate.model_fields.items() if key not in ("model", "targets")}
        return idle + [f"annotate.{key}" for key in fields if getattr(self.annotate, key) != fields[key].default]

    @model_validator(mode="after")
    def _tokens_and_objective_fit(self):
        if self.pretrain is None:
            return self
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
    def universal(self) -> bool:
        """Whether the study trains the gene finder for genomes without labels, group by group."""
        return self.annotate is not None and self.annotate.finder == "universal"

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
        targets = self.annotate.targets if self.annotate else {}
        both = sorted(set(targets) & set(self.genomes))
        if both:
            raise ValueError(f"annotate.targets: {', '.join(both)} is also the name of a genome; rename either")
        if targets and "targets" in self.genomes:
            raise ValueError("a genome cannot be called targets, which is the folder of annotate.targets; rename it")
        return self

    @model_validator(mode="after")
    def _groups_suffice(self):
        if not self.genomes:
            return self
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
    def _groups_can_be_left_out(self):
        if self.annotate and self.annotate.transfer and not self.universal:
            raise ValueError("annotate.transfer goes with annotate.finder universal")
        for name in ("compare", "few_labels"):
            if self.universal and getattr(self, name):
                raise ValueError(f"annotate.finder universal has no single split, which {name} needs; use two studies")
        if self.universal and self.splits.leakage == "filter":
            raise ValueError(
                "annotate.finder universal holds out whole genomes in turn and takes no windows out of them: "
                "splits.leakage filter goes with finder language_model (report is the default)"
            )
        if self.universal and self.annotate.labels != "genes":
            raise ValueError(f"annotate.finder universal finds genes, not {self.annotate.labels}")
        if self.universal and self.pretrain and self.pretrain.model:
            raise ValueError("annotate.finder universal cannot use pretrain.model")
        if self.universal and 0 < len(set(self.groups.values())) < 3:
            raise ValueError(
                "annotate.finder universal holds out one group of genomes at a time and learns from the others, of "
                f"which it needs two at least: give three groups (there are {len(set(self.groups.values()))})"
            )
        return self

    @model_validator(mode="after")
    def _few_labels_fit(self):
        if not self.few_labels:
            return self
        if len(self.genomes) > 1:
            raise ValueError("few_labels is about the labels of one genome; name the others in few_labels.elsewhere")
        if self.pretrain.model or self.tokens.kind != "base" or self.pretrain.objective == "masked":
            raise ValueError("few_labels needs a model of this study over single bases, causal or two_sided")
        targets = self.annotate.targets if self.annotate else {}
        if set(self.few_labels.elsewhere) & {*self.genomes, *targets, "elsewhere"}:
            raise ValueError("few_labels.elsewhere: call genomes neither like those of the study nor elsewhere")
        return self

    @model_validator(mode="after")
    def _variants_fit(self):
        """Variants that are asked for need a model that scores them; by default they are left out without one."""
        scored = self.pretrain and not self.pretrain.model and self.pretrain.objective == "two_sided"
        if self.genomes and self.pretrain is None and self.variants and self.variants.labelled:
            scored = not self._needs_a_model()
        if self.variants and (self.universal or not scored or not self.genomes):
            if "variants" in self.model_fields_set:
                told = self._needs_a_model() if self.pretrain is None else ""
                raise ValueError(f"variants{told} needs a language model of this study with objective two_sided")
            self.variants = None
        for kind in ("sets", "maps", "labelled") if self.variants else ():
            for name, one in getattr(self.variants, kind).items():
                if one.genome is None and len(self.genomes) > 1:
                    raise ValueError(f"variants.{kind}.{name}: name the `genome`, there are several in the study")
                if one.genome is not None and one.genome not in self.genomes:
                    raise ValueError(f"variants.{kind}.{name}: no genome {one.genome!r} in the study")
        return self

    def _needs_a_model(self) -> str:
        """The first key of variants that cannot do without a language model, with a dot before it; empty if none."""
        for key in ("zero_shot", "sets", "maps", "observed"):
            if getattr(self.variants, key):
                return f".{key}"
        for name, one in self.variants.labelled.items():
            if one.needs_a_model:
                return f".labelled.{name}"
        return ""

    @model_validator(mode="after")
    def _observed_genomes_fit(self):
        """Related genomes stand beside those of the study, which their reference is one of."""
        others = {*self.genomes, *(self.annotate.targets if self.annotate else ())}
        others |= set(self.few_labels.elsewhere if self.few_labels else ())
        for name, one in self.variants.observed.items() if self.variants else ():
            key = f"variants.observed.{name}"
            if name in others:
                raise ValueError(f"{key} is also the name of another genome of the study; rename either")
            if one.reference is None and len(self.genomes) > 1:
                raise ValueError(f"{key}: name the `reference`, there are several genomes in the study")
            if one.reference is not None and one.reference not in self.genomes:
                raise ValueError(f"{key}: no genome {one.reference!r} in the study")
        return self

    @model_validator(mode="after")
    def _samples_fit(self):
        """Samples stand beside all other genomes; what they use and are compared with must be known."""
        if not self.variants:
            return self
        own, observed = self.genomes, self.variants.observed
        others = {*own, *observed, *(self.annotate.targets if self.annotate else ())}
        others |= set(self.few_labels.elsewhere if self.few_labels else ())
        for name, one in self.variants.samples.items():
            key = f"variants.samples.{name}"
            if name in others:
                raise ValueError(f"{key} is also the name of a genome of the study; rename either")
            for role in ("use", "reference"):
                if (which := getattr(one, role)) is not None and which not in {*own, *observed}:
                    raise ValueError(f"{key}.{role}: no genome {which!r} in the study or in variants.observed")
            if one.use in own and not one.plant:
                raise ValueError(f"{key}: the model has read {one.use}, which has to have something planted")
            real = one.plant.real if one.plant else None
            if real and (real not in observed or (observed[real].reference or next(iter(own))) != one.use):
                raise ValueError(f"{key}.plant.real: {real!r} is not observed beside {one.use}")
        return self

    @model_validator(mode="after")
    def _gap_covers_the_window(self):
        if self.pretrain is None:
            return self
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
    if path[:2] in (("annotate", "targets"), ("few_labels", "elsewhere")):
        path = path[1:]
    if path[:2] == ("variants", "samples"):
        inner = {"plant": Plant, "genome": GenomeSource}
        found = Region if "region" in path[3:] else inner.get(str((*path, "", "")[3]), Sample)
        return list(found.model_fields)
    if path[:2] == ("variants", "observed"):
        if len(path) == 3:
            return list(Observed.model_fields)
        path = ("genomes", *path[3:])
    if path and path[0] in ("genomes", "targets", "elsewhere"):
        inner = {"region": Region, "ensembl": Ensembl, "ucsc": Ucsc}
        return list(next((inner[key] for key in path[2:] if key in inner), GenomeSource).model_fields)
    if path[:2] == ("download", "mirrors"):
        return list(Mirrors.model_fields)
    if path[:2] == ("compare", "arms"):
        return list(Arm.model_fields)
    if path[:2] == ("annotate", "tracks"):
        return list(Track.model_fields)
    if path[:2] in (("variants", "sets"), ("variants", "maps"), ("variants", "labelled")):
        kinds = {"sets": VariantSet, "maps": VariantMap, "labelled": LabelledSet}
        inner = {"label": Label, "groups": Groups, "consequence": Consequences, "amino_acids": AminoAcids}
        inner |= {"also": Label if "label" in path[4:] else Source, "lookup": Lookup}
        return list(inner.get(str((*path, "", "")[3]), kinds[path[1]]).model_fields)
    sections = {
        "splits": Splits, "tokens": Tokens, "pretrain": Pretrain, "annotate": Annotate, "compare": Compare,
        "few_labels": FewLabels, "variants": Variants, "evaluate": Evaluate, "download": Download,
    }  # fmt: skip
    return list((sections[path[0]] if path else Study).model_fields)
