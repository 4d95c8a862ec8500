"""The genome stage on real records of many kinds, found in the folders of DNALM_DATA."""

import gzip
import os
from pathlib import Path

import pandas as pd
import pytest
import yaml
from Bio import SeqIO

from dnalm.annotation.features import coding_sequences, rna_genes
from dnalm.annotation.labels import whole_genes
from dnalm.annotation.transcript_labels import transcript_labels
from dnalm.annotation.transcripts import coding_codes, read_transcripts
from dnalm.baselines.intron_lengths import intron_lengths, training_introns
from dnalm.config import load_study
from dnalm.errors import InputError
from dnalm.genomes.build import build_genome
from dnalm.genomes.composite import merge_genomes
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source
from dnalm.io.provenance import ROOT
from dnalm.sequence.alphabet import decode, reverse_complement
from dnalm.sequence.genetic_code import translate
from dnalm.sequence.leakage import audit
from dnalm.sequence.splits import SPLITS, blocks_of, make_splits, place_in, split_labels
from dnalm.sequence.windows import tile_windows

#: file: (genetic code, CDS of one part that are neither pseudo nor partial)
GENBANK = {
    "mgenitalium_g37.gbk.gz": (4, 507),
    "mgallisepticum_NC_004829.gbk.gz": (4, 718),
    "mmycoides_GCF_000023685.1.gbff.gz": (4, 849),
    "ecoli_k12_mg1655.gbff.gz": (11, 4295),
}


def found(name):
    """A file in a folder of DNALM_DATA or one level below it; the test is skipped where there is none."""
    folders = [Path(p) for p in os.environ.get("DNALM_DATA", "").split(os.pathsep) if p]
    places = [p for folder in folders for p in (folder / name, *folder.glob(f"*/{name}")) if p.is_file()]
    if not places:
        pytest.skip(f"{name} is not in a folder of DNALM_DATA")
    return places[0]


def build(folder, sequence, annotation=None, **more):
    source = {"path": str(sequence), **more} | ({"annotation": str(annotation)} if annotation else {})
    return build_genome("g", resolve_source(source), source, folder)


def coding(folder):
    genome = load_genome(folder)
    contigs = genome.contigs
    lengths = dict(zip(contigs["contig"], contigs["length"], strict=True))
    circular = set(contigs.loc[contigs["circular"], "contig"])
    return genome, coding_sequences(pd.read_parquet(folder / "features.parquet"), lengths, circular)


@pytest.mark.parametrize("name", GENBANK)
def test_bacterial_records_translate_to_their_proteins(tmp_path, name):
    path, (code, count) = found(name), GENBANK[name]
    card = build(tmp_path, path)
    assert card["genetic_code"] == code
    assert card["cds"]["start_share"] > 0.97
    assert card["cds"]["stop_share"] > 0.99
    genome, cds = coding(tmp_path)
    whole = cds[(cds["parts"] == 1) & ~cds["pseudo"] & ~cds["partial"]]
    assert len(whole) == count
    known = {}
    with gzip.open(path, "rt") as file:
        for record in SeqIO.parse(file, "genbank"):
            assert decode(genome.contig_codes(record.id)) == str(record.seq)
            for feature in record.features:
                if feature.type == "CDS" and "translation" in feature.qualifiers:
                    place = (record.id, int(feature.location.start), int(feature.location.end), feature.location.strand)
                    known[place] = feature.qualifiers["translation"][0]
    compared = equal = 0
    for row in whole[~whole["crosses_origin"]].itertuples():
        codes = genome.fetch(row.contig, row.start, row.end)
        codes = codes if row.strand == "+" else reverse_complement(codes)
        protein = known.get((row.contig, row.start, row.end, {"+": 1, "-": -1}[row.strand]))
        compared += protein is not None
        equal += protein is not None and translate(codes, code)[:-1].replace("*", "U")[1:] == protein[1:]
    assert compared > 0.98 * len(whole)
    assert equal >= 0.998 * compared


def test_genbank_and_fasta_with_gff3_agree_on_k12(tmp_path):
    gbff, fna, gff = (found(f"ecoli_k12_mg1655.{s}.gz") for s in ("gbff", "fna", "gff"))
    one = build(tmp_path / "one", gbff)
    two = build(tmp_path / "two", fna, gff)
    assert two["circular"] is one["circular"] is True
    assert one["digest"] == two["digest"]
    (_, a), (_, b) = coding(tmp_path / "one"), coding(tmp_path / "two")
    key = ["start", "end", "strand"]
    a, b = (set(t.loc[~t["pseudo"] & (t["parts"] == 1), key].itertuples(index=False, name=None)) for t in (a, b))
    assert len(a ^ b) <= 0.005 * len(a)


def transcripts_in(folder):
    genome = load_genome(folder)
    return genome, read_transcripts(genome, pd.read_parquet(folder / "features.parquet"))


def test_a_yeast_genome_with_introns_and_contigs_of_other_names(tmp_path):
    fasta, gff = (
        found("Saccharomyces_cerevisiae.R64-1-1.dna.toplevel.fa.gz"),
        found("GCF_000146045.2_R64_SGD_R64-4-1.gff.gz"),
    )
    card = build(tmp_path, fasta, gff, genetic_code=1)
    assert card["cds"]["start_share"] > 0.98
    assert card["cds"]["stop_share"] > 0.98
    assert 250 < card["cds"]["joined"] < 400
    genome, cds = coding(tmp_path)
    assert len(genome.contigs) == 17
    assert genome.contigs["length"].sum() == 12_157_105 == card["bases"]
    assert not cds["crosses_origin"].any()
    assert cds.groupby("contig").size()["Mito"] > 10
    _, table = transcripts_in(tmp_path)
    chosen = table[table["role"] == "chosen"]
    # the mitochondrion is read with code 3, which its genes name: 8 are whole, and 10 have introns of other ends
    assert len(chosen) == 5945 and sum(len(starts) - 1 for starts in chosen["cds_starts"]) == 270
    assert table[table["role"] == "excluded"].groupby("problem").size().to_dict() == {
        "intron too short": 47, "pseudogene": 18, "start codon": 9, "splice sites": 13,
    }  # fmt: skip


