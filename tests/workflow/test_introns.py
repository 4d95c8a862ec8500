"""Genes with introns as a user runs them: two slices of yeast from FASTA and GFF3 to judged genes and a report."""

import gzip

import pandas as pd
import pytest
import yaml
from Bio import SeqIO
from helpers.workflow import checkout, planned, snakemake

from dnalm.annotation.features import features_table, read_gff3
from dnalm.annotation.transcripts import coding_codes, read_transcripts
from dnalm.io.fasta import load_genome
from dnalm.sequence.genetic_code import translate

STUDY = "tests/config/introns.yaml"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("introns"))
    snakemake(folder, "--configfile", STUDY)
    return folder


def test_metrics_are_of_every_finder_on_every_level(finished):
    metrics = pd.read_csv(finished / "results/introns/annotate/metrics.tsv", sep="\t")
    found = metrics[metrics["split"] == "test"].set_index(["method", "metric"])["value"]
    assert set(metrics["method"]) == {"dnalm", "dnalm_alone", "dnalm_random_init", "closed_form"}
    assert metrics["metric"].nunique() == 9
    assert found["closed_form", "gene_f1_structure"] > 0.5 and found["closed_form", "base_f1_structure"] > 0.9
    assert found["dnalm", "base_f1_structure"] > 0
    comparisons = pd.read_csv(finished / "results/introns/annotate/comparisons.tsv", sep="\t")
    assert set(comparisons["method_a"]) == {"dnalm"} and len(comparisons) == 3 * 9 * 2


def test_genes_read_back_whole_and_their_proteins_agree(finished):
    results, genome = (
        finished / "results/introns/annotate/yeast_slices",
        load_genome(finished / "results/genomes/yeast_slices"),
    )
    lengths = dict(zip(genome.contigs["contig"], genome.contigs["length"], strict=True))
    rows = read_gff3(results / "genes.gff3.gz", lengths)
    genes = read_transcripts(genome, features_table(rows))
    assert len(genes) > 150 and set(genes["role"]) == {"chosen"}
    proteins = SeqIO.to_dict(SeqIO.parse(results / "proteins.faa", "fasta"))
    assert len(proteins) == len(genes)
    for gene in genes.itertuples():
        coding = coding_codes(genome.contig_codes(gene.contig), gene)
        assert translate(coding, 1).rstrip("*") == str(proteins[gene.id].seq)
    with gzip.open(results / "genes.gff3.gz", "rt") as file:
        kinds = [line.split("\t")[2] for line in file if not line.startswith("#")]
    assert kinds.count("gene") == kinds.count("mRNA") == len(genes) and kinds.count("CDS") == kinds.count("exon")


def test_the_report_shows_them(finished):
    page = (finished / "results/introns/report.html").read_text()
    assert "For whole genes" in page and "Genes with introns on the test blocks" in page
    assert "Genes with introns, " in (finished / "results/introns/results-table.md").read_text()


def test_another_finder_reruns_no_training(finished):
    content = yaml.safe_load((finished / STUDY).read_text())
    content["annotate"]["augustus"] = "saccharomyces_cerevisiae_S288C"
    (finished / "beside.yaml").write_text(yaml.safe_dump(content))
    text = snakemake(finished, "--configfile", "beside.yaml", "--dry-run")
    assert "pretrain" not in planned(text) and "genome" not in planned(text)


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in snakemake(finished, "--configfile", STUDY, "--dry-run")
