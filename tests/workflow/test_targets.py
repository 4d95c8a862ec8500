"""Genes of genomes that nobody has annotated, with a gene finder that is there already."""

import gzip
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from Bio import SeqIO
from helpers.workflow import checkout, planned, sha256, snakemake

from dnalm.genefinder.finder import read
from dnalm.genefinder.learning import learn
from dnalm.genefinder.lessons import lesson_of
from dnalm.genomes.build import build_genome
from dnalm.io.fasta import load_genome
from dnalm.io.fetch import resolve_source

LEARNING = {"splits", "windows", "pretrain", "finetune", "predict_genes", "evaluate_pretrain", "results_table"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("targets"))
    (folder / "isolate.fa").write_text(">c1\nACGT\n")
    return folder


def write_model(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("config.json", "model.safetensors"):
        (folder / file).touch()
    return str(folder)


def write_study(folder, name, **more):
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"study": name, **more}))
    return str(path)


def test_a_study_of_targets_learns_nothing(project):
    annotate = {"model": write_model(project / "networks"), "targets": {"a": {"path": "isolate.fa"}}}
    study = write_study(project, "isolates", annotate=annotate)
    text = snakemake(project, "--configfile", study, "--dry-run")
    assert {"genome", "find_target_genes", "write_target_genes", "report"} <= planned(text)
    assert not planned(text) & LEARNING


def test_a_file_of_a_target_can_be_asked_for_by_its_path(project):
    annotate = {"model": write_model(project / "networks"), "targets": {"a": {"path": "isolate.fa"}}}
    study = write_study(project, "isolates", annotate=annotate)
    wanted = "results/isolates/annotate/targets/a.gff3.gz"
    rules = planned(snakemake(project, "--configfile", study, "--dry-run", "--", wanted))
    assert rules == {"genome", "find_target_genes", "write_target_genes"}


def test_targets_stand_beside_genomes_that_are_learned_from(project):
    annotate = {"model": write_model(project / "networks"), "targets": {"a": {"path": "isolate.fa"}}}
    study = write_study(project, "both", annotate=annotate, genomes={"g": {"path": "isolate.fa"}})
    text = snakemake(project, "--configfile", study, "--dry-run")
    assert planned(text) >= {"find_target_genes", "pretrain", "finetune"}
    assert re.search(r"^genome +2$", text, re.M)


def test_a_model_that_is_not_there_is_one_clear_line(project):
    study = write_study(project, "lost", annotate={"model": "archaea", "targets": {"a": {"path": "isolate.fa"}}})
    text = snakemake(project, "--configfile", study, "--dry-run", ok=False)
    assert "no trained gene finder 'archaea'" in text and "annotate.model" in text
    assert "Traceback" not in text


SHIPPED = "chlamydia_trachomatis_d_uw3cx"


def train(folder, scratch):
    """Networks trained on a piece of the genome that ships with dnalm."""
    source = {"embedded": SHIPPED, "region": {"start": 0, "end": 120_000}}
    build_genome("lesson", resolve_source(source), source, scratch)
    genome = load_genome(scratch)
    lesson = lesson_of(genome, pd.read_parquet(Path(scratch) / "features.parquet"), read(genome))
    learn([lesson], 1).save(folder)


@pytest.fixture(scope="module")
def annotated(tmp_path_factory):
    """A project in which the genes of another piece, and of scraps in FASTA, were called."""
    folder = checkout(tmp_path_factory.mktemp("annotated"))
    train(folder / "networks", tmp_path_factory.mktemp("lesson"))
    (folder / "scraps.fa").write_text(
        ">a some words\nacgtnnryACGT\n>b\n" + "ATGGCA" * 60 + "TAA\n>c\n" + "N" * 500 + "\n"
    )
    targets = {
        "piece": {"embedded": SHIPPED, "region": {"start": 400_000, "end": 460_000}}, "scraps": {"path": "scraps.fa"},
    }  # fmt: skip
    study = write_study(folder, "isolates", annotate={"model": "networks", "targets": targets})
    snakemake(folder, "--configfile", study)
    return folder, study


