"""Genomes that lie elsewhere: what their files are called, and whether they are here already.

Nothing but the standard library and errors, because the workflow asks these questions while it is read.
"""

import fnmatch
import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dnalm.errors import InputError

#: Keys of a genome that name a place on the network, in the order in which they are looked for.
REMOTE = ("ncbi", "ensembl", "ucsc", "url")
ASSEMBLY = re.compile(r"GC[AF]_\d{9}(\.\d+)?")
#: Records of GenBank (U00096.3) and RefSeq (NC_000913.3), and shotgun sequences, which have NZ_ before them in RefSeq.
NUCLEOTIDE = re.compile(
    r"[A-Z]{1,6}_?\d{5,10}(\.\d+)?|(NZ_)?([A-Z]{1,2}\d{5,8}|[A-Z]{4}\d{8,10}|[A-Z]{6}\d{9,11})(\.\d+)?"
)
GENBANK = (".gb", ".gbk", ".gbff", ".genbank")
#: Ends of names by what a file is, without that of compression.
SUFFIXES = {
    "sequence": (".fa", ".fna", ".fasta", ".2bit", *GENBANK, ".embl", ".gff3", ".gff"),
    "annotation": (".gff3", ".gff", ".gtf", ".bed", *GENBANK, ".embl"),
    "variants": (".vcf", ".bcf"),
}
COMPRESSED = (".gz", ".bgz")


@dataclass(frozen=True)
class Wanted:
    """Names of the files of a genome, as patterns of the shell; an empty one for a file that is not wanted.

    ``places`` says in words where a user finds them.
    """

    sequence: tuple[str, ...]
    annotation: tuple[str, ...] = ()
    report: str = ""


def is_remote(source: dict) -> bool:
    """Whether the files of a genome must be downloaded, because none of them is here."""
    kind = kind_of(source)
    if kind is None or (kind != "url" and source.get("file") and not own_name(source)):
        return False
    return local_files(source) is None


def kind_of(source: dict) -> str | None:
    """The key of `REMOTE` that a genome's config has; None for files of the user's and embedded genomes."""
    return next((key for key in REMOTE if source.get(key)), None)


def own_name(source: dict) -> bool:
    """Whether ``file`` of an ncbi genome is NCBI's own name of it, so that a download gives the very file.

    Of a single record Entrez sends plain GenBank and nothing else; of Ensembl and UCSC ``file`` is never downloaded.
    """
    if not source.get("ncbi"):
        return False
    name = Path(source["file"]).name
    return name.startswith(source["ncbi"]) and (bool(ASSEMBLY.fullmatch(source["ncbi"])) or name.endswith(GENBANK))


def wanted_format(source: dict) -> str:
    """What is fetched: ``gff3`` (FASTA and annotation), ``genbank``, or ``sequence`` alone."""
    if source.get("include"):
        return source["include"]
    given = source.get("annotation") or ""
    if source.get("ncbi") and source.get("file"):
        if strip_compression(source["file"]).endswith(GENBANK):
            return "genbank"
        return "gff3" if Path(given).name.startswith(source["ncbi"]) else "sequence"
    return "sequence" if given else "gff3"


def strip_compression(name: str) -> str:
    """A file's name without ``.gz``."""
    return next((name.removesuffix(end) for end in COMPRESSED if name.endswith(end)), name)


def url_name(url: str) -> str:
    """The file's name at the end of a URL."""
    return Path(unquote(urlsplit(url).path)).name


def local_name(place: str) -> str:
    """A path as it is; of a URL the name that its file has in a folder of DNALM_DATA."""
    return url_name(place) if is_url(place) else place


def must_be_fetched(place: str) -> bool:
    """Whether a URL was given, and no folder of DNALM_DATA has its file."""
    return is_url(place) and in_data(url_name(place)) is None


def is_url(text: str | None) -> bool:
    """Whether a text is a URL rather than a path."""
    return bool(text) and bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text))


def without_secrets(url: str) -> str:
    """A URL without passwords and keys, for logs and records."""
    url = re.sub(r"(?<=//)[^/@]*@", "", url)
    return re.sub(r"((?:^|[?&])(?:api_key|token|signature|x-amz-[a-z-]+|email)=)[^&]*", r"\1...", url, flags=re.I)


def shown(source: dict) -> dict:
    """A genome's config without the secrets of its URLs, for records."""
    return {key: without_secrets(value) if isinstance(value, str) and is_url(value) else value
            for key, value in source.items()}  # fmt: skip


def wanted(source: dict) -> Wanted:
    """Names that the files of a genome have at their provider, or at the end of the URL of an annotation."""
    names, given = _wanted(source), source.get("annotation")
    return replace(names, annotation=(url_name(given),)) if is_url(given) else names


def _wanted(source: dict) -> Wanted:
    kind = kind_of(source)
    annotated = wanted_format(source) == "gff3"
    if kind == "ncbi":
        return _ncbi(source)
    if kind == "ensembl":
        species, release = source["ensembl"]["species"], source["ensembl"]["release"]
        stem = species[:1].upper() + species[1:]
        kinds = ("primary_assembly", "toplevel")
        sequences = tuple(f"{stem}.*.dna_sm.{one}.fa.gz" for one in kinds)
        return Wanted(_own(source) or sequences, (f"{stem}.*.{release}.gff3.gz",) * annotated)
    if kind == "ucsc":
        name, track = source["ucsc"]["assembly"], source["ucsc"].get("track")
        tracks = (track,) if track else UCSC_TRACKS
        sequences = (f"{name}.fa.gz", f"{name}.2bit")
        return Wanted(_own(source) or sequences, tuple(f"{name}.{t}.gtf.gz" for t in tracks) * annotated)
    return Wanted(_own(source) or (url_name(source["url"]),))


