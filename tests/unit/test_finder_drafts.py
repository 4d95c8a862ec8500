"""Calls of drafts and scraps: binding sites that are there, contigs of all kinds, too little to learn from."""

from pathlib import Path

import numpy as np
import pytest
from helpers.genomes import genome_of

from dnalm.annotation.called_genes import described, write_genes
from dnalm.annotation.genbank import write_genbank
from dnalm.genefinder.calls import COLUMNS
from dnalm.genefinder.finder import find_genes
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome, read_fasta
from dnalm.io.fetch import resolve_source
from dnalm.sequence.alphabet import N, decode, reverse_complement

BASES = 60_000


@pytest.fixture(scope="module")
def piece(tmp_path_factory):
    """Letters of a stretch of the embedded genome."""
    folder = tmp_path_factory.mktemp("piece")
    source = {"embedded": "chlamydia_trachomatis_d_uw3cx", "region": {"start": 300_000, "end": 300_000 + BASES}}
    build_genome("piece", resolve_source(source), source, folder)
    return np.asarray(load_genome(Path(folder)).codes) & 7


def test_the_motif_is_the_letters_in_front_of_the_start(piece):
    genome = genome_of(piece)
    calls, seen = find_genes(genome, None), 0
    assert tuple(calls.columns) == COLUMNS
    for call in calls.itertuples():
        assert bool(call.motif) == (call.motif_score > 0 and call.codon >= 0)
        if not call.motif:
            continue
        if call.strand == "+":
            before = piece[: call.start]
        else:
            before = reverse_complement(piece[call.end :])
        place = len(before) - call.motif_distance - len(call.motif)
        if place >= 0:
            assert decode(before[place : place + len(call.motif)]) == call.motif
            seen += 1
    assert seen > 20


def test_lower_case_and_ambiguity_codes_change_nothing_but_what_they_hide(piece):
    lower = piece.copy()
    lower[1000:30_000] |= 8
    plain, soft = find_genes(genome_of(piece), None), find_genes(genome_of(lower), None)
    assert plain.equals(soft)
    hidden = piece.copy()
    hidden[::50] = N
    assert len(find_genes(genome_of(hidden), None)) < len(plain) / 4


def test_a_gene_across_the_origin_is_called_on_a_circle(piece):
    gene = next(g for g in find_genes(genome_of(piece), None).itertuples() if g.end - g.start > 900 and not g.partial)
    shift = (gene.start + gene.end) // 2
    turned = genome_of(np.roll(piece, -shift), circular=True)
    crossing = find_genes(turned, None)
    crossing = crossing[crossing["end"] > BASES]
    stop = gene.end if gene.strand == "+" else gene.start
    found = (crossing["end"] if gene.strand == "+" else crossing["start"]) + shift
    assert stop % BASES in set(found % BASES)


SCRAPS = {
    "2 kb": lambda codes: [codes[:2000]],
    "20 kb in ten contigs": lambda codes: np.split(codes[:20_000], 10),
    "three hundred contigs of 200": lambda codes: np.split(codes, 300),
    "contigs of all sizes": lambda codes: [codes[:1], codes[:2], codes[:59], codes[:60], codes[:400], codes[:9000]],
    "runs of N": lambda codes: [
        np.full(5000, N, dtype=np.uint8),
        np.where(np.arange(9000) % 900 < 500, codes[:9000], N),
    ],
    "no candidate": lambda codes: [np.zeros(50, dtype=np.uint8), np.full(300, N, dtype=np.uint8)],
    "two genomes": lambda codes: [codes[:20_000], np.random.default_rng(0).integers(1, 3, 20_000).astype(np.uint8)],
}


@pytest.mark.parametrize("name", SCRAPS)
def test_whatever_the_contigs_are_there_is_a_result_that_can_be_written(piece, tmp_path, name):
    parts = [np.asarray(part, dtype=np.uint8) for part in SCRAPS[name](piece)]
    genome = genome_of(*parts)
    calls = find_genes(genome, None)
    assert (len(calls) == 0) == (name == "no candidate")
    write_genes(calls, genome, None, tmp_path / "g.gff3.gz", tmp_path / "g.faa", tmp_path / "g.ffn")
    rows = zip(genome.contigs["contig"], parts, strict=True)
    (tmp_path / "g.fa").write_text("".join(f">{contig}\n{decode(codes)}\n" for contig, codes in rows))
    write_genbank(calls, genome, tmp_path / "g.fa", tmp_path / "g.gbk.gz")
    for gene in described(calls, genome):
        assert "*" not in gene.protein and len(gene.protein) >= 19
        assert 0 <= gene.start < gene.end <= genome.length(gene.contig)
    if len(calls):
        assert all(not set(letters) - set(b"ACGT") for _, letters in read_fasta(tmp_path / "g.ffn"))