def test_every_file_of_a_target_holds_the_same_genes(annotated):
    folder, _ = annotated
    results = folder / "results" / "isolates" / "annotate" / "targets"
    for name in ("piece", "scraps"):
        calls = pd.read_parquet(results / f"{name}.calls.parquet")
        lines = gzip.decompress((results / f"{name}.gff3.gz").read_bytes()).decode().splitlines()
        names = [re.search("ID=([^;]+)", line)[1] for line in lines if "\tCDS\t" in line]
        with gzip.open(results / f"{name}.gbk.gz", "rt") as file:
            records = list(SeqIO.parse(file, "genbank"))
        translations = {
            f.qualifiers["locus_tag"][0]: f.qualifiers["translation"][0] for r in records for f in r.features
        }
        proteins = {r.id: str(r.seq) for r in SeqIO.parse(results / f"{name}.faa", "fasta")}
        assert len(calls) == len(names) == len(list(SeqIO.parse(results / f"{name}.ffn", "fasta")))
        assert proteins == translations and sorted(proteins) == sorted(names)
        assert (results / f"{name}.gff3.gz.tbi").is_file()


def test_what_is_called_is_mostly_what_is_annotated(annotated):
    folder, _ = annotated
    features = pd.read_parquet(folder / "results" / "genomes" / "piece" / "features.parquet")
    true = features[(features["type"] == "CDS") & (features["strand"] == "+")]
    calls = pd.read_parquet(folder / "results" / "isolates" / "annotate" / "targets" / "piece.calls.parquet")
    calls = calls[calls["strand"] == "+"]
    assert len(true) > 15
    assert len(set(true["end"]) & set(calls["end"])) > 0.8 * max(len(true), len(calls))


def test_the_summary_accounts_for_everything_and_the_report_says_it(annotated):
    folder, _ = annotated
    results = folder / "results" / "isolates"
    table = pd.read_csv(results / "annotate" / "targets" / "scraps.summary.tsv", sep="\t", keep_default_na=False)
    value = table.set_index(["method", "measure"])["value"]
    assert [float(value["", m]) for m in ("contigs", "contigs_too_short", "bases", "bases_n")] == [3, 1, 875, 504]
    assert "fewer than 20,000 bases" in table["note"].iloc[0]
    page = (results / "report.html").read_text()
    assert "<strong>scraps</strong>: fewer than 20,000 bases" in page
    assert 'id="targets"' in page and 'id="language"' not in page
    for suffix in ("svg", "png", "pdf", "tsv"):
        assert (results / "figures" / f"targets.{suffix}").stat().st_size > 100


def test_a_second_run_has_nothing_to_do_and_a_new_one_gives_the_same_bytes(annotated):
    folder, study = annotated
    assert "Nothing to be done" in snakemake(folder, "--configfile", study)
    wanted = [f"results/isolates/annotate/targets/piece.{end}" for end in ("gff3.gz", "faa", "gbk.gz", "calls.parquet")]
    before = [sha256(folder / path) for path in wanted]
    snakemake(folder, "--configfile", study, "--forcerun", "find_target_genes", "--", *wanted)
    assert [sha256(folder / path) for path in wanted] == before


def test_a_name_that_is_there_twice_is_refused_with_its_line(annotated):
    folder, _ = annotated
    (folder / "twice.fa").write_text(">x\nACGT\n>y\nACGT\n>x\nACGT\n")
    study = write_study(folder, "twice", annotate={"model": "networks", "targets": {"t": {"path": "twice.fa"}}})
    text = snakemake(folder, "--configfile", study, "--", "results/genomes/t/genome.json", ok=False)
    assert "twice.fa:5: contig x is there twice (first in line 1)" in text
    assert "Traceback" not in text
