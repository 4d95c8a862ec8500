"""Called genes and their genome as a GenBank flat file."""

import gzip
import warnings
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from Bio import BiopythonWarning
from Bio.Seq import Seq
from Bio.SeqFeature import AfterPosition, BeforePosition, CompoundLocation, SeqFeature, SimpleLocation
from Bio.SeqRecord import SeqRecord

import dnalm
from dnalm.annotation.called_genes import Gene, described
from dnalm.io.fasta import read_fasta
from dnalm.io.tables import atomic_path


def write_genbank(calls: pd.DataFrame, genome, fasta, path) -> None:
    """The genome with its called genes as a GenBank flat file, gzip; ``fasta`` has its letters, ambiguity codes too."""
    with (
        atomic_path(path) as temporary,
        open(temporary, "wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", BiopythonWarning)  # of names longer than the format once allowed
        for record in _records(described(calls, genome), genome, fasta):
            packed.write(record.format("genbank").encode())


def _records(genes: list[Gene], genome, fasta) -> Iterator[SeqRecord]:
    """Contigs with their genes."""
    by_contig: dict[str, list[Gene]] = {}
    for gene in genes:
        by_contig.setdefault(gene.contig, []).append(gene)
    rows = {c.contig: c for c in genome.contigs.itertuples(index=False)}
    for name, letters in read_fasta(Path(fasta)):
        contig = rows[name]
        facts = {"molecule_type": "DNA", "topology": "circular" if contig.circular else "linear"}
        features = [_feature(gene, contig) for gene in by_contig.get(name, [])]
        text = f"{genome.name}, genes called by dnalm"
        yield SeqRecord(Seq(letters.upper()), name, name, text, features=features, annotations=facts)


def _feature(gene: Gene, contig) -> SeqFeature:
    """A coding sequence of a GenBank record."""
    start = BeforePosition(gene.start) if gene.cut[0] else gene.start
    end = AfterPosition(gene.end) if gene.cut[1] else gene.end
    strand = 1 if gene.strand == "+" else -1
    location = SimpleLocation(start, end, strand)
    if gene.end > contig.length:
        halves = [
            SimpleLocation(gene.start, contig.length, strand), SimpleLocation(0, gene.end - contig.length, strand)
        ]  # fmt: skip
        location = CompoundLocation(halves[::strand])
    told = ", ".join(f"{key}={gene.attributes[key]}" for key in gene.attributes if key not in ("ID", "split"))
    qualifiers = {
        "locus_tag": gene.name, "product": "hypothetical protein", "codon_start": gene.phase + 1,
        "transl_table": contig.genetic_code, "inference": f"ab initio prediction:dnalm:{dnalm.__version__}",
        "note": f"score={gene.score:.4f}, {told}", "translation": gene.protein,
    }  # fmt: skip
    return SeqFeature(location, type="CDS", qualifiers=qualifiers)
