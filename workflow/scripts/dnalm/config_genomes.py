"""Where a genome comes from, and what of it is used: the section `genomes` of a study (see `dnalm.config`)."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from dnalm.config_base import Positive, Section
from dnalm.io.remote import ASSEMBLY, NUCLEOTIDE

Code = Annotated[int, Field(ge=1, le=33)]


class Region(Section):
    """A slice of one contig."""

    contig: str | None = Field(None, description="Contig to cut from; the first one if left out.")
    start: int = Field(0, ge=0, description="First base, 0-based.")
    end: Positive = Field(description="Last base + 1, 0-based half-open.")


class Ensembl(Section):
    """A genome of Ensembl: soft-masked sequence and GFF3."""

    species: str = Field(pattern="^[a-z0-9_]+$", description="Folder of the species: saccharomyces_cerevisiae.")
    release: int = Field(gt=0, description="Release of the site: of Ensembl (113), or of Ensembl Genomes (60).")
    division: Literal["vertebrates", "fungi", "plants", "metazoa", "protists", "bacteria"] = Field(
        "vertebrates",
        description="vertebrates for Ensembl itself, which has yeast, worm and fly too; others: Ensembl Genomes.",
    )


class Ucsc(Section):
    """A genome of UCSC: soft-masked sequence and a gene track."""

    assembly: str = Field(pattern="^[A-Za-z0-9_.-]+$", description="Name of the assembly, as in sacCer3.")
    track: str | None = Field(
        None,
        pattern="^[A-Za-z0-9_]+$",
        description="Gene track; by default the first of ncbiRefSeq, refGene, ensGene and knownGene that there is.",
    )


def _named(value):
    """The section that a name alone stands for."""
    return {"assembly": value} if isinstance(value, str) else value


class GenomeSource(Section):
    """Where a genome comes from: exactly one of `embedded`, `path`, `ncbi`, `ensembl`, `ucsc` and `url`."""

    embedded: str | None = Field(None, description="Name of a genome that ships in resources/genomes.")
    path: str | None = Field(
        None, description="FASTA, 2bit, GenBank, EMBL, or GFF3 with a ##FASTA part; plain, gzip or bgzip."
    )
    annotation: str | None = Field(
        None,
        description="GFF3, GTF, BED12, GenBank or EMBL for a sequence without one: a path, a URL, or the name of a "
        "file in a folder of DNALM_DATA; plain, gzip or bgzip.",
    )
    aliases: str | None = Field(
        None,
        description="Table for contig names of a GFF3 that are neither those of the FASTA nor recognised: name in the "
        "GFF3, tab, contig; contig - leaves its features out.",
    )
    ncbi: str | None = Field(
        None,
        description="NCBI accession and version, of an assembly (GCF_000005845.2) or a record (NC_000913.3).",
    )
    ensembl: Ensembl | None = Field(None, description="Species and release of Ensembl or Ensembl Genomes.")
    ucsc: Annotated[Ucsc | None, BeforeValidator(_named, json_schema_input_type=Ucsc | str | None)] = Field(
        None, description="Assembly of UCSC: its name (sacCer3), or a section that names a gene track too."
    )
    url: str | None = Field(
        None,
        pattern=r"^(https?|ftp|s3|file)://",
        description="URL of a FASTA, 2bit, GenBank or EMBL file, or of a GFF3 with a ##FASTA part: http, https, ftp, "
        "file, or s3 of a public bucket.",
    )
    file: str | None = Field(
        None,
        description="File name of an `ncbi`, `ensembl` or `ucsc` genome in a folder of DNALM_DATA; or of a `url` that "
        "ends in none.",
    )
    include: Literal["gff3", "genbank", "sequence"] | None = Field(
        None,
        description="What is downloaded: FASTA with its annotation (GFF3, at UCSC GTF), the GenBank file (of NCBI), or "
        "the FASTA alone. By default gff3 where no `annotation` is given; single records of NCBI are GenBank.",
    )
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Checksum that the file must have.")
    md5: str | None = Field(None, pattern="^[0-9a-f]{32}$", description="The same as MD5, of a download.")
    annotation_sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="Checksum that the annotation must have."
    )
    genetic_code: int | None = Field(
        None,
        ge=1,
        le=33,
        description="NCBI genetic code; from the annotation, else 1 for what GenBank, EMBL, NCBI, Ensembl or UCSC "
        "leave unsaid (bacteria: 11), else 11, with a warning.",
    )
    circular: bool | None = Field(None, description="Whether contigs are circular; from the record, else false.")
    region: Region | None = Field(None, description="Use only this slice of the genome.")
    organelle_genetic_code: Code | dict[Literal["mitochondrion", "plastid"], Code] | None = Field(
        None,
        description="NCBI genetic code of contigs that are organelles, or one for each kind; from their annotation, "
        "else 11 for plastids, and for mitochondria what lineage, Ensembl or UCSC tell, else, with a warning, 1 beside "
        "a plastid and 4 for others.",
    )
    keep: list[str] | None = Field(
        None, description="Contigs to use: names, or patterns with * ? [ ]; all if left out."
    )
    leave_out: list[str] | None = Field(
        None,
        description="Contigs to leave out with their features: names, or patterns with * ? [ ].",
    )
    min_length: Positive | None = Field(None, description="Leave out contigs that have fewer bases.")
    roles: list[Literal["chromosome", "plasmid", "organelle", "unplaced", "alternate"]] | None = Field(
        None,
        min_length=1,
        description="Use only contigs that are one of these; what a contig is comes from the report, the record, its "
        "description or its name.",
    )
    report: str | None = Field(
        None,
        description="NCBI's assembly report or UCSC's chromAlias.txt: names that contigs have elsewhere, their lengths "
        "and roles.",
    )
    group: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$",
        description="Genomes of one group (strains of a species, say) stay on one side of a split by genome; without "
        "it each is a group of its own.",
    )
    split: Literal["train", "validation", "test"] | None = Field(
        None, description="Where a split by genome puts this genome and its group, instead of by chance."
    )

    @model_validator(mode="after")
    def _one_source(self):
        places = (self.embedded, self.path, self.ncbi, self.ensembl, self.ucsc, self.url)
        if sum(place is not None for place in places) != 1:
            raise ValueError("give exactly one of embedded, path, ncbi, ensembl, ucsc and url")
        if self.ncbi and not self.file and not (ASSEMBLY.fullmatch(self.ncbi) or NUCLEOTIDE.fullmatch(self.ncbi)):
            raise ValueError(f"ncbi: {self.ncbi!r} is no accession; they look like GCF_000005845.2 or NC_000913.3")
        if self.ncbi and not self.file and "." not in self.ncbi:
            raise ValueError(f"ncbi: name the version of {self.ncbi}, as in {self.ncbi}.1")
        if self.include and not (self.ensembl or self.ucsc or ASSEMBLY.fullmatch(self.ncbi or "")):
            raise ValueError("include goes with ensembl, ucsc and assemblies of ncbi")
        if self.include == "genbank" and not self.ncbi:
            raise ValueError("include: genbank goes with ncbi")
        if self.md5 and (self.embedded or self.path):
            raise ValueError("md5 is for downloads; use sha256")
        if self.aliases and not (self.annotation or self.ensembl or self.ucsc or self.ncbi):
            raise ValueError("aliases are for the contig names of an `annotation`")
        return self
