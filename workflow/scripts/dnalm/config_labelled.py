"""The section `variants.labelled` of a study: variants whose effect is known, to learn from and to be judged by."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dnalm.config_sections import Positive, Section

#: Families of features (`dnalm.variants.features`).
FAMILIES = (
    "consequence",
    "chemistry",
    "residues",
    "substitution",
    "splice",
    "columns",
    "windows",
    "gene",
    "language_model",
)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$")]
Value = str | int | float


class Label(Section):
    """What the label of a variant is."""

    column: str = Field(description="Column of the table, or INFO key of the VCF file, that holds it.")
    positive: list[Value] = Field(min_length=1, description="Values that mean harmful.")
    negative: list[Value] = Field(
        min_length=1, description="Values that mean harmless; variants with any other value are left out and counted."
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
        if both := {str(v) for v in self.positive} & {str(v) for v in self.negative}:
            raise ValueError(f"label: {', '.join(sorted(both))} cannot be positive and negative at once")
        if self.table and not (self.key and self.name):
            raise ValueError("label.table needs key, its column of names, and name, the column of the variants")
        return self


class Groups(Section):
    """What is held out together, so that no variant is predicted from its neighbours."""

    by: Literal["column", "gene", "block"] = Field(
        "block", description="Groups are the values of a column, genes, or blocks of neighbouring positions."
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


class LabelledSet(Section):
    """A table or VCF file of variants with labels."""

    table: str | None = Field(
        None, description="TSV or CSV file with a header, plain or gzip, here or in a folder of DNALM_DATA."
    )
    vcf: str | None = Field(None, description="Or a VCF or BCF file, whose INFO keys are the columns.")
    terms: str | None = Field(None, description="Terms of use of the labels; printed in log and report.")
    note: str | None = Field(None, description="What a reader has to know about these labels; printed in the report.")
    genome: str | None = Field(None, description="Genome of the study; may be left out where there is one alone.")
    aliases: str | None = Field(None, description="Table of contig names of the file, as that of a genome.")
    contig: str | None = Field(None, description="Column of contigs; may be left out if the genome has one alone.")
    position: str = Field("position", description="Column of positions, from 1.")
    position_offset: int = Field(
        0, description="Bases before the first one of the genome's file, if it is a slice; taken off every position."
    )
    ref: str = Field("ref", description="Column of the reference allele.")
    alt: str = Field("alt", description="Column of the alternative allele.")
    label: Label = Field(description="What the label is.")
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
    published: dict[Name, str] = Field(
        {}, description="Columns of published scores to compare with and not to learn from, by a short name."
    )
    lower_is_worse: list[Name] = Field([], description="Names of columns whose low values mean harm.")
    features: list[Literal[FAMILIES]] = Field(
        ["consequence", "chemistry", "residues", "substitution", "splice", "columns", "windows"],
        description="What is learned from. The rest: gene, for blocks inside of genes, and language_model, "
        "what the study's own language model expects.",
    )
    model: Literal["logistic", "boosting", "mean"] = Field(
        "mean", description="Logistic regression, boosted trees, or the mean of their log-odds."
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

    @model_validator(mode="after")
    def _fits(self):
        if bool(self.table) == bool(self.vcf):
            raise ValueError("give either table or vcf")
        known = set(self.columns) | set(self.published)
        if odd := [name for name in self.lower_is_worse if name not in known]:
            raise ValueError(f"lower_is_worse: {', '.join(odd)} is in neither columns nor published")
        if both := sorted(set(self.columns) & set(self.published)):
            raise ValueError(f"{', '.join(both)} cannot be in columns and published at once")
        if not self.features:
            raise ValueError("features: name one at least")
        return self
