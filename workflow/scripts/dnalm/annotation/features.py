"""Annotation: GenBank and GFF3 in, one tidy table of features, sorted GFF3 out.

Inside, coordinates are 0-based half-open; a joined feature has one row per part, all with the same id.
"""

import functools
import io
import itertools
import json
import logging
import urllib.parse
import warnings
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
from Bio import BiopythonParserWarning, SeqIO
from Bio.SeqFeature import AfterPosition, BeforePosition

from dnalm.annotation.feature_columns import BLOCK, COLUMNS, FeatureColumns, as_text, sorted_features
from dnalm.annotation.placing import Placing, split_at_origin
from dnalm.annotation.rows import CUT, check_parents, fill_phases, mark_pseudo
from dnalm.contigs.assembly_names import AssemblyError
from dnalm.contigs.names import LANDMARKS
from dnalm.errors import InputError
from dnalm.io.tabix import write_index
from dnalm.io.tables import atomic_path
from dnalm.io.text_files import numbered_lines, open_text

log = logging.getLogger(__name__)
STRANDS = {1: "+", -1: "-", None: ".", 0: "."}
#: Values of ``partial`` that say so: NCBI's, and Prodigal's, whose 00 means whole.
PARTIAL = ("true", "01", "10", "11")
#: In a ``biotype`` of Ensembl or WormBase: pseudogene, transcribed_pseudogene, transposon_protein_coding ...
NO_GENE = ("pseudogen", "transpos")
KEPT = ("gene", "locus_tag", "product", "pseudo", "pseudogene", "transl_table", "codon_start", "note", "Name")
KEPT_OF_GFF3 = frozenset([*KEPT, "gene_biotype"])
READ_OF_GFF3 = KEPT_OF_GFF3 | {"ID", "Parent", "partial", "tag", "biotype"}


def features_table(rows) -> pd.DataFrame:
    """The tidy table of feature parts, sorted by contig (in order of appearance), start, end, type, id.

    ``rows`` are dictionaries, or a table of `dnalm.annotation.feature_columns.FeatureColumns`.
    """
    table = rows if isinstance(rows, pd.DataFrame) else FeatureColumns().add(rows).table()
    return as_text(sorted_features(table))


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
    """Qualifiers of the feature that says what a record is, its lineage, and its length, which may be all there is."""
    source = next((feature.qualifiers for feature in record.features if feature.type == "source"), {})
    lineage = "; ".join(record.annotations.get("taxonomy", []))
    return {**{key: values[0] for key, values in source.items()}, "length": str(len(record.seq)), "lineage": lineage}


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


def read_gff3(path, lengths: dict[str, int], circular=frozenset(), names=None) -> pd.DataFrame:
    """Features of a GFF3 file, checked against ``lengths`` of contigs, as `dnalm.annotation.feature_columns` has them.

    On contigs named in ``circular`` a feature that runs past the end is split at the origin. ``names`` says which
    contig a name of the file is (`dnalm.contigs.names.match_contigs`), None for those whose features are left out.
    """
    columns, place = FeatureColumns(), Placing(lengths, names, circular)
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
            columns.add(_gff_rows(fields, where, number, place))
    features = mark_pseudo(columns.table())
    check_parents(features, path)
    return split_at_origin(fill_phases(features, path), lengths)


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
    pairs = (pair.partition("=") for pair in text.split(";") if "=" in pair)
    attributes = {key: urllib.parse.unquote(value) for k, _, value in pairs if (key := k.strip()) in READ_OF_GFF3}
    keep = {k: v for k, v in attributes.items() if k in KEPT_OF_GFF3}
    if attributes.get("partial") in PARTIAL or CUT.intersection(attributes.get("tag", "").split(",")):
        keep["partial"] = "true"
    if any(word in attributes.get("biotype", "") for word in NO_GENE):
        keep["pseudo"] = "true"
    return [{
        "contig": contig, "start": int(start) - 1, "end": int(end), "strand": strand.replace("?", "."), "type": kind,
        "phase": int(phase) if phase in ("0", "1", "2") else -1,
        "id": attributes.get("ID") or _name_part(kind, attributes.get("Parent"), number),
        "parent": attributes.get("Parent", ""),
        "attributes": json.dumps(keep, sort_keys=True),
    }]  # fmt: skip


