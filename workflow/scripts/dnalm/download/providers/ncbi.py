"""NCBI: assemblies from the genomes folders or the Datasets service, single records from Entrez.

Folders: https://ftp.ncbi.nlm.nih.gov/genomes/all/GCF/000/005/845/GCF_000005845.2_ASM584v2/ with md5checksums.txt
(README.txt of https://ftp.ncbi.nlm.nih.gov/genomes/all). Datasets: v2 REST API, a zip file with md5sum.txt. Entrez:
efetch.
"""

import os
import re
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from dnalm.download.archive import unpack_members
from dnalm.download.checksums import parse_md5
from dnalm.download.client import Client
from dnalm.download.faults import DownloadError
from dnalm.download.providers.offers import Offer, Plan, checksums, pinned
from dnalm.download.settings import Settings
from dnalm.download.transfer import RemoteFile
from dnalm.io.remote import ASSEMBLY, GENBANK, NUCLEOTIDE, strip_compression, wanted_format

LICENCE = (
    "NCBI places no restrictions on use or distribution; submitters may claim rights "
    "(www.ncbi.nlm.nih.gov/home/about/policies)"
)
#: What a folder calls the files, by format and role.
ENDS = {
    "gff3": {"sequence": "_genomic.fna.gz", "annotation": "_genomic.gff.gz"},
    "genbank": {"sequence": "_genomic.gbff.gz"},
    "sequence": {"sequence": "_genomic.fna.gz"},
}
#: What Datasets calls them: value of include_annotation_type, and the end of the name in the zip file.
PACKAGE = {
    "gff3": {"sequence": ("GENOME_FASTA", "_genomic.fna"), "annotation": ("GENOME_GFF", "genomic.gff")},
    "genbank": {"sequence": ("GENOME_GBFF", "genomic.gbff")},
    "sequence": {"sequence": ("GENOME_FASTA", "_genomic.fna")},
}


def offers(source: dict, settings: Settings) -> list[Offer]:
    """Folders first, then Datasets, for an assembly; Entrez for a single record."""
    accession = source["ncbi"]
    if ASSEMBLY.fullmatch(accession):
        folders = [_folder(base, accession) for base in settings.bases("ncbi")]
        found = [Offer(folder, folder, partial(_assembly, source, folder)) for folder in folders]
        packages = [f"{base}/genome/accession/{accession}/download" for base in settings.bases("ncbi_datasets")]
        return found + [Offer(url, url, partial(_package, source, url)) for url in packages]
    if NUCLEOTIDE.fullmatch(accession):
        urls = [f"{base}/efetch.fcgi" for base in settings.bases("ncbi_entrez")]
        return [
            Offer(url, f"https://www.ncbi.nlm.nih.gov/nuccore/{accession}", partial(_record, source, url))
            for url in urls
        ]
    raise DownloadError(
        "missing", f"{accession!r} is no accession of NCBI", "genomes: ncbi",
        "Assemblies look like GCF_000005845.2, single records like NC_000913.3",
    )  # fmt: skip


def _folder(base: str, accession: str) -> str:
    kind, digits = accession[:3], accession[4:13]
    return f"{base}/{kind}/{digits[:3]}/{digits[3:6]}/{digits[6:]}"


def _assembly(source: dict, folder: str, client: Client) -> Plan:
    """Files of an assembly's folder, whose name ends with the name of the assembly, which only NCBI knows."""
    stem = _version_of(source["ncbi"], folder, client.names(folder))
    place = f"{folder}/{stem}"
    there = client.names(place)
    wanted = {**ENDS[wanted_format(source)], "report": "_assembly_report.txt"}
    files = []
    for role, end in wanted.items():
        name = f"{stem}{end}"
        if name in there:
            promised = checksums(client, f"{place}/md5checksums.txt", parse_md5, name, "md5")
            files.append(RemoteFile(role, name, f"{place}/{name}", promised, pinned(source, role)))
        elif role == "sequence":
            raise DownloadError(
                "missing", f"{stem} has no *{end}", place,
                "NCBI keeps only reports of old and suppressed assemblies: use the latest version"
                if end.startswith("_genomic.fna") else "Use include: gff3 or sequence",
            )  # fmt: skip
        elif role == "annotation":
            client.log.warning("%s has no annotation (*%s): the sequence alone is fetched", stem, end)
    return Plan(files, {"provider": "NCBI genomes", "assembly": stem, "licence": LICENCE})


