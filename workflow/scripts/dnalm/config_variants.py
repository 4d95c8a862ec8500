"""The section `variants` of a study (see `dnalm.config`)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dnalm.config_base import Positive, Section
from dnalm.config_genomes import GenomeSource
from dnalm.config_labelled import LabelledSet
from dnalm.config_samples import Sample

#: Names of sets and maps.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class VariantSet(Section):
    """A file of variants to score."""

    vcf: str = Field(
        description="VCF or BCF file, plain, gzip or bgzip: here, in a folder of DNALM_DATA, or a URL of it."
    )
    genome: str | None = Field(
        None, description="Genome of the study that its positions are of; may be left out where there is one alone."
    )
    aliases: str | None = Field(None, description="Table of contig names of the file, as that of a genome.")
    joint: Literal["others", "all", "none"] = Field(
        "others",
        description="Which variants also get a joint log-likelihood ratio, which takes a pass of the model each: all "
        "but single-base substitutions (others), all, or none.",
    )
    max_length: Positive = Field(50, le=10_000, description="Longest allele that is scored, in bases.")


class VariantMap(Section):
    """A stretch of a genome, all of whose substitutions are scored."""

    genome: str | None = Field(None, description="Genome of the study; may be left out where there is one alone.")
    gene: str | None = Field(None, description="The stretch is the gene of this name or locus tag.")
    contig: str | None = Field(None, description="Or it is of this contig; all contigs if both are left out.")
    start: int = Field(0, ge=0, description="First base, 0-based.")
    end: Positive | None = Field(None, description="Last base + 1, 0-based half-open; the contig's end if left out.")

    @model_validator(mode="after")
    def _one_stretch(self):
        if self.gene and (self.contig or self.start or self.end):
            raise ValueError("give a gene, or a contig with start and end, not both")
        if not self.contig and (self.start or self.end):
            raise ValueError("start and end need a contig")
        if self.end is not None and self.end <= self.start:
            raise ValueError("end must lie behind start")
        return self


class Observed(Section):
    """A related genome whose differences from a genome of the study are taken as tolerated."""

    genome: GenomeSource = Field(
        description="The related genome; it is aligned and never trained on. Keys as in `genomes.<name>`."
    )
    reference: str | None = Field(
        None, description="Genome of the study that it is compared with; may be left out where there is one alone."
    )
    preset: Literal["asm5", "asm10", "asm20"] = Field(
        "asm10", description="How far apart minimap2 expects the two to be: some 0.1 %, 1 % or 5 % of the bases."
    )
    min_block: Positive = Field(5000, description="Shortest alignment whose differences count, in bases.")
    min_quality: int = Field(30, ge=0, le=60, description="Lowest mapping quality of an alignment that counts.")
    gap_margin: int = Field(
        10,
        ge=0,
        description="Bases beside an insertion, a deletion or an alignment's end where differences do not count.",
    )
    max_differences: Positive = Field(
        8, description="Most differences in 101 bases; where there are more, none counts."
    )
    block: Positive = Field(50_000, ge=1000, description="Bases of a block that is held out as a whole.")
    folds: Positive = Field(5, ge=2, le=50, description="Parts of the blocks, each scored by a fit on the others.")
    embeddings: bool = Field(
        False,
        description="Also measure scorers that know how the language model's states differ between the alleles. Both "
        "alleles are read for it: some hundred changes a second.",
    )

    @model_validator(mode="after")
    def _nothing_is_learned_from_it(self):
        if self.genome.group or self.genome.split:
            raise ValueError("no model is trained on an observed genome, `group` and `split` mean nothing")
        return self


class Variants(Section):
    """Scores of variants by the language model."""

    zero_shot: bool = Field(
        True,
        description="Ask, without any label, whether scores tell new stop codons and changed amino acids from silent "
        "changes in the annotated genes of the test blocks. Not asked where genes have introns "
        "(`annotate.labels: structures`).",
    )
    sets: dict[Name, VariantSet] = Field({}, description="Files of variants by name; each comes back as a VCF file.")
    maps: dict[Name, VariantMap] = Field({}, description="Stretches by name, all of whose substitutions are scored.")
    labelled: dict[Name, LabelledSet] = Field(
        {}, description="Tables of variants with labels by name, which scorers learn from and are judged by."
    )
    observed: dict[Name, Observed] = Field(
        {},
        description="Related genomes by name: a scorer learns to tell their differences, which were tolerated, from "
        "simulated changes. Needs minimap2.",
    )
    samples: dict[Name, Sample] = Field(
        {}, description="Samples by name, which are scanned for positions that look wrong to the language model."
    )
