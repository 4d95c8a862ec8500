"""The genome stage: from whatever the user has to a checked genome directory."""

import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.annotation.checks import check_annotation
from dnalm.annotation.feature_columns import FeatureColumns, sorted_features, write_features
from dnalm.annotation.features import coding_sequences, features_gff3
from dnalm.annotation.files import AnnotationFile
from dnalm.contigs.assembly_names import told_apart
from dnalm.contigs.facts import ContigFacts
from dnalm.contigs.genetic_codes import contig_codes
from dnalm.contigs.names import read_aliases
from dnalm.contigs.selection import Selection
from dnalm.contigs.unsaid_codes import UnsaidCodes, unsaid_codes
from dnalm.errors import InputError
from dnalm.genomes.sequence_files import Sequence, write_sequence
from dnalm.genomes.sequence_readers import FastaFile, Gff3WithFasta, open_sequence
from dnalm.io.fetch import LocalGenome
from dnalm.io.pieces import chosen, cut_region, measured
from dnalm.io.remote import shown
from dnalm.io.tables import atomic_folder, write_json, write_parquet

log = logging.getLogger(__name__)


def build_genome(name: str, files: LocalGenome, source: dict, folder) -> dict:
    """Write the genome directory ``folder`` (DESIGN: genome contract) and return its data card.

    The sequence goes by in pieces, so that memory does not grow with the genome.

    Parameters
    ----------
    source : dict
        The genome's config: genetic_code, organelle_genetic_code, circular, region, keep, leave_out, min_length, roles.
    """
    with atomic_folder(folder) as draft, told_apart(files.sequence, files.annotation, files.report):
        reader, annotation = _opened(files)
        facts = ContigFacts(reader, annotation.landmarks if annotation else {}, files.report)
        lengths, selection = {}, Selection(source)
        pieces = chosen(measured(reader.pieces(), lengths), selection, facts.role_of)
        sequence = write_sequence(_cut(pieces, source.get("region")), draft)
        facts.check(lengths)
        kept = list(sequence.contigs["contig"])
        features, circular = _annotated(files, reader, annotation, facts, lengths, kept, source)
        features = sorted_features(_on(features, kept, source.get("region")))
        roles = {contig: facts.roles[contig] for contig in kept}
        code, codes = contig_codes(roles, features, source, _unsaid(files, reader, annotation, features, source))
        table = sequence.contigs.assign(
            circular=sequence.contigs["contig"].isin(circular).to_numpy(), genetic_code=[codes[c] for c in kept],
            role=[roles[c].role for c in kept], organelle=[roles[c].organelle for c in kept], genome=name,
        )  # fmt: skip
        card = _write_annotation(name, files, sequence, table, features, code, draft)
        card["annotated"] = reader.annotated or annotation is not None
        write_json(card, draft / "genome.json")
        left = {"left_out": selection.record} if selection.record else {}
        write_json({**files.provenance, "requested": shown(source), **left}, draft / "provenance.json")
    log.info("%s: %d bases, %d CDS, genetic code %d", name, card["bases"], card["cds"]["total"], code)
    return card


def _write_annotation(name, files, sequence: Sequence, table, features, code: int, folder: Path) -> dict:
    """All files of a genome directory that say what the sequence is, but for the data card, which is returned."""
    lengths = dict(zip(table["contig"], table["length"].tolist(), strict=True))
    cds = coding_sequences(features, lengths, set(table.loc[table["circular"], "contig"]))
    codes = np.load(folder / "codes.npy", mmap_mode="r")
    check, introns = check_annotation(features, cds, table, codes, str(files.annotation or files.sequence))
    features_gff3(features, lengths, folder / "annotation.gff3.gz")
    write_features(features, folder / "features.parquet")
    write_parquet(table, folder / "contigs.parquet")
    card = {
        "name": name, "digest": sequence.digest, "genetic_code": code,
        **sequence.composition, "circular": bool(table["circular"].any()),
        "roles": dict(Counter(table["role"])),
        "features": dict(sorted(Counter(features.drop_duplicates(["contig", "id"])["type"]).items())),
        "cds": {"total": len(cds), "joined": int((cds["parts"] > 1).sum()), "pseudo": int(cds["pseudo"].sum()),
                "partial": int(cds["partial"].sum()), "crosses_origin": int(cds["crosses_origin"].sum()), **check},
        "introns": introns,
        "contigs": table.drop(columns=["offset", "genome"]).to_dict("records"),
    }  # fmt: skip
    return card


def _opened(files: LocalGenome) -> tuple[FastaFile, AnnotationFile | None]:
    """Readers of the sequence and of the annotation, if there is one beside it."""
    reader = open_sequence(files.sequence)
    if reader.annotated and files.annotation:
        raise InputError("a GenBank file brings its own annotation", str(files.annotation), "Leave it out")
    path = files.annotation or (files.sequence if isinstance(reader, Gff3WithFasta) else None)
    return reader, AnnotationFile(path) if path else None


def _unsaid(files: LocalGenome, reader, annotation, features: pd.DataFrame, source: dict) -> UnsaidCodes:
    """Genetic codes for where no coding sequence names one."""
    if known := files.provenance.get("genetic_code"):
        return UnsaidCodes(known, None, "the genome's record")
    insdc = reader.annotated or (annotation is not None and annotation.insdc)
    insdc = insdc and bool((features["type"] == "CDS").any())
    said = [*reader.facts.values(), *(mark.said for mark in (annotation.landmarks.values() if annotation else ()))]
    return unsaid_codes(source, (facts.get("lineage", "") for facts in said), insdc)


def _cut(pieces, region: dict | None):
    """The pieces of a region, if one is asked for."""
    return cut_region(pieces, region.get("contig"), region["start"], region["end"]) if region else pieces


def _annotated(files: LocalGenome, reader, annotation, facts, lengths: dict[str, int], kept: list[str], source: dict):
    """Features on all contigs of the file, and the names of the circular ones.

    ``lengths`` are those of all contigs, also of those left out, which is what an annotation speaks of.
    """
    circular, given = reader.circular, source.get("circular")
    if annotation:
        aliases = read_aliases(files.aliases, lengths) if files.aliases else None
        features = annotation.rows(lengths, aliases, facts.entries, given, kept)
        circular = annotation.circular
        facts.learn(annotation.names)
    else:
        features = FeatureColumns().add(reader.rows).table()
    if given is not None:
        circular = set(lengths) if given else set()
    return features, set() if source.get("region") else circular


def _on(features: pd.DataFrame, kept: list[str], region: dict | None) -> pd.DataFrame:
    """Features on the contigs that are kept, inside the region; what lies elsewhere is counted."""
    here = features["contig"].isin(kept)
    if left := int((~here).sum()):
        log.info("%d rows of features lie on contigs that are left out", left)
        features = features[here]
    return _inside(features, region["start"], region["end"]) if region else features


def _inside(here: pd.DataFrame, start: int, end: int) -> pd.DataFrame:
    """Features inside [start, end) of the contig, counted from there; those that cross its edge are counted."""
    near = here[(here["start"] < end) & (here["end"] > start)]
    outside = here.loc[(here["start"] < start) | (here["end"] > end), "id"]
    cut = near["id"].isin(outside[outside.isin(near["id"])])
    log.info("region: %d features cross its edge and are left out", near["id"][cut].nunique())
    near = near[~cut]
    return near.assign(start=near["start"] - start, end=near["end"] - start)
