"""Find the files of a genome, wherever the config says they are, and prove that they are the right ones."""

import difflib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from dnalm.errors import InputError
from dnalm.io.provenance import ROOT, sha256_of

EMBEDDED = ROOT / "resources" / "genomes"


@dataclass(frozen=True)
class LocalGenome:
    """Files of a genome on this machine."""

    sequence: Path
    annotation: Path | None
    provenance: dict = field(default_factory=dict)
    aliases: Path | None = None


def resolve_source(source: dict, embedded: Path = EMBEDDED) -> LocalGenome:
    """Files and provenance of a genome source (the keys of `dnalm.config_sections.GenomeSource`).

    Raises
    ------
    InputError
        If a file is missing or its checksum differs.
    """
    if source.get("embedded"):
        return _embedded(source["embedded"], embedded)
    if source.get("ncbi"):
        return _offline(source)
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
    folders = [Path(p) for p in os.environ.get("DNALM_DATA", "").split(os.pathsep) if p]
    names = [source["file"], *([source["annotation"]] if source.get("annotation") else [])]
    found = [next((f / name for f in folders if (f / name).is_file()), None) for name in names]
    if all(found):
        facts = {"kind": "ncbi", "name": source["ncbi"], "accession": source["ncbi"]}
        return _local(found[0], found[1] if len(found) > 1 else None, source, facts)
    where = f"a folder of DNALM_DATA ({os.environ['DNALM_DATA']})" if folders else "a folder named by DNALM_DATA"
    missing = " and ".join(name for name, path in zip(names, found, strict=True) if path is None)
    raise InputError(
        f"{missing} of {source['ncbi']} was not found",
        "genomes: ncbi",
        f"Download it from NCBI and put it into {where}, e.g. export DNALM_DATA=$HOME/genomes",
    )


def find_file(path: str, key: str) -> Path:
    """The file at ``path``, or of this name in a folder of the environment variable DNALM_DATA.

    Raises
    ------
    InputError
        If there is none; ``key`` is the config key that named it.
    """
    folders = [Path(folder) for folder in os.environ.get("DNALM_DATA", "").split(os.pathsep) if folder]
    found = next((place for place in (Path(path), *(f / path for f in folders)) if place.is_file()), None)
    if found is None:
        raise InputError("no such file", f"{key}: {path}", "Check the path, or the folders of DNALM_DATA")
    return found


def _existing(path, key: str) -> Path:
    if not Path(path).is_file():
        raise InputError("no such file", f"{key}: {path}", "Check the path; it is relative to where snakemake runs")
    return Path(path)


def _local(sequence: Path, annotation: Path | None, source: dict, facts: dict) -> LocalGenome:
    digest = _checked_sha256(sequence, source.get("sha256"))
    record = {**facts, "file": sequence.name, "bytes": sequence.stat().st_size, "sha256": digest}
    if annotation:
        digest = _checked_sha256(annotation, source.get("annotation_sha256"))
        record |= {"annotation": annotation.name, "annotation_sha256": digest}
    aliases = _existing(source["aliases"], "genomes: aliases") if source.get("aliases") else None
    if aliases:
        record |= {"aliases": aliases.name, "aliases_sha256": sha256_of(aliases)}
    return LocalGenome(sequence, annotation, record, aliases)


def _checked_sha256(path: Path, expected: str | None) -> str:
    digest = sha256_of(path)
    if expected and expected != digest:
        raise InputError(
            f"sha256 is {digest}, expected {expected}",
            str(path),
            "The file is damaged or another release: fetch it again or correct the checksum",
        )
    return digest
