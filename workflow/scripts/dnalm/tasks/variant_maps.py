"""All substitutions of a stretch of a genome: log-likelihood ratios per base, and how much a base is constrained."""

import difflib
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from dnalm.annotation.bed import write_bigwig
from dnalm.errors import InputError
from dnalm.io.fasta import Genome
from dnalm.io.tables import atomic_path
from dnalm.sequence.alphabet import bases
from dnalm.tasks.substitutions import Expectations, entropy, likelihood_ratios
from dnalm.training.progress import Progress
from dnalm.variants.coding import CodingSequences
from dnalm.variants.consequence import snv_consequences
from dnalm.variants.terms import TERMS

log = logging.getLogger(__name__)
LETTERS = np.array(list("ACGTN"))
#: What is also written as bigWig.
TRACKS = ("constraint", "entropy")


def stretches(genome: Genome, coding: CodingSequences, wanted: dict) -> list[tuple[str, int, int]]:
    """(contig, start, end) of what a map is of, 0-based half-open: a gene, a contig or a part of one, or all contigs.

    ``wanted`` has the keys of `dnalm.config_variants.VariantMap`.

    Raises
    ------
    InputError
        If there is no such gene or contig, or several genes of that name, or the part lies beyond the contig's end.
    """
    if wanted["gene"]:
        return [_gene(genome, coding.table, wanted["gene"])]
    if not wanted["contig"]:
        return [(c.contig, 0, int(c.length)) for c in genome.contigs.itertuples(index=False)]
    length = genome.length(wanted["contig"])
    end = wanted["end"] or length
    if max(end, wanted["start"] + 1) > length:
        raise InputError(
            f"the map ends at {end}, the contig has {length} bases", wanted["contig"], "Mend variants.maps"
        )
    return [(wanted["contig"], wanted["start"], end)]


def _gene(genome, models: pd.DataFrame, name: str) -> tuple[str, int, int]:
    """The stretch of the gene of a name; across the origin of a circular contig its larger part."""
    found = models[models[["gene", "locus_tag", "id", "locus"]].eq(name).any(axis=1)].drop_duplicates(
        ["contig", "start"]
    )
    if len(found) != 1:
        near = ", ".join(difflib.get_close_matches(name, models["gene"].unique(), 3)) or "none is near"
        told = "no gene of this name" if found.empty else f"{len(found)} genes of this name"
        raise InputError(f"{told} ({near})", f"variants.maps: gene {name}", "Give contig, start and end instead")
    gene = found.iloc[0]
    length = genome.length(gene["contig"])
    parts = [(gene["start"], min(gene["end"], length)), (0, max(gene["end"] - length, 0))]
    return (gene["contig"], *map(int, max(parts, key=lambda part: part[1] - part[0])))


def write_map(expected: Expectations, genome: Genome, coding: CodingSequences, first: int, parts, outputs) -> None:
    """Score all substitutions of ``parts``, which are (contig, start, end) of ``genome``.

    Parameters
    ----------
    expected : Expectations
        Of the genome that the model knows, in which this one begins at the global position ``first``.
    coding : CodingSequences
        Of ``genome``.
    outputs : dict
        Paths: ``parquet`` (a row per base: contig, position from 0, ref, log-likelihood ratios ``A``, ``C``, ``G``,
        ``T`` against the reference in nats, ``constraint``, ``entropy`` in bits, gene, codon_position and what each
        substitution does, ``consequence_A`` ...), ``constraint`` and ``entropy`` (bigWig). Constraint is minus the mean
        of the three ratios.
    """
    progress = Progress(sum(end - start for _, start, end in parts), "bases", log)
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    tracks = {kind: {c: np.full(n, np.nan, np.float32) for c, n in lengths.items()} for kind in TRACKS}
    with atomic_path(outputs["parquet"]) as temporary:
        writer = None
        for contig, start, end in parts:
            begin = genome.offset(contig) + first
            for place, logp in expected.span(begin + start, begin + end, progress):
                table = _table(expected.genome.codes[place : place + len(logp)], logp, contig, place - begin)
                table = pd.concat([table, _consequences(genome, coding, place - first, len(table))], axis=1)
                for kind, values in tracks.items():
                    values[contig][place - begin : place - begin + len(logp)] = table[kind]
                rows = pa.Table.from_pandas(table, preserve_index=False)
                writer = writer or pyarrow.parquet.ParquetWriter(temporary, rows.schema, compression="zstd")
                writer.write_table(rows)
        writer.close()
    for kind, values in tracks.items():
        write_bigwig(values, outputs[kind])


def _table(codes, logp, contig, position) -> pd.DataFrame:
    codes = bases(np.asarray(codes))
    ratios = likelihood_ratios(logp, codes)
    columns = {"contig": contig, "position": position + np.arange(len(codes)), "ref": LETTERS[codes]}
    columns |= {letter: ratios[:, i] for i, letter in enumerate("ACGT")}
    return pd.DataFrame(columns | {"constraint": -ratios.sum(1) / 3, "entropy": entropy(logp)})


def _consequences(genome, coding, start: int, size: int) -> pd.DataFrame:
    """Gene, codon position and consequences of the three substitutions of every base, empty for its own letter."""
    found = snv_consequences(genome, coding, start, start + size)
    model, place = found.model.max(1), found.place.max(1)
    genes = np.append(coding.table["gene"].to_numpy(dtype=object), "")
    columns = {"gene": genes[model], "codon_position": place}
    columns |= {f"consequence_{x}": pd.Categorical.from_codes(found.classes[:, i], TERMS) for i, x in enumerate("ACGT")}
    return pd.DataFrame(columns)
