"""The genome stage: from whatever the user has to a checked genome directory."""

import hashlib
import json
import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import InputError
from dnalm.io.annotation import coding_sequences, features_gff3, features_table, read_genbank, read_gff3
from dnalm.io.contig_names import match_contigs, read_aliases, read_landmarks
from dnalm.io.fasta import read_fasta, write_fasta
from dnalm.io.fetch import LocalGenome
from dnalm.io.tables import atomic_folder, atomic_path, write_json, write_parquet
from dnalm.sequence.alphabet import MASK_BIT, N, encode, reverse_complement
from dnalm.sequence.genetic_code import codon_index, genetic_code

log = logging.getLogger(__name__)
GENBANK = (".gb", ".gbk", ".gbff", ".genbank")


def build_genome(name: str, files: LocalGenome, source: dict, folder) -> dict:
    """Write the genome directory ``folder`` (DESIGN: genome contract) and return its data card.

    Parameters
    ----------
    source : dict
        The genome's config: genetic_code, circular, region.
    """
    contigs, rows, circular = _read(files, source)
    if source.get("leave_out"):
        contigs, rows = _without(contigs, rows, source["leave_out"])
        circular = {contig: circular[contig] for contig, _ in contigs}
    region = source.get("region")
    if region:
        contigs, rows, dropped = _slice(contigs, rows, region)
        circular = {contigs[0][0]: False}
        log.info("region: %d features cross its edge and are left out", dropped)
    features = features_table(rows)
    code = source.get("genetic_code") or _annotated_code(features) or files.provenance.get("genetic_code") or 11
    genetic_code(code)
    with atomic_folder(folder) as draft:
        card = _write_genome(name, files, contigs, features, circular, code, draft)
        write_json({**files.provenance, "requested": source}, draft / "provenance.json")
    log.info("%s: %d bases, %d CDS, genetic code %d", name, card["bases"], card["cds"]["total"], code)
    return card


def _write_genome(name, files: LocalGenome, contigs, features, circular, code: int, folder: Path) -> dict:
    """All files of a genome directory but its provenance; returns the data card."""
    lengths = {contig: len(sequence) for contig, sequence in contigs}
    table, digest, composition = _write_codes(name, contigs, circular, code, folder)
    cds = coding_sequences(features, lengths, {contig for contig in circular if circular[contig]})
    check = _check_cds(cds, table, np.load(folder / "codes.npy", mmap_mode="r"), code, files)
    write_fasta(contigs, folder / "genome.fa.gz")
    features_gff3(features, lengths, folder / "annotation.gff3.gz")
    write_parquet(features, folder / "features.parquet")
    write_parquet(table, folder / "contigs.parquet")
    card = {
        "name": name, "digest": digest, "genetic_code": code, **composition,
        "features": dict(sorted(Counter(features.drop_duplicates(["contig", "id"])["type"]).items())),
        "cds": {"total": len(cds), "joined": int((cds["parts"] > 1).sum()), "pseudo": int(cds["pseudo"].sum()),
                "partial": int(cds["partial"].sum()), "crosses_origin": int(cds["crosses_origin"].sum()), **check},
        "contigs": table.drop(columns=["offset", "genome"]).to_dict("records"),
    }  # fmt: skip
    write_json(card, folder / "genome.json")
    return card


def _read(files: LocalGenome, source: dict):
    """Contigs [(name, bytes)], feature rows and {contig: circular}."""
    stem = files.sequence.name.removesuffix(".gz").removesuffix(".bgz")
    if stem.endswith(GENBANK):
        if files.annotation:
            raise InputError("a GenBank file brings its own annotation", str(files.annotation), "Leave it out")
        records, rows = read_genbank(files.sequence)
        contigs = [(contig, sequence) for contig, sequence, _ in records]
        circular = {contig: round_ for contig, _, round_ in records}
    else:
        contigs = list(read_fasta(files.sequence))
        rows, marked = _read_annotation(files, contigs, source) if files.annotation else ([], set())
        circular = {contig: contig in marked for contig, _ in contigs}
    if source.get("circular") is not None:
        circular = dict.fromkeys(circular, source["circular"])
    return contigs, rows, circular


def _read_annotation(files: LocalGenome, contigs, source: dict) -> tuple[list[dict], set[str]]:
    """Feature rows of a GFF3 file on the contigs of the sequence, and the contigs that are circular."""
    lengths = {contig: len(sequence) for contig, sequence in contigs}
    landmarks = read_landmarks(files.annotation)
    aliases = read_aliases(files.aliases, lengths) if files.aliases else None
    names = match_contigs(landmarks, lengths, files.annotation, aliases)
    circular = {names.get(name, name) for name, landmark in landmarks.items() if landmark.circular}
    if source.get("circular") is not None:
        circular = set(lengths) if source["circular"] else set()
    return read_gff3(files.annotation, lengths, circular, names), circular