#: Genes and their introns in the first per cent of each chromosome, and loci that teach nothing.
SLICES = {"A.thaliana": (342, 1333, 23), "C.elegans": (157, 780, 39), "D.melanogaster": (77, 263, 8)}


@pytest.mark.parametrize("name", SLICES)
def test_dialects_of_three_databases_give_whole_genes(tmp_path, name):
    build(tmp_path, found(f"{name}.fa.gz"), found(f"{name}.gff.gz"), genetic_code=1)
    genome, table = transcripts_in(tmp_path)
    chosen, genes, introns, excluded = table[table["role"] == "chosen"], *SLICES[name]
    assert len(chosen) == genes and sum(len(starts) - 1 for starts in chosen["cds_starts"]) == introns
    assert table[table["role"] == "excluded"].groupby(["contig", "locus"]).ngroups == excluded
    for t in chosen.itertuples():
        protein = translate(coding_codes(genome.contig_codes(t.contig), t), 1)
        assert protein[0] == "M" and protein.index("*") == len(protein) - 1
    labels = transcript_labels(genome, table)
    for site in ("start", "stop", "donor", "acceptor"):
        assert (labels.candidates(site)[:] | ~labels.sites(site)[:]).all()


@pytest.mark.parametrize("name", ["worm", "arabidopsis", "fly"])
def test_studies_of_the_slices_leave_genes_in_every_split(tmp_path, name):
    study = load_study(yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text()))
    source = study.genomes[name]
    more = {"leave_out": source.leave_out, "genetic_code": source.genetic_code}
    build(tmp_path, found(source.file), found(source.annotation), **more)
    genome, table = transcripts_in(tmp_path)
    splits = make_splits([genome], study.splits.model_dump(), study.seed)
    chosen = table[table["role"] == "chosen"]
    inside = {split: place_in(chosen, blocks_of(splits, genome, split))[1].sum() for split in SPLITS[:3]}
    assert min(inside.values()) > 10 and inside["train"] == max(inside.values())
    lengths = intron_lengths(training_introns(genome, table, split_labels(genome, splits) == 0), 30)
    assert 40 < lengths[0].shortest < 80 and lengths[1].shortest == 30


def test_genomes_of_two_genetic_codes_are_one_and_what_they_share_is_found(tmp_path):
    """Relatives share ribosomal RNA, and hardly anything else letter by letter."""
    sources = {"test": found("mgenitalium_g37.gbk.gz"), "train": found("mgallisepticum_NC_004829.gbk.gz")}
    sources = {name: {"path": str(path)} for name, path in sources.items()}
    sources["validation"] = {"embedded": "chlamydia_trachomatis_d_uw3cx"}
    for name, source in sources.items():
        build_genome(name, resolve_source(source), source, tmp_path / name)
    merge_genomes("three", [tmp_path / name for name in sources], tmp_path / "three")
    genome, cds = coding(tmp_path / "three")
    assert genome.contigs["genetic_code"].tolist() == [4, 4, 11]
    code = dict(zip(genome.contigs["contig"], genome.contigs["genetic_code"], strict=True))
    broken = 0
    for gene in whole_genes(cds).itertuples():
        codes = genome.fetch(gene.contig, gene.start, gene.end)
        broken += "*" in translate(codes if gene.strand == "+" else reverse_complement(codes), code[gene.contig])[:-1]
    assert broken <= 0.002 * len(cds)
    by_genome = {"by": "genome", "test": 0.2, "validation": 0.1}
    splits = make_splits([load_genome(tmp_path / n) for n in sources], by_genome, 1, None, {n: n for n in sources})
    rna = rna_genes(pd.read_parquet(tmp_path / "three" / "features.parquet"))
    table = audit(genome, splits, tile_windows(genome, splits, 500), rna)
    hits = table[table["matched"] > 0]
    assert hits["hit_contig"].str.startswith("train:").all()
    ribosomal = hits[(hits["genome"] == "test") & (hits["kind"] == "rRNA")]
    assert len(ribosomal) >= 8 and ribosomal["identity"].median() > 0.85
    assert (hits["kind"] == "repeat").sum() < 0.02 * len(table)


def test_the_wrong_strain_is_noticed(tmp_path):
    fna = found("ecoli_k12_mg1655.fna.gz")
    record = SeqIO.read(gzip.open(found("ecoli_o157h7_sakai.gbk.gz"), "rt"), "genbank")
    lines = [
        f"NC_000913.3\tx\tCDS\t{int(f.location.start) + 1}\t{int(f.location.end)}\t.\t"
        f"{'+' if f.location.strand == 1 else '-'}\t0\tID={i}\n"
        for i, f in enumerate(record.features)
        if f.type == "CDS" and f.location.end < 4_600_000
    ]
    (tmp_path / "sakai.gff3").write_text("".join(lines))
    with pytest.raises(InputError, match="annotation of another assembly"):
        build(tmp_path / "g", fna, tmp_path / "sakai.gff3")
    assert not list((tmp_path / "g").rglob("*"))
