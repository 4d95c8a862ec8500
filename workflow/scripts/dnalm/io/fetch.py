"""Find the files of a genome, wherever the config says they are, and prove that they are the right ones."""

import difflib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from dnalm.errors import InputError
from dnalm.io.provenance import ROOT, digest_of, sha256_of
from dnalm.io.remote import (
    data_folders,
    in_data,
    is_remote,
    is_url,
    kind_of,
    local_files,
    matching,
    wanted,
    without_secrets,
)

EMBEDDED = ROOT / "resources" / "genomes"
#: What provenance.json keeps of download.json.
DOWNLOAD_FACTS = (
    "kind",
    "mirror",
    "provider",
    "release",
    "assembly",
    "species",
    "division",
    "track",
    "licence",
    "date",
)


@dataclass(frozen=True)
class LocalGenome:
    """Files of a genome on this machine; ``report`` is NCBI's assembly report."""

    sequence: Path
    annotation: Path | None
    provenance: dict = field(default_factory=dict)
    aliases: Path | None = None
    report: Path | None = None


def resolve_source(source: dict, embedded: Path = EMBEDDED, downloads: Path | None = None) -> LocalGenome:
    """Files and provenance of a genome source (the keys of `dnalm.config_genomes.GenomeSource`).

    Parameters
    ----------
    downloads : Path or None
        Folder of the rule ``download`` for this genome, if it was downloaded.

    Raises
    ------
    InputError
        If a file is missing or its checksum differs.
    """
    if source.get("embedded"):
        return _embedded(source["embedded"], embedded)
    if kind_of(source):
        return _downloaded(source, Path(downloads)) if downloads else _offline(source)
    sequence = _existing(source["path"], "genomes: path")
    annotation = _existing(source["annotation"], "genomes: annotation") if source.get("annotation") else None
    return _local(sequence, annotation, source, {"kind": "path", "name": str(source["path"])})


def _embedded(name: str, folder: Path) -> LocalGenome:
    record = folder / name / "provenance.json"
    if not record.exists():
        known = sorted(p.parent.name for p in folder.glob("*/provenance.json"))
        near = difflib.get_close_matches(name, known, 1) or known
        raise InputError(f"no embedded genome {name!r}", "genomes: embedded", f"Known: {', '.join(near)}")
    facts = json.loads(record.read_text())
    annotation = record.parent / facts["annotation"] if "annotation" in facts else None
    source = {key: facts[key] for key in ("sha256", "annotation_sha256") if key in facts}
    return _local(record.parent / facts["file"], annotation, source, {"kind": "embedded", "name": name, **facts})


def _offline(source: dict) -> LocalGenome:
    """Files of a provider that are here without a download."""
    kind, name, found = kind_of(source), _name_of(source), local_files(source)
    if found:
        facts = {"kind": kind, "name": name, **({"accession": source["ncbi"]} if kind == "ncbi" else {})}
        return _local(found["sequence"], found.get("annotation"), source, facts, found.get("report"))
    names = wanted(source)
    files = [group[0] for group in (names.sequence, names.annotation) if group and not any(map(matching, group))]
    told = os.pathsep.join(map(str, data_folders()))
    where = f"a folder of DNALM_DATA ({told})" if told else "a folder named by DNALM_DATA"
    places = {"ncbi": "NCBI", "ensembl": "Ensembl", "ucsc": "UCSC", "url": "there"}
    by_rule = is_remote(source)
    raise InputError(
        f"{' and '.join(files)} of {name} was not found",
        f"genomes: {kind}",
        f"{'The rule download fetches it. Or download' if by_rule else 'Download'} it from {places[kind]} and put it "
        f"into {where}, e.g. export DNALM_DATA=$HOME/genomes",
    )


def _name_of(source: dict) -> str:
    """What a provider calls a genome."""
    kind = kind_of(source)
    if kind == "ensembl":
        return f"{source['ensembl']['species']}, release {source['ensembl']['release']}"
    return source["ucsc"]["assembly"] if kind == "ucsc" else without_secrets(source[kind])


