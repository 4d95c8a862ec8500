"""Annotation: GenBank and GFF3 in, one tidy table of features, sorted GFF3 out.

Inside, coordinates are 0-based half-open; a joined feature has one row per part, all with the same id.
"""

import io
import itertools
import json
import logging
import urllib.parse
import warnings
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from Bio import BiopythonParserWarning, SeqIO
from Bio.SeqFeature import AfterPosition, BeforePosition

from dnalm.errors import InputError
from dnalm.io.annotation_rows import CUT, check_parents, fill_phases
from dnalm.io.assembly_names import AssemblyError
from dnalm.io.contig_names import LANDMARKS
from dnalm.io.placing import Placing
from dnalm.io.tables import atomic_path
from dnalm.io.text_files import numbered_lines, open_text

log = logging.getLogger(__name__)
COLUMNS = ["contig", "start", "end", "strand", "type", "phase", "id", "parent", "attributes"]
STRANDS = {1: "+", -1: "-", None: ".", 0: "."}
#: Values of ``partial`` that say so: NCBI's, and Prodigal's, whose 00 means whole.
PARTIAL = ("true", "01", "10", "11")
#: In a ``biotype`` of Ensembl or WormBase: pseudogene, transcribed_pseudogene, transposon_protein_coding ...
NO_GENE = ("pseudogen", "transpos")
KEPT = ("gene", "locus_tag", "product", "pseudo", "pseudogene", "transl_table", "codon_start", "note", "Name")


def features_table(rows) -> pd.DataFrame:
    """The tidy table of feature parts (dictionaries), sorted by contig (in order of appearance), start, end, type."""
    columns: dict[str, list] = {name: [] for name in COLUMNS}
    for row in rows:  # column by column: a list of dictionaries takes several times the memory
        for name in COLUMNS:
            columns[name].append(row[name])
    types = {"start": "int64", "end": "int64", "phase": "int8"}
    table = pd.DataFrame({name: pd.Series(values, dtype=types.get(name, object)) for name, values in columns.items()})
    order = {name: i for i, name in enumerate(dict.fromkeys(table["contig"]))}
    rank = table["contig"].map(order)
    table = table.assign(rank=rank).sort_values(["rank", "start", "end", "type", "id"], kind="stable")
    return table.drop(columns="rank").reset_index(drop=True)


def genbank_records(path, form: str = "genbank", facts: dict | None = None, bare: bool = False):
    """(contig, sequence, circular, feature rows) of each record of a GenBank or EMBL file (Biopython).

    Parameters
    ----------
    form : str
        ``genbank`` or ``embl``.
    facts : dict, optional
        Takes the qualifiers of each contig's ``source`` feature, when its record goes by.
    bare : bool
        Whether records without sequence are welcome; the sequence given is then empty.

    Raises
    ------
    InputError
        If the file is damaged, holds no record, or a record has no sequence.
    """
    names, label = set(), {"genbank": "GenBank", "embl": "EMBL"}[form]
    try:
        with io.TextIOWrapper(open_text(path), encoding="utf-8", errors="replace") as text:
            records = SeqIO.parse(text, form)
            while record := _next_record(records):
                whole = len(record.seq) and record.seq.defined
                if not whole and not bare:
                    raise InputError(f"record {record.id} has no sequence", str(path), "Fetch it with its ORIGIN part")
                name = record.name if record.id in ("", ".", "<unknown id>") else record.id
                if name in names:
                    raise InputError(f"contig {name} is there twice", str(path), "Rename or remove one of the records")
                names.add(name)
                circular = record.annotations.get("topology") == "circular"
                if facts is not None:
                    facts[name] = _source_of(record)
                yield name, bytes(record.seq) if whole else b"", circular, _genbank_rows(record, name)
    except (EOFError, OSError, ValueError, zlib.error, BiopythonParserWarning) as error:
        raise InputError(f"cannot be read as {label} ({error})", str(path), "Fetch it again") from error
    if not names:
        raise InputError(f"the file holds no {label} record", str(path), f"Give a {label} flat file, or FASTA and GFF3")


