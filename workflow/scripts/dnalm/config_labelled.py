"""The section `variants.labelled` of a study: variants whose effect is known, to learn from and to be judged by."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dnalm.config_base import Positive, Section
from dnalm.variants.families import FAMILIES, LANGUAGE

#: Names of columns that look like how often a variant is seen in people or isolates.
FREQUENCY = re.compile(
    r"(^|[^a-z])(m?af|popmax|gnomad|exac|1000g|topmed|helix|esp|tgp|freq\w*|frequency|gbcnt|gbfreq|[ah]c|hom|counts?)($|[^a-z])",
    re.IGNORECASE,
)
#: Kinds of alleles (`dnalm.sequence.alleles`).
KINDS = ("snv", "mnv", "insertion", "deletion", "indel")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$")]
Value = str | int | float


def _compiles(pattern: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"label.pattern: {pattern!r} is no regular expression ({error})") from error


class Label(Section):
    """What the label of a variant is."""

    column: str = Field(description="Column of the table, or INFO key of the VCF file, that holds it.")
    positive: list[Value] = Field([], description="Values that mean harmful.")
    negative: list[Value] = Field(
        [], description="Values that mean harmless; variants with any other value are left out and counted."
    )
    positive_from: float | None = Field(None, description="Numbers from here on mean harmful: a measured score, say.")
    positive_below: float | None = Field(None, description="Numbers below this mean harmful.")
    negative_from: float | None = Field(
        None, description="Numbers from here on mean harmless: a frequency, say, which must not be learned from then."
    )
    negative_below: float | None = Field(
        None, description="Numbers below this mean harmless; those that no threshold reaches have no label."
    )
    pattern: str | None = Field(
        None, description="Regular expression; what it finds first in the column is the value, such as `^[^(]+`."
    )
    table: str | None = Field(None, description="Another table that holds the labels, by a name of the variants.")
    key: str | None = Field(None, description="Column of that table with the name of the variant.")
    name: str | None = Field(None, description="Column or INFO key of the variants with the same name.")
    several: Literal["agree", "any"] = Field(
        "agree",
        description="A variant with several labels: it is left out unless they agree (agree), or it is harmful if any "
        "label says so (any).",
    )

    @model_validator(mode="after")
    def _both_sides(self):
        if not (self.positive or self.negative or self.thresholds):
            raise ValueError("label: name values that are positive or negative, or thresholds of a number")
        self._ranges_are_apart()
        if self.pattern is not None:
            _compiles(self.pattern)
        if both := {str(v) for v in self.positive} & {str(v) for v in self.negative}:
            raise ValueError(f"label: {', '.join(sorted(both))} cannot be positive and negative at once")
        if self.table and not (self.key and self.name):
            raise ValueError("label.table needs key, its column of names, and name, the column of the variants")
        return self

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds that are given, by name."""
        every = {f"{side}_{end}" for side in ("positive", "negative") for end in ("from", "below")}
        return {name: getattr(self, name) for name in sorted(every) if getattr(self, name) is not None}

    def _ranges_are_apart(self) -> None:
        """No number is harmful and harmless at once, nor twice the same."""
        for end in ("from", "below"):
            if self.thresholds.keys() >= {f"positive_{end}", f"negative_{end}"}:
                raise ValueError(f"label: positive_{end} and negative_{end} both hold for some numbers")
        low = max((v for name, v in self.thresholds.items() if name.endswith("below")), default=float("-inf"))
        high = min((v for name, v in self.thresholds.items() if name.endswith("from")), default=float("inf"))
        if low > high:
            raise ValueError(f"label: numbers from {high:g} to {low:g} would mean two things")


class Groups(Section):
    """What is held out together, so that no variant is predicted from its neighbours."""

    by: Literal["column", "gene", "exon", "block"] = Field(
        "block",
        description="Groups are the values of a column, genes (overlapping ones that share a variant are one), exons "
        "(the nearest coding part of the annotation, long ones cut between codons into stretches of `block` bases at "
        "most), or blocks of neighbouring positions.",
    )
    column: str | None = Field(None, description="The column, for `by: column`.")
    block: Positive = Field(
        1000, description="Bases of a block; in genes whole codons, counted from the start of the coding sequence."
    )
    folds: int = Field(
        0, ge=0, description="Spread the groups over so many folds; 0 holds out one group at a time, 40 at most."
    )

    @model_validator(mode="after")
    def _column_is_named(self):
        if (self.by == "column") != bool(self.column):
            raise ValueError("groups: `column` goes with by: column")
        if self.folds == 1:
            raise ValueError("groups.folds: one fold has nothing to learn from; 0 holds out one group at a time")
        return self