def _without(contigs, rows, names):
    """Contigs and feature rows without some contigs; their features are counted."""
    known = [contig for contig, _ in contigs]
    unknown, rest = [name for name in names if name not in known], [name for name in known if name not in names]
    if unknown or not rest:
        wrong = f"no contig {', '.join(map(repr, unknown))}" if unknown else "no contig is left"
        raise InputError(wrong, "genomes: leave_out", f"Known: {', '.join(known[:20])}")
    kept = [r for r in rows if r["contig"] in rest]
    log.info("left out: %s, with %d rows of features", ", ".join(names), len(rows) - len(kept))
    return [(contig, sequence) for contig, sequence in contigs if contig in rest], kept


def _slice(contigs, rows, region):
    """One region as the only contig; features that cross its edge are dropped and counted."""
    names = [contig for contig, _ in contigs]
    contig = region.get("contig") or names[0]
    if contig not in names:
        raise InputError(f"no contig {contig!r}", "genomes: region", f"Known: {', '.join(names[:5])}")
    sequence = dict(contigs)[contig]
    start, end = region["start"], region["end"]
    if not start < end <= len(sequence):
        raise InputError("region is off the contig", f"{contig}:{start + 1}-{end}", f"It has {len(sequence)} bases")
    here = [r for r in rows if r["contig"] == contig]
    near = [r for r in here if r["start"] < end and r["end"] > start]
    outside = {r["id"] for r in here if r["start"] < start or r["end"] > end}
    cut = outside & {r["id"] for r in near}
    kept = [r | {"start": r["start"] - start, "end": r["end"] - start} for r in near if r["id"] not in cut]
    return [(contig, sequence[start:end])], kept, len(cut)


def _annotated_code(features: pd.DataFrame) -> int | None:
    """The genetic code that most CDS name; None if most name none (a nuclear genome whose mitochondrion does)."""
    codes = Counter(json.loads(a).get("transl_table") for a in features.loc[features["type"] == "CDS", "attributes"])
    commonest = codes.most_common(1)[0][0] if codes else None
    return int(commonest) if commonest else None


def _write_codes(name: str, contigs, circular, code: int, folder: Path):
    """codes.npy written contig by contig; returns the contigs table, the digest and the composition."""
    rows, offset, digest, counts, masked = [], 0, hashlib.sha256(), np.zeros(5, dtype=np.int64), 0
    with atomic_path(folder / "codes.npy") as temporary:
        out = np.lib.format.open_memmap(temporary, "w+", np.uint8, (sum(len(s) for _, s in contigs),))
        for contig, sequence in contigs:
            codes = encode(sequence)
            out[offset : offset + len(codes)] = codes
            digest.update(contig.encode() + b"\0" + codes.tobytes())
            counts += np.bincount(codes & 7, minlength=5)
            masked += int((codes & MASK_BIT > 0).sum())
            rows.append((contig, len(codes), offset, bool(circular[contig]), code, name))
            offset += len(codes)
        out.flush()
    table = pd.DataFrame(rows, columns=["contig", "length", "offset", "circular", "genetic_code", "genome"])
    known = max(int(counts[:N].sum()), 1)
    composition = {
        "bases": offset,
        "gc": round(float(counts[1] + counts[2]) / known, 6),
        "n": int(counts[N]),
        "soft_masked_share": round(masked / max(offset, 1), 6),
        "circular": bool(table["circular"].any()),
    }
    return table, digest.hexdigest(), composition


def _check_cds(cds: pd.DataFrame, contigs: pd.DataFrame, codes, code: int, files: LocalGenome) -> dict:
    """Share of whole CDS that begin with a start codon, end with a stop codon, are in frame.

    Raises
    ------
    InputError
        If most do not fit: the annotation is of another assembly, or the genetic code is wrong.
    """
    _, starts, stops = genetic_code(code)
    whole = cds[(cds["parts"] == 1) & ~cds["pseudo"] & ~cds["partial"]]
    offsets, sizes = contigs.set_index("contig")["offset"], contigs.set_index("contig")["length"]
    fit = np.zeros(3)
    for c in whole.itertuples(index=False):
        sequence = codes[offsets[c.contig] : offsets[c.contig] + sizes[c.contig]]
        gene = sequence.take(np.arange(c.start, c.end), mode="wrap")
        gene = reverse_complement(gene) if c.strand == "-" else gene
        codons = codon_index(gene) if len(gene) >= 3 else np.array([-1])
        first, last = codons[0], codons[-1]
        fit += [first >= 0 and starts[first], last >= 0 and stops[last], len(gene) % 3 == 0]
    share = (fit / max(len(whole), 1)).round(4)
    if len(whole) >= 20 and share[:2].min() < 0.5:
        raise InputError(
            f"only {share[0]:.0%} of {len(whole)} CDS begin with a start and {share[1]:.0%} end with a stop codon",
            str(files.annotation or files.sequence),
            f"This looks like the annotation of another assembly, or not genetic code {code}",
        )
    return {"start_share": share[0], "stop_share": share[1], "frame_share": share[2]}