def _own(source: dict) -> tuple[str, ...]:
    return (source["file"],) if source.get("file") else ()


#: Gene tracks of UCSC, the first that an assembly has.
UCSC_TRACKS = ("ncbiRefSeq", "refGene", "ensGene", "knownGene")


def _ncbi(source: dict) -> Wanted:
    accession, kind = source["ncbi"], wanted_format(source)
    if source.get("file"):
        stem, own = re.subn(r"_genomic\.\w+(\.gz)?$", "", source["file"])
        report = f"{stem}_assembly_report.txt" if own else ""
        return Wanted((source["file"],), (source["annotation"],) if source.get("annotation") else (), report)
    if not ASSEMBLY.fullmatch(accession):
        return Wanted(tuple(f"{accession}{suffix}{gz}" for suffix in GENBANK for gz in ("", ".gz")))
    report = f"{accession}_*_assembly_report.txt"
    ends = ("", ".gz")
    if kind == "genbank":
        return Wanted(tuple(f"{accession}_*_genomic.gbff{gz}" for gz in ends[::-1]), (), report)
    gff = tuple(f"{accession}_*_genomic.gff{gz}" for gz in ends[::-1]) if kind == "gff3" else ()
    return Wanted(tuple(f"{accession}_*_genomic.fna{gz}" for gz in ends[::-1]), gff, report)


def data_folders() -> list[Path]:
    """The folders of the environment variable DNALM_DATA."""
    return [Path(folder) for folder in os.environ.get("DNALM_DATA", "").split(os.pathsep) if folder]


def in_data(name: str) -> Path | None:
    """The file of this name in the first folder of DNALM_DATA that has it."""
    return next((folder / name for folder in data_folders() if (folder / name).is_file()), None)


def matching(pattern: str) -> dict[str, Path]:
    """Files of DNALM_DATA by what ``*`` of a pattern stands for, the first of each name.

    NCBI calls coding sequences ``*_cds_from_genomic.fna.gz``: they are no genome.
    """
    exact = in_data(pattern)
    if exact or "*" not in pattern:
        return {"": exact} if exact else {}
    found, before = {}, Path(pattern).name.index("*")
    after = len(Path(pattern).name) - before - 1
    for place in dict.fromkeys((folder / pattern).parent for folder in data_folders()):
        for name in sorted(fnmatch.filter(os.listdir(place), Path(pattern).name)) if place.is_dir() else ():
            star = name[before : len(name) - after]
            if not star.endswith("_from"):
                found.setdefault(star, place / name)
    return found


def chosen(patterns: tuple[str, ...], key: str) -> Path | None:
    """The file of the first pattern that has one.

    Raises
    ------
    InputError
        If files of several assemblies fit; ``key`` of the config decides.
    """
    found = [(star, path) for pattern in patterns for star, path in matching(pattern).items()]
    if len({star for star, _ in found}) > 1:
        names = ", ".join(str(path) for _, path in found)
        raise InputError(
            f"several files of DNALM_DATA fit: {names}", f"genomes: {key}", f"Name the one that is meant with `{key}`"
        )
    return found[0][1] if found else None


def local_files(source: dict) -> dict[str, Path] | None:
    """The files of a genome, by role, if all that are needed are here without a download; else None.

    They are looked up by their provider's names in the folders of DNALM_DATA; a ``file://`` URL is a path. An
    annotation that the provider may not have is needed too: whoever puts files in place puts both.

    Raises
    ------
    InputError
        If files of several assemblies have names that fit.
    """
    names = wanted(source)
    found = {"sequence": _here(source.get("url")) or chosen(names.sequence, "file")}
    given = source.get("annotation")
    if given and is_url(given):
        found["annotation"] = _here(given) or in_data(url_name(given))
    elif given:
        found["annotation"] = in_data(given) or (Path(given) if Path(given).is_file() else None)
    elif names.annotation:
        found["annotation"] = chosen(names.annotation, "annotation")
    if not all(found.values()):
        return None
    report = chosen((names.report,), "report") if names.report and not source.get("report") else None
    return found | ({"report": report} if report else {})


def _here(url: str | None) -> Path | None:
    if not url or urlsplit(url).scheme != "file":
        return None
    path = Path(unquote(urlsplit(url).path))
    return path if path.is_file() else None


#: Keys of a genome that say what is downloaded; the others say what is made of it.
KEYS = (*REMOTE, "file", "annotation", "include", "sha256", "annotation_sha256", "md5")


def source_key(source: dict) -> str:
    """Name of a source in the cache: readable, and different for different downloads."""
    kind = kind_of(source)
    what = source[kind]
    if kind == "ensembl":
        what = f"{what['species']}-{what['release']}"
    elif kind == "ucsc":
        what = what["assembly"]
    elif kind == "url":
        what = url_name(what)
    asked = {key: source[key] for key in KEYS if source.get(key)}
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:10]
    return f"{kind}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', str(what))[:60]}-{digest}"
