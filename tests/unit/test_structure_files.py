"""Called genes with introns as files: GFF3 against our own reader and the rules of GFF3, proteins against Biopython."""

import gzip
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from Bio import SeqIO
from Bio.Seq import Seq
from helpers.genomes import splits_of
from helpers.structures import planted_introns

from dnalm.annotation.called_structures import write_structures
from dnalm.annotation.features import features_table, read_gff3
from dnalm.annotation.transcripts import read_transcripts, structure_keys
from dnalm.sequence.alphabet import decode


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A genome, its planted genes as calls, and the rows and proteins of their files."""
    planted, folder = planted_introns(3, genes=12, contigs=2, utr=5), tmp_path_factory.mktemp("structures")
    calls = read_transcripts(planted.genome, planted.features).assign(score=np.linspace(1, 9, 24))
    splits = splits_of(("c0", 0, 2000, "train"), ("c0", 2000, 9999, "test"), ("c1", 0, 99_999, "test"))
    write_structures(calls, planted.genome, splits, folder / "g.gff3.gz", folder / "p.faa")
    return planted.genome, calls, folder


def rows_of(folder):
    columns = ["contig", "source", "type", "start", "end", "score", "strand", "phase", "attributes"]
    with gzip.open(folder / "g.gff3.gz", "rt") as file:
        lines = [line.split("\t") for line in file.read().splitlines() if not line.startswith("#")]
    table = pd.DataFrame(lines, columns=columns).astype({"start": int, "end": int})
    about = [dict(pair.split("=") for pair in text.split(";")) for text in table["attributes"]]
    return table.assign(id=[a["ID"] for a in about], parent=[a.get("Parent") for a in about], about=about)


def test_the_file_reads_back_as_the_same_genes(written):
    genome, calls, folder = written
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    back = read_transcripts(genome, features_table(read_gff3(folder / "g.gff3.gz", lengths)))
    assert structure_keys(back).tolist() == structure_keys(calls).tolist()
    assert set(back["role"]) == {"chosen"}  # whole, with phases that agree
    for ours, theirs in zip(back.itertuples(), calls.itertuples(), strict=True):
        assert ours.exon_starts.tolist() == theirs.exon_starts.tolist()
        assert ours.exon_ends.tolist() == theirs.exon_ends.tolist()


def test_parts_lie_inside_their_parents_and_share_strand_and_ids(written):
    rows = rows_of(written[2])
    assert set(rows["type"]) == {"gene", "mRNA", "exon", "CDS"}
    assert rows.loc[rows["type"] != "CDS", "id"].is_unique
    by_id = rows[rows["type"] != "CDS"].set_index("id")
    for row in rows[rows["parent"].notna()].itertuples():
        above = by_id.loc[row.parent]
        assert above["type"] == {"mRNA": "gene"}.get(row.type, "mRNA")
        assert above["start"] <= row.start and row.end <= above["end"] and above["strand"] == row.strand
    assert (rows["phase"].isin(["0", "1", "2"]) == (rows["type"] == "CDS")).all()
    genes = rows[rows["type"] == "gene"]
    assert [a["split"] for a in genes["about"]] == [
        "train" if row.contig == "c0" and row.start <= 2000 else "held_out" for row in genes.itertuples()
    ]
    assert 0 < sum(a["split"] == "train" for a in genes["about"]) < len(genes)


def test_proteins_are_those_that_biopython_reads_from_the_gff3(written):
    genome, calls, folder = written
    rows, proteins = rows_of(folder), SeqIO.to_dict(SeqIO.parse(folder / "p.faa", "fasta"))
    assert len(proteins) == len(calls) == 24
    several = 0
    for transcript, parts in rows[rows["type"] == "CDS"].groupby("parent"):
        text = decode(genome.contig_codes(parts["contig"].iloc[0]))
        parts = parts.sort_values("start")
        first = parts.iloc[0 if parts["strand"].iloc[0] == "+" else -1]
        coding = Seq("".join(text[a - 1 : b] for a, b in zip(parts["start"], parts["end"], strict=True)))
        coding = coding if first["strand"] == "+" else coding.reverse_complement()
        assert first["phase"] == "0" and str(coding.translate(cds=True)) == str(proteins[transcript].seq)
        several += len(parts) > 1
        assert f"exons={len(parts)} " in proteins[transcript].description
    assert several > 5


@pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed")
def test_gffread_reads_the_same_proteins_from_gff3_and_fasta(written, tmp_path):
    genome, calls, folder = written
    (tmp_path / "g.gff3").write_bytes(gzip.decompress((folder / "g.gff3.gz").read_bytes()))
    contigs = genome.contigs["contig"]
    (tmp_path / "g.fa").write_text("".join(f">{c}\n{decode(genome.contig_codes(c))}\n" for c in contigs))
    command = ["gffread", "-g", tmp_path / "g.fa", "-y", tmp_path / "p.faa", tmp_path / "g.gff3"]
    subprocess.run(command, check=True, capture_output=True)
    theirs = {r.id: str(r.seq).rstrip(".") for r in SeqIO.parse(tmp_path / "p.faa", "fasta")}
    ours = {r.id: str(r.seq) for r in SeqIO.parse(folder / "p.faa", "fasta")}
    assert theirs == ours and len(ours) == len(calls)
