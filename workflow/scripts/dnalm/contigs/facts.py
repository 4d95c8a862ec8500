"""What is known of a genome's contigs from outside of the sequence: other names and roles."""

import logging
from collections import Counter

from dnalm.contigs.assembly_names import AssemblyError
from dnalm.contigs.assembly_report import Entry, by_name, read_report
from dnalm.contigs.names import Landmark
from dnalm.contigs.roles import ContigRole, role_of_record, role_of_text

log = logging.getLogger(__name__)


class ContigFacts:
    """Roles of contigs while they go by.

    Parameters
    ----------
    reader : dnalm.genomes.sequence_readers.FastaFile
        What the sequence file says beside the sequence.
    landmarks : dict
        What the annotation says of its contigs; used for those that the sequence calls by the same name.
    report : path, optional
        Assembly report or table of aliases.
    """

    def __init__(self, reader, landmarks: dict[str, Landmark], report=None):
        self.reader, self.landmarks, self.path = reader, landmarks, report
        self.entries: list[Entry] = read_report(report) if report else []
        self._by_name = by_name(self.entries)
        self.roles: dict[str, ContigRole] = {}

    def role_of(self, contig: str) -> str:
        """Role of a contig whose header has gone by; see `dnalm.contigs.roles` for what decides."""
        entry, mark = self._by_name.get(contig), self.landmarks.get(contig)
        found = entry.role if entry else None
        for said in (self.reader.facts.get(contig), mark.said if mark else None):
            found = found or (role_of_record(said) if said else None)
        self.roles[contig] = found or role_of_text(contig, self.reader.descriptions.get(contig, ""))
        return self.roles[contig].role

    def learn(self, names: dict[str, str | None]) -> None:
        """Take roles from region lines whose contigs go by another name; ``names`` gives the contig of each.

        What a report or the record said stays; contigs were already chosen by what was known before.
        """
        for name, contig in names.items():
            known = self.roles.get(contig)
            said = role_of_record(self.landmarks[name].said) if known and name in self.landmarks else None
            if said and known.known_by not in ("report", "record") and said.role != known.role:
                log.warning("contig %s: by the annotation its role is %s, not %s", contig, said.role, known.role)
                self.roles[contig] = said

    def check(self, lengths: dict[str, int]) -> None:
        """Compare the report's lengths with those of the sequence, and log the roles.

        Raises
        ------
        AssemblyError
            If a contig has another length.
        """
        for contig, length in lengths.items():
            entry = self._by_name.get(contig)
            if entry and entry.length is not None and entry.length != length:
                raise AssemblyError(
                    f"contig {contig} has {entry.length} bases in the report and {length} in the sequence",
                    f"{self.path}:{entry.line}", "Give the report of this assembly",
                )  # fmt: skip
        if self.entries and not any(contig in self._by_name for contig in lengths):
            raise AssemblyError(
                f"the report has none of the names of the sequence ({', '.join(list(lengths)[:3])})", str(self.path),
                "Give the report of this assembly",
            )  # fmt: skip
        counts = Counter(role.role for role in self.roles.values())
        if set(counts) - {"chromosome"}:
            log.info("contigs: %s", ", ".join(f"{count} {role}" for role, count in counts.items()))
