"""Genes with introns the slow way: every structure of a short sequence, and random genes for long ones."""

import functools
import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.annotation.features import features_table
from dnalm.annotation.transcripts import COLUMNS, EXCLUDED, transcript_row
from dnalm.io.fasta import Genome
from dnalm.sequence.alphabet import reverse_complement
from dnalm.sequence.gene_structure import CLASSES, FLOOR, SITES
from helpers.genomes import genome_of

PAIRS = {("GT", "AG"), ("GC", "AG"), ("AT", "AC")}
FRAGMENTS = ["ATG", "TAA", "TGA", "GT", "GC", "AG", "AC", "AT", "CAT", "TTA", "CT", "A", "C", "G", "T"]
SENSE = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in ("TAA", "TAG", "TGA")]
USAGE = np.random.default_rng(99).dirichlet(np.full(len(SENSE), 0.4))


def random_text(rng, length):
    """Letters that are rich in starts, stops and splice sites of both strands."""
    return "".join(rng.choice(FRAGMENTS, length))[:length]


def all_genes(text, stops, min_intron):
    """Coding parts [(start, end), ...] of every gene on the forward strand of a text."""
    found = []

    def read(at, parts, coding):
        if len(coding) % 3 == 0 and coding[-3:] in stops:
            if parts[-1][1] - parts[-1][0] >= 3:  # a stop codon is in one piece
                found.append(tuple(parts))
            return
        if at < len(text) and text[at] in "ACGT":
            read(at + 1, [*parts[:-1], (parts[-1][0], at + 1)], coding + text[at])
        for end in range(at + min_intron, len(text)):
            if (text[at : at + 2], text[end - 2 : end]) in PAIRS and text[end] in "ACGT":
                read(end + 1, [*parts, (end, end + 1)], coding + text[end])

    for start in range(len(text) - 2):
        if text[start : start + 3] == "ATG":
            read(start + 3, [(start, start + 3)], "ATG")
    return found


def gene_labels_of(parts, strand, before=0, after=0):
    """{base: class} and [(base, site column)] of a gene, its UTRs ``before`` and ``after`` it in bases."""
    sign, side = ("+", 0) if strand > 0 else ("-", 1)
    order = [list(range(a, b)) for a, b in parts][::strand]
    order = [bases[::strand] for bases in order]
    low, high = parts[0][0], parts[-1][1]
    labels = dict.fromkeys([*range(low - before, low), *range(high, high + after)], f"{sign}utr")
    sites, done = [(order[0][0], "start"), (order[-1][-1], "stop")], 0
    for number, bases in enumerate(order):
        for base in bases:
            labels[base] = f"{sign}{done % 3 + 1}"
            done += 1
        if number + 1 < len(order):
            intron = list(range(bases[-1] + strand, order[number + 1][0], strand))
            labels |= dict.fromkeys(intron, f"{sign}intron{done % 3}")
            sites += [(intron[0], "donor"), (intron[-1], "acceptor")]
    return labels, [(base, 2 * SITES.index(name) + side) for base, name in sites]


def best_by_enumeration(text, emissions, sites, stops, min_intron, utr, weight=1.0, worth=lambda length: 0.0):
    """Class of every base in the best set of genes on both strands, and its score; an intron's length is ``worth``."""
    length, flipped = len(text), text[::-1].translate(str.maketrans("ACGT", "TGCA"))
    genes = [(1, parts) for parts in all_genes(text, stops, min_intron)]
    genes += [
        (-1, tuple((length - b, length - a) for a, b in parts[::-1])) for parts in all_genes(flipped, stops, min_intron)
    ]
    emissions = weight * np.maximum(emissions, FLOOR).astype(float)
    options = {}
    for strand, parts in genes:
        low, high = parts[0][0], parts[-1][1]
        lengths = sum(worth(after[0] - part[1]) for part, after in itertools.pairwise(parts))
        for before in range(low + 1 if utr else 1):
            for after in range(length - high + 1 if utr else 1):
                labels, used = gene_labels_of(parts, strand, before, after)
                score = lengths + sum(emissions[base, CLASSES.index(name)] for base, name in labels.items())
                score += sum(float(sites[base, column]) for base, column in used)
                options.setdefault(low - before, []).append((high + after, score, labels))

    @functools.cache
    def best(at):
        """Best from base ``at`` on, where nothing has begun yet."""
        if at >= length:
            return 0.0, ()
        score, chosen = best(at + 1)
        top = (score + emissions[at, 0], chosen)
        for end, gain, labels in options.get(at, ()):
            rest, others = best(end + 1)
            total = gain + rest + (emissions[end, 0] if end < length else 0.0)
            if total > top[0]:
                top = (total, (labels, *others))
        return top

    score, chosen = best(0)
    classes = np.zeros(length, dtype=np.uint8)
    for labels in chosen:
        for base, name in labels.items():
            classes[base] = CLASSES.index(name)
    return classes, score, len(genes)


