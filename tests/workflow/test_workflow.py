"""The workflow as a user runs it: end to end on a slice of the embedded genome, reruns, kills, mistakes."""

import os
import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pysam
import pytest
import yaml
from helpers.workflow import checkout, planned, sha256, snakemake, start

from dnalm.io.tables import COMPARISON_COLUMNS, METRIC_COLUMNS

TINY = "tests/config/tiny.yaml"
MODEL = "results/tiny/pretrain/model/model.safetensors"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project in which `make run` has finished."""
    folder = checkout(tmp_path_factory.mktemp("project"))
    (folder / ".venv" / "bin" / ".installed").touch()
    process = start(folder, "make", "run", f"CONFIG={TINY}")
    text = process.communicate(timeout=900)[0]
    assert process.returncode == 0, text[-5000:]
    return folder


def test_report_is_there_and_offline(finished):
    page = (finished / "results/tiny/report.html").read_text()
    assert "tiny" in page
    assert not re.search(r"""(?:src|href)=["']https?://""", page)


def test_outputs_keep_their_contracts(finished):
    results = finished / "results/tiny"
    metrics = pd.read_csv(results / "all_metrics.tsv", sep="\t")
    assert list(metrics.columns) == METRIC_COLUMNS
    assert set(metrics["stage"]) == {"pretrain", "annotate", "variants"}
    assert set(metrics["splits_sha256"]) == {sha256(results / "splits.tsv")}
    for stage in ("pretrain", "annotate", "variants"):
        assert list(pd.read_csv(results / stage / "comparisons.tsv", sep="\t").columns) == COMPARISON_COLUMNS
    inside = metrics.dropna(subset=["ci_low"])
    assert (inside["ci_low"] <= inside["ci_high"]).all()
    with pysam.TabixFile(str(results / "annotate/slice/genes.gff3.gz")) as genes:
        rows = [line.split("\t") for line in genes.fetch()]
    assert len(rows) > 50
    assert len((results / "annotate/slice/proteins.faa").read_text().split(">")) - 1 == len(rows)
    with pysam.FastaFile(str(finished / "results/genomes/slice/genome.fa.gz")) as fasta:
        assert fasta.lengths == [120_000]
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= set(
        os.listdir(results / "pretrain/model")
    )


def test_every_metric_has_a_baseline(finished):
    metrics = pd.read_csv(finished / "results/tiny/all_metrics.tsv", sep="\t")
    ours = metrics[metrics["method"] == "dnalm"]
    others = metrics[~metrics["method"].str.startswith("dnalm")]
    key = ["stage", "split", "stratum", "metric"]
    assert set(map(tuple, ours[key].to_numpy())) <= set(map(tuple, others[key].to_numpy()))


def test_every_figure_in_all_formats_with_its_table(finished):
    figures = finished / "results/tiny/figures"
    names = {path.stem for path in figures.glob("*.svg")}
    assert names == {
        "learning_curve",
        "bits_by_region",
        "splits_and_leakage",
        "gene_precision_recall",
        "browser",
        "calibration",
        "zero_shot_variants",
    }
    for name in names:
        for suffix in ("png", "pdf", "tsv"):
            assert (figures / f"{name}.{suffix}").stat().st_size > 100


def test_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in snakemake(finished, "--configfile", TINY)


def test_state_of_trainings_is_gone(finished):
    assert not list((finished / ".state").rglob("*.safetensors"))


def test_one_study_file_builds_one_genome(finished):
    assert os.listdir(finished / "results/genomes") == ["slice"]


def test_changed_library_reruns_only_what_hangs_on_it(finished):
    module = finished / "workflow/scripts/dnalm/tasks/decode.py"
    before = module.read_text()
    try:
        module.write_text(before + "\n# changed\n")
        text = snakemake(finished, "--configfile", TINY, "--dry-run")
    finally:
        module.write_text(before)
    assert "Params have changed" in text
    assert "predict_genes" in planned(text)
    assert not planned(text) & {
        "genome",
        "splits",
        "windows",
        "pretrain",
        "language_baselines",
        "pyrodigal",
        "finetune",
    }


