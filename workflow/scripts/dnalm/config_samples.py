"""Samples that are scanned for suspicious positions: a part of the section `variants` (see `dnalm.config_variants`)."""

from typing import Literal

from pydantic import Field, model_validator

from dnalm.config_base import Positive, Section
from dnalm.config_genomes import GenomeSource, Region


class Plant(Section):
    """Changes to plant in a sample before it is scanned, to see how many of them come up."""

    per_mb: Positive = Field(200, le=1000, description="Changes of each kind per million bases.")
    region: Region | None = Field(None, description="Cut this stretch out first, and scan it alone.")
    real: str | None = Field(
        None,
        description="Also plant real differences: those from this genome of `variants.observed`, whose reference must "
        "be the genome that is used.",
    )


class Sample(Section):
    """A sample, an assembly or a consensus, that is scanned for positions that look wrong."""

    genome: GenomeSource | None = Field(
        None, description="The sample; nothing is learned from it. Keys as in `genomes.<name>`."
    )
    use: str | None = Field(
        None,
        description="Instead of `genome`: a genome of the study, which must have something planted, or one of "
        "`variants.observed`.",
    )
    reference: str | None = Field(
        None,
        description="Genome of the study or of `variants.observed` that the sample is compared with; their differences "
        "are ranked. Needs minimap2.",
    )
    preset: Literal["asm5", "asm10", "asm20"] = Field(
        "asm10", description="How far apart minimap2 expects the two to be: some 0.1 %, 1 % or 5 % of the bases."
    )
    budget: Positive = Field(100, le=10_000, description="Positions that are flagged, per million bases.")
    plant: Plant | None = Field(None, description="Changes to plant before; null to scan the sample as it is.")

    @model_validator(mode="after")
    def _one_source(self):
        if (self.genome is None) == (self.use is None):
            raise ValueError("give exactly one of genome and use")
        if self.genome and (self.genome.group or self.genome.split):
            raise ValueError("no model is trained on a sample, `group` and `split` mean nothing")
        if self.plant and self.plant.real and not self.use:
            raise ValueError("plant.real needs `use`: real differences are of a genome of the study")
        if self.plant and self.reference:
            raise ValueError("a sample with planted changes is not compared with a reference; use two samples")
        return self
