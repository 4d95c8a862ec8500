"""Indexes of bgzip files: what tabix, bcftools and browsers need to find a region."""

import logging
from pathlib import Path

import pysam

log = logging.getLogger(__name__)
#: Positions that a .tbi index can hold; beyond them there is no other than .csi.
TBI_LENGTH = 2**29


def write_index(written, path, longest: int, preset: str = "vcf") -> None:
    """Index the bgzip file ``written``; the index goes to where that of ``path`` belongs, in place of an older one.

    It is a ``.tbi``, but a ``.csi`` if ``longest``, the length in bases of the longest contig, is beyond `TBI_LENGTH`,
    or a row lies beyond it, whatever its contig's length: htslib makes no .tbi of a file that has such a row.
    """
    name, verbosity = str(written), pysam.set_verbosity(0)  # the message below says more than htslib's
    suffix = ".csi" if longest > TBI_LENGTH else ".tbi"
    try:
        pysam.tabix_index(name, preset=preset, force=True, csi=suffix == ".csi")
    except OSError:
        if suffix == ".csi":
            raise
        suffix = ".csi"
        pysam.tabix_index(name, preset=preset, force=True, csi=True)
        log.warning("%s: rows beyond position %d, which .tbi cannot hold: the index is a .csi", path, TBI_LENGTH)
    finally:
        pysam.set_verbosity(verbosity)
    for old in (".tbi", ".csi"):
        Path(f"{path}{old}").unlink(missing_ok=True)
    Path(f"{name}{suffix}").replace(f"{path}{suffix}")
