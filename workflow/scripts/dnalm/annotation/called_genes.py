"""Called genes in the field's formats: GFF3, proteins and genes as FASTA (GenBank: `dnalm.annotation.genbank`).

Names of attributes are those of Prodigal (Hyatt et al. 2010) where it has them: ``partial``, ``start_type``,
``rbs_motif``, ``rbs_spacer``. A gene that a contig's end cuts off reaches to that end, and its ``phase`` says how many
bases come before its first whole codon, as GFF3 and GenBank have it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.annotation.features import write_gff3
from dnalm.io.tables import atomic_path
from dnalm.sequence.alphabet import decode, reverse_complement
from dnalm.sequence.genetic_code import codon_index, genetic_code, translate
from dnalm.sequence.splits import place_in

#: Letters on a line of FASTA.
WIDTH = 60


@dataclass(frozen=True)
class Gene:
    """A called gene as files have it.

    ``start``, ``end`` are 0-based, half-open, and reach to the contig's end where the gene is cut off; ``cut`` tells
    whether it is at its lower and at its upper end. ``letters`` are its whole codons, ``phase`` the bases before them.
    """

    name: str
    contig: str
    start: int
    end: int
    strand: str
    phase: int
    cut: tuple[bool, bool]
    score: float
    letters: str
    protein: str
    attributes: dict[str, str]

    @property
    def title(self) -> str:
        """Its header in FASTA."""
        place = f"{self.contig}:{self.start + 1}-{self.end}({self.strand})"
        return f"{self.name} {place} score={self.score:.4f} partial={self.attributes['partial']}"


def described(calls: pd.DataFrame, genome, splits=None) -> list[Gene]:
    """Called genes, numbered in the order of the table.

    ``calls`` has contig, start, end, strand, score, partial, codon, and where the finder knows them ``motif`` (letters)
    and ``motif_distance`` (bases). With ``splits``, calls that touch a training block say ``split=train``.
    """
    contigs = {c.contig: c for c in genome.contigs.itertuples(index=False)}
    seen = None if splits is None else _touched(genome.rows(splits[splits["split"] == "train"]), calls, contigs)
    found = []
    for number, call in enumerate(calls.itertuples(index=False), 1):
        contig = contigs[call.contig]
        codes = genome.codes[contig.offset : contig.offset + contig.length]
        codes = codes.take(np.arange(call.start, call.end), mode="wrap") & 7
        codes = reverse_complement(codes) if call.strand == "-" else codes
        no_start = call.codon < 0
        no_stop = bool(call.partial) and not _ends(codes, contig.genetic_code)
        cut = (no_start, no_stop) if call.strand == "+" else (no_stop, no_start)
        start, end = (0 if cut[0] else call.start), (contig.length if cut[1] else call.end)
        phase = (call.start - start if call.strand == "+" else end - call.end) if no_start else 0
        name = f"{genome.name}_{number:05d}"
        attributes = {"ID": name, "partial": f"{cut[0]:d}{cut[1]:d}", **_start(call)}
        if seen is not None:
            attributes["split"] = "train" if seen[number - 1] else "held_out"
        protein = translate(codes, contig.genetic_code, start=not no_start).rstrip("*")
        found.append(
            Gene(name, call.contig, start, end, call.strand, phase, cut, call.score, decode(codes), protein, attributes)
        )
    return found


def _ends(codes, code: int) -> bool:
    """Whether the last codon is a stop codon."""
    last = codon_index(codes[-3:])[0]
    return last >= 0 and bool(genetic_code(code)[2][last])


def _start(call) -> dict[str, str]:
    """What is known of the start: its codon, and the ribosome binding site in front of it."""
    codon = "".join("ACGT"[call.codon // 4**i % 4] for i in (2, 1, 0)) if call.codon >= 0 else "Edge"
    if not hasattr(call, "motif"):
        return {"start_type": codon}
    spacer = f"{call.motif_distance}bp" if call.motif else "None"
    return {"start_type": codon, "rbs_motif": call.motif or "None", "rbs_spacer": spacer}


def _touched(blocks: pd.DataFrame, calls: pd.DataFrame, contigs: dict) -> np.ndarray:
    """Whether calls overlap a block; those across the origin go on at the contig's beginning."""
    touched, _ = place_in(calls, blocks)
    beyond = calls["end"] - np.array([contigs[name].length for name in calls["contig"]], dtype=np.int64)
    over = (beyond > 0).to_numpy()
    touched[over] |= place_in(calls[over].assign(start=0, end=beyond[over]), blocks)[0]
    return touched


def write_genes(calls: pd.DataFrame, genome, splits, gff, proteins, nucleotides) -> None:
    """GFF3, and FASTA of proteins and of genes, of called genes (see `described`); ``splits`` may be None."""
    genes = described(calls, genome, splits)
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    rows = [(g.contig, "CDS", g.start, g.end, g.score, g.strand, g.phase, g.attributes) for g in genes]
    for c in genome.contigs[genome.contigs["circular"]].itertuples(index=False):
        rows.append((c.contig, "region", 0, c.length, None, "+", ".", {"ID": c.contig, "Is_circular": "true"}))
    write_gff3(rows, lengths, gff)
    _write_fasta(((g.title, g.protein) for g in genes), proteins)
    _write_fasta(((g.title, g.letters) for g in genes), nucleotides)


def _write_fasta(records, path) -> None:
    with atomic_path(path) as temporary, open(temporary, "w") as out:
        for title, letters in records:
            lines = (letters[i : i + WIDTH] for i in range(0, len(letters), WIDTH))
            out.write("\n".join([f">{title}", *lines]) + "\n")
