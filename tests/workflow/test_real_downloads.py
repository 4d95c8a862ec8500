"""The studies of E. coli K-12 (NCBI) and yeast (UCSC, Ensembl) as a user runs them, up to windows and leakage.

The providers are a server on loopback, with their folders made of the real files that lie in DNALM_DATA; what comes out
is held against Biopython and gffread on these files.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
from collections import Counter

import pandas as pd
import pytest
import yaml
from Bio import SeqIO
from Bio.Seq import Seq
from helpers.mirror import Site, http_site
from helpers.real_sites import YEAST_FASTA, YEAST_GFF, add_k12, add_r64, add_saccer3, attributes, real, yeast
from helpers.workflow import checkout, planned, snakemake

from dnalm.annotation.transcripts import coding_codes, read_transcripts
from dnalm.io.fasta import load_genome
from dnalm.sequence.alphabet import decode
from dnalm.sequence.genetic_code import translate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("gffread"), reason="gffread is not installed"),
]
DEAD = "http://127.0.0.1:9"
K12, SACCER3, R64 = "ecoli_ncbi", "yeast_ucsc", "yeast_ensembl"
#: The genome of each study.
GENOMES = {K12: "ecoli_ncbi", SACCER3: "saccer3", R64: "yeast_r64"}


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Spliced coding sequences of yeast by gffread: {contig by Ensembl's name: their number by sequence}."""
    folder = tmp_path_factory.mktemp("truth")
    gff, fasta, coding = (folder / name for name in ("a.gff3", "a.fa", "coding.fa"))
    gff.write_bytes(gzip.decompress(real(YEAST_GFF).read_bytes()))
    rows = [row for row in (line.split("\t") for line in gff.read_text().splitlines()) if len(row) == 9]
    called = {row[0]: attributes(row)["Name"].replace("MT", "Mito") for row in rows if row[2] == "region"}
    where = {attributes(row).get("ID"): called[row[0]] for row in rows}
    theirs = {ours: name for name, ours in called.items()}
    with gzip.open(real(YEAST_FASTA), "rt") as file, open(fasta, "w") as out:
        for record in SeqIO.parse(file, "fasta"):
            out.write(f">{theirs[record.id]}\n{record.seq}\n")
    subprocess.run(["gffread", gff, "-g", fasta, "-x", coding], check=True, capture_output=True)
    found = {name: Counter() for name in theirs}
    for record in SeqIO.parse(coding, "fasta"):
        found[where[record.id]][str(record.seq)] += 1
    return found


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A checkout that sees the three providers on loopback, UCSC by the config and the others by the environment."""
    folder, site = tmp_path_factory.mktemp("project"), Site()
    add_k12(site), add_saccer3(site, tmp_path_factory.mktemp("track")), add_r64(site)
    checkout(folder)
    with http_site(site) as base, pytest.MonkeyPatch.context() as patch:
        for name in ("DNALM_DATA", "DNALM_CACHE", "SNAKEMAKE_OUTPUT_CACHE"):
            patch.delenv(name, raising=False)
        patch.setenv("DNALM_MIRROR_NCBI", f"{base}/genomes/all")
        patch.setenv("DNALM_MIRROR_NCBI_DATASETS", DEAD)
        patch.setenv("DNALM_MIRROR_ENSEMBL", f"{base}/pub")
        (folder / "mirrors.yaml").write_text(
            yaml.safe_dump({"download": {"mirrors": {"ucsc": [f"{base}/goldenPath"]}}})
        )
        yield folder


@pytest.fixture(scope="module", params=GENOMES)
def finished(request, project):
    """(study, its folder, the folder of its genome) after the stages before training."""
    study = request.param
    arguments = ("--configfile", f"config/{study}.yaml", "mirrors.yaml", "--", f"results/{study}/windows.parquet")
    snakemake(project, *arguments)
    assert not planned(snakemake(project, "--dry-run", *arguments))
    return study, project / "results" / study, project / "results" / "genomes" / GENOMES[study]


def contigs_in(folder):
    """Length and digest of every sequence of a genome directory, letter case included."""
    with gzip.open(folder / "genome.fa.gz", "rt") as file:
        return {record.id: digest_of(str(record.seq)) for record in SeqIO.parse(file, "fasta")}


def digest_of(text):
    return len(text), hashlib.sha256(text.encode()).hexdigest()


def transcripts_in(folder):
    genome = load_genome(folder)
    return genome, read_transcripts(genome, pd.read_parquet(folder / "features.parquet"))


def coding_in(folder):
    """Number of coding sequences of a genome directory, by sequence."""
    genome, table = transcripts_in(folder)
    genes = table[table["problem"] != "pseudogene"]
    return Counter(decode(coding_codes(genome.contig_codes(t.contig), t)) for t in genes.itertuples())


def test_sequences_and_genes_are_those_of_the_source(finished, truth):
    study, _, folder = finished
    card = json.loads((folder / "genome.json").read_text())
    if study == K12:
        with gzip.open(real("ecoli_k12_mg1655.gbff.gz"), "rt") as file:
            record = SeqIO.read(file, "genbank")
        kinds = Counter(feature.type for feature in record.features)
        assert contigs_in(folder) == {record.id: digest_of(str(record.seq))}
        assert card["cds"]["total"] == kinds["CDS"] and card["features"]["gene"] == kinds["gene"]
        assert card["circular"] is True and card["genetic_code"] == 11
    else:
        prefix = "chr" if study == SACCER3 else ""
        wanted = {name: digest_of(text) for name, text in yeast(prefix).items() if name not in ("Mito", "chrM")}
        assert len(wanted) == 16 and contigs_in(folder) == wanted
        nuclear = sum((found for name, found in truth.items() if name != "Mito"), Counter())
        assert card["cds"]["total"] == nuclear.total() > 6000 and card["genetic_code"] == 1
        assert not coding_in(folder) - nuclear
        # UCSC's tracks do not say what is a pseudogene; six of RefSeq's have a coding sequence
        assert (nuclear - coding_in(folder)).total() == (0 if study == SACCER3 else 6)


def test_windows_cover_the_genome_and_held_out_ones_are_searched(finished):
    _, results, folder = finished
    windows, leakage = pd.read_parquet(results / "windows.parquet"), pd.read_csv(results / "leakage.tsv", sep="\t")
    splits = pd.read_csv(results / "splits.tsv", sep="\t")
    lengths = {name: length for name, (length, _) in contigs_in(folder).items()}
    assert (splits["end"] - splits["start"]).groupby(splits["contig"]).sum().to_dict() == lengths
    assert set(windows["split"]) == {"train", "validation", "test"}
    held_out = windows[windows["split"] != "train"]
    assert len(leakage) == len(held_out) > 1000
    # copies of transposons and rRNA genes in other blocks or chromosomes
    assert 0 < (leakage["share"] > 0.9).sum() < 0.1 * len(leakage)


def test_the_provenance_names_place_and_checksum(finished):
    study, _, folder = finished
    facts = json.loads((folder / "provenance.json").read_text())
    kinds = {K12: "md5", SACCER3: "md5", R64: "bsd_sum"}
    assert facts["provider_checksum"]["kind"] == kinds[study]
    assert facts["url"].startswith("http://127.0.0.1:") and facts["licence"]
    assert facts.get("left_out") is None if study == K12 else "leave_out" in json.dumps(facts["left_out"])


def test_the_mitochondrion_of_yeast_is_read_with_its_own_code(project, truth):
    study = yaml.safe_load((project / "config/yeast_ensembl.yaml").read_text())
    source = study["genomes"].pop("yeast_r64") | {"organelle_genetic_code": 3}
    source.pop("leave_out")
    study |= {"study": "mito", "genomes": {"whole": source}}
    (project / "mito.yaml").write_text(yaml.safe_dump(study))
    snakemake(project, "--configfile", "mito.yaml", "--", "results/genomes/whole/genome.json")
    genome, table = transcripts_in(project / "results/genomes/whole")
    codes = dict(zip(genome.contigs["contig"], genome.contigs["genetic_code"], strict=True))
    assert codes == dict.fromkeys(truth, 1) | {"Mito": 3}
    ours, theirs = Counter(), Counter()
    for gene in table[table["problem"] != "pseudogene"].itertuples():
        sequence = coding_codes(genome.contig_codes(gene.contig), gene)
        if len(sequence) % 3 == 0:
            ours[gene.contig == "Mito", translate(sequence, codes[gene.contig])] += 1
    for contig, found in truth.items():
        for sequence, times in found.items():
            if len(sequence) % 3 == 0:
                theirs[contig == "Mito", str(Seq(sequence).translate(table=codes[contig]))] += times
    assert not ours - theirs
    assert sum(times for (mito, _), times in ours.items() if mito) == truth["Mito"].total() == 19
    assert (theirs - ours).total() == 6  # pseudogenes
    # read with the code of the nucleus, or that of other mitochondria, these proteins would be others
    for other in (1, 4):
        assert not any(ours[True, str(Seq(sequence).translate(table=other))] for sequence in truth["Mito"])
