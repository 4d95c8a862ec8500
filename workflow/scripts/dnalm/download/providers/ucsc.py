"""UCSC: sequence and md5sum.txt in goldenPath/<assembly>/bigZips/, gene tracks as GTF files in bigZips/genes/.

The server is https://hgdownload.soe.ucsc.edu/goldenPath.
"""

from functools import partial

from dnalm.download.checksums import parse_md5
from dnalm.download.client import Client
from dnalm.download.faults import DownloadError
from dnalm.download.providers.offers import Offer, Plan, checksums, pinned
from dnalm.download.settings import Settings
from dnalm.download.transfer import RemoteFile
from dnalm.io.remote import UCSC_TRACKS, wanted_format

LICENCE = (
    "UCSC: free for public and commercial use, unless the assembly's README says otherwise "
    "(genome.ucsc.edu/conditions.html)"
)


def offers(source: dict, settings: Settings) -> list[Offer]:
    """One place per mirror."""
    places = [f"{base}/{source['ucsc']['assembly']}/bigZips" for base in settings.bases("ucsc")]
    return [Offer(place, f"{place}/", partial(_plan, source, place)) for place in places]


def _plan(source: dict, place: str, client: Client) -> Plan:
    name = source["ucsc"]["assembly"]
    there = client.names(place)
    sequence = next((n for n in (f"{name}.fa.gz", f"{name}.2bit") if n in there), None)
    if sequence is None:
        raise DownloadError("missing", f"neither {name}.fa.gz nor {name}.2bit is here", place)
    promised = checksums(client, f"{place}/md5sum.txt", parse_md5, sequence, "md5")
    files = [RemoteFile("sequence", sequence, f"{place}/{sequence}", promised, pinned(source, "sequence"))]
    facts = {"provider": "UCSC", "assembly": name, "licence": LICENCE}
    if wanted_format(source) == "gff3":
        track = _track(source, client, f"{place}/genes", "genes" in there)
        if track:
            gtf = f"{name}.{track}.gtf.gz"
            files.append(RemoteFile("annotation", gtf, f"{place}/genes/{gtf}", {}, pinned(source, "annotation")))
            facts["track"] = track
    return Plan(files, facts)


def _track(source: dict, client: Client, folder: str, there: bool) -> str | None:
    """The gene track that is asked for, or the first that there is; UCSC publishes no checksums of these files."""
    name, asked = source["ucsc"]["assembly"], source["ucsc"].get("track")
    names = client.names(folder) if there else []
    known = [n.removeprefix(f"{name}.").removesuffix(".gtf.gz") for n in names if n.endswith(".gtf.gz")]
    if asked and asked not in known:
        raise DownloadError("missing", f"no track {asked!r} of {name}", folder, f"Known: {', '.join(known) or 'none'}")
    if not known:
        client.log.warning("%s has no gene tracks: the sequence alone is fetched", folder)
    return asked or next((track for track in UCSC_TRACKS if track in known), known[0] if known else None)