def mirrored(codes, emissions, sites):
    """The same inputs for the reverse complement."""
    half = (len(CLASSES) - 1) // 2
    swap = [0, *range(1 + half, 1 + 2 * half), *range(1, 1 + half)]
    columns = [column ^ 1 for column in range(2 * len(SITES))]
    return reverse_complement(codes), emissions[::-1][:, swap], sites[::-1][:, columns]


def random_gene(rng, exons, codons=60):
    """(letters, coding parts) of a gene with ``exons`` exons on the forward strand."""
    coding = "ATG" + "".join(rng.choice(SENSE, codons, p=USAGE)) + "TAA"
    cuts = [0, *sorted(rng.choice(np.arange(4, len(coding) - 4), exons - 1, replace=False)), len(coding)]
    text, parts = "", []
    for number, (a, b) in enumerate(itertools.pairwise(cuts)):
        parts.append((len(text), len(text) + b - a))
        text += coding[a:b]
        if number < exons - 1:
            inside = "".join(rng.choice(list("ACGT"), int(rng.integers(30, 80)), p=[0.35, 0.15, 0.15, 0.35]))
            text += f"GTATGT{inside}TTTTCAG"
    return text, parts


@dataclass(frozen=True)
class PlantedIntrons:
    """A genome with planted genes of one to three exons, (contig, strand, coding parts) of each, and its features."""

    genome: Genome
    genes: list[tuple]
    features: pd.DataFrame


def planted_introns(seed=0, genes=40, contigs=1, utr=0, codons=60):
    """Genes on both strands between random bases; each has ``utr`` bases of UTR on both sides."""
    rng, texts, found, rows = np.random.default_rng(seed), [], [], []
    for number in range(contigs):
        parts = []
        for _ in range(genes):
            gene, coding = random_gene(rng, int(rng.integers(1, 4)), codons)
            gap = "".join(rng.choice(list("ACGT"), int(rng.integers(80, 200)), p=[0.35, 0.15, 0.15, 0.35]))
            at, strand = len("".join(parts)) + len(gap), "+-"[int(rng.random() < 0.5)]
            if strand == "-":
                gene = gene[::-1].translate(str.maketrans("ACGT", "TGCA"))
                coding = [(len(gene) - b, len(gene) - a) for a, b in coding[::-1]]
            coding = [(a + at, b + at) for a, b in coding]
            found.append((f"c{number}", strand, coding))
            rows += feature_rows(f"c{number}", strand, coding, f"n{len(found)}", utr)
            parts += [gap, gene]
        texts.append("".join(parts) + "C" * (utr + 9))
    genome = genome_of(*texts, code=1)
    return PlantedIntrons(genome, found, features_table(rows))


def feature_rows(contig, strand, coding, name, utr=0, locus=None):
    """Rows of gene, mRNA, exons and CDS of one transcript."""
    exons = [[a, b] for a, b in coding]
    exons[0][0] -= utr
    exons[-1][1] += utr
    locus = locus or f"gene-{name}"
    common = {"contig": contig, "strand": strand, "phase": -1, "attributes": "{}"}
    span = {"start": exons[0][0], "end": exons[-1][1]}
    rows = [common | span | {"type": "gene", "id": locus, "parent": ""}]
    rows += [common | span | {"type": "mRNA", "id": f"rna-{name}", "parent": locus}]
    for number, (a, b) in enumerate(exons):
        own = {"start": a, "end": b, "type": "exon", "id": f"exon-{name}-{number}", "parent": f"rna-{name}"}
        rows.append(common | own)
    done = 0
    for a, b in coding if strand == "+" else coding[::-1]:
        own = {"start": a, "end": b, "type": "CDS", "phase": -done % 3, "id": f"cds-{name}", "parent": f"rna-{name}"}
        rows.append(common | own)
        done += b - a
    return rows


def transcripts_of(*rows):
    """The transcript table of (contig, strand, coding parts, role, and maybe score)."""
    table = []
    for number, (contig, strand, coding, role, *score) in enumerate(rows):
        cds, problem = [(a, b, 0) for a, b in coding], "" if role != EXCLUDED else "frame"
        name = f"t{number}"
        table.append([*transcript_row(contig, strand, name, name, cds, coding, problem, role), *(score or [1.0])])
    return pd.DataFrame(table, columns=[*COLUMNS, "score"])
