"""Ensembl and Ensembl Genomes: soft-masked sequence, GFF3, and CHECKSUMS, which are lines of BSD's ``sum``.

Vertebrates (and yeast, worm and fly): https://ftp.ensembl.org/pub/release-113/fasta/<species>/dna/ and
.../gff3/<species>/. Other divisions: https://ftp.ensemblgenomes.ebi.ac.uk/pub/<division>/release-60/..., where some
species lie in the folder of a collection, which species_Ensembl<Division>.txt tells (column core_db).
"""

import difflib
import re
from functools import partial

from dnalm.download.checksums import parse_sums
from dnalm.download.client import Client
from dnalm.download.faults import DownloadError
from dnalm.download.providers.offers import Offer, Plan, checksums, pinned
from dnalm.download.settings import Settings
from dnalm.download.transfer import RemoteFile
from dnalm.io.remote import wanted_format

LICENCE = (
    "Ensembl imposes no restrictions on access to or use of its data (www.ensembl.org/info/about/legal/disclaimer.html)"
)


def offers(source: dict, settings: Settings) -> list[Offer]:
    """The main site or that of Ensembl Genomes, by division."""
    asked = source["ensembl"]
    division, release = asked.get("division", "vertebrates"), asked["release"]
    if division == "vertebrates":
        roots = [f"{base}/release-{release}" for base in settings.bases("ensembl")]
    else:
        roots = [f"{base}/{division}/release-{release}" for base in settings.bases("ensembl_genomes")]
    return [Offer(root, f"{root}/fasta/{asked['species']}/dna/", partial(_plan, source, root)) for root in roots]


def _plan(source: dict, root: str, client: Client) -> Plan:
    asked = source["ensembl"]
    species, release = asked["species"], asked["release"]
    inner, names = _species_folder(client, root, asked)
    place = f"{root}/fasta/{inner}/dna"
    sequence = _sequence(names, place)
    files = [_file(client, source, "sequence", place, sequence)]
    if wanted_format(source) == "gff3":
        place = f"{root}/gff3/{inner}"
        names = client.names(place)
        found = [name for name in names if re.search(rf"(?<!\.chr)\.{release}\.gff3\.gz$", name)]
        if found:
            files.append(_file(client, source, "annotation", place, min(found, key=len)))
        else:
            client.log.warning("%s has no GFF3 of release %s: the sequence alone is fetched", place, release)
    assembly = re.sub(r"\.dna_sm\..*", "", sequence).partition(".")[2]
    facts = {"provider": "Ensembl", "release": str(release), "species": species, "assembly": assembly}
    return Plan(files, {**facts, "division": asked.get("division", "vertebrates"), "licence": LICENCE})


def _file(client: Client, source: dict, role: str, place: str, name: str) -> RemoteFile:
    promised = checksums(client, f"{place}/CHECKSUMS", parse_sums, name, "bsd_sum")
    return RemoteFile(role, name, f"{place}/{name}", promised, pinned(source, role))


def _sequence(names: list[str], place: str) -> str:
    """The soft-masked primary assembly; the top level where there are no alternate sequences, and so no such file."""
    for kind in ("primary_assembly", "toplevel"):
        found = [name for name in names if name.endswith(f".dna_sm.{kind}.fa.gz")]
        if found:
            return min(found, key=len)
    raise DownloadError("missing", "no soft-masked sequence (*.dna_sm.toplevel.fa.gz) is here", place)


def _species_folder(client: Client, root: str, asked: dict) -> tuple[str, list[str]]:
    """Folder of a species below ``fasta`` and ``gff3``, and the names in its folder ``dna``."""
    species, division = asked["species"], asked.get("division", "vertebrates")
    try:
        return species, client.names(f"{root}/fasta/{species}/dna")
    except DownloadError as error:
        if error.kind != "missing" or division == "vertebrates":
            raise _known(error, client, f"{root}/fasta", species) from error
    collection = _collection(client, f"{root}/species_Ensembl{division.capitalize()}.txt", species)
    inner = f"{collection}/{species}"
    return inner, client.names(f"{root}/fasta/{inner}/dna")


def _known(error: DownloadError, client: Client, folder: str, species: str) -> DownloadError:
    """The error, with the nearest species of the release if it is the species that is unknown."""
    if error.kind != "missing":
        return error
    try:
        near = difflib.get_close_matches(species, client.names(folder), 3)
    except DownloadError as second:
        if second.kind != "missing":
            return second
        return DownloadError("missing", "there is no such release", folder, "Releases are listed at the site's root")
    told = f"Did you mean {', '.join(near)}?" if near else "Other divisions: fungi, plants, metazoa, protists, bacteria"
    return DownloadError("missing", f"no species {species!r}", folder, told)


def _collection(client: Client, url: str, species: str) -> str:
    """The collection of a species, from the table of all species of a division."""
    lines = [line.split("\t") for line in client.text(url).splitlines()]
    rows = [line for line in lines if len(line) > 2 and not line[0].startswith("#")]
    mine = [row for row in rows if row[1] == species]
    database = next((cell for row in mine for cell in row if "_core_" in cell), None)
    if database is None:
        near = difflib.get_close_matches(species, [row[1] for row in rows], 3)
        raise DownloadError(
            "missing", f"no species {species!r}", url, f"Did you mean {', '.join(near)}?" if near else ""
        )
    return database.partition("_core_")[0]
