"""Which contigs of a genome are used: by name or pattern, length and role. Nothing is left out without being named."""

import fnmatch
import logging
from collections import Counter

from dnalm.errors import InputError

log = logging.getLogger(__name__)
SHOWN = 20


class Selection:
    """Decides contig by contig, in one pass, and keeps account.

    Parameters
    ----------
    source : dict
        The genome's config: ``keep`` and ``leave_out`` (names or patterns with ``*``, ``?`` and ``[]``; a contig of
        just that name is meant first), ``min_length`` (bases), ``roles``.
    """

    def __init__(self, source: dict):
        self.keep, self.leave_out = source.get("keep"), source.get("leave_out") or []
        self.min_length, self.roles = source.get("min_length") or 0, source.get("roles")
        self.left: dict[str, str] = {}
        self.bases: Counter = Counter()
        self.record: dict[str, dict] = {}
        self._known: list[str] = []
        self._hits: Counter = Counter()

    @property
    def active(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.keep or self.leave_out or self.min_length or self.roles)

    def keeps(self, name: str, length: int, role: str) -> bool:
        """Whether a contig of at least ``length`` bases is used; its reason is kept if not."""
        self._known.append(name)
        reason = self._reason(name, length, role)
        if reason:
            self.left[name] = reason
        return not reason

    def measure(self, name: str, length: int) -> None:
        """Count the bases of a contig, if it is left out."""
        if name in self.left:
            self.bases[self.left[name]] += length

    def _reason(self, name: str, length: int, role: str) -> str:
        out = self._matches(name, self.leave_out)
        kept = self.keep is None or self._matches(name, self.keep)
        if out:
            return "leave_out"
        if not kept:
            return "not in keep"
        if length < self.min_length:
            return f"shorter than {self.min_length}"
        return f"role {role}" if self.roles and role not in self.roles else ""

    def _matches(self, name: str, patterns: list[str]) -> bool:
        """Whether a name is in a list; all patterns that fit are counted, so that idle ones can be told."""
        hits = [p for p in patterns if p == name or fnmatch.fnmatchcase(name, p)]
        self._hits.update(hits)
        return bool(hits)

    def finish(self) -> None:
        """Check that every pattern meant a contig and one is left; log what was left out and keep it in ``record``.

        The record has per reason the number of contigs, their bases, and the first names; it is empty if all are used.

        Raises
        ------
        InputError
            For a name or pattern that no contig has, and if no contig is left.
        """
        known = _some(self._known)
        for key, patterns in (("keep", self.keep or []), ("leave_out", self.leave_out)):
            if idle := [p for p in patterns if not self._hits[p]]:
                raise InputError(f"no contig {', '.join(map(repr, idle))}", f"genomes: {key}", f"Known: {known}")
        if len(self.left) == len(self._known):
            why = ", ".join(f"{n} {reason}" for reason, n in Counter(self.left.values()).items())
            asked = next((k for k in ("leave_out", "keep", "min_length", "roles") if getattr(self, k)), "keep")
            raise InputError(f"no contig is left ({why})", f"genomes: {asked}", f"Known: {known}")
        for reason, count in Counter(self.left.values()).items():
            names = [name for name, r in self.left.items() if r == reason]
            log.info("left out (%s): %d contigs, %d bases: %s", reason, count, self.bases[reason], _some(names))
            self.record[reason] = {"contigs": count, "bases": self.bases[reason], "names": names[:SHOWN]}


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
