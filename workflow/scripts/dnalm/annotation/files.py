"""An annotation in any format that `dnalm.io.kinds` knows, on the contigs of a sequence."""

import pandas as pd

from dnalm.annotation.bed_genes import bed_landmarks, read_bed_genes
from dnalm.annotation.feature_columns import FeatureColumns
from dnalm.annotation.features import genbank_records, read_gff3
from dnalm.annotation.gtf import read_gtf
from dnalm.annotation.placing import Placing, split_at_origin
from dnalm.annotation.rows import fill_phases
from dnalm.contigs.assembly_report import Entry
from dnalm.contigs.names import Landmark, match_contigs, read_landmarks
from dnalm.errors import InputError
from dnalm.io.kinds import annotation_kind
from dnalm.io.text_files import head_of, numbered_lines

#: In the head of GFF3 and GTF files that NCBI writes.
NCBIS = (b"NCBI annotwriter", b"NCBI_Assembly:")


class AnnotationFile:
    """An annotation whose contigs are known; its features are read when the contigs of the sequence are.

    Attributes
    ----------
    kind : str
        As of `dnalm.io.kinds.annotation_kind`.
    landmarks : dict
        What the file says of its contigs.
    insdc : bool
        Whether coding sequences that name no genetic code have code 1: in GenBank, EMBL, and what NCBI writes.
    circular, names : set, dict
        Circular contigs of the sequence, and the contig of each name of the file; once `rows` was called.
    """

    def __init__(self, path):
        self.path, self.kind, self._features = path, annotation_kind(path), None
        self.circular: set[str] = set()
        self.names: dict[str, str | None] = {}
        if self.kind in ("genbank", "embl"):
            self.landmarks, self._features = _record_landmarks(path, self.kind)
            self.insdc = True
        else:
            self.insdc = any(words in head_of(path) for words in NCBIS)
            self.landmarks = bed_landmarks(path) if self.kind == "bed" else read_landmarks(path)

    def rows(self, lengths: dict[str, int], aliases=None, report: list[Entry] | None = None, circular=None, kept=None):
        """Features on the contigs of the sequence, as `dnalm.annotation.feature_columns` has them.

        Parameters
        ----------
        lengths : dict
            Bases of every contig of the sequence.
        aliases : dict, optional
            From `dnalm.contigs.names.read_aliases`.
        report : list of Entry, optional
            From `dnalm.contigs.assembly_report.read_report`.
        circular : bool, optional
            Whether all contigs are circular, or none; by default what the file says.
        kept : collection of str, optional
            Contigs that are used, of which those without features are told; all by default.
        """
        self.names = names = match_contigs(self.landmarks, lengths, self.path, aliases, report, kept)
        self.circular = {names.get(name, name) for name, landmark in self.landmarks.items() if landmark.circular}
        if circular is not None:
            self.circular = set(lengths) if circular else set()
        if self.kind == "gff3":
            return read_gff3(self.path, lengths, self.circular, names)
        if self.kind in ("gtf", "bed"):
            read = read_gtf if self.kind == "gtf" else read_bed_genes
            table = FeatureColumns().add(read(self.path, Placing(lengths, names, self.circular))).table()
            return split_at_origin(table, lengths)
        kept = {name: contig for name, contig in names.items() if contig is not None}
        features = self._features[self._features["contig"].isin(kept)].reset_index(drop=True)
        return features.assign(contig=features["contig"].cat.remove_unused_categories().cat.rename_categories(kept))


def _record_landmarks(path, form: str) -> tuple[dict[str, Landmark], pd.DataFrame]:
    """Contigs and features of a GenBank or EMBL file that is read for its annotation alone."""
    starts = b"LOCUS " if form == "genbank" else b"ID   "
    lines = [number for number, line in numbered_lines(path) if line.startswith(starts)]
    facts: dict[str, dict] = {}
    found, columns = {}, FeatureColumns()
    for i, (name, _, circular, mine) in enumerate(genbank_records(path, form, facts, bare=True)):
        said = facts[name]
        other = {said[key] for key in ("chromosome", "organelle") if key in said}
        lineage = {"lineage": said["lineage"]}
        found[name] = Landmark(other, int(said["length"]), lines[i] if mine else None, 0, circular, lineage)
        columns.add(mine)
    features = columns.table()
    if features.empty:
        raise InputError("no record has a feature", str(path), "Fetch the records with their features")
    return found, fill_phases(features, path)