def _source_of(record) -> dict[str, str]:
    """Qualifiers of the feature that says what a record is, and its length, which may be all that is known."""
    source = next((feature.qualifiers for feature in record.features if feature.type == "source"), {})
    return {**{key: values[0] for key, values in source.items()}, "length": str(len(record.seq))}


def _next_record(records):
    """The next record, None at the end. Biopython only warns of one that is cut short, and of old LOCUS lines."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiopythonParserWarning)
        warnings.filterwarnings("error", "Expected sequence length|Premature end", BiopythonParserWarning)
        return next(records, None)


def read_genbank(path):
    """Contigs [(name, sequence bytes, circular)] and feature rows of a GenBank file; see `genbank_records`."""
    records = list(genbank_records(path))
    return [record[:3] for record in records], [row for record in records for row in record[3]]


def _genbank_rows(record, contig: str) -> list[dict]:
    rows, size = [], len(record.seq)
    if lost := [feature.type for feature in record.features if feature.location is None]:
        log.warning("%s: %d features whose place cannot be read are left out: %s", contig, len(lost), lost[:5])
    for number, feature in enumerate(record.features):
        if feature.type == "source" or feature.location is None:
            continue
        keep = {k: v[0] for k, v in feature.qualifiers.items() if k in KEPT}
        # A part without bases lies between two bases (123^124); one with a ref lies in another record.
        parts = [part for part in feature.location.parts if len(part) and part.ref is None]
        edges = [edge for part in parts for edge in (part.start, part.end)]
        if len(parts) < len(feature.location.parts) or any(
            isinstance(e, BeforePosition | AfterPosition) for e in edges
        ):
            keep["partial"] = "true"
        for part in parts:
            if part.end > size:
                raise AssemblyError(
                    f"{feature.type} ends off the contig ({size} bases)", f"{contig}:{part.end}",
                    "Is this the annotation of another assembly?",
                )  # fmt: skip
        if "pseudogene" in keep or "pseudo" in keep:
            keep["pseudo"] = "true"
        done, shift = 0, int(keep.get("codon_start", 1)) - 1
        for part in parts:
            phase = (shift - done) % 3 if feature.type == "CDS" else -1
            rows.append(_row(contig, part, feature.type, phase, f"{feature.type}-{number}", keep))
            done += len(part)
    return rows


def _row(contig, part, kind, phase, identifier, keep) -> dict:
    return {
        "contig": contig,
        "start": int(part.start),
        "end": int(part.end),
        "strand": STRANDS[part.strand],
        "type": kind,
        "phase": phase,
        "id": identifier,
        "parent": "",
        "attributes": json.dumps(keep, sort_keys=True),
    }


def read_gff3(path, lengths: dict[str, int], circular=frozenset(), names=None) -> list[dict]:
    """Feature rows of a GFF3 file, checked against the contigs' ``lengths``.

    On contigs named in ``circular`` a feature that runs past the end is split at the origin. ``names`` says which
    contig a name of the file is (`dnalm.io.contig_names.match_contigs`), None for those whose features are left out.
    """
    rows, place = [], Placing(lengths, names, circular)
    for number, line in numbered_lines(path):
        if line.startswith(b"##FASTA"):
            break
        if not line.strip() or line.startswith(b"#"):
            continue
        where = f"{path}:{number}"
        fields = line.decode("utf-8", "replace").split("\t")
        if len(fields) != 9:
            raise InputError(f"{len(fields)} columns instead of 9", where, "GFF3 has nine columns separated by tabs")
        if fields[2] not in LANDMARKS:
            rows += _gff_rows(fields, where, number, place)
    _mark_pseudo(rows)
    check_parents(rows, path)
    return fill_phases(rows, path)


def _name_part(kind: str, parent: str | None, number: int) -> str:
    """Id of a feature without one: CDS of the same parent are parts of one coding sequence."""
    return f"CDS:{parent}" if kind == "CDS" and parent else f"{kind}-{number}"


def _gff_rows(fields, where, number, place: Placing) -> list[dict]:
    name, _, kind, start, end, _, strand, phase, text = fields
    if not (start.isdecimal() and end.isdecimal() and 1 <= int(start) <= int(end)):
        raise InputError(f"{start}..{end} is not an interval", where, "start and end are 1-based, start <= end")
    if strand not in ("+", "-", ".", "?"):
        raise InputError(f"unknown strand {strand!r}", where, "Use +, - or .")
    contig = place(name, int(start), int(end), where)
    if contig is None:
        return []
    length, low, high = place.lengths[contig], int(start) - 1, int(end)
    pairs = (pair.partition("=") for pair in text.split(";") if "=" in pair)
    attributes = {k.strip(): urllib.parse.unquote(v) for k, _, v in pairs}
    keep = {k: v for k, v in attributes.items() if k in (*KEPT, "gene_biotype")}
    if attributes.get("partial") in PARTIAL or CUT.intersection(attributes.get("tag", "").split(",")):
        keep["partial"] = "true"
    if any(word in attributes.get("biotype", "") for word in NO_GENE):
        keep["pseudo"] = "true"
    row = {
        "contig": contig, "strand": strand.replace("?", "."), "type": kind,
        "phase": int(phase) if phase in ("0", "1", "2") else -1,
        "id": attributes.get("ID") or _name_part(kind, attributes.get("Parent"), number),
        "parent": attributes.get("Parent", ""),
        "attributes": json.dumps(keep, sort_keys=True),
    }  # fmt: skip
    if high <= length:
        return [row | {"start": low, "end": high}]
    parts = [row | {"start": low, "end": length}, row | {"start": 0, "end": high - length}]
    later = parts[1] if strand != "-" else parts[0]
    if kind == "CDS" and row["phase"] >= 0:
        first = length - low if strand != "-" else high - length
        later["phase"] = (row["phase"] - first) % 3
    return parts


def _mark_pseudo(rows: list[dict]) -> None:
    """Children of a pseudogene are pseudo too."""
    pseudo = set()
    for row in rows:
        keep = json.loads(row["attributes"])
        if keep.get("pseudo") == "true" or keep.get("gene_biotype") == "pseudogene" or row["type"] == "pseudogene":
            pseudo.add(row["id"])
    for row in rows:
        if row["id"] in pseudo or pseudo.intersection(row["parent"].split(",")):
            row["attributes"] = json.dumps(json.loads(row["attributes"]) | {"pseudo": "true"}, sort_keys=True)


def coding_sequences(features: pd.DataFrame, lengths: dict[str, int], circular=None) -> pd.DataFrame:
    """One row per CDS: contig, start, end, strand, id, parts, pseudo, partial, crosses_origin.

    A CDS that crosses the origin of a circular contig is one part again, with ``end`` past the contig's length.
    ``circular`` names the circular contigs; without it, every contig may be circular.
    """
    rows = []
    for (contig, identifier), group in each_parent(features).groupby(["contig", "id"], sort=False):
        keep = json.loads(group["attributes"].iloc[0])
        spans = sorted(zip(group["start"], group["end"], strict=True))
        crosses = (
            (circular is None or contig in circular)
            and len(spans) > 1
            and spans[0][0] == 0
            and spans[-1][1] == lengths[contig]
        )
        if crosses:
            spans = _across_origin(spans, lengths[contig])
        rows.append(
            {
                "contig": contig,
                "start": int(spans[0][0]),
                "end": int(spans[-1][1]),
                "strand": group["strand"].iloc[0],
                "id": identifier,
                "parts": len(spans),
                "pseudo": keep.get("pseudo") == "true",
                "partial": keep.get("partial") == "true",
                "crosses_origin": crosses,
            }
        )
    columns = ["contig", "start", "end", "strand", "id", "parts", "pseudo", "partial", "crosses_origin"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["contig", "start", "end"], kind="stable").reset_index(drop=True)


def each_parent(features: pd.DataFrame) -> pd.DataFrame:
    """CDS parts; one without an ID that several transcripts share (FlyBase) is there once for each of them."""
    cds, proteins = features[features["type"] == "CDS"], protein_ids(features)
    shared = (cds["id"] == "CDS:" + cds["parent"]) & cds["parent"].str.contains(",")
    owners = [
        [f"CDS:{owner}" for owner in parent.split(",") if owner and owner not in proteins] if several else [own]
        for own, parent, several in zip(cds["id"], cds["parent"], shared, strict=True)
    ]
    return cds.assign(id=owners).explode("id")


def protein_ids(features: pd.DataFrame) -> set[str]:
    """Ids of proteins, which TAIR names as parents of coding sequences beside the transcripts.

    Where a file is a part of a genome, the row of a protein that goes on behind its end is missing, not its name.
    """
    shared = features.loc[(features["type"] == "CDS") & features["parent"].str.contains(","), "parent"]
    named = {name for parent in shared.unique() for name in parent.split(",")}
    beside = {name for name in named if name.removesuffix("-Protein") in named - {name}}
    return beside | set(features.loc[features["type"].isin(["protein", "polypeptide"]), "id"])


def _across_origin(spans, length: int):
    """Sorted parts of a feature that touches both ends of a circular contig, in order along the circle.

    The widest stretch without a part is taken to lie outside of the feature.
    """
    outside = [b[0] - a[1] for a, b in itertools.pairwise(spans)]
    first = 1 + outside.index(max(outside))
    before, after = spans[first:], [(start + length, end + length) for start, end in spans[:first]]
    return [*before[:-1], (before[-1][0], after[0][1]), *after[1:]]


def write_gff3(rows, lengths: dict[str, int], path, source: str = "dnalm") -> None:
    """Write (contig, source, type, start, end, score, strand, phase, attributes) rows as sorted bgzip GFF3 + tabix.

    ``start`` and ``end`` are 0-based half-open; ``attributes`` a dictionary.
    """
    path, order = Path(path), {name: i for i, name in enumerate(lengths)}
    lines = ["##gff-version 3", *(f"##sequence-region {name} 1 {length}" for name, length in lengths.items())]
    for contig, kind, start, end, score, strand, phase, attributes in sorted(
        rows, key=lambda r: (order[r[0]], r[2], r[3], r[1])
    ):
        tail = ";".join(f"{k}={urllib.parse.quote(str(v), safe=' :/|+()[]-._')}" for k, v in attributes.items())
        shown = "." if score is None or np.isnan(score) else f"{score:.4g}"
        lines.append(f"{contig}\t{source}\t{kind}\t{start + 1}\t{end}\t{shown}\t{strand}\t{phase}\t{tail or '.'}")
    with atomic_path(path) as temporary:
        plain = Path(f"{temporary}.plain")
        plain.write_text("\n".join(lines) + "\n")
        pysam.tabix_compress(str(plain), str(temporary), force=True)
        plain.unlink()
        pysam.tabix_index(str(temporary), preset="gff", force=True)
        Path(f"{temporary}.tbi").replace(f"{path}.tbi")


def features_gff3(features: pd.DataFrame, lengths: dict[str, int], path) -> None:
    """Write the tidy feature table as GFF3."""
    rows = []
    for f in features.itertuples(index=False):
        attributes = {"ID": f.id, **({"Parent": f.parent} if f.parent else {}), **json.loads(f.attributes)}
        phase = f.phase if f.type == "CDS" else "."
        rows.append((f.contig, f.type, f.start, f.end, None, f.strand, phase, attributes))
    write_gff3(rows, lengths, path, source="annotation")


def rna_genes(features: pd.DataFrame) -> pd.DataFrame:
    """RNA genes of a feature table (rRNA, tRNA, ncRNA ...); transcripts of coding genes (mRNA) are none."""
    return features[features["type"].str.contains("RNA") & ~features["type"].str.contains("mRNA")]