class Consequences(Section):
    """Consequences that the table brings; without this section they come from the annotation of the genome."""

    column: str = Field(description="Column with the consequence.")
    order: list[str] = Field(
        min_length=1, description="All its values, the most severe first: the baseline `consequence_order`."
    )


class AminoAcids(Section):
    """Amino acids that the table brings; without this section they come from the annotation of the genome."""

    ref: str = Field(description="Column with the amino acid before, one letter, empty outside of codons.")
    alt: str = Field(description="Column with the amino acid after.")
    position: str | None = Field(None, description="Column with the number of the residue.")


class Source(Section):
    """Where alleles and their labels stand: a table or a VCF file."""

    table: str | None = Field(
        None, description="TSV or CSV file with a header, plain or gzip, here or in a folder of DNALM_DATA."
    )
    vcf: str | None = Field(None, description="Or a VCF or BCF file, whose INFO keys are the columns.")
    contig: str | None = Field(None, description="Column of contigs; may be left out if the genome has one alone.")
    position: str = Field("position", description="Column of positions, from 1.")
    position_offset: int = Field(
        0, description="Bases before the first one of the genome's file, if it is a slice; taken off every position."
    )
    ref: str = Field("ref", description="Column of the reference allele.")
    alt: str = Field("alt", description="Column of the alternative allele.")
    spdi: str | None = Field(
        None,
        description="Or a column with all three as NCBI writes them, sequence:position from 0:deleted:inserted; the "
        "sequence is the contig, by `aliases` if it has another name, unless `contig` names a column.",
    )
    locus: str | None = Field(
        None, description="Or, with `alleles`, a column of contig and position from 1 as Hail writes them (chrM:5)."
    )
    alleles: str | None = Field(None, description='With `locus`: a column of both alleles (`["A","C"]`).')
    where: dict[str, list[Value]] = Field(
        {}, description="Columns and the values that a row must have there; all others are left out and counted."
    )
    id: str | None = Field(
        None, description="Column or INFO key that names a variant in predictions; of a VCF file else its ID column."
    )
    label: Label = Field(description="What the label is.")

    @model_validator(mode="after")
    def _one_file(self):
        if bool(self.table) == bool(self.vcf):
            raise ValueError("give either table or vcf")
        if (self.spdi or self.locus) and self.vcf:
            raise ValueError("spdi and locus are for a table; a vcf has positions and alleles of its own")
        if bool(self.locus) != bool(self.alleles) or (self.spdi and self.locus):
            raise ValueError("locus and alleles go together, and not with spdi")
        return self


class Lookup(Section):
    """Numbers that another file has for positions or alleles of the genome."""

    table: str | None = Field(None, description="TSV or CSV file with a header, here or in a folder of DNALM_DATA.")
    wig: str | None = Field(None, description="Or a wiggle file (fixedStep or variableStep), plain or gzip.")
    contig: str | None = Field(None, description="Column of contigs; may be left out if the genome has one alone.")
    position: str = Field("position", description="Column of positions, from 1.")
    alt: str | None = Field(None, description="Column of the alternative base, if every allele has its own number.")
    column: str | None = Field(None, description="Column of the number.")
    position_offset: int = Field(0, description="Taken off every position, as that of the variants.")

    @model_validator(mode="after")
    def _one_file(self):
        if bool(self.table) == bool(self.wig):
            raise ValueError("give either table or wig")
        if bool(self.table) != bool(self.column):
            raise ValueError("column goes with table")
        return self