def test_touched_library_reruns_nothing(finished):
    os.utime(finished / "workflow/scripts/dnalm/tasks/decode.py")
    assert "Nothing to be done" in snakemake(finished, "--configfile", TINY, "--dry-run")


def test_cores_do_not_change_what_runs(finished):
    assert "Nothing to be done" in snakemake(finished, "--configfile", TINY, "--dry-run", "--cores", "1")


def test_snakemakes_own_report(finished):
    snakemake(finished, "--configfile", TINY, "--report", "own.html")
    page = (finished / "own.html").read_text()
    assert all(name in page for name in ("learning_curve.svg", "browser.svg"))


def test_same_seed_gives_the_same_bytes_again(finished, tmp_path):
    folder = checkout(tmp_path)
    wanted = [
        "results/tiny/annotate/slice/genes.gff3.gz",
        "results/tiny/pretrain/metrics.tsv",
        "results/tiny/leakage.tsv",
    ]
    snakemake(folder, "--configfile", TINY, "--", *wanted)
    for name in [*wanted, MODEL, "results/genomes/slice/genome.fa.gz", "results/tiny/pretrain/log.csv"]:
        assert sha256(folder / name) == sha256(finished / name), name


def test_killed_training_goes_on_to_the_same_weights(finished, tmp_path):
    folder = checkout(tmp_path)
    command = [
        f"{sys.prefix}/bin/snakemake",
        "--cores",
        "1",
        "--workflow-profile",
        "profiles/default",
        "--configfile",
        TINY,
        "--",
        MODEL,
    ]
    process = start(folder, *command)
    deadline = time.monotonic() + 120
    while not list((folder / ".state").rglob("step-*.safetensors")):
        assert time.monotonic() < deadline and process.poll() is None, "no checkpoint was written"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for child in subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True).stdout.split():
        os.kill(int(child), signal.SIGKILL)
    assert not (folder / MODEL).exists()
    refused = snakemake(folder, "--configfile", TINY, "--", MODEL, ok=False)
    assert "unlock" in refused
    snakemake(folder, "--configfile", TINY, "--unlock")
    text = snakemake(folder, "--configfile", TINY, "--", MODEL)
    assert re.search(r"going on from step \d+", text), text[-3000:]
    assert sha256(folder / MODEL) == sha256(finished / MODEL)
    assert not list((folder / ".state").rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("pretrain: {windows: 256}", r"unknown key pretrain\.windows, did you mean window\?"),
        ("splits: {test: 1.5}", r"splits\.test: .*less than 1"),
        ("{genomes: {a: {embedded: x}, b: {embedded: y}}, splits: {by: genome}}", r"splits\.by genome needs .* are 2"),
    ],
)
def test_bad_config_is_one_clear_line_at_parse_time(finished, tmp_path, change, message):
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(yaml.safe_load((finished / TINY).read_text()) | yaml.safe_load(change)))
    text = snakemake(finished, "--configfile", str(study), "--dry-run", ok=False)
    assert re.search(message, text), text


def test_missing_file_of_the_user_is_a_clear_line(finished, tmp_path):
    study = tmp_path / "study.yaml"
    study.write_text("study: lost\ngenomes:\n  lost: {path: no/such.fa.gz}\n")
    text = snakemake(finished, "--configfile", str(study), "--", "results/genomes/lost/genome.json", ok=False)
    assert "no/such.fa.gz: no such file" in text
    assert "Traceback" not in text
    assert not list((finished / "results/genomes").glob("lost/*.json"))


def test_study_without_annotation_stage(finished, tmp_path):
    study = tmp_path / "study.yaml"
    text = re.sub(r"^annotate: .*$", "annotate: null", (finished / TINY).read_text(), flags=re.M)
    study.write_text(text)
    rules = planned(snakemake(finished, "--configfile", str(study), "--dry-run", "--forceall"))
    assert "pretrain" in rules
    assert not rules & {"finetune", "predict_genes", "pyrodigal", "evaluate_annotate", "figure_browser"}
