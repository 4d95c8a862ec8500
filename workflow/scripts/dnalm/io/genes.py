"""Called genes in the field's formats."""

from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.io.annotation import write_gff3
from dnalm.io.tables import atomic_path
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.genetic_code import translate


def write_genes(genes: pd.DataFrame, genome, splits, gff, proteins) -> None:
    """GFF3 and protein FASTA of called genes; calls that touch a training block carry ``split=train``."""
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    code = dict(zip(genome.contigs["contig"], genome.contigs["genetic_code"], strict=True))
    train_rows = genome.rows(splits[splits["split"] == "train"])
    rows, fasta = [], []
    for number, gene in enumerate(genes.itertuples(index=False), 1):
        name = f"{genome.name}_{number:05d}"
        blocks = train_rows[train_rows["contig"] == gene.contig]
        turns = (0, lengths[gene.contig])  # a call across the origin goes on at the contig's beginning
        seen = any(((blocks["start"] < gene.end - t) & (blocks["end"] > gene.start - t)).any() for t in turns)
        codon = "".join("ACGT"[gene.codon // 4**i % 4] for i in (2, 1, 0)) if gene.codon >= 0 else "edge"
        extra = {"ID": name, "start_type": codon, "split": "train" if seen else "held_out"}
        if gene.partial:
            extra["partial"] = "true"
        rows.append((gene.contig, "CDS", gene.start, gene.end, gene.score, gene.strand, 0, extra))
        codes = genome.contig_codes(gene.contig).take(np.arange(gene.start, gene.end), mode="wrap") & 7
        codes = reverse_complement(codes) if gene.strand == "-" else codes
        protein = translate(codes, code[gene.contig], start=gene.codon >= 0).rstrip("*")
        title = f">{name} {gene.contig}:{gene.start + 1}-{gene.end}({gene.strand}) score={gene.score:.4f}"
        fasta += [title, *(protein[i : i + 60] for i in range(0, len(protein), 60))]
    for c in genome.contigs[genome.contigs["circular"]].itertuples(index=False):
        rows.append((c.contig, "region", 0, c.length, None, "+", ".", {"ID": c.contig, "Is_circular": "true"}))
    write_gff3(rows, lengths, gff)
    with atomic_path(proteins) as temporary:
        Path(temporary).write_text("".join(f"{line}\n" for line in fasta))