def coding_sequences(features: pd.DataFrame, lengths: dict[str, int], circular=None) -> pd.DataFrame:
    """One row per CDS: contig, start, end, strand, id, parts, pseudo, partial, crosses_origin.

    A CDS that crosses the origin of a circular contig is one part again, with ``end`` past the contig's length.
    ``circular`` names the circular contigs; without it, every contig may be circular.
    """
    cds = each_parent(features)
    cds = cds.assign(number=cds.groupby(["contig", "id"], sort=False, observed=True).ngroup())
    table = cds.drop_duplicates("number").astype({"contig": "str", "strand": "str"})  # in the order of their numbers
    spans = cds[["number", "start", "end"]].sort_values(["number", "start", "end"], kind="stable")
    ordered = spans.groupby("number")
    said = table["attributes"].astype("category")
    first, last, parts = ordered["start"].first(), ordered["end"].last(), ordered.size()
    table = pd.DataFrame(
        {
            "contig": table["contig"].to_numpy(), "start": first, "end": last, "strand": table["strand"].to_numpy(),
            "id": table["id"].to_numpy(), "parts": parts, "pseudo": _says(said, "pseudo"),
            "partial": _says(said, "partial"),
        }
    )  # fmt: skip
    closed = table["contig"].isin(lengths if circular is None else circular)
    table["crosses_origin"] = closed & (parts > 1) & (first == 0) & (last == table["contig"].map(lengths))
    for number in table.index[table["crosses_origin"]]:
        mine = spans.loc[spans["number"] == number, ["start", "end"]].itertuples(index=False, name=None)
        across = _across_origin(list(mine), lengths[table.at[number, "contig"]])
        table.loc[number, ["start", "end", "parts"]] = across[0][0], across[-1][1], len(across)
    return table.sort_values(["contig", "start", "end"], kind="stable").reset_index(drop=True)


def _says(attributes: pd.Series, key: str) -> np.ndarray:
    """Whether attributes have "true" under a key."""
    said = [f'"{key}"' in text and json.loads(text).get(key) == "true" for text in attributes.cat.categories]
    return np.array(said, dtype=bool)[attributes.cat.codes]


def each_parent(features: pd.DataFrame) -> pd.DataFrame:
    """CDS parts; one without an ID that several transcripts share (FlyBase) is there once for each of them."""
    cds = features[features["type"] == "CDS"]
    several = cds["parent"].str.contains(",").to_numpy(dtype=bool)
    shared = np.zeros(len(cds), dtype=bool)
    shared[several] = cds["id"][several] == "CDS:" + cds["parent"][several].astype("str")
    if not shared.any():
        return cds
    proteins = protein_ids(features)
    owners = [[own] for own in cds["id"]]
    for row in np.flatnonzero(shared):
        parents = cds["parent"].iloc[row].split(",")
        owners[row] = [f"CDS:{owner}" for owner in parents if owner and owner not in proteins]
    return cds.assign(id=owners).explode("id").dropna(subset="id")


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
    """Write (contig, type, start, end, score, strand, phase, attributes) rows as sorted bgzip GFF3 + tabix.

    ``start`` and ``end`` are 0-based half-open; ``attributes`` a dictionary.
    """
    order = {name: i for i, name in enumerate(lengths)}
    rows = sorted(rows, key=lambda r: (order[r[0]], r[2], r[3], r[1]))
    _write_sorted((_line(source, *row[:-1], _attributes(row[-1])) for row in rows), lengths, path)


def _line(source, contig, kind, start, end, score, strand, phase, attributes: str) -> str:
    shown = "." if score is None or np.isnan(score) else f"{score:.4g}"
    return f"{contig}\t{source}\t{kind}\t{start + 1}\t{end}\t{shown}\t{strand}\t{phase}\t{attributes or '.'}\n"


def _attributes(values: dict) -> str:
    """The ninth column."""
    return ";".join(f"{k}={urllib.parse.quote(str(v), safe=' :/|+()[]-._')}" for k, v in values.items())


def _write_sorted(lines: Iterable[str], lengths: dict[str, int], path) -> None:
    """Write sorted lines, as they come, as bgzip GFF3 with an index."""
    with atomic_path(path) as temporary:
        plain = Path(f"{temporary}.plain")
        with open(plain, "w") as out:
            out.write("##gff-version 3\n")
            out.writelines(f"##sequence-region {name} 1 {length}\n" for name, length in lengths.items())
            out.writelines(lines)
        pysam.tabix_compress(str(plain), str(temporary), force=True)
        plain.unlink()
        write_index(temporary, path, max(lengths.values(), default=0), "gff")


def features_gff3(features: pd.DataFrame, lengths: dict[str, int], path) -> None:
    """Write the sorted feature table as GFF3."""
    rank = features["contig"].map({name: i for i, name in enumerate(lengths)}).to_numpy(dtype=np.int64)
    _write_sorted(_feature_lines(features, np.argsort(rank, kind="stable")), lengths, path)


def _feature_lines(features: pd.DataFrame, order: np.ndarray) -> Iterator[str]:
    """Lines of features in an order, made block by block."""
    said = functools.lru_cache(BLOCK)(lambda text: _attributes(json.loads(text)))
    for first in range(0, len(order), BLOCK):
        rows = features.iloc[order[first : first + BLOCK]]
        columns = (rows[name].tolist() for name in COLUMNS)
        for contig, start, end, strand, kind, phase, identifier, parent, attributes in zip(*columns, strict=True):
            own = {"ID": identifier, "Parent": parent} if parent else {"ID": identifier}
            text = ";".join(filter(None, [_attributes(own), said(attributes)]))
            phase = phase if kind == "CDS" else "."
            yield _line("annotation", contig, kind, start, end, None, strand, phase, text)


def rna_genes(features: pd.DataFrame) -> pd.DataFrame:
    """RNA genes of a feature table (rRNA, tRNA, ncRNA ...); transcripts of coding genes (mRNA) are none."""
    return features[features["type"].str.contains("RNA") & ~features["type"].str.contains("mRNA")]
