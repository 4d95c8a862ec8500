"""The section ``download`` of a study: where genomes are fetched from, and how patiently (see `dnalm.config`)."""

from typing import Annotated

from pydantic import Field

from dnalm.config_base import Section

Urls = list[Annotated[str, Field(pattern=r"^(https?|ftp)://")]]


class Mirrors(Section):
    """Base URLs in place of the providers' own; they are tried in turn. DNALM_MIRROR_NCBI and so on beat them."""

    ncbi: Urls = Field([], description="In place of https://ftp.ncbi.nlm.nih.gov/genomes/all.")
    ncbi_datasets: Urls = Field([], description="In place of https://api.ncbi.nlm.nih.gov/datasets/v2.")
    ncbi_entrez: Urls = Field([], description="In place of https://eutils.ncbi.nlm.nih.gov/entrez/eutils.")
    ensembl: Urls = Field([], description="In place of https://ftp.ensembl.org/pub.")
    ensembl_genomes: Urls = Field([], description="In place of https://ftp.ensemblgenomes.ebi.ac.uk/pub.")
    ucsc: Urls = Field([], description="In place of https://hgdownload.soe.ucsc.edu/goldenPath.")
    s3: Urls = Field([], description="Server with buckets as folders, in place of Amazon's.")


class Download(Section):
    """Downloads of genomes; nothing here changes a result."""

    mirrors: Mirrors | None = Field(None, description="Other places for what the providers have.")
    attempts: int = Field(6, ge=1, le=100, description="Tries of a file in a row that bring nothing new.")
    backoff: float = Field(
        1.0, ge=0, le=600, description="Seconds before the second try; doubled for each one after it."
    )
    read_timeout: float = Field(60.0, gt=0, description="Seconds of silence after which a connection counts as broken.")