def _version_of(accession: str, folder: str, names: list[str]) -> str:
    """The folder of one version of an assembly."""
    mine = [name for name in names if name.startswith(f"{accession}_" if "." in accession else f"{accession}.")]
    versions = sorted({"_".join(name.split("_")[:2]) for name in names if ASSEMBLY.match(name)})
    if "." in accession and len(mine) == 1:
        return mine[0]
    known = f"Known: {', '.join(versions)}" if versions else "Check the accession"
    if "." not in accession and mine:
        raise DownloadError(
            "missing", f"{accession} has several versions or may get them", folder, f"Name one. {known}"
        )
    raise DownloadError("missing", f"{accession} is not in the folder", folder, known)


def _package(source: dict, url: str, client: Client) -> Plan:
    """The zip file of the Datasets service, and how to take it apart."""
    accession, parts = source["ncbi"], PACKAGE[wanted_format(source)]
    types = [("include_annotation_type", kind) for kind, _ in parts.values()]
    key = os.environ.get("NCBI_API_KEY")
    query = urlencode([*types, ("hydrated", "FULLY_HYDRATED"), ("filename", f"{accession}.zip")])
    archive = RemoteFile(
        "archive", f"{accession}.zip", f"{url}?{query}", headers={"api-key": key} if key else {},
    )  # fmt: skip
    members = {
        role: re.compile(rf"ncbi_dataset/data/{re.escape(accession)}/.*{re.escape(end)}")
        for role, (_, end) in parts.items()
    }
    pins = {role: pinned(source, role) for role in members}
    unpack = partial(_unpack, accession, members, pins)
    return Plan([archive], {"provider": "NCBI Datasets", "assembly": accession, "licence": LICENCE}, unpack)


def _unpack(accession: str, members: dict, pins: dict, folder: Path, records: list[dict]) -> list[dict]:
    """Files of the zip under names that begin with the accession; an annotation may be missing."""

    def named(member: str) -> str:
        name = member.rpartition("/")[2]
        return name if name.startswith(accession) else f"{accession}_{name}"

    return unpack_members(folder, records[0], members, pins, named, needed=("sequence",))


def _record(source: dict, url: str, client: Client) -> Plan:
    """One record of Entrez as GenBank, sequence included (rettype gbwithparts)."""
    accession = source["ncbi"]
    query = {"db": "nuccore", "id": accession, "rettype": "gbwithparts", "retmode": "text", "tool": "dnalm"}
    query |= {"email": os.environ["NCBI_EMAIL"]} if os.environ.get("NCBI_EMAIL") else {}
    query |= {"api_key": os.environ["NCBI_API_KEY"]} if os.environ.get("NCBI_API_KEY") else {}
    name = Path(source.get("file") or f"{accession}.gb").name
    if strip_compression(name) != name or not name.endswith(GENBANK):
        raise DownloadError("missing", f"Entrez sends plain GenBank, not {name}", "genomes: file", "Leave `file` out")
    asked, pins = f"{url}?{urlencode(query)}", pinned(source, "sequence")
    files = [RemoteFile("sequence", name, asked, pinned=pins, check=partial(_other_record, accession))]
    return Plan(files, {"provider": "NCBI Entrez", "licence": LICENCE})


def _other_record(accession: str, head: bytes) -> str | None:
    """What is wrong if GenBank text is of another record or version than was asked for."""
    found = re.search(rb"^VERSION +(\S+)", head, re.M)
    version = found.group(1).decode() if found else "a record without VERSION"
    if version == accession or ("." not in accession and version.partition(".")[0] == accession):
        return None
    return f"{accession} was asked for, but {version} came"
