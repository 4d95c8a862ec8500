"""Called genes with introns in the field's formats: GFF3 with gene, mRNA, exon and CDS rows, and proteins as FASTA."""

from pathlib import Path

import pandas as pd

from dnalm.annotation.features import write_gff3
from dnalm.annotation.transcripts import coding_codes
from dnalm.io.tables import atomic_path
from dnalm.sequence.genetic_code import translate
from dnalm.sequence.splits import place_in


def write_structures(calls: pd.DataFrame, genome, splits, gff, proteins) -> None:
    """Write genes with the columns of `dnalm.annotation.transcripts` and ``score`` (nats).

    The stop codon is part of the CDS and of no protein. Genes that touch a training block carry ``split=train``.
    """
    codes = dict(zip(genome.contigs["contig"], genome.contigs["genetic_code"], strict=True))
    seen, _ = place_in(calls, genome.rows(splits[splits["split"] == "train"]))
    rows, fasta = [], []
    for number, (gene, trained) in enumerate(zip(calls.itertuples(index=False), seen, strict=True), 1):
        name = f"{genome.name}_{number:05d}"
        rows += _rows(gene, name, "train" if trained else "held_out")
        coding = coding_codes(genome.contig_codes(gene.contig), gene)
        protein = translate(coding, codes[gene.contig]).rstrip("*")
        title = f">{name}.t1 {gene.contig}:{gene.start + 1}-{gene.end}({gene.strand}) exons={len(gene.cds_starts)}"
        fasta += [f"{title} score={gene.score:.4f}", *(protein[i : i + 60] for i in range(0, len(protein), 60))]
    write_gff3(rows, dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True)), gff)
    with atomic_path(proteins) as temporary:
        Path(temporary).write_text("".join(f"{line}\n" for line in fasta))


def _rows(gene, name: str, split: str) -> list[tuple]:
    """Rows of one gene for `write_gff3`."""
    first, last, transcript = int(gene.exon_starts[0]), int(gene.exon_ends[-1]), f"{name}.t1"
    whole = (first, last, gene.score, gene.strand, ".")
    rows = [
        (gene.contig, "gene", *whole, {"ID": name, "split": split}),
        (gene.contig, "mRNA", *whole, {"ID": transcript, "Parent": name}),
    ]
    for number, (a, b) in enumerate(zip(gene.exon_starts, gene.exon_ends, strict=True), 1):
        about = {"ID": f"{transcript}.exon{number}", "Parent": transcript}
        rows.append((gene.contig, "exon", int(a), int(b), None, gene.strand, ".", about))
    for a, b, phase in zip(gene.cds_starts, gene.cds_ends, gene.cds_phases, strict=True):
        about = {"ID": f"{transcript}.cds", "Parent": transcript}
        rows.append((gene.contig, "CDS", int(a), int(b), None, gene.strand, int(phase), about))
    return rows
