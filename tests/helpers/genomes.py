"""Small synthetic genomes: plain ones, and ones with planted genes whose place and start are known."""

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.annotation.features import features_table
from dnalm.io.fasta import Genome
from dnalm.sequence.alphabet import decode, encode, reverse_complement
from dnalm.sequence.splits import make_splits

CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
STOPS = {4: ("TAA", "TAG"), 11: ("TAA", "TAG", "TGA")}
RIBOSOME_SITE = "AGGAGG"
SPACER = 7
SPLITS = {"by": "block", "block": 6000, "test": 0.25, "validation": 0.2, "gap": 300}


def genome_of(*contigs, circular=False, code=11, name="g"):
    """A genome of code arrays (or letters), its contigs named c0, c1, ..."""
    parts = [encode(c) if isinstance(c, str) else np.asarray(c, dtype=np.uint8) for c in contigs]
    lengths = [len(part) for part in parts]
    table = pd.DataFrame(
        {
            "contig": [f"c{i}" for i in range(len(parts))],
            "length": lengths,
            "offset": np.cumsum([0, *lengths[:-1]]),
            "circular": circular,
            "genetic_code": code,
        }
    )
    codes = np.concatenate(parts)
    return Genome(name, codes, table, hashlib.sha256(codes.tobytes()).hexdigest())


def splits_of(*rows, genome="g"):
    """A splits table from (contig, start, end, split) rows."""
    table = pd.DataFrame(rows, columns=["contig", "start", "end", "split"])
    return table.assign(genome=genome, reason="block")[["genome", "contig", "start", "end", "split", "reason"]]


def cds_rows(genes, lengths, **attributes):
    """Feature rows of CDS; a gene whose end passes the contig's length becomes two parts, as in GenBank."""
    rows = []
    for number, (contig, start, end, strand) in enumerate(genes):
        spans = [(start, min(end, lengths[contig]))] + ([(0, end - lengths[contig])] if end > lengths[contig] else [])
        rows += [
            {
                "contig": contig, "start": a, "end": b, "strand": strand, "type": "CDS", "phase": 0,
                "id": f"CDS-{number}", "parent": "", "attributes": json.dumps(attributes),
            }
            for a, b in spans
        ]  # fmt: skip
    return rows


def features_of(genome, genes):
    """The tidy feature table of (contig, start, end, strand) genes."""
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    return features_table(cds_rows(genes, lengths))


@dataclass(frozen=True)
class Planted:
    """A genome, the genes planted in it (contig, start, end, strand) and its splits."""

    genome: Genome
    genes: list[tuple]
    features: pd.DataFrame
    splits: pd.DataFrame

    def inside(self, split):
        """The planted genes that lie inside blocks of a split."""
        rows = self.splits[self.splits["split"] == split]
        return [
            g
            for g in self.genes
            if any(b.contig == g[0] and b.start <= g[1] and g[2] <= b.end for b in rows.itertuples())
        ]


def planted_genome(seed=0, genes=90, circular=True, code=11, name="g", block=6000):
    """Genes of a marked codon usage behind a ribosome binding site, on both strands, between AT-rich random bases.

    On the circle the first gene crosses the origin. In genetic code 4, TGA is a codon like others.
    """
    rng, stops = np.random.default_rng(seed), STOPS[code]
    sense = [codon for codon in CODONS if codon not in stops]
    usage = rng.dirichlet(np.full(len(sense), 0.4))
    parts, found, at = [], [], 0
    for number in range(genes):
        gap = rng.choice(4, int(rng.integers(60, 180)), p=[0.33, 0.17, 0.17, 0.33]).astype(np.uint8)
        start = rng.choice(["ATG", "GTG", "TTG"], p=[0.8, 0.12, 0.08])
        body = "".join(rng.choice(sense, int(rng.integers(60, 300)), p=usage))
        spacer = "".join(rng.choice(list("ACGT"), SPACER))
        leader, gene = RIBOSOME_SITE + spacer, start + body + str(rng.choice(stops))
        unit, forward = encode(leader + gene), bool(rng.random() < 0.5 or number == 0)
        first = at + len(gap) + (len(leader) if forward else 0)
        found.append((first, first + len(gene), "+" if forward else "-"))
        parts += [gap, unit if forward else reverse_complement(unit)]
        at += len(gap) + len(unit)
    codes, shift = np.concatenate(parts), 0
    if circular:
        shift = (found[0][0] + found[0][1]) // 2
    placed = [("c0", (a - shift) % at, (a - shift) % at + b - a, strand) for a, b, strand in found]
    genome = genome_of(np.roll(codes, -shift), circular=circular, code=code, name=name)
    return Planted(
        genome, placed, features_of(genome, placed), make_splits([genome], {**SPLITS, "block": block}, seed + 1)
    )


def write_source(folder, planted):
    """FASTA and GFF3 of a planted genome; the source that a study names."""
    genome = planted.genome
    paths = {key: folder / f"{genome.name}.{end}" for key, end in (("path", "fa"), ("annotation", "gff3"))}
    contigs = genome.contigs.itertuples(index=False)
    paths["path"].write_text("".join(f">{c.contig}\n{decode(genome.contig_codes(c.contig))}\n" for c in contigs))
    rows = [(c, "x", "CDS", a + 1, b, ".", s, 0, f"ID=CDS-{i}") for i, (c, a, b, s) in enumerate(planted.genes)]
    paths["annotation"].write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
    first = genome.contigs.iloc[0]
    facts = {"genetic_code": int(first["genetic_code"]), "circular": bool(first["circular"])}
    return {**{key: str(path) for key, path in paths.items()}, **facts}
