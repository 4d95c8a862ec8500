"""Files out of a zip file, verified by its own checksums."""

import os
import zipfile
import zlib
from pathlib import Path

from dnalm.download.checks import ContentCheck
from dnalm.download.checksums import new_digest, parse_md5
from dnalm.download.faults import DownloadError, Fault
from dnalm.download.pipeline import BLOCK, need_space
from dnalm.io.tables import atomic_path


def unpack_members(folder: Path, archive: dict, members: dict, pins: dict, named, needed=()) -> list[dict]:
    """Write members of a zip file beside it, and return their records, made from that of the archive.

    Parameters
    ----------
    members : dict
        Pattern of the member's path, by role.
    pins : dict
        Digests that the config asks for, by role.
    named : callable
        ``named(member)`` is the name of the file here.
    needed : sequence of str
        Roles without which the archive is of no use.

    Raises
    ------
    DownloadError
        If a needed member is missing, or one is damaged.
    """
    path = Path(folder) / archive["name"]
    try:
        with zipfile.ZipFile(path) as file:
            return _members(file, folder, archive, members, pins, named, needed)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DownloadError("damaged", f"{path.name} is a damaged zip file ({error})", archive["url"]) from error
    except Fault as fault:
        raise DownloadError(fault.kind, fault.text, archive["url"]) from fault
    finally:
        path.unlink(missing_ok=True)


def _members(file, folder: Path, archive: dict, members: dict, pins: dict, named, needed) -> list[dict]:
    """The records of the members that there are, each written to its file."""
    names = file.namelist()
    lists = [name for name in names if name.rpartition("/")[2] == "md5sum.txt"]
    promised = parse_md5(file.read(lists[0]).decode("utf-8", "replace")) if lists else {}
    records = []
    for role, pattern in members.items():
        found = sorted(name for name in names if pattern.fullmatch(name))
        if not found and role in needed:
            raise DownloadError("missing", f"the package has no file for the {role}", archive["url"])
        if found:
            records.append(_extract(file, found[0], folder / named(found[0]), promised, pins[role], role, archive))
    return records


def _extract(file, member: str, target: Path, promised: dict, pins: dict, role: str, archive: dict) -> dict:
    """One member, hashed and checked while it is written."""
    told = {"md5": promised[member]} if member in promised else {}
    digests = {kind: new_digest(kind) for kind in ("sha256", *told, *pins)}
    check, info = ContentCheck(target.name), file.getinfo(member)
    need_space(target.parent, info.file_size, target.name)
    with atomic_path(target) as temporary:
        with file.open(member) as source, open(temporary, "wb") as out:
            while block := source.read(BLOCK):
                out.write(block)
                check.feed(block)
                for digest in digests.values():
                    digest.update(block)
            out.flush()
            os.fsync(out.fileno())
        check.finish()
        found = {kind: digest.hexdigest() for kind, digest in digests.items()}
        for whose, wanted in (("the package's list says", told), ("the config asks for", pins)):
            for kind, value in wanted.items():
                if found[kind] != value.lower():
                    raise Fault("damaged", f"{kind} of {target.name} is {found[kind]}, {whose} {value}")
    checksum = {"kind": "md5", "value": told["md5"]} if told else None
    kept = {key: archive[key] for key in ("url", "redirected_to", "etag", "last_modified", "date") if key in archive}
    return {**kept, "role": role, "name": target.name, "member": member, "bytes": info.file_size,
            "sha256": found["sha256"], "provider_checksum": checksum}  # fmt: skip
