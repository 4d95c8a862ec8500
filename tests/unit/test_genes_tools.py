"""Called genes as other programs read them: Biopython's GenBank, genometools and gffread (where they are installed)."""

import gzip
import shutil
import subprocess
import warnings

import numpy as np
import pandas as pd
import pytest
from Bio import SeqIO
from helpers.genomes import genome_of
from test_genes_output import calls_of

from dnalm.annotation.called_genes import described, write_genes
from dnalm.annotation.features import read_genbank
from dnalm.annotation.genbank import write_genbank
from dnalm.sequence.alphabet import N, decode


@pytest.fixture(scope="module", params=[False, True], ids=["linear", "circular"])
def written(request, tmp_path_factory):
    rng, folder = np.random.default_rng(5), tmp_path_factory.mktemp("tools")
    contigs = [rng.integers(0, 4, size).astype(np.uint8) for size in (3001, 1502, 700)]
    contigs[0][100::7] |= 8
    contigs[1][0] = N
    genome = genome_of(*contigs, circular=request.param, code=11, name="draft")
    calls = calls_of(genome, 60)
    calls["motif"], calls["motif_distance"] = ["AGGAGG", ""] * (len(calls) // 2) + ["GGAGGT"] * (len(calls) % 2), 7
    names = [c.contig for c in genome.contigs.itertuples()]
    letters = {name: decode(genome.contig_codes(name)) for name in names}
    letters["c1"] = "R" + letters["c1"][1:]  # an ambiguity code, N among the codes
    (folder / "draft.fa").write_text("".join(f">{name}\n{text}\n" for name, text in letters.items()))
    write_genes(calls, genome, None, folder / "draft.gff3.gz", folder / "draft.faa", folder / "draft.ffn")
    write_genbank(calls, genome, folder / "draft.fa", folder / "draft.gbk.gz")
    (folder / "draft.gff3").write_bytes(gzip.decompress((folder / "draft.gff3.gz").read_bytes()))
    return genome, calls, folder


def proteins(folder):
    return {record.id: str(record.seq) for record in SeqIO.parse(folder / "draft.faa", "fasta")}


def untranslated(text):
    """A protein without its first letter, which is M or not by who reads the start codon."""
    return text.rstrip("*.")[1:]


def test_genbank_holds_every_gene_and_its_translation(written):
    genome, calls, folder = written
    expected, found = proteins(folder), {}
    with gzip.open(folder / "draft.gbk.gz", "rt") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for record in SeqIO.parse(file, "genbank"):
            assert record.annotations["molecule_type"] == "DNA"
            assert record.annotations["topology"] == ("circular" if genome.contigs["circular"].iloc[0] else "linear")
            for feature in record.features:
                (name,), (protein,) = feature.qualifiers["locus_tag"], feature.qualifiers["translation"]
                shift = int(feature.qualifiers["codon_start"][0]) - 1
                read = feature.extract(record.seq)[shift:].translate(table=int(feature.qualifiers["transl_table"][0]))
                assert untranslated(str(read)) == protein[1:]
                found[name] = protein
    assert found == expected and len(found) == len(calls) > 50


def test_genbank_is_read_back_as_a_genome_with_its_letters(written):
    genome, calls, folder = written
    contigs, rows = read_genbank(folder / "draft.gbk.gz")
    assert [name for name, *_ in contigs] == list(genome.contigs["contig"])
    assert contigs[1][1].upper().startswith(b"R")
    crossing = (calls["end"] > calls["contig"].map(dict(genome.contigs[["contig", "length"]].to_numpy()))).sum()
    assert len(rows) == len(calls) + crossing


def test_the_binding_site_is_told_where_it_is_known(written):
    genome, calls, _ = written
    for gene, call in zip(described(calls, genome), calls.itertuples(), strict=True):
        wanted = (call.motif, "7bp") if call.motif else ("None", "None")
        assert (gene.attributes["rbs_motif"], gene.attributes["rbs_spacer"]) == wanted
    assert "rbs_motif" not in described(calls.drop(columns="motif"), genome)[0].attributes


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


@needs("gt")
def test_genometools_finds_the_gff3_valid(written):
    run = subprocess.run(
        ["gt", "gff3validator", str(written[2] / "draft.gff3")], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "valid GFF3" in run.stdout


@needs("gffread")
def test_gffread_translates_to_the_same_proteins(written):
    genome, calls, folder = written
    command = ["gffread", "-y", "read.faa", "-g", "draft.fa", "draft.gff3"]
    subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=True)
    read = {record.id: str(record.seq) for record in SeqIO.parse(folder / "read.faa", "fasta")}
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    expected = proteins(folder)
    crossing = {f"draft_{i:05d}" for i, c in enumerate(calls.itertuples(), 1) if c.end > lengths[c.contig]}
    compared = [name for name in expected if name not in crossing]  # gffread knows no circle
    assert len(compared) > 50
    for name in compared:
        assert untranslated(read[name]) == expected[name][1:], name


def test_no_genes_give_files_that_can_be_read(tmp_path):
    genome = genome_of("ACGT" * 20)
    nothing = pd.DataFrame(columns=["contig", "start", "end", "strand", "score", "partial", "codon"])
    (tmp_path / "a.fa").write_text(">c0\n" + "ACGT" * 20 + "\n")
    write_genbank(nothing, genome, tmp_path / "a.fa", tmp_path / "a.gbk.gz")
    contigs, rows = read_genbank(tmp_path / "a.gbk.gz")
    assert len(contigs) == 1 and rows == []
