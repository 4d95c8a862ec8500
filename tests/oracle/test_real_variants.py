"""Catalogues of real variants on their genomes, found in the folders of DNALM_DATA."""

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from Bio import SeqIO
from helpers.genomes import genome_of
from helpers.variants import accepted, body_of

from dnalm.io.fasta import Genome
from dnalm.sequence.alphabet import encode
from dnalm.variant_files.reader import open_variants
from dnalm.variant_files.writer import InfoField, VariantWriter


def data(name):
    places = [Path(folder) / name for folder in os.environ.get("DNALM_DATA", "").split(os.pathsep) if folder]
    found = [place for place in places if place.is_file()]
    if not found:
        pytest.skip(f"{name} is not in a folder of DNALM_DATA")
    return found[0]


def test_who_catalogue_lies_on_its_genome():
    path = data("tb_resistance/who_v2_genomic_coordinates_20240507.vcf.gz")
    with gzip.open(data("bacteria/mtuberculosis_h37rv.gbk.gz"), "rt") as file:
        sequence = SeqIO.read(file, "genbank").seq
    genome = genome_of(encode(bytes(sequence)))
    file = open_variants(path, genome, {"NC_000962.3": "c0"})
    table = pd.concat([batch.alleles for batch in file.batches()])
    assert len(table) == 118_431 and file.rejected.total() == 0
    assert not table["flag"].isin(["ref_mismatch", "bad_position", "unknown_contig", "ref_ambiguous"]).any()
    assert set(table["flag"]) <= {"", "too_long", "no_alternative"}
    for row in table[table["flag"] == ""].iloc[::97].itertuples():
        assert sequence[row.position : row.position + len(row.ref)] == row.ref


def test_clinvar_comes_out_as_it_went_in(tmp_path):
    path, genome = data("human_brca/clinvar_20260226_GRCh38_BRCA1.vcf.gz"), clinvar_genome()
    file, out = open_variants(path, genome), tmp_path / "out.vcf.gz"
    with VariantWriter(out, file.header, genome, [InfoField("SCORE", "one")]) as writer:
        for batch in file.batches(1000):
            writer.write(batch, {"SCORE": np.ones(len(batch.alleles))})
    with gzip.open(path, "rt") as source:
        before = [line.rstrip("\n") for line in source if not line.startswith("#")]
    assert [line.partition(";SCORE=")[0] for line in body_of(out)] == before
    assert len(accepted(out)) == 14_998


def clinvar_genome():
    """The region at its place in a chromosome of N."""
    with gzip.open(data("human_brca/brca1_hg38_chr17_43000001_43200000.fa.gz"), "rt") as file:
        region = "".join(line.strip() for line in file if not line.startswith(">"))
    whole = np.full(43_200_000, 4, dtype=np.uint8)
    whole[43_000_000:] = encode(region)
    return Genome("g", whole, genome_of("A").contigs.assign(contig="chr17", length=len(whole)), "x")


def test_clinvar_lies_on_its_region():
    path, genome = data("human_brca/clinvar_20260226_GRCh38_BRCA1.vcf.gz"), clinvar_genome()
    file = open_variants(path, genome)
    table = pd.concat([batch.alleles for batch in file.batches()])
    assert len(set(table["line"])) == 14_998
    assert not table["flag"].isin(["ref_mismatch", "bad_position", "unknown_contig", "ref_ambiguous"]).any()
