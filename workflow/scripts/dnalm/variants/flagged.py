"""Flagged positions of a sample, and ranked differences from a reference, as bgzip VCF with an index."""

from pathlib import Path

import numpy as np
import pandas as pd
import pysam

from dnalm.io.fasta import Genome
from dnalm.io.tabix import write_index
from dnalm.io.tables import atomic_path
from dnalm.variant_files.writer import info_text
from dnalm.variants.observed import REASONS
from dnalm.variants.places import place_in_contigs

LETTERS = "ACGTN"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
GAIN = "Nats by which the repair makes the sequence more likely, mean of both strands"
SCREEN = "Nats by which the repair is expected over what is there, of the one pass over the sample"
RATIO = "Log-likelihood ratio of what the sample has against what the reference has, read in the reference, in nats"
CONSEQUENCE = "Most severe consequence by the annotation of the reference"
RANK = "Place by ratio among substitutions, or among all others; 1 for the most suspicious"


def write_flagged(genome: Genome, table: pd.DataFrame, path) -> None:
    """The table of `dnalm.tasks.scan.flagged`: REF is what the sample has, ALT what the model would have there.

    ``genome`` is the sample; positions are global.
    """
    info = [
        f'##INFO=<ID=DNALM_GAIN,Number=1,Type=Float,Description="{GAIN}">',
        f'##INFO=<ID=DNALM_SCREEN,Number=1,Type=Float,Description="{SCREEN}">',
        '##INFO=<ID=DNALM_RANK,Number=1,Type=Integer,Description="Place by gain, 1 for the most suspicious">',
        '##INFO=<ID=DNALM_REPAIR,Number=1,Type=String,Description="substitute, remove or insert">',
    ]
    rows = []
    for r in table.itertuples(index=False):
        position, ref, alt = anchored(genome, r.position, r.ref, r.alt)
        told = f"DNALM_GAIN={r.gain:.4g};DNALM_SCREEN={r.score:.4g};DNALM_RANK={r.rank};DNALM_REPAIR={r.repair}"
        rows.append((position, f".\t{ref}\t{alt}\t.\tPASS\t{told}"))
    _write(genome, info, rows, path)


def write_ranked(genome: Genome, table: pd.DataFrame, path) -> None:
    """Differences of a sample from a reference, at their places of the reference.

    ``genome`` is the reference; the table is of `dnalm.variants.sample_differences`, with global positions, ``ratio``
    and ``rank`` (NaN for none), and ``consequence`` and ``gene`` (empty for none).
    """
    info = [
        *(f'##FILTER=<ID={name},Description="{text}">' for name, text in REASONS.items()),
        f'##INFO=<ID=DNALM_LLR,Number=1,Type=Float,Description="{RATIO}">',
        f'##INFO=<ID=DNALM_RANK,Number=1,Type=Integer,Description="{RANK}">',
        f'##INFO=<ID=DNALM_CSQ,Number=1,Type=String,Description="{CONSEQUENCE}">',
        '##INFO=<ID=DNALM_GENE,Number=1,Type=String,Description="Gene of the consequence">',
        '##INFO=<ID=QUERY,Number=1,Type=String,Description="Contig of the sample">',
        '##INFO=<ID=QPOS,Number=1,Type=Integer,Description="Position in it, from 1">',
        '##INFO=<ID=QSTRAND,Number=1,Type=Character,Description="Its strand">',
    ]
    rows = []
    for r in table.itertuples(index=False):
        position, ref, alt = anchored(genome, r.position, r.ref, r.alt)
        told = "" if r.ratio != r.ratio else f"DNALM_LLR={r.ratio:.4g};DNALM_RANK={int(r.rank)};"
        told += f"DNALM_CSQ={r.consequence};" if r.consequence else ""
        told += f"DNALM_GENE={info_text(r.gene)};" if r.gene else ""
        told += f"QUERY={info_text(r.query)};QPOS={r.query_position + 1};QSTRAND={'+-'[int(r.reverse)]}"
        rows.append((position, f".\t{ref}\t{alt}\t.\t{r.reason or 'PASS'}\t{told}"))
    _write(genome, info, rows, path)


def anchored(genome: Genome, position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Global position and alleles as VCF wants them: none is empty, a base beside them stands in both.

    It is the base before, and at the first base of a contig the one behind.
    """
    if ref and alt:
        return position, ref, alt
    offsets = genome.contigs["offset"].to_numpy()
    if offsets[np.searchsorted(offsets, position, side="right") - 1] != position:
        base = LETTERS[genome.codes[position - 1] & 7]
        return position - 1, base + ref, base + alt
    base = LETTERS[genome.codes[position + len(ref)] & 7]
    return position, ref + base, alt + base


def _write(genome: Genome, info: list[str], rows: list[tuple[int, str]], path) -> None:
    """``rows`` are global positions, and what stands behind POS."""
    rows = sorted(rows)
    places = zip(*place_in_contigs(genome.contigs, [position for position, _ in rows]), strict=True)
    lengths = zip(genome.contigs["contig"], genome.contigs["length"], strict=True)
    lines = ["##fileformat=VCFv4.3", "##source=dnalm"]
    lines += [f"##contig=<ID={name},length={length}>" for name, length in lengths]
    lines += [*info, COLUMNS]
    lines += [f"{contig}\t{place + 1}\t{text}" for (contig, place), (_, text) in zip(places, rows, strict=True)]
    with atomic_path(path) as temporary:
        plain = Path(temporary).with_suffix(".plain")
        plain.write_text("\n".join(lines) + "\n")
        pysam.tabix_compress(str(plain), str(temporary), force=True)
        plain.unlink()
        write_index(temporary, path, genome.contigs["length"].max())