class LabelledSet(Source):
    """A table or VCF file of variants with labels."""

    also: list[Source] = Field(
        [], description="More files of variants with labels; an allele in several is one, with the label of all."
    )
    lookup: dict[Name, Lookup] = Field(
        {}, description="Numbers of other files by name, which `columns` and `published` can use as columns."
    )
    predict: list[str] = Field(
        [],
        description="Files of variants to predict, beside the set's own without a label: VCF files (`.vcf`, `.vcf.gz`, "
        "`.bcf`), or tables with the columns of the set's own.",
    )
    terms: str | None = Field(None, description="Terms of use of the labels; printed in log and report.")
    note: str | None = Field(None, description="What a reader has to know about these labels; printed in the report.")
    genome: str | None = Field(None, description="Genome of the study; may be left out where there is one alone.")
    aliases: str | None = Field(None, description="Table of contig names of the file, as that of a genome.")
    kinds: list[Literal[KINDS]] = Field(
        list(KINDS), min_length=1, description="Kinds of alleles to keep; others are left out and counted."
    )
    max_length: Positive = Field(50, le=10_000, description="Longest allele that is kept, in bases.")
    groups: Groups = Field(description="What is held out together.")
    unit: Positive | None = Field(
        None,
        description="Unit of the intervals: blocks of so many bases, counted like `groups.block`; else the groups.",
    )
    gene: str | None = Field(None, description="Column of genes; without it they come from the annotation.")
    consequence: Consequences | None = Field(None, description="Consequences that the table brings.")
    amino_acids: AminoAcids | None = Field(None, description="Amino acids that the table brings.")
    transcript_position: str | None = Field(
        None,
        description="Column of positions in the coding sequence as HGVS writes them (76+2, 77-1), which tell where "
        "exons end; without it the annotation does.",
    )
    only: list[str] = Field([], description="Consequences to keep; all others are left out and counted.")
    columns: dict[Name, str] = Field(
        {}, description="Columns to learn from, by a short name: conservation, say. Each is a baseline as well."
    )
    allow_frequency: bool = Field(
        False,
        description="Learn from columns that look like allele frequencies. Rules of curation use frequency (BA1, BS1, "
        "PM2), so that a scorer of curated labels would learn the rule: for measured labels only.",
    )
    published: dict[Name, str] = Field(
        {}, description="Columns of published scores to compare with and not to learn from, by a short name."
    )
    lower_is_worse: list[Name] = Field([], description="Names of columns whose low values mean harm.")
    features: list[Literal[FAMILIES]] = Field(
        ["consequence", "chemistry", "residues", "substitution", "splice", "length", "columns", "windows"],
        description="What is learned from. The rest: gene, for blocks inside of genes; language_model, what the "
        "study's own language model expects; and embeddings, how its states differ between the alleles.",
    )
    model: Literal["logistic", "boosting", "mean"] = Field(
        "mean", description="Logistic regression, boosted trees, or the mean of their log-odds."
    )
    finetune: bool = Field(
        False,
        description="Also fine-tune the study's language model itself on the labels, holding out the same groups in "
        "five folds at most, beside a twin with random weights.",
    )
    finetune_bases: Positive = Field(
        2_000_000, description="Bases that this fine-tuning reads in every fold, both alleles counted, at most."
    )
    balance: bool = Field(
        False,
        description="Weigh the labels of every group alike, so that what differs between groups teaches nothing: for "
        "groups whose shares of harm differ for reasons that the features do not know, as genes of a catalogue.",
    )
    calibration: Literal["platt", "isotonic", "none"] = Field(
        "platt", description="How scores become probabilities; fitted on held-out folds inside of the training groups."
    )
    precision: float = Field(
        0.9, gt=0, lt=1, description="Precision that the threshold for a call is set to, inside of the training groups."
    )

    @property
    def needs_a_model(self) -> bool:
        """Whether the study's language model is asked."""
        return self.finetune or bool(set(LANGUAGE) & set(self.features))

    @model_validator(mode="after")
    def _fits(self):
        if odd := [n for n, c in self.columns.items() if FREQUENCY.search(n) or FREQUENCY.search(c)]:
            if not self.allow_frequency:
                raise ValueError(
                    f"columns: {', '.join(odd)} looks like a frequency, and curated labels are made with frequencies; "
                    "put it under published, or set allow_frequency if the labels were measured"
                )
        known = set(self.columns) | set(self.published)
        if odd := [name for name in self.lower_is_worse if name not in known]:
            raise ValueError(f"lower_is_worse: {', '.join(odd)} is in neither columns nor published")
        if both := sorted(set(self.columns) & set(self.published)):
            raise ValueError(f"{', '.join(both)} cannot be in columns and published at once")
        if not self.features:
            raise ValueError("features: name one at least")
        return self
