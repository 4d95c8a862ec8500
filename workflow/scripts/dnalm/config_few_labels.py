"""The section `few_labels` of a study (see `dnalm.config`)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dnalm.config_base import Positive, Section
from dnalm.config_genomes import GenomeSource


class FewLabels(Section):
    """Gene finders that learn from a few curated genes: pretrained here, elsewhere, or not, and without a network."""

    genes: list[Positive | Literal["all"]] = Field(
        [10, 50, 250, "all"],
        min_length=1,
        description="Numbers of curated genes, each drawn from the training blocks; `all` for all of them.",
    )
    neighbours: Positive = Field(
        5, description="Genes that are curated side by side, with what lies between them; all else is unknown."
    )
    decoder_every: int = Field(
        2,
        ge=2,
        description="One in so many curated stretches is kept back from training, for the decoder and its threshold.",
    )
    budget_minutes: float = Field(
        1.5, gt=0, description="CPU minutes of every network in all: counting, pretraining and fine-tuning."
    )
    pretrain_share: float = Field(0.5, gt=0, lt=1, description="Part of the minutes that goes to pretraining.")
    seeds: Positive = Field(3, description="Repetitions, from `seed` on: other genes, weights and windows.")
    elsewhere: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")], GenomeSource] = Field(
        {},
        description="Genomes that one of the networks is pretrained on instead of this one; none to leave it out. "
        "Keys as in `genomes.<name>`.",
    )

    @property
    def arms(self) -> list[str]:
        """Gene finders of the comparison, by the names that the tables give them."""
        elsewhere = ["pretrained_elsewhere"] if self.elsewhere else []
        return ["pretrained", *elsewhere, "dnalm_random_init_equal_compute", "closed_form"]

    @model_validator(mode="after")
    def _genes_make_two_stretches(self):
        if len(set(self.genes)) < len(self.genes):
            raise ValueError("genes names a number twice")
        small = [n for n in self.genes if n != "all" and n <= self.neighbours]
        if small:
            raise ValueError(
                f"genes: {small[0]} is not more than neighbours ({self.neighbours}), so that all would stand in one "
                "stretch and none would be left for the decoder"
            )
        return self
