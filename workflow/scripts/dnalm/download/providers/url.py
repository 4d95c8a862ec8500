"""Any URL: http, https, ftp, and s3 of buckets that everybody may read."""

from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from dnalm.download.checks import format_of
from dnalm.download.client import Client
from dnalm.download.faults import DownloadError
from dnalm.download.providers.offers import Offer, Plan, pinned
from dnalm.download.settings import Settings
from dnalm.download.transfer import RemoteFile
from dnalm.io.remote import SUFFIXES, is_url, url_name, without_secrets

LICENCE = "not stated by the source"


def offers(source: dict, settings: Settings) -> list[Offer]:
    """The one place that was given."""
    url = source["url"]
    return [Offer(without_secrets(url), without_secrets(url), partial(_plan, source, settings))]


def _plan(source: dict, settings: Settings, client: Client) -> Plan:
    files = [_file(source, "sequence", source["url"], source.get("file"), settings)]
    return Plan(files, {"provider": urlsplit(source["url"]).hostname or "url", "licence": LICENCE})


def annotation_file(source: dict, settings: Settings) -> RemoteFile | None:
    """The annotation, if the config gives a URL of it; it goes with any provider's sequence."""
    given = source.get("annotation")
    return _file(source, "annotation", given, None, settings) if is_url(given) else None


def _file(source: dict, role: str, url: str, name: str | None, settings: Settings) -> RemoteFile:
    name, where = name or url_name(url), f"{source.get('of', 'genomes')}: {without_secrets(url)}"
    kind = source.get("of", role)
    if Path(name).name != name:
        raise DownloadError("refused", f"{name!r} names a folder", "genomes: file", "Give the name of the file alone")
    if urlsplit(url).scheme == "file":
        there = Path(unquote(urlsplit(url).path)).is_file()
        step = "Give files that are here as paths" if there else "Check the path"
        raise DownloadError("missing", "nothing is downloaded from here" if there else "no such file", where, step)
    if format_of(name) == "zip":
        raise DownloadError(
            "refused", f"{name} is an archive", where, "Unpack it, and give the file that is in it as path"
        )
    if format_of(name) is None:
        ends = f"one of {', '.join(SUFFIXES[kind])}, and .gz if it is compressed"
        step = f"Give the file a name with `file`, with {ends}"
        if kind != "sequence":
            step = f"Fetch it, and give its path as `{'vcf' if kind == 'variants' else kind}`, with {ends}"
        raise DownloadError("missing", f"{name!r} does not say which format it is", where, step)
    return RemoteFile(role, name, s3_to_https(url, settings), {}, pinned(source, role))


def s3_to_https(url: str, settings: Settings) -> str:
    """An s3:// URL as the https:// URL that public buckets answer to; others as they are."""
    parts = urlsplit(url)
    if parts.scheme != "s3":
        return url
    bucket, key = parts.netloc, quote(parts.path.lstrip("/"))
    bases = settings.bases("s3")
    if bases:
        return f"{bases[0]}/{bucket}/{key}"
    # a dot in the name is not covered by Amazon's certificate
    return f"https://s3.amazonaws.com/{bucket}/{key}" if "." in bucket else f"https://{bucket}.s3.amazonaws.com/{key}"