def _downloaded(source: dict, folder: Path) -> LocalGenome:
    """What the rule ``download`` has brought, verified by the checksums of its record."""
    record = _record_of(folder)
    files = {file["role"]: file for file in record["files"]}
    facts = {key: record[key] for key in DOWNLOAD_FACTS if record.get(key)}
    facts |= {
        "name": record["source"].get("url") or _name_of(source),
        "source": f"{record.get('provider', '')}: {files['sequence']['url']}",
    }
    facts |= {"accession": source["ncbi"]} if source.get("ncbi") else {}
    for role, file in files.items():
        prefix = "" if role == "sequence" else f"{role}_"
        kept = ("url", "etag", "last_modified", "date", "provider_checksum")
        facts |= {f"{prefix}{key}": file[key] for key in kept if file.get(key)}
    paths = {role: folder / file["name"] for role, file in files.items()}
    given = source.get("annotation")
    if given and not is_url(given) and "annotation" not in paths:
        paths["annotation"] = in_data(given) or _existing(given, "genomes: annotation")
    # the config's own checksums were compared while the files came; now they must still be those that came
    expected = {"sha256": files["sequence"]["sha256"]}
    if "annotation" in files:
        expected["annotation_sha256"] = files["annotation"]["sha256"]
    asked = {**source, **expected, "md5": None}
    return _local(paths["sequence"], paths.get("annotation"), asked, facts, paths.get("report"))


def _record_of(folder: Path) -> dict:
    """What download.json of a folder says."""
    try:
        record = json.loads((folder / "download.json").read_text())
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict) or not record.get("files"):
        raise InputError("this record of a download is missing or damaged", str(folder / "download.json"),
                         "Delete the folder, and it is downloaded again")  # fmt: skip
    return record


def find_file(path: str, key: str) -> Path:
    """The file at ``path``, or of this name in a folder of the environment variable DNALM_DATA.

    Raises
    ------
    InputError
        If there is none; ``key`` is the config key that named it.
    """
    found = next((place for place in (Path(path), *(f / path for f in data_folders())) if place.is_file()), None)
    if found is None:
        raise InputError("no such file", f"{key}: {path}", "Check the path, or the folders of DNALM_DATA")
    return found


def downloaded_file(folder) -> Path:
    """The file that a rule downloaded into a folder of its own."""
    record = _record_of(Path(folder))
    return Path(folder) / record["files"][0]["name"]


def _existing(path, key: str) -> Path:
    if not Path(path).is_file():
        raise InputError("no such file", f"{key}: {path}", "Check the path; it is relative to where snakemake runs")
    return Path(path)


def _local(
    sequence: Path, annotation: Path | None, source: dict, facts: dict, report: Path | None = None
) -> LocalGenome:
    digest = _checked(sequence, source.get("sha256"))
    if source.get("md5"):
        _checked(sequence, source["md5"], "md5")
    record = {**facts, "file": sequence.name, "bytes": sequence.stat().st_size, "sha256": digest}
    if annotation:
        digest = _checked(annotation, source.get("annotation_sha256"))
        record |= {"annotation": annotation.name, "annotation_sha256": digest}
    aliases = _existing(source["aliases"], "genomes: aliases") if source.get("aliases") else None
    if aliases:
        record |= {"aliases": aliases.name, "aliases_sha256": sha256_of(aliases)}
    if source.get("report"):
        report = _existing(source["report"], "genomes: report")
    if report:
        record |= {"report": report.name, "report_sha256": sha256_of(report)}
    return LocalGenome(sequence, annotation, record, aliases, report)


def _checked(path: Path, expected: str | None, kind: str = "sha256") -> str:
    digest = digest_of(path, kind)
    if expected and expected != digest:
        raise InputError(
            f"{kind} is {digest}, expected {expected}",
            str(path),
            "The file is damaged or another release: fetch it again or correct the checksum",
        )
    return digest
